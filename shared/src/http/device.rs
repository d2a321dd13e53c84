use serde::Serialize;

use crate::domain::{Method, Snapshot, Timestamp, listing};

/// `MfaDevice` of docs/openapi.yaml.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MfaDevice {
    id: String,
    device_name: String,
    method: Method,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    synced: Option<bool>,
    verified: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    inactive: Option<bool>,
    created_at: String,
}

/// The user's devices of one method as clients see them.
#[must_use]
pub fn devices_of(method: Method, snapshot: &Snapshot, now: Timestamp) -> Vec<MfaDevice> {
    devices(snapshot, now).into_iter().filter(|device| device.method == method).collect()
}

/// The user's devices as clients see them.
#[must_use]
pub fn devices(snapshot: &Snapshot, now: Timestamp) -> Vec<MfaDevice> {
    listing::devices(snapshot, now)
        .into_iter()
        .map(|device| MfaDevice {
            id: device.id.to_string(),
            device_name: device.name,
            method: device.method,
            synced: device.synced,
            last_used_at: device.last_used.map(Timestamp::to_rfc3339),
            verified: device.verified,
            inactive: device.inactive.then_some(true),
            created_at: device.created.to_rfc3339(),
        })
        .collect()
}
