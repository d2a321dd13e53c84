//! Renaming an authenticator or a passkey.

use super::{Context, Decision, DeviceId, ItemKey, Refusal, Snapshot, gate};

/// Decides whether the caller may rename a device, a passkey or an open set-up, and which item has its
/// name.
///
/// The name is data and stands in the item of the device, so the commit changes nothing of the
/// ledger but its version. It is there all the same: only the commit shows that the ledger named
/// the device, and that the gate was open, when the caller asked. The item is written after it, and
/// only if it still exists.
///
/// `id` is `None` for a malformed id. It gets the same 404 as an unknown one.
#[must_use]
pub fn rename(snapshot: &Snapshot, id: Option<DeviceId>, cx: &Context<'_>) -> Decision<ItemKey> {
    if let Err(refusal) = gate::require_fresh_factor(snapshot, cx) {
        return Decision::refuse(refusal);
    }
    let devices = snapshot.verified_devices().map(|device| device.id).chain(snapshot.open_setups(cx.now));
    let devices = devices.map(|id| (id, ItemKey::Device(id)));
    let passkeys = snapshot.named_passkeys().map(|passkey| (passkey.id.into(), ItemKey::Passkey(passkey.id)));
    let Some((_, key)) = devices.chain(passkeys).find(|(listed, _)| Some(*listed) == id) else {
        return Decision::refuse(Refusal::DeviceNotFound);
    };
    // The list shows a placeholder for an item that cannot be read, whatever its name is.
    match snapshot.require_readable(key) {
        Err(refusal) => Decision::refuse(refusal),
        Ok(()) => Decision::commit(snapshot.ledger.clone(), Ok(key)),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use uuid::Uuid;

    use super::*;
    use crate::domain::{
        UnreadableItem,
        ledger::Setup,
        scenario::{NOW, OTHER, OWN, Scenario, committed, refused},
    };

    #[test]
    fn whatever_the_ledger_names_can_be_renamed_and_nothing_else_changes() {
        let mut scenario = Scenario::new();
        let [active, inactive] = [(1, OWN), (2, OTHER)].map(|(number, by)| scenario.add_device(number, by));
        let [open, over, unnamed] = [3, 4, 5].map(|number| scenario.add_device_item(number));
        let ledger = &mut scenario.user.ledger;
        ledger.devices[1].inactive = true;
        ledger.setups.push(Setup { id: open, until: NOW.plus(Duration::from_secs(1)) });
        ledger.setups.push(Setup { id: over, until: NOW });
        for id in [active, inactive, open] {
            let change = committed(rename(&scenario.user, Some(id), &scenario.cx()));
            assert_eq!((change.outcome, &change.ledger), (Ok(ItemKey::Device(id)), &scenario.user.ledger));
            assert!(change.before.is_empty() && change.alongside.is_empty() && change.after.is_empty());
        }
        for unknown in [Some(over), Some(unnamed), Some(DeviceId(Uuid::from_u128(9))), None] {
            assert_eq!(refused(rename(&scenario.user, unknown, &scenario.cx())), Refusal::DeviceNotFound);
        }
        scenario.user.devices.retain(|device| device.id != active);
        assert_eq!(refused(rename(&scenario.user, Some(active), &scenario.cx())), Refusal::DeviceNotFound);
        let cause = "broken".to_owned();
        scenario.user.unreadable.push(UnreadableItem { key: ItemKey::Device(active), cause: cause.clone() });
        assert_eq!(refused(rename(&scenario.user, Some(active), &scenario.cx())), Refusal::Unreadable(cause));
    }

    #[test]
    fn a_shut_gate_is_told_before_whether_the_device_is_there() {
        let mut scenario = Scenario::enabled();
        let id = scenario.add_device(1, OWN);
        for id in [Some(id), None] {
            assert_eq!(refused(rename(&scenario.user, id, &scenario.cx())), Refusal::ProofRequired);
        }
        scenario.prove(Duration::ZERO);
        assert!(committed(rename(&scenario.user, Some(id), &scenario.cx())).outcome.is_ok());
    }
}
