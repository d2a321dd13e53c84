use serde::Serialize;

use crate::{domain::Stopped, step_up::Tokens};

/// The reply to a request that may switch MFA on: a message, what stopped counting, and the tokens
/// if the caller gets any.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SwitchReply {
    message: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    access_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    #[serde(flatten)]
    stopped: StoppedReply,
}

impl SwitchReply {
    /// A reply that says `message`.
    #[must_use]
    pub fn new(message: &'static str, tokens: Option<Tokens>, stopped: Stopped) -> Self {
        let (access_token, refresh_token) = tokens.map(|tokens| (tokens.access, tokens.refresh)).unzip();
        Self { message, access_token, refresh_token, stopped: stopped.into() }
    }
}

/// Everything that stopped counting when MFA was switched on.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StoppedReply {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    inactive_devices: Vec<InactiveDevice>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recovery_codes_voided: Option<bool>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    addresses_unproven: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct InactiveDevice {
    id: String,
    device_name: String,
}

impl From<Stopped> for StoppedReply {
    fn from(stopped: Stopped) -> Self {
        let named = stopped.inactive_devices.into_iter();
        Self {
            inactive_devices: named
                .map(|(id, device_name)| InactiveDevice { id: id.to_string(), device_name })
                .collect(),
            recovery_codes_voided: stopped.recovery_codes_voided.then_some(true),
            addresses_unproven: stopped.addresses_unproven,
        }
    }
}
