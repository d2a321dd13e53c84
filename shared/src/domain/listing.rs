//! The list of a user's devices.

use super::{DeviceId, Snapshot, Timestamp};

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

/// Verified devices and open set-ups: last used first, then newest; never used last.
#[must_use]
pub fn devices(snapshot: &Snapshot, now: Timestamp) -> Vec<ListedDevice> {
    let verified = snapshot.verified_devices().map(|(device, record)| (record, true, device.used));
    let open = snapshot.open_setups(now).map(|record| (record, false, None));
    let mut list: Vec<_> = verified
        .chain(open)
        .map(|(record, verified, last_used)| ListedDevice {
            id: record.id,
            name: record.name.clone(),
            verified,
            created: record.created,
            last_used,
        })
        .collect();
    list.sort_by_key(|device| std::cmp::Reverse((device.last_used, device.created)));
    list
}
