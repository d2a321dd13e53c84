use std::error::Error;

use aws_sdk_dynamodb::{
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
};

use crate::{domain::Refusal, random::NoRandomness};

/// Why an operation of the table has no result.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A rule refused. Nothing is wrong with the table.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The table does not answer, or throttles. A later try may succeed.
    #[error("the table is unavailable: {0}")]
    Unavailable(String),
    /// The table, its permissions or an item are broken. An operator must act.
    #[error("the table is broken: {0}")]
    Broken(String),
    /// The table was begun with another hash key, which named all its users.
    #[error("the table was begun with another MFA_HASH_KEY: put the old one back")]
    OtherHashKey,
}

impl StoreError {
    /// Whether a write failed because its condition did not hold.
    pub(super) fn is_failed_condition<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> bool {
        error.as_service_error().and_then(ProvideErrorMetadata::code) == Some("ConditionalCheckFailedException")
    }

    /// Classifies a failed call. The text names the call and the error of the service, never a key
    /// or a value.
    pub(super) fn of<E>(call: &'static str, error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        const BROKEN: [&str; 5] = [
            "AccessDeniedException",
            "ResourceNotFoundException",
            "UnrecognizedClientException",
            "ValidationException",
            "ItemCollectionSizeLimitExceededException",
        ];
        match error {
            SdkError::ServiceError(context) => {
                let code = context.err().code().unwrap_or("an unnamed error");
                let text = format!("{call}: {code}");
                if BROKEN.contains(&code) { Self::Broken(text) } else { Self::Unavailable(text) }
            }
            SdkError::TimeoutError(_) => Self::Unavailable(format!("{call}: time-out")),
            SdkError::DispatchFailure(_) => Self::Unavailable(format!("{call}: no connection")),
            SdkError::ConstructionFailure(_) => Self::Broken(format!("{call}: could not be made")),
            _ => Self::Unavailable(format!("{call}: the answer could not be read")),
        }
    }
}

impl From<NoRandomness> for StoreError {
    fn from(error: NoRandomness) -> Self {
        Self::Broken(format!("no randomness: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::{error::ErrorMetadata, operation::update_item::UpdateItemError};
    use aws_smithy_runtime_api::{client::result::ConnectorError, http::StatusCode};

    use super::*;

    type Failed = SdkError<UpdateItemError, HttpResponse>;

    fn response() -> HttpResponse {
        HttpResponse::new(StatusCode::try_from(400).expect("a status"), "".into())
    }

    /// A call that `DynamoDB` answers with this error.
    fn answered(code: &str) -> Failed {
        SdkError::service_error(UpdateItemError::generic(ErrorMetadata::builder().code(code).build()), response())
    }

    #[test]
    fn what_a_later_try_may_mend_is_unavailable_and_what_an_operator_must_mend_is_broken() {
        let cases: [(Failed, bool, &str); 8] = [
            (answered("ThrottlingException"), false, "ThrottlingException"),
            (answered("InternalServerError"), false, "InternalServerError"),
            (answered("AccessDeniedException"), true, "AccessDeniedException"),
            (answered("ValidationException"), true, "ValidationException"),
            (SdkError::timeout_error("secret"), false, "time-out"),
            (SdkError::dispatch_failure(ConnectorError::io("secret".into())), false, "no connection"),
            (SdkError::construction_failure("secret"), true, "could not be made"),
            (SdkError::response_error("secret", response()), false, "the answer could not be read"),
        ];
        for (error, broken, cause) in cases {
            let expected = format!("the table is {}: Call: {cause}", if broken { "broken" } else { "unavailable" });
            assert_eq!(StoreError::of("Call", &error).to_string(), expected);
        }
    }

    #[test]
    fn only_a_failed_condition_is_one() {
        assert!(StoreError::is_failed_condition(&answered("ConditionalCheckFailedException")));
        assert!(!StoreError::is_failed_condition(&answered("ThrottlingException")));
        assert!(!StoreError::is_failed_condition(&Failed::timeout_error("slow")));
    }
}
