//! Sending codes: e-mail through SES, text messages through SNS.

mod email;
mod sms;

use std::{error::Error, fmt, marker::PhantomData};

use aws_sdk_dynamodb::{config::http::HttpResponse, error::ProvideErrorMetadata};
use aws_smithy_runtime_api::client::{
    interceptors::context::InterceptorContext,
    result::SdkError,
    retries::classifiers::{ClassifyRetry, RetryAction, RetryClassifierPriority},
};

pub use email::EmailSender;
pub use sms::SmsSender;

/// Why a message is not known to be on its way. The text names the provider's error, never the
/// address.
#[derive(Debug, thiserror::Error)]
pub enum NotSent {
    /// The provider refuses this address for good.
    #[error("rejected: {0}")]
    Rejected(String),
    /// The provider took nothing. A later try may succeed.
    #[error("refused: {0}")]
    Refused(String),
    /// Nobody knows whether the provider took it, so it may still arrive.
    #[error("outcome unknown: {0}")]
    Unknown(String),
}

impl NotSent {
    /// Whether it is certain that the message will not arrive.
    #[must_use]
    pub const fn is_certain(&self) -> bool {
        !matches!(self, Self::Unknown(_))
    }
}

/// Classifies a failed call. `of_service` classifies what the service itself answered, by the code
/// and the message of the error. The message may hold the address, so it is never logged.
fn not_sent<E>(error: &SdkError<E, HttpResponse>, of_service: fn(&str, &str) -> NotSent) -> NotSent
where
    E: ProvideErrorMetadata + Error + 'static,
{
    match error {
        SdkError::ServiceError(context) => {
            let code = context.err().code().unwrap_or("an unnamed error");
            match context.raw().status().as_u16() {
                // With a 5xx, the provider may have taken the message before something broke.
                status @ 500.. if code != "ServiceUnavailable" && !is_throttled(code) => {
                    NotSent::Unknown(format!("{status} {code}"))
                }
                _ => of_service(code, context.err().message().unwrap_or_default()),
            }
        }
        SdkError::ConstructionFailure(_) => NotSent::Refused("the call could not be made".to_owned()),
        SdkError::DispatchFailure(failure) if was_never_connected(failure.as_connector_error()) => {
            NotSent::Refused("no connection".to_owned())
        }
        SdkError::DispatchFailure(_) => NotSent::Unknown("the connection broke".to_owned()),
        SdkError::TimeoutError(_) => NotSent::Unknown("time-out".to_owned()),
        _ => NotSent::Unknown("the answer could not be read".to_owned()),
    }
}

/// Whether nothing was written because there was no connection: the name did not resolve, nobody
/// listened, TLS failed, or the time was up.
fn was_never_connected(error: Option<&(impl Error + 'static)>) -> bool {
    let mut next: Option<&(dyn Error + 'static)> = error.map(|error| error as _);
    while let Some(error) = next {
        if error
            .downcast_ref::<hyper_util::client::legacy::Error>()
            .is_some_and(hyper_util::client::legacy::Error::is_connect)
        {
            return true;
        }
        next = error.source();
    }
    false
}

/// Whether the provider says that it took nothing because there were too many calls.
fn is_throttled(code: &str) -> bool {
    const CODES: [&str; 6] = [
        "TooManyRequestsException",
        "Throttled",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "RequestThrottled",
    ];
    CODES.contains(&code)
}

/// Repeats a throttled call, and nothing else: after any other failure, the person could get two
/// messages. `E` is the error of the operation.
struct OnlyThrottled<E>(PhantomData<fn() -> E>);

impl<E> OnlyThrottled<E> {
    const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<E> fmt::Debug for OnlyThrottled<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OnlyThrottled")
    }
}

impl<E: ProvideErrorMetadata + Error + Send + Sync + 'static> ClassifyRetry for OnlyThrottled<E> {
    fn classify_retry(&self, call: &InterceptorContext) -> RetryAction {
        let error = call.output_or_error().and_then(|outcome| outcome.err()?.as_operation_error()?.downcast_ref::<E>());
        if error.and_then(ProvideErrorMetadata::code).is_some_and(is_throttled) {
            RetryAction::throttling_error()
        } else {
            RetryAction::RetryForbidden
        }
    }

    fn name(&self) -> &'static str {
        "only throttled calls"
    }

    // A prohibition ends the classification, so those of the SDK are not asked.
    fn priority(&self) -> RetryClassifierPriority {
        RetryClassifierPriority::run_before(RetryClassifierPriority::http_status_code_classifier())
    }
}
