//! How text messages are sent.

use super::reader::Reader;
use crate::domain::Phone;

/// How codes are sent by text message.
#[derive(Clone)]
pub struct SmsConfig {
    /// The domain of the origin-bound last line.
    pub domain: String,
    /// The service that sends.
    pub service: SmsService,
    /// The most to pay for one message, in US dollars.
    pub max_price: Option<String>,
}

/// The service of AWS that sends text messages.
#[derive(Clone)]
pub enum SmsService {
    /// SNS.
    Sns(SnsConfig),
    /// End User Messaging.
    EndUserMessaging(EndUserMessagingConfig),
}

/// What messages through SNS come from.
#[derive(Clone)]
pub struct SnsConfig {
    /// The number to send from.
    pub origination_number: Option<String>,
    /// The name to send from, where countries allow one.
    pub sender_id: Option<String>,
}

/// What messages through End User Messaging come from, and what it does with them.
#[derive(Clone)]
pub struct EndUserMessagingConfig {
    /// What to send from. The permission of the function names it.
    pub origination_identity: OriginationIdentity,
    /// The configuration set, which says where the events of a message go.
    pub configuration_set: Option<String>,
    /// The Protect configuration, which says which countries and numbers get nothing.
    pub protect_configuration: Option<String>,
    /// What messages to India must carry.
    pub india: Option<DltIds>,
}

/// The ids under which a sender and its text are registered in India (Distributed Ledger Technology).
#[derive(Clone)]
pub struct DltIds {
    /// The id of the sender.
    pub entity: String,
    /// The id of the text.
    pub template: String,
}

/// The ARN of a phone number, a sender id or a pool of End User Messaging.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginationIdentity(String);

impl OriginationIdentity {
    /// Reads an ARN. `None` for anything else, also for a bare id: only an ARN can stand in a
    /// permission, and names an identity that another account shares.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let resource = resource_of(text)?;
        let named = match resource.split('/').collect::<Vec<_>>()[..] {
            ["phone-number" | "pool", id] => is_id(id),
            ["sender-id", name, country] => is_sender_id(name) && is_country(country),
            _ => false,
        };
        named.then(|| Self(text.to_owned()))
    }

    /// The ARN.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The resource that an ARN of End User Messaging names, such as `pool/pool-…`.
fn resource_of(arn: &str) -> Option<&str> {
    let [head, partition, service, region, account, resource] = arn.splitn(6, ':').collect::<Vec<_>>()[..] else {
        return None;
    };
    let is_lower = |text: &str| {
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    let is_account = account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit());
    let is_arn = head == "arn" && service == "sms-voice" && is_lower(partition) && is_lower(region) && is_account;
    (is_arn && arn.len() <= MAX_ARN).then_some(resource)
}

/// The longest ARN that End User Messaging takes.
const MAX_ARN: usize = 256;

fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

fn is_sender_id(text: &str) -> bool {
    (1..=11).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

fn is_country(text: &str) -> bool {
    text.len() == 2 && text.bytes().all(|b| b.is_ascii_uppercase())
}

/// The variables that one service reads and the other has no use for.
const OF_SNS: [&str; 2] = ["MFA_SMS_ORIGINATION_NUMBER", "MFA_SMS_SENDER_ID"];
const OF_END_USER_MESSAGING: [&str; 5] = [
    IDENTITY,
    "MFA_SMS_CONFIGURATION_SET",
    "MFA_SMS_PROTECT_CONFIGURATION",
    "MFA_SMS_DLT_ENTITY_ID",
    "MFA_SMS_DLT_TEMPLATE_ID",
];
const IDENTITY: &str = "MFA_SMS_ORIGINATION_IDENTITY";
const END_USER_MESSAGING: &str = "end-user-messaging";

pub(super) fn read(read: &mut Reader<'_>) -> Option<SmsConfig> {
    let domain = read.parsed("MFA_SMS_DOMAIN", "must be a host name, without scheme or path", |text| {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
        (text.contains('.') && text.chars().all(plain)).then(|| text.to_ascii_lowercase())
    });
    let through_end_user_messaging =
        read.parsed("MFA_SMS_SERVICE", "must be sns or end-user-messaging", |text| match text {
            "sns" => Some(false),
            END_USER_MESSAGING => Some(true),
            _ => None,
        });
    let (service, max_price) = if through_end_user_messaging.unwrap_or_default() {
        refuse_each(read, OF_SNS, "is read only with MFA_SMS_SERVICE=sns");
        let max_price = max_price(read, "must be an amount of US dollars with a point, such as 0.05", is_decimal);
        (end_user_messaging(read).map(SmsService::EndUserMessaging), max_price)
    } else {
        refuse_each(read, OF_END_USER_MESSAGING, "is read only with MFA_SMS_SERVICE=end-user-messaging");
        let max_price = max_price(read, "must be an amount of US dollars such as 0.05", |_| true);
        (Some(SmsService::Sns(sns(read))), max_price)
    };
    Some(SmsConfig { domain: domain?, service: service?, max_price })
}

/// What text messages need, and the fault if it is missing. Every function that knows users asks.
pub(super) fn needed(read: &Reader<'_>) -> Vec<(&'static str, &'static str)> {
    let mut needed = vec![("MFA_SMS_DOMAIN", "is required if MFA_METHODS holds sms")];
    if read.text("MFA_SMS_SERVICE").as_deref() == Some(END_USER_MESSAGING) {
        needed.push((IDENTITY, "is required with MFA_SMS_SERVICE=end-user-messaging"));
    }
    needed
}

/// What is set and would be ignored was meant for something.
fn refuse_each<const N: usize>(read: &mut Reader<'_>, names: [&'static str; N], wrong: &'static str) {
    for name in names {
        if read.is_set(name) {
            read.fault(name, wrong);
        }
    }
}

fn max_price(read: &mut Reader<'_>, wrong: &'static str, is_written_well: fn(&str) -> bool) -> Option<String> {
    read.parsed("MFA_SMS_MAX_PRICE", wrong, |text| {
        let is_amount = text.parse::<f64>().is_ok_and(|price| price > 0.0 && price < 100.0);
        (is_amount && is_written_well(text)).then(|| text.to_owned())
    })
}

/// Whether an amount is written as End User Messaging takes it: `0.05`, and not `5` or `5e-2`.
fn is_decimal(text: &str) -> bool {
    let are_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    text.split_once('.').is_some_and(|(whole, part)| {
        whole.len() <= 2 && (1..=5).contains(&part.len()) && are_digits(whole) && are_digits(part)
    })
}

fn sns(read: &mut Reader<'_>) -> SnsConfig {
    let origination_number =
        read.parsed("MFA_SMS_ORIGINATION_NUMBER", "must be a number in E.164 form, or a short code", |text| {
            let short_code = (3..=8).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
            if short_code { Some(text.to_owned()) } else { Phone::parse(text).map(|phone| phone.as_str().to_owned()) }
        });
    let sender_id = read.parsed("MFA_SMS_SENDER_ID", "must be 1 to 11 letters, digits or hyphens", |text| {
        is_sender_id(text).then(|| text.to_owned())
    });
    SnsConfig { origination_number, sender_id }
}

fn end_user_messaging(read: &mut Reader<'_>) -> Option<EndUserMessagingConfig> {
    let wrong = "must be the ARN of a phone number, a sender id or a pool of End User Messaging";
    let origination_identity = read.parsed(IDENTITY, wrong, OriginationIdentity::parse);
    let wrong = "must be the name or the ARN of a configuration set of End User Messaging";
    let configuration_set = read.parsed("MFA_SMS_CONFIGURATION_SET", wrong, |text| named(text, "configuration-set"));
    let wrong = "must be the id or the ARN of a Protect configuration of End User Messaging";
    let protect_configuration =
        read.parsed("MFA_SMS_PROTECT_CONFIGURATION", wrong, |text| named(text, "protect-configuration"));
    Some(EndUserMessagingConfig {
        origination_identity: origination_identity?,
        configuration_set,
        protect_configuration,
        india: dlt_ids(read),
    })
}

/// The name of a resource of this kind, or its ARN.
fn named(text: &str, kind: &str) -> Option<String> {
    let of_arn = resource_of(text).and_then(|resource| resource.strip_prefix(kind)?.strip_prefix('/'));
    is_id(of_arn.unwrap_or(text)).then(|| text.to_owned())
}

/// Both ids or none: in India a carrier drops what has only one.
fn dlt_ids(read: &mut Reader<'_>) -> Option<DltIds> {
    const ENTITY: &str = "MFA_SMS_DLT_ENTITY_ID";
    const TEMPLATE: &str = "MFA_SMS_DLT_TEMPLATE_ID";
    let mut id = |name| {
        read.parsed(name, "must be 1 to 64 letters or digits", |text| {
            let is_plain = text.len() <= 64 && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
            is_plain.then(|| text.to_owned())
        })
    };
    let (entity, template) = (id(ENTITY), id(TEMPLATE));
    for (name, other) in [(ENTITY, TEMPLATE), (TEMPLATE, ENTITY)] {
        if read.is_set(other) && !read.is_set(name) {
            read.fault(name, "is required with the other id of the registration in India");
        }
    }
    Some(DltIds { entity: entity?, template: template? })
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &str = "arn:aws:sms-voice:eu-central-1:123456789012:";

    #[test]
    fn an_origination_identity_is_the_arn_of_a_number_a_sender_id_or_a_pool() {
        for resource in ["phone-number/phone-0123456789abcdef", "pool/pool-0123456789abcdef", "sender-id/EXAMPLE/DE"] {
            let arn = format!("{BEFORE}{resource}");
            assert_eq!(OriginationIdentity::parse(&arn).map(|read| read.as_str().to_owned()), Some(arn));
        }
        let china = "arn:aws-cn:sms-voice:cn-north-1:123456789012:pool/pool-1";
        assert!(OriginationIdentity::parse(china).is_some());
        for resource in [
            "phone-number/",
            "phone-number/*",
            "*",
            "pool",
            "pool/a/b",
            "sender-id/EXAMPLE",
            "sender-id/EXAMPLE/de",
            "sender-id/TWELVE-CHARS/DE",
            "configuration-set/name",
            "opt-out-list/Default",
            "pool/pool-1 MFA_X=1",
        ] {
            assert_eq!(OriginationIdentity::parse(&format!("{BEFORE}{resource}")), None, "{resource}");
        }
        for text in [
            "",
            "+12025550123",
            "pool-0123456789abcdef",
            "EXAMPLE",
            "arn:aws:sns:eu-central-1:123456789012:pool/pool-1",
            "arn:aws:sms-voice:eu-central-1:12345:pool/pool-1",
            "arn:aws:sms-voice::123456789012:pool/pool-1",
            "arn:aws:sms-voice:*:123456789012:pool/pool-1",
            "arn:aws:sms-voice:eu-central-1:123456789012",
        ] {
            assert_eq!(OriginationIdentity::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_set_or_configuration_is_named_or_stands_in_an_arn_of_its_kind() {
        for (text, good) in [
            ("codes", true),
            ("arn:aws:sms-voice:eu-central-1:123456789012:configuration-set/codes", true),
            ("arn:aws:sms-voice:eu-central-1:123456789012:protect-configuration/codes", false),
            ("arn:aws:sms-voice:eu-central-1:123456789012:configuration-set/", false),
            ("two words", false),
            ("", false),
        ] {
            assert_eq!(named(text, "configuration-set").is_some(), good, "{text}");
        }
    }

    #[test]
    fn an_amount_is_written_with_a_point_and_few_digits() {
        for (text, good) in [
            ("0.05", true),
            (".05", true),
            ("12.00001", true),
            ("5", false),
            ("5e-2", false),
            ("5.", false),
            ("100.0", false),
        ] {
            assert_eq!(is_decimal(text), good, "{text}");
        }
    }
}
