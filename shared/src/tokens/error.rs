use std::time::Duration;

use crate::random::NoRandomness;

/// Why a token cannot be checked or made.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The token has a fault. The text is only for the log: a caller must not learn which check
    /// failed.
    #[error("invalid token: {0}")]
    Invalid(&'static str),
    /// Nobody knows whether the token is valid, because the key set of the login cannot be fetched.
    #[error("the login's key set: {cause}")]
    Unavailable {
        /// Why. Only for the log.
        cause: &'static str,
        /// When to try again.
        retry_after: Duration,
    },
    /// Nobody knows whether the token is valid: the key set has no such key, but was fetched before
    /// the token came. Anybody can name a key that there is not.
    #[error("the login's key set was fetched a moment ago, without the key of the token")]
    UnknownKey {
        /// When to try again.
        retry_after: Duration,
    },
    /// The login that the user signed in at is no longer configured.
    #[error("the login of this session is no longer configured")]
    LoginGone,
    /// A token cannot be made.
    #[error("{0}")]
    NotMade(String),
}

impl From<NoRandomness> for TokenError {
    fn from(error: NoRandomness) -> Self {
        Self::NotMade(format!("no randomness: {error}"))
    }
}
