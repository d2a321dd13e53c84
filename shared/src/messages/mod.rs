//! The texts of e-mails and text messages, and the languages that they are written in.

mod email;
mod gsm;
mod locale;
mod notices;
mod own;
mod style;
mod template;
mod texts;

use std::time::Duration;

pub use email::EmailText;
pub use gsm::{SMS_SEGMENT, SMS_SEGMENT_UCS2, gsm7_septets, is_one_segment};
pub use locale::Locale;
pub use notices::NoticeMessages;
pub use own::OwnTexts;
pub use style::{Color, EmailStyle};

use email::Content;
use texts::Texts;

/// What an operator chooses of what messages say.
#[derive(Clone, Debug, Default)]
pub struct MessageSettings {
    /// The application's name.
    pub app_name: String,
    /// How long a code stays valid.
    pub lifetime: Duration,
    /// How many digits a code has.
    pub code_length: u8,
    /// The domain of the last line of text messages. Empty if none are sent.
    pub sms_domain: String,
    /// How e-mails look.
    pub style: EmailStyle,
    /// Texts in place of ours.
    pub own: OwnTexts,
    /// The language of whoever asks for no other.
    pub default_locale: Locale,
}

/// Who asked for a code, for the person who gets it.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// The browser and the system, if they are known.
    pub device: Option<String>,
    /// When, with the time zone.
    pub time: String,
    /// From which network, if it is known.
    pub network: Option<String>,
}

impl MessageSettings {
    /// Whether every text message in English is one segment.
    ///
    /// Of all tables, it needs the English one alone. The configuration asks, and every function
    /// reads that.
    #[must_use]
    pub fn english_fits(&self) -> bool {
        let mut english = texts::ENGLISH.clone();
        self.own.replace_in(&mut english, Locale::English);
        self.fits(&english.sms)
    }

    /// The first language in which a text message of the operator's own is more than one segment.
    #[must_use]
    pub fn own_that_does_not_fit(&self) -> Option<Locale> {
        self.own.text_messages().find(|(_, text)| !self.fits(text)).map(|(locale, _)| locale)
    }

    /// Whether the longest text message with this text is one segment.
    fn fits(&self, text: &str) -> bool {
        let longest = "0".repeat(usize::from(self.code_length));
        self.sms_domain.is_empty() || is_one_segment(&self.sms(text, &longest))
    }

    /// The text message. The last line is the origin-bound form, by which browsers fill in the code
    /// on this domain only.
    fn sms(&self, text: &str, code: &str) -> String {
        let Self { app_name, sms_domain: domain, .. } = self;
        let minutes = self.minutes().to_string();
        let text = template::fill(text, &[("code", code), ("app", app_name), ("n", &minutes)]);
        format!("{text}\n\n@{domain} #{code}")
    }

    /// Whole minutes, rounded down: a message must not promise more time than the code has.
    const fn minutes(&self) -> u64 {
        self.lifetime.as_secs() / 60
    }
}

/// Writes messages. It carries the tables of all languages, so only functions that send have one.
#[derive(Clone, Debug)]
pub struct Messages {
    settings: MessageSettings,
    /// The languages whose text messages are longer than one segment.
    too_long: Vec<Locale>,
}

impl Messages {
    /// Measures the text messages of all languages.
    #[must_use]
    pub fn new(settings: MessageSettings) -> Self {
        let mut messages = Self { settings, too_long: Vec::new() };
        let is_too_long = |locale: &Locale| !messages.settings.fits(&messages.texts(*locale).sms);
        messages.too_long = Locale::ALL.into_iter().filter(is_too_long).collect();
        messages
    }

    /// The language for what the login token says, else for the header `Accept-Language`, else the
    /// default.
    #[must_use]
    pub fn locale(&self, claim: Option<&str>, accept_language: Option<&str>) -> Locale {
        Locale::preferred(claim, accept_language).unwrap_or(self.settings.default_locale)
    }

    /// The languages whose text messages are sent in English, because with this name and this domain
    /// they would be two.
    #[must_use]
    pub fn too_long(&self) -> &[Locale] {
        &self.too_long
    }

    /// The text message.
    #[must_use]
    pub fn sms(&self, locale: Locale, code: &str) -> String {
        let locale = if self.too_long.contains(&locale) { Locale::English } else { locale };
        self.settings.sms(&self.texts(locale).sms, code)
    }

    /// The e-mail.
    #[must_use]
    pub fn email(&self, locale: Locale, code: &str, asked: &Asked) -> EmailText {
        let MessageSettings { app_name, style, .. } = &self.settings;
        let of_all = (app_name.as_str(), self.settings.minutes());
        Content::new(locale, &self.texts(locale), style, of_all, (code, asked)).email()
    }

    fn texts(&self, locale: Locale) -> Texts {
        let mut texts = texts::ours(locale).clone();
        self.settings.own.replace_in(&mut texts, locale);
        texts
    }
}

#[cfg(test)]
mod tests;
