//! The notices: e-mails that tell the owner of an account what changed. They hold no code, and no link
//! that signs in or changes anything.
//!
//! Only the function that sends them has their texts.

mod ar;
mod de;
mod en;
mod es;
mod fr;
mod it;
mod ja;
mod nl;
mod pl;
mod pt_br;
mod tr;
mod zh_hans;

use super::{
    EmailText, Locale, MessageSettings,
    email::{Frame, rows_html, support_html},
    template::{escape_html, fill},
    texts,
};
use crate::domain::{Method, SecurityEvent, Timestamp, security_event::AuthenticatorKind};

/// What notices say in one language. A language that lacks a text does not compile.
struct NoticeTexts {
    mfa_on: &'static str,
    mfa_off: &'static str,
    authenticator_added: &'static str,
    authenticator_activated: &'static str,
    authenticator_removed: &'static str,
    passkey_added: &'static str,
    passkey_activated: &'static str,
    passkey_removed: &'static str,
    passkey_suspected: &'static str,
    codes_made: &'static str,
    code_used: &'static str,
    codes_low: &'static str,
    /// Stands before a number.
    codes_left: &'static str,
    reset: &'static str,
    email_proven: &'static str,
    phone_proven: &'static str,
    locked: &'static str,
    codes_off: &'static str,
    token_reused: &'static str,
    sessions_ended: &'static str,
    operator: &'static str,
    /// What to do if it was somebody else.
    advice: &'static str,
}

const fn ours(locale: Locale) -> &'static NoticeTexts {
    match locale {
        Locale::English => &en::TEXTS,
        Locale::German => &de::TEXTS,
        Locale::French => &fr::TEXTS,
        Locale::Spanish => &es::TEXTS,
        Locale::Portuguese => &pt_br::TEXTS,
        Locale::Italian => &it::TEXTS,
        Locale::Dutch => &nl::TEXTS,
        Locale::Polish => &pl::TEXTS,
        Locale::Turkish => &tr::TEXTS,
        Locale::Japanese => &ja::TEXTS,
        Locale::Chinese => &zh_hans::TEXTS,
        Locale::Arabic => &ar::TEXTS,
    }
}

impl NoticeTexts {
    const fn of(&self, event: &SecurityEvent) -> &'static str {
        match event {
            SecurityEvent::MfaOn => self.mfa_on,
            SecurityEvent::MfaOff => self.mfa_off,
            SecurityEvent::AuthenticatorAdded(authenticator) => match authenticator.kind {
                AuthenticatorKind::Totp => self.authenticator_added,
                AuthenticatorKind::Passkey => self.passkey_added,
            },
            SecurityEvent::AuthenticatorActivated(authenticator) => match authenticator.kind {
                AuthenticatorKind::Totp => self.authenticator_activated,
                AuthenticatorKind::Passkey => self.passkey_activated,
            },
            SecurityEvent::AuthenticatorRemoved(authenticator) => match authenticator.kind {
                AuthenticatorKind::Totp => self.authenticator_removed,
                AuthenticatorKind::Passkey => self.passkey_removed,
            },
            SecurityEvent::PasskeySuspected(_) => self.passkey_suspected,
            SecurityEvent::RecoveryCodesMade => self.codes_made,
            SecurityEvent::RecoveryCodeUsed { .. } => self.code_used,
            SecurityEvent::RecoveryCodesLow { .. } => self.codes_low,
            SecurityEvent::Reset => self.reset,
            SecurityEvent::AddressProven(Method::Sms) => self.phone_proven,
            SecurityEvent::AddressProven(Method::Email | Method::Totp | Method::Passkey) => self.email_proven,
            SecurityEvent::Locked { .. } => self.locked,
            SecurityEvent::CodesOff => self.codes_off,
            SecurityEvent::TokenReused => self.token_reused,
            SecurityEvent::SessionsEnded => self.sessions_ended,
            SecurityEvent::ByOperator(_) => self.operator,
        }
    }
}

/// Writes notices.
#[derive(Clone, Debug)]
pub struct NoticeMessages {
    settings: MessageSettings,
}

impl NoticeMessages {
    /// Writes in the name and the style of these settings.
    #[must_use]
    pub const fn new(settings: MessageSettings) -> Self {
        Self { settings }
    }

    /// The e-mail about what one commit changed: the first of `events` is its subject. `locale` is the
    /// tag of a language, if the owner asked for one.
    #[must_use]
    pub fn email(&self, locale: Option<&str>, events: &[SecurityEvent], at: Timestamp) -> EmailText {
        let MessageSettings { app_name, style, default_locale, .. } = &self.settings;
        let locale = locale.and_then(Locale::of_tag).unwrap_or(*default_locale);
        let (texts, of_codes) = (ours(locale), texts::ours(locale));
        let sentences: Vec<_> = events.iter().map(|event| texts.of(event)).collect();
        let (first, others) = sentences.split_first().map_or(("", &[][..]), |(first, others)| (*first, others));
        let left = events.iter().find_map(|event| match event {
            SecurityEvent::RecoveryCodeUsed { left } | SecurityEvent::RecoveryCodesLow { left } => {
                Some(left.to_string())
            }
            _ => None,
        });
        let time = at.to_minute();
        let rows = [(texts.codes_left, left.as_deref()), (&of_codes.time, Some(time.as_str()))];
        let rows: Vec<_> = rows.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
        let lines: Vec<_> = rows.iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
        let plain_rows = lines.concat();
        let lines: Vec<_> = others.iter().map(|sentence| format!("{sentence}.\n")).collect();
        let plain_others = lines.concat();
        let also = if others.is_empty() { String::new() } else { format!("{plain_others}\n") };
        let support = style.support.as_deref().map(|address| fill(&of_codes.support, &[("support", address)]));
        let support = support.map(|support| format!("\n{support}\n")).unwrap_or_default();
        let subject = format!("{app_name}: {first}");
        let text = format!("{subject}\n\n{also}{plain_rows}\n{}\n{support}", texts.advice);
        let items: Vec<_> = others.iter().map(|sentence| format!("<p>{}</p>\n", escape_html(sentence))).collect();
        let items = items.concat();
        let frame = Frame { locale, style, heading: &subject, preview: texts.advice };
        let (start, advice) = (frame.start(), escape_html(texts.advice));
        let rows = rows_html(&rows);
        let support = style.support.as_deref().map(|address| support_html(&of_codes.support, address));
        let html = frame.html(&format!(
            "{items}<p class=\"quiet\" style=\"margin:0 0 16px;font-size:14px;color:#566072\">{}</p>\n\
             <p style=\"margin:0;padding-{start}:12px;border-{start}:4px solid #c2410c\">{advice}</p>\n{}",
            rows.trim_start_matches("<br>\n"),
            support.unwrap_or_default(),
        ));
        EmailText { subject, text, html }
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;
    use crate::{
        domain::{
            DeviceId,
            security_event::{Authenticator, OperatorChange},
        },
        messages::EmailStyle,
    };

    const AT: Timestamp = Timestamp::from_secs(1_716_208_440);

    fn messages() -> NoticeMessages {
        let style = EmailStyle { support: Some("help@example.com".to_owned()), ..EmailStyle::default() };
        NoticeMessages::new(MessageSettings { app_name: "Example".to_owned(), style, ..MessageSettings::default() })
    }

    /// One event for each text.
    fn events() -> Vec<SecurityEvent> {
        let named = Authenticator { kind: AuthenticatorKind::Totp, id: DeviceId(uuid::Uuid::from_u128(1)) };
        let passkey = Authenticator { kind: AuthenticatorKind::Passkey, ..named };
        vec![
            SecurityEvent::MfaOn,
            SecurityEvent::MfaOff,
            SecurityEvent::AuthenticatorAdded(named),
            SecurityEvent::AuthenticatorActivated(named),
            SecurityEvent::AuthenticatorRemoved(named),
            SecurityEvent::AuthenticatorAdded(passkey),
            SecurityEvent::AuthenticatorActivated(passkey),
            SecurityEvent::AuthenticatorRemoved(passkey),
            SecurityEvent::PasskeySuspected(passkey),
            SecurityEvent::RecoveryCodesMade,
            SecurityEvent::RecoveryCodeUsed { left: 7 },
            SecurityEvent::RecoveryCodesLow { left: 1 },
            SecurityEvent::Reset,
            SecurityEvent::AddressProven(Method::Email),
            SecurityEvent::AddressProven(Method::Sms),
            SecurityEvent::Locked { until: AT },
            SecurityEvent::CodesOff,
            SecurityEvent::TokenReused,
            SecurityEvent::SessionsEnded,
            SecurityEvent::ByOperator(OperatorChange::Reset),
        ]
    }

    #[test]
    fn every_notice_in_every_language() {
        for locale in Locale::ALL {
            let mut all = String::new();
            for event in events() {
                let _ = writeln!(all, "Subject: {}", messages().email(Some(locale.tag()), &[event], AT).subject);
            }
            let example = [SecurityEvent::MfaOn, SecurityEvent::RecoveryCodesLow { left: 1 }];
            let _ = write!(all, "----\n{}", messages().email(Some(locale.tag()), &example, AT).text);
            insta::assert_snapshot!(format!("notices_{}", locale.tag()), all);
        }
    }

    #[test]
    fn the_html_says_what_the_text_says_and_links_to_nothing_but_support() {
        for locale in Locale::ALL {
            for event in events() {
                let email = messages().email(Some(locale.tag()), &[event], AT);
                let shown: String =
                    email.html.split('<').map(|part| part.split_once('>').map_or(part, |(_, text)| text)).collect();
                for line in email.text.lines().filter(|line| !line.contains("help@")) {
                    assert!(shown.replace("&#39;", "'").contains(line), "{line} in {shown}");
                }
                let links: Vec<_> = email.html.match_indices("href=").map(|(at, _)| &email.html[at..at + 13]).collect();
                assert_eq!(links, ["href=\"mailto:"], "{locale:?}");
                assert!(!email.text.contains("http"));
            }
        }
    }

    #[test]
    fn who_asked_for_no_language_gets_the_default_and_each_event_has_a_text_of_its_own() {
        assert_eq!(messages().email(None, &[SecurityEvent::MfaOn], AT).subject, "Example: Two-step verification is on");
        assert_eq!(messages().email(Some("xx"), &[SecurityEvent::MfaOn], AT).subject.len(), 36);
        for locale in Locale::ALL {
            let mut subjects: Vec<_> =
                events().into_iter().map(|event| messages().email(Some(locale.tag()), &[event], AT).subject).collect();
            subjects.sort();
            subjects.dedup();
            assert_eq!(subjects.len(), events().len(), "{locale:?}");
        }
    }
}
