use serde::Serialize;

use super::stopped::StoppedReply;
use crate::{domain::Stopped, step_up::Tokens};

/// The reply to a second factor that passed.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VerifiedReply {
    message: &'static str,
    access_token: String,
    refresh_token: String,
    is_requires_mfa: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    trust_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recovery_codes_left: Option<u32>,
    #[serde(flatten)]
    stopped: StoppedReply,
}

impl VerifiedReply {
    /// A reply that hands over the tokens.
    #[must_use]
    pub fn new(message: &'static str, tokens: Tokens) -> Self {
        Self {
            message,
            access_token: tokens.access,
            refresh_token: tokens.refresh,
            is_requires_mfa: false,
            trust_token: tokens.trust,
            recovery_codes_left: None,
            stopped: StoppedReply::default(),
        }
    }

    /// Says what stopped counting.
    #[must_use]
    pub fn with_stopped(self, stopped: Stopped) -> Self {
        Self { stopped: stopped.into(), ..self }
    }

    /// Says how many recovery codes are left.
    #[must_use]
    pub fn with_codes_left(self, left: u32) -> Self {
        Self { recovery_codes_left: Some(left), ..self }
    }
}
