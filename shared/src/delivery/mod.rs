//! Sending codes: e-mail through SES, text messages through SNS.

mod email;
mod sms;

use std::error::Error;

use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;

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
    E: aws_sdk_dynamodb::error::ProvideErrorMetadata + Error + 'static,
{
    match error {
        SdkError::ServiceError(context) => {
            let code = context.err().code().unwrap_or("an unnamed error");
            match context.raw().status().as_u16() {
                // With a 5xx, the provider may have taken the message before something broke.
                status @ 500.. if code != "ServiceUnavailable" => NotSent::Unknown(format!("{status} {code}")),
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
