use aws_sdk_sns::{Client, error::BuildError, operation::publish::PublishError, types::MessageAttributeValue};

use super::{NotSent, code_of, deliver};
use crate::{
    aws,
    config::{AwsConfig, SnsConfig},
    domain::Phone,
};

/// Sends text messages through SNS.
pub(super) struct SnsSender {
    client: Client,
    config: SnsConfig,
    max_price: Option<String>,
}

impl SnsSender {
    pub(super) fn new(aws: &AwsConfig, config: SnsConfig, max_price: Option<String>) -> Self {
        let endpoint = aws.sns_endpoint.as_deref();
        let client = Client::from_conf(aws::configure!(aws_sdk_sns, aws, endpoint, aws::send_once()));
        Self { client, config, max_price }
    }

    /// SNS accepts messages to a number that opted out and drops them silently.
    pub(super) async fn send(&self, to: &Phone, text: String) -> Result<(), NotSent> {
        let mut publish = self.client.publish().phone_number(to.as_str()).message(text);
        for (name, kind, value) in self.attributes() {
            let value = attribute(kind, value).map_err(|error| NotSent::Refused(error.to_string()))?;
            publish = publish.message_attributes(name, value);
        }
        deliver(of_sns, || async { Ok(publish.clone().send().await?.message_id) }).await
    }

    fn attributes(&self) -> impl Iterator<Item = (&'static str, &'static str, &str)> {
        let config = &self.config;
        // The default type, promotional, is sent late and may be blocked.
        let fixed = ("AWS.SNS.SMS.SMSType", "String", "Transactional");
        let chosen = [
            ("AWS.MM.SMS.OriginationNumber", "String", &config.origination_number),
            ("AWS.SNS.SMS.SenderID", "String", &config.sender_id),
            ("AWS.SNS.SMS.MaxPrice", "Number", &self.max_price),
        ];
        let chosen = chosen.into_iter().filter_map(|(name, kind, value)| Some((name, kind, value.as_deref()?)));
        std::iter::once(fixed).chain(chosen)
    }
}

fn attribute(kind: &str, value: &str) -> Result<MessageAttributeValue, BuildError> {
    MessageAttributeValue::builder().data_type(kind).string_value(value).build()
}

fn of_sns(error: &PublishError) -> NotSent {
    sort(code_of(error), error.meta().message().unwrap_or_default())
}

/// What the errors of `Publish` mean for this one number.
fn sort(code: &str, message: &str) -> NotSent {
    let cause = code.to_owned();
    match code {
        // A parameter of the message's own, such as the sender id, says nothing about the number.
        _ if !message.to_ascii_lowercase().contains("phone") => NotSent::Refused(cause),
        "InvalidParameter" | "InvalidParameterException" | "ParameterValueInvalid" | "ValidationException" => {
            NotSent::Rejected(cause)
        }
        // AuthorizationError, and errors of the future: they say nothing about this
        // number.
        _ => NotSent::Refused(cause),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_that_does_not_name_the_number_says_nothing_of_it() {
        let of_number = "Invalid parameter: PhoneNumber Reason: +12025550123 is not valid to publish to";
        assert!(matches!(sort("InvalidParameter", of_number), NotSent::Rejected(cause) if cause == "InvalidParameter"));
        assert!(matches!(sort("InvalidParameter", "Invalid parameter: SenderID"), NotSent::Refused(_)));
        assert!(matches!(sort("Throttled", of_number), NotSent::Refused(_)));
    }
}
