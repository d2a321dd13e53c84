//! Sending codes: e-mail through SES, text messages through SNS or End User Messaging.

mod email;
mod end_user_messaging;
mod sms;
mod sns;

use std::{error::Error, future::Future, time::Duration};

use aws_sdk_dynamodb::{config::http::HttpResponse, error::ProvideErrorMetadata};
use aws_smithy_runtime_api::client::result::SdkError;

pub use email::EmailSender;
pub use sms::SmsSender;

use crate::{metrics, random};

/// Why a message is not known to be on its way. The text names the provider's error, never the
/// address.
#[derive(Debug, thiserror::Error)]
pub enum NotSent {
    /// The provider refuses this address for good.
    #[error("rejected: {0}")]
    Rejected(String),
    /// The provider sends nothing to this number as things stand: its owner opted out, or the account
    /// may not send there. Either can change.
    #[error("barred: {0}")]
    Barred(String),
    /// The provider took nothing. A later try may succeed.
    #[error("refused: {0}")]
    Refused(String),
    /// The same, because there were too many calls.
    #[error("refused: {0}")]
    Throttled(String),
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

/// Classifies a failed call. `of_service` classifies what the service itself answered. The message of
/// the error may hold the address, so it is never logged.
fn not_sent<E>(error: &SdkError<E, HttpResponse>, of_service: fn(&E) -> NotSent) -> NotSent
where
    E: ProvideErrorMetadata + Error + 'static,
{
    match error {
        SdkError::ServiceError(context) => {
            let code = code_of(context.err());
            match context.raw().status().as_u16() {
                _ if is_throttled(code) => NotSent::Throttled(code.to_owned()),
                // With a 5xx, the provider may have taken the message before something broke.
                status @ 500.. if code != "ServiceUnavailable" => NotSent::Unknown(format!("{status} {code}")),
                _ => of_service(context.err()),
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

/// The code of an error that the service itself answered.
fn code_of(error: &impl ProvideErrorMetadata) -> &str {
    error.code().unwrap_or("an unnamed error")
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

/// Sends a message, and notes the id that the provider gives it. `send` makes the call and returns this
/// id.
///
/// What the provider throttled is sent again, up to three times within a second: a provider throttles by
/// the second. Nothing else is sent again, because the person could get two messages.
async fn deliver<E, F>(of_service: fn(&E) -> NotSent, send: impl Fn() -> F) -> Result<(), NotSent>
where
    E: ProvideErrorMetadata + Error + 'static,
    F: Future<Output = Result<Option<String>, SdkError<E, HttpResponse>>>,
{
    let send = async || {
        let id = send().await.map_err(|error| not_sent(&error, of_service))?;
        metrics::sent_as(id.as_deref());
        Ok(())
    };
    for pause in [100, 200, 400] {
        match send().await {
            // Not all at the same moment: those who were throttled together would be again.
            Err(NotSent::Throttled(_)) => {
                let random = random::number().unwrap_or_default() % (pause / 2);
                tokio::time::sleep(Duration::from_millis(pause / 2 + random)).await;
            }
            outcome => return outcome,
        }
    }
    send().await
}
