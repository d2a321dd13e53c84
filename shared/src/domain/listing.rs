//! The list of a user's devices.

use super::{DeviceId, Policy, Snapshot, Timestamp};

/// A device as its owner sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedDevice {
    /// Its id.
    pub id: DeviceId,
    /// Its name.
    pub name: String,
    /// Whether its set-up was confirmed.
    pub verified: bool,
    /// When the set-up began.
    pub created: Timestamp,
    /// When a code of it was last accepted.
    pub last_used: Option<Timestamp>,
}

/// Verified devices and open set-ups: last used first, then newest. Devices that were never used come last.
///
/// A device whose item cannot be read is listed with what the ledger knows of it, so that its owner can remove it.
#[must_use]
pub fn devices(snapshot: &Snapshot, now: Timestamp) -> Vec<ListedDevice> {
    let listed = |id, verified, last_used, created: Timestamp| {
        let record = snapshot.device(id);
        ListedDevice {
            id,
            name: record.map_or_else(|| "Authenticator".to_owned(), |record| record.name.clone()),
            verified,
            created: record.map_or(created, |record| record.created),
            last_used,
        }
    };
    let verified = snapshot.verified_devices().map(|device| {
        let step_began = Timestamp::from_secs(device.last_step.saturating_mul(Policy::TOTP_STEP.as_secs()));
        listed(device.id, true, device.last_used_at, step_began)
    });
    let open = snapshot.open_setups(now).map(|id| listed(id, false, None, now));
    let mut list: Vec<_> = verified.chain(open).collect();
    list.sort_by_key(|device| std::cmp::Reverse((device.last_used, device.created)));
    list
}
