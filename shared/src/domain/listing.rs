//! The list of a user's devices.

use super::{DeviceId, Snapshot, Timestamp, totp};

/// A device as its owner sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedDevice {
    /// Its id.
    pub id: DeviceId,
    /// Its name.
    pub name: String,
    /// Whether its codes are judged.
    pub verified: bool,
    /// Whether it was confirmed, and is judged only under a fresh proof since another login
    /// switched MFA on.
    pub inactive: bool,
    /// When the set-up began.
    pub created: Timestamp,
    /// When a code of it was last accepted.
    pub last_used: Option<Timestamp>,
}

/// The name of a device, or a placeholder if its item cannot be read.
pub(super) fn device_name(snapshot: &Snapshot, id: DeviceId) -> String {
    snapshot.device(id).map_or_else(|| "Authenticator".to_owned(), |record| record.name.clone())
}

/// Verified devices and open set-ups: last used first, then newest. Devices that were never used
/// come last.
///
/// A device whose item cannot be read is listed with what the ledger knows of it, so that its owner
/// can remove it.
#[must_use]
pub fn devices(snapshot: &Snapshot, now: Timestamp) -> Vec<ListedDevice> {
    let listed = |id, verified, inactive, last_used, created: Timestamp| {
        let record = snapshot.device(id);
        ListedDevice {
            id,
            name: device_name(snapshot, id),
            verified,
            inactive,
            created: record.map_or(created, |record| record.created),
            last_used,
        }
    };
    let verified = snapshot.verified_devices().map(|device| {
        let step_began = totp::step_began(device.last_step);
        listed(device.id, !device.inactive, device.inactive, device.last_used_at, step_began)
    });
    let open = snapshot.open_setups(now).map(|id| listed(id, false, false, None, now));
    let mut list: Vec<_> = verified.chain(open).collect();
    list.sort_by_key(|device| std::cmp::Reverse((device.last_used, device.created)));
    list
}
