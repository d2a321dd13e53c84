use serde::Serialize;

use crate::tokens::MintedToken;

/// The published client stores tokens only in pairs. There are no sessions yet: this one is always refused.
const NO_SESSION: &str = "mfa_no-session";

/// The reply to a right code: tokens that prove the second factor.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VerifiedReply {
    message: &'static str,
    access_token: String,
    refresh_token: &'static str,
    is_requires_mfa: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    recovery_codes_left: Option<u32>,
}

impl VerifiedReply {
    /// A reply that says `message`.
    #[must_use]
    pub fn new(message: &'static str, MintedToken(access_token): MintedToken) -> Self {
        Self { message, access_token, refresh_token: NO_SESSION, is_requires_mfa: false, recovery_codes_left: None }
    }

    /// Says how many recovery codes are left.
    #[must_use]
    pub fn with_codes_left(self, left: u32) -> Self {
        Self { recovery_codes_left: Some(left), ..self }
    }
}
