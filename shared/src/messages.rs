//! The texts of e-mails and text messages.

use std::time::Duration;

/// Characters of GSM 03.38 that fit into one text message.
pub const SMS_SEGMENT: usize = 160;

/// What all messages have in common.
#[derive(Clone, Debug)]
pub struct MessageTexts {
    /// The application's name.
    pub app_name: String,
    /// How long a code stays valid.
    pub lifetime: Duration,
}

/// An e-mail. Holds a code: it cannot be printed.
#[derive(Clone)]
pub struct EmailText {
    /// The subject. The code is not in it: subjects show on locked screens.
    pub subject: String,
    /// The plain text.
    pub text: String,
    /// The HTML version.
    pub html: String,
}

impl MessageTexts {
    /// The text message. The last line is the origin-bound form, by which browsers fill in the code
    /// on this domain only.
    #[must_use]
    pub fn sms(&self, code: &str, domain: &str) -> String {
        let Self { app_name, .. } = self;
        format!(
            "{code} is your {app_name} code, valid {}. Not you? Ignore it.\n\n@{domain} #{code}",
            self.minutes("min")
        )
    }

    /// The e-mail.
    #[must_use]
    pub fn email(&self, code: &str) -> EmailText {
        let app_name = &self.app_name;
        let lifetime = self.minutes(if self.lifetime < Duration::from_mins(2) { "minute" } else { "minutes" });
        let text = format!(
            "Your {app_name} code is:\n\n    {code}\n\nIt is valid for {lifetime} and works once.\n\n\
             If you didn't request this code, someone may know your password. Change it now, and never share this code.\n"
        );
        let escaped = escape_html(app_name);
        let html = format!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Your {escaped} code</title></head>\n\
             <body style=\"font-family:sans-serif;line-height:1.5\">\n\
             <p>Your {escaped} code is:</p>\n\
             <p style=\"font-size:2em;letter-spacing:.15em\"><strong>{code}</strong></p>\n\
             <p>It is valid for {lifetime} and works once.</p>\n\
             <p>If you didn't request this code, someone may know your password. Change it now, and never share this code.</p>\n\
             </body></html>\n"
        );
        EmailText { subject: format!("Your {app_name} code"), text, html }
    }

    /// Whole minutes, rounded down: a message must not promise more time than the code has.
    fn minutes(&self, unit: &str) -> String {
        format!("{} {unit}", self.lifetime.as_secs() / 60)
    }
}

fn escape_html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// How many characters of a text message `text` takes (3GPP TS 23.038). `None` if the alphabet
/// lacks one of its characters: a single one would halve what a message holds and double its price.
#[must_use]
pub fn gsm7_septets(text: &str) -> Option<usize> {
    const BASIC: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";
    const EXTENDED: &str = "^{}\\[~]|€";
    text.chars().try_fold(0, |septets, c| {
        if BASIC.contains(c) { Some(septets + 1) } else { EXTENDED.contains(c).then_some(septets + 2) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(app_name: &str) -> MessageTexts {
        MessageTexts { app_name: app_name.into(), lifetime: Duration::from_mins(5) }
    }

    #[test]
    fn a_text_message_ends_with_the_origin_bound_line() {
        let sms = texts("Example").sms("012345", "example.com");
        assert_eq!(sms, "012345 is your Example code, valid 5 min. Not you? Ignore it.\n\n@example.com #012345");
        assert!(gsm7_septets(&sms).is_some_and(|septets| septets <= SMS_SEGMENT));
    }

    #[test]
    fn an_email_says_code_lifetime_and_what_to_do_if_it_was_somebody_else() {
        let email = texts("R&D <Tools>").email("012345");
        for part in [&email.text, &email.html] {
            assert!(
                part.contains("012345") && part.contains("5 minutes") && part.contains("didn't request this code"),
                "{part}"
            );
        }
        assert!(email.html.contains("R&amp;D &lt;Tools&gt;") && !email.html.contains("<Tools>"));
        assert!(!email.subject.contains("012345"));
    }

    #[test]
    fn the_gsm_alphabet_counts_extended_characters_twice_and_knows_no_others() {
        assert_eq!(gsm7_septets("Äpfel @ 1£"), Some(10));
        assert_eq!(gsm7_septets("{€}"), Some(6));
        assert_eq!(gsm7_septets("日本"), None);
        assert_eq!(gsm7_septets("a\u{0}"), None);
    }
}
