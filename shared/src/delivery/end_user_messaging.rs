use aws_sdk_pinpointsmsvoicev2::{
    Client,
    operation::send_text_message::SendTextMessageError,
    types::{
        AccessDeniedExceptionReason, ConflictExceptionReason, DestinationCountryParameterKey, MessageType,
        ServiceQuotaExceededExceptionReason, ValidationExceptionReason, error::ValidationException,
    },
};

use super::{NotSent, code_of, deliver};
use crate::{
    aws,
    config::{AwsConfig, EndUserMessagingConfig},
    domain::Phone,
};

/// The calling code of India, where senders and texts are registered.
const INDIA: &str = "+91";

/// Sends text messages through End User Messaging.
pub(super) struct EndUserMessagingSender {
    client: Client,
    config: EndUserMessagingConfig,
    max_price: Option<String>,
}

impl EndUserMessagingSender {
    pub(super) fn new(aws: &AwsConfig, config: EndUserMessagingConfig, max_price: Option<String>) -> Self {
        let endpoint = aws.end_user_messaging_endpoint.as_deref();
        let client = Client::from_conf(aws::configure!(aws_sdk_pinpointsmsvoicev2, aws, endpoint, aws::send_once()));
        Self { client, config, max_price }
    }

    /// The service says if a number opted out or is blocked, before it sends anything.
    pub(super) async fn send(&self, to: &Phone, text: String) -> Result<(), NotSent> {
        let EndUserMessagingConfig { origination_identity, configuration_set, protect_configuration, india } =
            &self.config;
        let mut call = self
            .client
            .send_text_message()
            .destination_phone_number(to.as_str())
            .origination_identity(origination_identity.as_str())
            .message_body(text)
            .message_type(MessageType::Transactional)
            .set_configuration_set_name(configuration_set.clone())
            .set_protect_configuration_id(protect_configuration.clone())
            .set_max_price(self.max_price.clone());
        if let Some(ids) = india.as_ref().filter(|_| to.as_str().starts_with(INDIA)) {
            call = call
                .destination_country_parameters(DestinationCountryParameterKey::InEntityId, &ids.entity)
                .destination_country_parameters(DestinationCountryParameterKey::InTemplateId, &ids.template);
        }
        deliver(of_end_user_messaging, || async { Ok(call.clone().send().await?.message_id) }).await
    }
}

fn of_end_user_messaging(error: &SendTextMessageError) -> NotSent {
    use SendTextMessageError as Error;
    let reason = match error {
        Error::ConflictException(conflict) => conflict.reason().map(ConflictExceptionReason::as_str),
        Error::ValidationException(wrong) => wrong.reason().map(ValidationExceptionReason::as_str),
        Error::ServiceQuotaExceededException(quota) => quota.reason().map(ServiceQuotaExceededExceptionReason::as_str),
        Error::AccessDeniedException(denied) => denied.reason().map(AccessDeniedExceptionReason::as_str),
        _ => None,
    };
    let of_number = matches!(error, Error::ValidationException(wrong) if names_number(wrong));
    sort(code_of(error), reason.unwrap_or_default(), of_number)
}

/// Whether the number is what a call was refused for.
fn names_number(error: &ValidationException) -> bool {
    error.fields().iter().any(|field| field.name() == "DestinationPhoneNumber")
}

/// What the errors of `SendTextMessage` mean for this one number, by their code and reason. `of_number`
/// is whether the error names the number as the wrong field.
fn sort(code: &str, reason: &str, of_number: bool) -> NotSent {
    let cause = format!("{code} {reason}").trim_end().to_owned();
    match (code, reason) {
        ("ValidationException", _) if of_number => NotSent::Rejected(cause),
        // The operator says which countries and numbers get nothing, as with `MFA_SMS_COUNTRIES`.
        (
            "ConflictException",
            "DESTINATION_COUNTRY_BLOCKED_BY_PROTECT_CONFIGURATION"
            | "DESTINATION_PHONE_NUMBER_BLOCKED_BY_PROTECT_NUMBER_OVERRIDE",
        )
        | ("ValidationException", "DESTINATION_COUNTRY_BLOCKED") => NotSent::Rejected(cause),
        // The number is good, and gets nothing until its owner opts in, or until the account can send
        // there: it is in the sandbox, or has no sender or not the money for that country.
        (
            "ConflictException",
            "DESTINATION_PHONE_NUMBER_OPTED_OUT"
            | "DESTINATION_PHONE_NUMBER_NOT_VERIFIED"
            | "NO_ORIGINATION_IDENTITIES_FOUND",
        )
        | (
            "ValidationException",
            "COUNTRY_NOT_ENABLED"
            | "INTERNATIONAL_SENDING_NOT_SUPPORTED"
            | "INVALID_IDENTITY_FOR_DESTINATION_COUNTRY"
            | "PRICE_OVER_THRESHOLD",
        ) => NotSent::Barred(cause),
        // The monthly spend limit, a sender that is not registered, a permission, an identity that is
        // gone, and errors of the future: they say nothing about this number.
        _ => NotSent::Refused(cause),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whom an error is about.
    #[derive(Debug, PartialEq, Eq)]
    enum About {
        NumberForGood,
        NumberForNow,
        Account,
    }

    fn about(not_sent: &NotSent) -> About {
        match not_sent {
            NotSent::Rejected(_) => About::NumberForGood,
            NotSent::Barred(_) => About::NumberForNow,
            NotSent::Refused(_) => About::Account,
            NotSent::Throttled(_) | NotSent::Unknown(_) => panic!("`not_sent` sorts these: {not_sent}"),
        }
    }

    #[test]
    fn each_error_says_something_of_the_number_for_good_of_the_number_for_now_or_of_the_account() {
        use About::{Account, NumberForGood, NumberForNow};
        const CONFLICT: &str = "ConflictException";
        const WRONG: &str = "ValidationException";
        for (code, reason, of_number, expected) in [
            (CONFLICT, "DESTINATION_PHONE_NUMBER_OPTED_OUT", false, NumberForNow),
            (CONFLICT, "DESTINATION_PHONE_NUMBER_NOT_VERIFIED", false, NumberForNow),
            (CONFLICT, "NO_ORIGINATION_IDENTITIES_FOUND", false, NumberForNow),
            (CONFLICT, "DESTINATION_COUNTRY_BLOCKED_BY_PROTECT_CONFIGURATION", false, NumberForGood),
            (CONFLICT, "DESTINATION_PHONE_NUMBER_BLOCKED_BY_PROTECT_NUMBER_OVERRIDE", false, NumberForGood),
            (CONFLICT, "RESOURCE_NOT_ACTIVE", false, Account),
            (CONFLICT, "MESSAGE_TYPE_MISMATCH", false, Account),
            (CONFLICT, "", false, Account),
            (WRONG, "INVALID_PARAMETER", true, NumberForGood),
            (WRONG, "FIELD_VALIDATION_FAILED", true, NumberForGood),
            (WRONG, "INVALID_PARAMETER", false, Account),
            (WRONG, "DESTINATION_COUNTRY_BLOCKED", false, NumberForGood),
            (WRONG, "COUNTRY_NOT_ENABLED", false, NumberForNow),
            (WRONG, "INTERNATIONAL_SENDING_NOT_SUPPORTED", false, NumberForNow),
            (WRONG, "INVALID_IDENTITY_FOR_DESTINATION_COUNTRY", false, NumberForNow),
            (WRONG, "PRICE_OVER_THRESHOLD", false, NumberForNow),
            (WRONG, "SENDER_ID_NOT_REGISTERED", false, Account),
            (WRONG, "SENDER_ID_REQUIRES_REGISTRATION", false, Account),
            (WRONG, "INVALID_ARN", false, Account),
            (WRONG, "A_REASON_OF_THE_FUTURE", false, Account),
            ("ServiceQuotaExceededException", "MONTHLY_SPEND_LIMIT_REACHED_FOR_TEXT", false, Account),
            ("AccessDeniedException", "ACCOUNT_DISABLED", false, Account),
            ("AccessDeniedException", "", false, Account),
            ("ResourceNotFoundException", "", false, Account),
            ("AnErrorOfTheFuture", "DESTINATION_PHONE_NUMBER_OPTED_OUT", false, Account),
        ] {
            assert_eq!(about(&sort(code, reason, of_number)), expected, "{code} {reason}, of the number {of_number}");
        }
    }

    #[test]
    fn the_cause_names_the_error_and_its_reason() {
        let opted_out = sort("ConflictException", "DESTINATION_PHONE_NUMBER_OPTED_OUT", false);
        assert_eq!(opted_out.to_string(), "barred: ConflictException DESTINATION_PHONE_NUMBER_OPTED_OUT");
        assert_eq!(sort("ResourceNotFoundException", "", false).to_string(), "refused: ResourceNotFoundException");
    }
}
