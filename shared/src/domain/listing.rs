//! The list of a user's devices.

use super::{DeviceId, DeviceName, Method, PasskeyId, Policy, Snapshot, Timestamp, ledger::Backup, passkey};

/// A device as its owner sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedDevice {
    /// Its id.
    pub id: DeviceId,
    /// Its name.
    pub name: String,
    /// The method that it is for.
    pub method: Method,
    /// Of a passkey, whether it is copied to other authenticators.
    pub synced: Option<bool>,
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
    snapshot.device(id).map_or_else(|| DeviceName::default().to_string(), |record| record.name.clone())
}

/// The name of a passkey, or a placeholder if its item cannot be read.
pub(super) fn passkey_name(snapshot: &Snapshot, id: PasskeyId) -> String {
    snapshot.passkey(id).map_or_else(|| passkey::DEFAULT_NAME.to_owned(), |record| record.name.clone())
}

/// Verified devices, passkeys and open set-ups: last used first, then newest. Devices that were never used
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
            method: Method::Totp,
            synced: None,
            verified,
            inactive,
            created: record.map_or(created, |record| record.created),
            last_used,
        }
    };
    let verified = snapshot.verified_devices().map(|device| {
        let step_began = Policy::TOTP.period.step_began(device.last_step);
        listed(device.id, !device.inactive, device.inactive, device.last_used_at, step_began)
    });
    let open = snapshot.open_setups(now).map(|id| listed(id, false, false, None, now));
    let passkeys = snapshot.named_passkeys().map(|passkey| ListedDevice {
        id: passkey.id.into(),
        name: passkey_name(snapshot, passkey.id),
        method: Method::Passkey,
        synced: Some(passkey.backup == Backup::Synced),
        verified: !passkey.inactive,
        inactive: passkey.inactive,
        created: snapshot.passkey(passkey.id).map_or(passkey.spent_until, |record| record.created),
        last_used: passkey.last_used_at(),
    });
    let mut list: Vec<_> = verified.chain(passkeys).chain(open).collect();
    list.sort_by_key(|device| std::cmp::Reverse((device.last_used, device.created)));
    list
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::{
        ItemKey, UnreadableItem,
        ledger::Setup,
        scenario::{NOW, OTHER, OWN, Scenario},
    };

    #[test]
    fn the_list_has_devices_and_open_set_ups_with_their_names_last_used_first() {
        let mut scenario = Scenario::new();
        let [never, early, late] = [1, 2, 3].map(|number| scenario.add_device(number, OWN));
        let [open, over, unnamed] = [4, 5, 6].map(|number| scenario.add_device_item(number));
        let ledger = &mut scenario.user.ledger;
        ledger.devices[1].last_used_at = Some(Timestamp::from_secs(1));
        ledger.devices[2].last_used_at = Some(Timestamp::from_secs(2));
        ledger.devices[2].inactive = true;
        ledger.setups.push(Setup { id: open, until: NOW.plus(Duration::from_secs(1)) });
        ledger.setups.push(Setup { id: over, until: NOW });
        scenario.user.devices[0].created = Timestamp::from_secs(9);

        let list = devices(&scenario.user, NOW);
        let shown: Vec<_> = list.iter().map(|one| (one.id, &*one.name, one.verified, one.inactive)).collect();
        let expected = [
            (late, "Phone 3", false, true),
            (early, "Phone 2", true, false),
            (open, "Phone 4", false, false),
            (never, "Phone 1", true, false),
        ];
        assert_eq!(shown, expected);
        assert!(list.iter().all(|one| one.id != unnamed), "what the ledger does not name does not exist");
    }

    #[test]
    fn a_device_whose_item_cannot_be_read_is_listed_so_that_it_can_be_removed() {
        let mut scenario = Scenario::new();
        let id = scenario.add_device(1, OTHER);
        scenario.user.devices.clear();
        assert_eq!(devices(&scenario.user, NOW), [], "its item is gone");
        scenario.user.unreadable.push(UnreadableItem { key: ItemKey::Device(id), cause: String::new() });
        let list = devices(&scenario.user, NOW);
        let shown: Vec<_> = list.iter().map(|one| (one.id, &*one.name, one.created.as_secs())).collect();
        assert_eq!(shown, [(id, "Authenticator", 30)]);
    }
}
