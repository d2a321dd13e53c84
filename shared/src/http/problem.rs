use std::borrow::Cow;

use lambda_http::http::{Method, StatusCode};
use serde::Serialize;

use super::ErrorCode;
use crate::{
    domain::{Limit, NoAddress, Policy, Refusal, Timestamp},
    metrics::Metric,
    random::NoRandomness,
    storage::StoreError,
    tokens::TokenError,
};

/// Why a call is not answered with 200. Only this file decides what a caller may learn of it.
#[derive(Debug)]
pub enum Problem {
    /// A rule refused.
    Refused(Refusal),
    /// The body or one of its fields is invalid. The text says which, and what it must be.
    InvalidInput(Cow<'static, str>),
    /// A required field is absent, null or blank.
    MissingField(&'static str),
    /// No bearer token.
    NoAuth,
    /// An invalid bearer token. The text is only for the log.
    InvalidToken(&'static str),
    /// MFA is off for the application.
    NotEnabled,
    /// No route has this path.
    NotFound,
    /// The route does not answer this method. The text is the method that it answers.
    MethodNotAllowed(Method),
    /// The body is larger than 8 KiB.
    TooLarge,
    /// The body is not JSON.
    NotJson,
    /// The provider refuses this address for good.
    DeliveryRejected {
        /// The provider's error, only for the log.
        cause: String,
        /// Whether MFA went off, because the address was all that it was switched on with.
        switched_off: bool,
    },
    /// The provider did not take the message, or did not say whether it did.
    DeliveryFailed {
        /// The provider's error, only for the log.
        cause: String,
        /// When the user may ask for another, in seconds.
        retry_after: u64,
    },
    /// The table does not answer, or throttles.
    Unavailable(String),
    /// The key of a token is not known now.
    KeySetUnavailable {
        /// The cause, only for the log.
        cause: String,
        /// When to try again, in seconds.
        retry_after: u64,
    },
    /// The key set has no key of a token, but may have it by now.
    UnknownKey {
        /// The cause, only for the log.
        cause: String,
        /// When it is fetched again, in seconds.
        retry_after: u64,
    },
    /// The functions do not fit the table. The text is only for the log.
    Misconfigured(String),
    /// A bug, or a fault of the installation. The text is only for the log.
    Internal(String),
}

impl Problem {
    /// An [`Problem::InvalidInput`].
    pub fn invalid(message: impl Into<Cow<'static, str>>) -> Self {
        Self::InvalidInput(message.into())
    }

    /// An [`Problem::Internal`].
    pub fn internal(cause: impl Into<String>) -> Self {
        Self::Internal(cause.into())
    }

    /// The cause for the log. Holds no code, secret, token or address.
    #[must_use]
    pub fn cause(&self) -> Option<String> {
        match self {
            Self::InvalidToken(cause) => Some((*cause).to_owned()),
            Self::DeliveryRejected { cause, .. }
            | Self::DeliveryFailed { cause, .. }
            | Self::KeySetUnavailable { cause, .. }
            | Self::UnknownKey { cause, .. }
            | Self::Unavailable(cause)
            | Self::Misconfigured(cause)
            | Self::Internal(cause) => Some(cause.clone()),
            Self::Refused(refusal) => Some(refusal.to_string()),
            Self::NoAuth => Some("no bearer token".to_owned()),
            _ => None,
        }
    }

    /// What is counted, besides answers of 500 and more. Wrong codes are counted where their commit
    /// is known.
    #[must_use]
    pub const fn metrics(&self) -> &'static [Metric] {
        match self {
            Self::InvalidToken(_) | Self::UnknownKey { .. } => &[Metric::InvalidTokens],
            Self::Refused(refusal) => refusal_metrics(refusal),
            _ => &[],
        }
    }

    /// What the caller is told. `now` is for the waiting time.
    #[must_use]
    pub(super) fn answer(&self, now: Timestamp) -> ErrorResponse {
        match self {
            Self::Refused(refusal) => refused(refusal, now),
            Self::InvalidInput(message) => ErrorResponse::new(ErrorCode::InvalidInput, message.clone()),
            Self::MissingField(name) => {
                ErrorResponse::new(ErrorCode::MissingRequiredField, format!("{name} is required"))
            }
            Self::NoAuth => {
                ErrorResponse::new(ErrorCode::NoAuthProvided, "Authentication is required").authenticate("Bearer")
            }
            Self::InvalidToken(_) => {
                ErrorResponse::new(ErrorCode::InvalidToken, "The access token is invalid or has expired")
                    .authenticate(r#"Bearer error="invalid_token""#)
            }
            Self::NotEnabled => ErrorResponse::new(ErrorCode::MfaNotEnabled, "MFA is not enabled for this application"),
            Self::NotFound => ErrorResponse::new(ErrorCode::NotFound, "There is no such route"),
            Self::MethodNotAllowed(allowed) => {
                ErrorResponse::new(ErrorCode::MethodNotAllowed, format!("This route answers {allowed} only"))
            }
            Self::TooLarge => ErrorResponse::new(ErrorCode::PayloadTooLarge, "The body is larger than 8 KiB"),
            Self::NotJson => {
                ErrorResponse::new(ErrorCode::UnsupportedMediaType, "The content type must be application/json")
            }
            Self::DeliveryRejected { switched_off, .. } => {
                let message = if *switched_off {
                    "The code cannot be delivered to this address. MFA is off again, because it had no other method"
                } else {
                    "The code cannot be delivered to this address"
                };
                ErrorResponse::new(ErrorCode::MfaDeliveryRejected, message)
            }
            Self::DeliveryFailed { retry_after, .. } => {
                ErrorResponse::new(ErrorCode::MfaDeliveryFailed, "The code could not be sent. Try again shortly")
                    .retry(*retry_after)
            }
            Self::Unavailable(_) | Self::Misconfigured(_) => unavailable(1),
            Self::KeySetUnavailable { retry_after, .. } | Self::UnknownKey { retry_after, .. } => {
                unavailable(*retry_after)
            }
            Self::Internal(_) => internal(),
        }
    }
}

fn unavailable(retry_after: u64) -> ErrorResponse {
    ErrorResponse::new(ErrorCode::ServiceUnavailable, "The service is not available. Try again shortly")
        .retry(retry_after)
}

const fn refusal_metrics(refusal: &Refusal) -> &'static [Metric] {
    match refusal {
        Refusal::UsedTotp => &[Metric::UsedCodes],
        Refusal::ExpiredCode | Refusal::SupersededCode | Refusal::ExpiredPasskeyChallenge => &[Metric::ExpiredCodes],
        Refusal::RateLimited { limit, .. } => match limit {
            Limit::Sends
            | Limit::Outstanding
            | Limit::WrongRecoveryCodes
            | Limit::RecoverySets
            | Limit::PasskeyChallenges
            | Limit::WrongPasskeys => &[Metric::LimitedUsers],
            Limit::Destination | Limit::PaidNumber => &[Metric::LimitedAddresses],
            Limit::Source => &[Metric::LimitedNetworks],
            Limit::PaidDay => &[Metric::LimitedDays],
        },
        Refusal::ProofRequired => &[Metric::FreshFactorsDemanded],
        Refusal::Unreadable(_) => &[Metric::UnreadableItems],
        _ => &[],
    }
}

/// Has one arm for each refusal and no `_`, so a new refusal does not compile until someone decides
/// what it shows.
fn refused(refusal: &Refusal, now: Timestamp) -> ErrorResponse {
    match refusal {
        Refusal::MethodNotOffered => {
            ErrorResponse::new(ErrorCode::MfaMethodNotAvailable, "This application does not offer this method")
        }
        Refusal::NoAddress(why) => ErrorResponse::new(ErrorCode::MfaMethodNotAvailable, no_address(*why)),
        Refusal::NoAuthenticator => {
            ErrorResponse::new(ErrorCode::MfaMethodNotAvailable, "You haven't set up an authenticator app")
        }
        Refusal::InactiveAuthenticator => ErrorResponse::new(
            ErrorCode::MfaMethodNotAvailable,
            "This authenticator is inactive since MFA was switched on. Use another method first, then enter its code",
        ),
        Refusal::AddressNotProven => ErrorResponse::new(
            ErrorCode::MfaMethodNotAvailable,
            "This address is new since MFA was switched on. Use another method first",
        ),
        Refusal::WrongTotp { attempts_left } | Refusal::OldTotp { attempts_left, .. } => {
            ErrorResponse::new(ErrorCode::MfaCodeInvalid, "The code is invalid").attempts_left(*attempts_left)
        }
        Refusal::UsedTotp => {
            ErrorResponse::new(ErrorCode::MfaCodeInvalid, "This code was used already. Wait for the next one")
        }
        Refusal::WrongCode { attempts_left } => {
            ErrorResponse::new(ErrorCode::VerificationCodeInvalid, "The code is invalid").attempts_left(*attempts_left)
        }
        Refusal::SupersededCode => {
            let message = "A newer code was sent. Enter that one";
            ErrorResponse::new(ErrorCode::VerificationCodeExpired, message)
        }
        Refusal::ExpiredCode => ErrorResponse::new(ErrorCode::VerificationCodeExpired, "The code has expired"),
        Refusal::Locked { until, .. } => {
            // The same sentence for everybody. Otherwise it would tell a stranger which factors the
            // user has.
            let message = "Too many wrong codes. Try again later, or use a recovery code or a trusted device";
            ErrorResponse::new(ErrorCode::AccountLocked, message).retry(now.seconds_until(*until))
        }
        Refusal::RateLimited { retry_at, .. } => {
            ErrorResponse::new(ErrorCode::RateLimited, "Too many requests. Try again later")
                .retry(now.seconds_until(*retry_at))
        }
        Refusal::Contended => ErrorResponse::new(ErrorCode::RateLimited, "Too many requests at once. Try again")
            .retry(Policy::CONTENDED_RETRY_AFTER.as_secs()),
        Refusal::ProofRequired => {
            // RFC 9470 3: tells a client that signing in again with a second factor helps.
            let max_age = Policy::PROOF_FRESH_FOR.as_secs();
            ErrorResponse::new(ErrorCode::MfaRequired, "Verify a second factor first").authenticate(format!(
                "Bearer error=\"insufficient_user_authentication\", \
                 error_description=\"A recent second factor is required\", max_age=\"{max_age}\""
            ))
        }
        Refusal::ToggleNotAllowed => {
            ErrorResponse::new(ErrorCode::MfaTogglingNotAllowed, "MFA cannot be switched on or off here")
        }
        Refusal::NoUsableMethod => ErrorResponse::new(
            ErrorCode::MfaCannotEnableWithoutMethod,
            "Set up a method first, or enter a code from your authenticator app",
        ),
        Refusal::SessionInvalid => refresh_token(ErrorCode::RefreshTokenInvalid, "The refresh token is invalid"),
        Refusal::SessionExpired => {
            refresh_token(ErrorCode::RefreshTokenExpired, "The session has ended. Sign in again")
        }
        Refusal::WrongRecoveryCode => {
            ErrorResponse::new(ErrorCode::MfaRecoveryCodeInvalid, "The recovery code is invalid")
        }
        // A copied one gets the same answer: whoever has the copy must not learn that it was noticed.
        Refusal::WrongPasskey(_) | Refusal::CopiedPasskey(_) => {
            ErrorResponse::new(ErrorCode::MfaPasskeyInvalid, "The answer of the passkey is invalid. Try again")
        }
        Refusal::ExpiredPasskeyChallenge => {
            ErrorResponse::new(ErrorCode::MfaPasskeyExpired, "This took too long. Try again")
        }
        Refusal::NoPasskey => ErrorResponse::new(ErrorCode::MfaMethodNotAvailable, "You haven't registered a passkey"),
        Refusal::InactivePasskey => ErrorResponse::new(
            ErrorCode::MfaMethodNotAvailable,
            "This passkey is inactive since MFA was switched on. Use another method first, then use it",
        ),
        Refusal::PasskeyLimit => {
            ErrorResponse::new(ErrorCode::MfaDeviceLimitReached, "You've reached the maximum number of passkeys")
        }
        Refusal::LastMethod => ErrorResponse::new(
            ErrorCode::MfaLastMethod,
            "This is the last method. Set up another first, or switch MFA off",
        ),
        Refusal::Unreadable(_) => internal(),
        Refusal::SessionNotFound => ErrorResponse::new(ErrorCode::SessionNotFound, "There is no such session"),
        Refusal::DeviceNotFound => ErrorResponse::new(ErrorCode::MfaDeviceNotFound, "There is no such device"),
        Refusal::DeviceLimit => {
            ErrorResponse::new(ErrorCode::MfaDeviceLimitReached, "You've reached the maximum number of authenticators")
        }
    }
}

const fn no_address(why: NoAddress) -> &'static str {
    match why {
        NoAddress::Absent => "Your account has no address for this method",
        NoAddress::Malformed => "The address in your account is malformed",
        NoAddress::Unverified => "The address in your account is not verified. Verify it first",
        NoAddress::Country => "Text messages are not sent to the country of your phone number",
    }
}

fn refresh_token(code: ErrorCode, message: &'static str) -> ErrorResponse {
    ErrorResponse::new(code, message).authenticate(r#"Bearer error="invalid_token""#)
}

fn internal() -> ErrorResponse {
    ErrorResponse::new(ErrorCode::InternalError, "Something went wrong on our side")
}

/// An error as it is sent.
#[derive(Debug)]
pub(super) struct ErrorResponse {
    pub(super) status: StatusCode,
    pub(super) body: ErrorBody,
    pub(super) authenticate: Option<Cow<'static, str>>,
}

/// `Error` of docs/openapi.yaml.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ErrorBody {
    status_code: u16,
    error: &'static str,
    message: Cow<'static, str>,
    pub(super) code: ErrorCode,
    /// Seconds, as in the header `retry-after`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) retry_after: Option<u64>,
    /// How many wrong codes are left until the next lock.
    #[serde(skip_serializing_if = "Option::is_none")]
    attempts_left: Option<u8>,
}

impl ErrorResponse {
    fn new(code: ErrorCode, message: impl Into<Cow<'static, str>>) -> Self {
        let status = code.status();
        let error = status.canonical_reason().unwrap_or("Error");
        let (status_code, message) = (status.as_u16(), message.into());
        let body = ErrorBody { status_code, error, message, code, retry_after: None, attempts_left: None };
        Self { status, body, authenticate: None }
    }

    fn retry(mut self, seconds: u64) -> Self {
        self.body.retry_after = Some(seconds);
        self
    }

    fn attempts_left(mut self, attempts: u8) -> Self {
        self.body.attempts_left = Some(attempts);
        self
    }

    fn authenticate(mut self, challenge: impl Into<Cow<'static, str>>) -> Self {
        self.authenticate = Some(challenge.into());
        self
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Refused(refusal) => Self::Refused(refusal),
            StoreError::Unavailable(cause) => Self::Unavailable(cause),
            StoreError::Broken(cause) => Self::Internal(cause),
            StoreError::OtherHashKey => Self::Misconfigured(error.to_string()),
        }
    }
}

impl From<TokenError> for Problem {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Invalid(cause) => Self::InvalidToken(cause),
            TokenError::Unavailable { retry_after, .. } => {
                Self::KeySetUnavailable { cause: error.to_string(), retry_after: retry_after.as_secs().max(1) }
            }
            TokenError::UnknownKey { retry_after } => {
                Self::UnknownKey { cause: error.to_string(), retry_after: retry_after.as_secs().max(1) }
            }
            TokenError::LoginGone => Self::Refused(Refusal::SessionInvalid),
            TokenError::NotMade(cause) => Self::Internal(cause),
        }
    }
}

impl From<NoRandomness> for Problem {
    fn from(error: NoRandomness) -> Self {
        Self::Internal(format!("no randomness: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fmt::Write, time::Duration};

    use super::*;
    use crate::domain::{Limit, PasskeyId};

    const NOW: Timestamp = Timestamp::from_secs(1000);
    const LATER: Timestamp = Timestamp::from_secs(1030);

    fn every_problem() -> Vec<Problem> {
        let cause = || "a cause for the log".to_owned();
        let refusals = [
            Refusal::MethodNotOffered,
            Refusal::NoAddress(NoAddress::Absent),
            Refusal::NoAddress(NoAddress::Malformed),
            Refusal::NoAddress(NoAddress::Unverified),
            Refusal::NoAddress(NoAddress::Country),
            Refusal::NoAuthenticator,
            Refusal::InactiveAuthenticator,
            Refusal::AddressNotProven,
            Refusal::WrongTotp { attempts_left: 4 },
            Refusal::OldTotp { attempts_left: 4, age: Duration::from_mins(8) },
            Refusal::UsedTotp,
            Refusal::WrongCode { attempts_left: 0 },
            Refusal::ExpiredCode,
            Refusal::SupersededCode,
            Refusal::Locked { until: LATER, guessed: Some(NOW) },
            Refusal::SessionInvalid,
            Refusal::SessionExpired,
            Refusal::WrongRecoveryCode,
            Refusal::WrongPasskey("a cause for the log"),
            Refusal::CopiedPasskey(PasskeyId([1; 8])),
            Refusal::ExpiredPasskeyChallenge,
            Refusal::NoPasskey,
            Refusal::InactivePasskey,
            Refusal::PasskeyLimit,
            Refusal::RateLimited { retry_at: LATER, limit: Limit::Sends },
            Refusal::Contended,
            Refusal::ProofRequired,
            Refusal::ToggleNotAllowed,
            Refusal::NoUsableMethod,
            Refusal::Unreadable(cause()),
            Refusal::LastMethod,
            Refusal::SessionNotFound,
            Refusal::DeviceNotFound,
            Refusal::DeviceLimit,
        ];
        let others = [
            Problem::invalid("otp must be 6 digits"),
            Problem::MissingField("method"),
            Problem::NoAuth,
            Problem::InvalidToken("a cause for the log"),
            Problem::NotEnabled,
            Problem::NotFound,
            Problem::MethodNotAllowed(Method::POST),
            Problem::TooLarge,
            Problem::NotJson,
            Problem::DeliveryRejected { cause: cause(), switched_off: false },
            Problem::DeliveryRejected { cause: cause(), switched_off: true },
            Problem::DeliveryFailed { cause: cause(), retry_after: 5 },
            Problem::Unavailable(cause()),
            Problem::KeySetUnavailable { cause: cause(), retry_after: 40 },
            TokenError::UnknownKey { retry_after: Duration::from_secs(40) }.into(),
            Problem::Misconfigured(cause()),
            Problem::Internal(cause()),
        ];
        refusals.into_iter().map(Problem::from).chain(others).collect()
    }

    #[test]
    fn every_error_is_as_the_snapshot_shows() {
        let mut shown = String::new();
        let mut codes = BTreeSet::new();
        for problem in every_problem() {
            let answer = problem.answer(NOW);
            codes.insert(answer.body.code);
            writeln!(shown, "{problem:?}\n{}", serde_json::to_string(&answer.body).expect("JSON")).expect("text");
            if let Some(seconds) = answer.body.retry_after {
                writeln!(shown, "retry-after: {seconds}").expect("text");
            }
            if let Some(challenge) = answer.authenticate {
                writeln!(shown, "www-authenticate: {challenge}").expect("text");
            }
            shown.push('\n');
        }
        insta::assert_snapshot!(shown);
        assert_eq!(codes, ErrorCode::ALL.iter().copied().collect(), "some code is shown by no problem");
    }
}
