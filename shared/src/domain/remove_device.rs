//! Removing an authenticator or a passkey.

use super::{Context, Decision, DeviceId, Refusal, Snapshot, gate, ledger::Passkey, toggle::rest_of_proof};

/// Removes a device or a passkey, or gives up an open set-up. While the gate is shut, a method must be left that
/// the next login can use. The removal of an active device begins a new security epoch, because the
/// device may have been stolen.
///
/// `id` is `None` for a malformed id. It gets the same 404 as an unknown one.
#[must_use]
pub fn remove(snapshot: &Snapshot, id: Option<DeviceId>, cx: &Context<'_>) -> Decision<()> {
    if let Err(refusal) = gate::require_fresh_factor(snapshot, cx) {
        return Decision::refuse(refusal);
    }
    let Some(id) = id else { return Decision::refuse(Refusal::DeviceNotFound) };
    let mut ledger = snapshot.ledger.clone();
    let is_passkey = |passkey: &Passkey| DeviceId::from(passkey.id) == id;
    let was_active = ledger.devices.iter().any(|device| device.id == id && !device.inactive)
        || ledger.passkeys.iter().any(|passkey| is_passkey(passkey) && !passkey.inactive);
    ledger.devices.retain(|device| device.id != id);
    ledger.passkeys.retain(|passkey| !is_passkey(passkey));
    ledger.setups.retain(|setup| setup.id != id || setup.until <= cx.now);
    if ledger == snapshot.ledger {
        return Decision::refuse(Refusal::DeviceNotFound);
    }
    if was_active {
        ledger.begin_epoch(rest_of_proof(snapshot, cx));
        ledger.forget_networks_but(cx.network());
    }
    let after = Snapshot { ledger, ..snapshot.clone() };
    // If only an address were left that needs the present proof, the owner would be locked out at
    // the next login.
    let (gated, bound) = (gate::is_gated(snapshot, cx), gate::is_bound(snapshot, cx));
    if was_active && gated && !gate::has_lasting_method(&after, bound, cx) {
        return Decision::refuse(Refusal::LastMethod);
    }
    Decision::commit(after.ledger, Ok(())).carrying_session(&snapshot.ledger, cx)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use uuid::Uuid;

    use super::*;
    use crate::domain::{
        ItemKey,
        ledger::Setup,
        scenario::{NOW, OWN, Scenario, committed, refused},
    };

    #[test]
    fn what_is_removed_goes_alone_and_ends_sessions_only_if_it_was_active() {
        let mut scenario = Scenario::new();
        let [active, inactive] = [1, 2].map(|number| scenario.add_device(number, OWN));
        let [open, over] = [3, 4].map(|number| scenario.add_device_item(number));
        let ledger = &mut scenario.user.ledger;
        ledger.devices[1].inactive = true;
        ledger.setups.push(Setup { id: open, until: NOW.plus(Duration::from_secs(1)) });
        ledger.setups.push(Setup { id: over, until: NOW });
        let before = scenario.user.ledger.clone();
        for (id, ends_sessions) in [(active, true), (inactive, false), (open, false)] {
            let after = committed(remove(&scenario.user, Some(id), &scenario.cx())).ledger;
            assert_eq!(after.dropped_since(&before).collect::<Vec<_>>(), [ItemKey::Device(id)]);
            assert_eq!(after.security_epoch > before.security_epoch, ends_sessions, "{id}");
        }
        for unknown in [Some(over), Some(DeviceId(Uuid::from_u128(9))), None] {
            assert_eq!(refused(remove(&scenario.user, unknown, &scenario.cx())), Refusal::DeviceNotFound);
        }
    }

    #[test]
    fn while_the_gate_is_shut_a_method_is_left() {
        for (enabled, inactive, others, removed) in [
            (true, false, 0, false),
            (true, false, 1, true),
            (true, true, 0, true),
            (true, true, 1, true),
            (false, false, 0, true),
        ] {
            let mut scenario = if enabled { Scenario::enabled() } else { Scenario::new() };
            scenario.prove(Duration::ZERO);
            let id = scenario.add_device(1, OWN);
            scenario.user.ledger.devices[0].inactive = inactive;
            for number in 0..others {
                scenario.add_device(2 + number, OWN);
            }
            let outcome = match remove(&scenario.user, Some(id), &scenario.cx()) {
                Decision::Commit(change) => change.outcome,
                Decision::NoChange(outcome) => outcome,
            };
            let expected = if removed { Ok(()) } else { Err(Refusal::LastMethod) };
            assert_eq!(outcome, expected, "MFA on {enabled}, inactive {inactive}, others {others}");
        }
    }
}
