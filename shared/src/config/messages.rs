//! What messages say, and how they look.

use lambda_http::http::Uri;

use super::{EmailConfig, SmsConfig, reader::Reader, sender};
use crate::{
    domain::{Email, Policy},
    json::Unique,
    messages::{Color, EmailStyle, Locale, MessageSettings, OwnTexts},
};

/// The longest address of a picture, in bytes.
const MAX_URL: usize = 500;

/// How e-mails are sent.
pub(super) fn email(read: &mut Reader<'_>, style: &EmailStyle) -> Option<EmailConfig> {
    let wrong = "must be an address, or `Name <address>` of at most 64 bytes of name";
    let from = read.parsed("MFA_EMAIL_FROM", wrong, sender::parse);
    let wrong = "must be 1 to 64 letters, digits, `-` or `_`";
    let configuration_set = read.parsed("MFA_EMAIL_CONFIGURATION_SET", wrong, |text| {
        let is_plain = text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
        (text.len() <= 64 && is_plain).then(|| text.to_owned())
    });
    Some(EmailConfig { from: from?, reply_to: style.support.clone(), configuration_set })
}

/// What an operator chooses of e-mails.
pub(super) fn style(read: &mut Reader<'_>) -> EmailStyle {
    let wrong = "must be an https:// address of at most 500 bytes";
    let logo_url = read.parsed("MFA_EMAIL_LOGO_URL", wrong, logo_url);
    let support = read.parsed("MFA_EMAIL_SUPPORT", "must be an e-mail address", |text| {
        Email::parse(text).map(|email| email.as_str().to_owned())
    });
    let color = read.parsed("MFA_EMAIL_COLOR", "must be a colour such as #1f4fd8", Color::parse);
    EmailStyle { logo_url, support, color: color.unwrap_or_default() }
}

/// An address that programs for mail load pictures from. Others than `https://` they do not show.
fn logo_url(text: &str) -> Option<String> {
    let uri: Uri = text.parse().ok().filter(|_| text.len() <= MAX_URL && text.starts_with("https://"))?;
    uri.host().is_some_and(|host| host.contains('.')).then(|| text.to_owned())
}

/// What messages say. Text messages must fit into one segment: those in English, and the operator's
/// own. Other languages give way to English.
pub(super) fn settings(
    read: &mut Reader<'_>,
    policy: &Policy,
    (app_name, sms): (&str, Option<&SmsConfig>),
    style: EmailStyle,
) -> MessageSettings {
    let wrong = "must be en, de, fr, es, pt-BR, it, nl, pl, tr, ja, zh-Hans or ar";
    let default_locale = read.parsed("MFA_DEFAULT_LOCALE", wrong, Locale::of_tag);
    let settings = MessageSettings {
        app_name: app_name.to_owned(),
        lifetime: policy.code_lifetime,
        code_length: policy.code_length,
        sms_domain: sms.map(|sms| sms.domain.clone()).unwrap_or_default(),
        style,
        own: own_texts(read),
        default_locale: default_locale.unwrap_or_default(),
    };
    if let Some(locale) = settings.own_that_does_not_fit() {
        read.fault("MFA_MESSAGES", format!("has a text message in {} that is longer than one segment", locale.tag()));
    } else if !settings.english_fits() {
        read.fault("MFA_SMS_DOMAIN", "and MFA_APP_NAME together make a text message of more than 160 characters");
    }
    settings
}

/// The operator's own texts. A fault names the place of the text, never the text.
fn own_texts(read: &mut Reader<'_>) -> OwnTexts {
    let wrong = "must be a JSON object of languages, each an object of texts by name (docs/messages.md)";
    let json = read.parsed("MFA_MESSAGES", wrong, |text| serde_json::from_str(text).ok().map(|Unique(json)| json));
    json.map_or_else(OwnTexts::default, |json| {
        OwnTexts::read(&json).unwrap_or_else(|place| {
            let wrong = if place.is_empty() { wrong.to_owned() } else { format!("has a wrong text: {place}") };
            read.fault("MFA_MESSAGES", wrong);
            OwnTexts::default()
        })
    })
}
