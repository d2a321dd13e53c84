//! The environment variables of a bundle on this machine.

use std::collections::BTreeMap;

use mfa::config::development;

/// An address of this machine. With it, keys of development may be used where nothing is deployed.
pub(crate) const ON_THIS_MACHINE: &str = "http://127.0.0.1";

/// The key of development that signs our own tokens.
pub(crate) const SIGNING_KEY: &str = include_str!("../keys/ed.pem");

/// Its public half.
pub(crate) const SIGNING_PUBLIC_KEY: &str = include_str!("../keys/ed.pub.pem");

/// The addresses of the services.
#[derive(Clone, Debug)]
pub struct Endpoints {
    /// `DynamoDB`.
    pub dynamodb: String,
    /// SES v2.
    pub ses: String,
    /// SNS.
    pub sns: String,
    /// End User Messaging.
    pub end_user_messaging: String,
    /// `EventBridge`.
    pub eventbridge: String,
}

/// Every variable that a bundle needs here, with the development keys. Text messages may go to
/// every country.
#[must_use]
pub fn variables(endpoints: &Endpoints) -> BTreeMap<&'static str, String> {
    let every_country = (1..=9).map(|digit| format!("+{digit}")).collect::<Vec<_>>().join(",");
    BTreeMap::from([
        ("AWS_ACCESS_KEY_ID", "local".to_owned()),
        ("AWS_REGION", "us-east-1".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "local".to_owned()),
        ("MFA_APP_NAME", "Example".to_owned()),
        // With a thousand requests at once, this machine answers slower than AWS. A write that is
        // done after its time is answered with 503, and still counts.
        ("MFA_AWS_TIMEOUT_MS", "30000".to_owned()),
        ("MFA_DYNAMODB_ENDPOINT", endpoints.dynamodb.clone()),
        ("MFA_EMAIL_FROM", "no-reply@example.com".to_owned()),
        ("MFA_END_USER_MESSAGING_ENDPOINT", endpoints.end_user_messaging.clone()),
        ("MFA_EVENTBRIDGE_ENDPOINT", endpoints.eventbridge.clone()),
        ("MFA_EVENT_BUS", "arn:aws:events:us-east-1:123456789012:event-bus/local".to_owned()),
        ("MFA_HASH_KEY", development::HASH_KEY.to_owned()),
        ("MFA_JWT_SECRET", development::JWT_SECRET.to_owned()),
        ("MFA_METHODS", "totp,email,sms".to_owned()),
        ("MFA_SEALING_KEYS", development::SEALING_KEYS.to_owned()),
        ("MFA_SES_ENDPOINT", endpoints.ses.clone()),
        ("MFA_SMS_COUNTRIES", every_country),
        ("MFA_SMS_DOMAIN", "example.com".to_owned()),
        ("MFA_SNS_ENDPOINT", endpoints.sns.clone()),
        ("MFA_TABLE", "mfa-local".to_owned()),
    ])
}

/// Writes the variables as a file for `cargo lambda watch --env-file`.
#[must_use]
pub fn env_file(variables: &BTreeMap<String, String>) -> String {
    let lines: Vec<_> = variables.iter().map(|(name, value)| format!("{name}={}", quoted(value))).collect();
    lines.join("\n") + "\n"
}

/// Writes the variables as a file for `sam local invoke --env-vars`. SAM hands on only those that
/// the template names, so the others stand in `MFA_SETTINGS`.
#[must_use]
pub fn sam_file(variables: &BTreeMap<String, String>) -> String {
    const TEMPLATE: &str = include_str!("../../template.yaml");
    let is_handed_on = |name: &str| !name.starts_with("MFA_") || TEMPLATE.contains(&format!("\n        {name}: "));
    let mut handed_on = variables.clone();
    let others = handed_on.extract_if(.., |name, _| !is_handed_on(name));
    let others: Vec<_> = others.map(|(name, value)| format!("{name}={value}")).collect();
    handed_on.insert("MFA_SETTINGS".to_owned(), others.join("\n"));
    serde_json::json!({ "Parameters": handed_on }).to_string() + "\n"
}

/// Puts a value in quotes. Without them, `cargo lambda` refuses a value such as `a=` or `+1`. It
/// reads `\n` as a line break.
fn quoted(value: &str) -> String {
    format!("\"{}\"", value.replace('"', "\\\""))
}
