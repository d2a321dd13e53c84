//! Removing an authenticator.

use super::{Context, Decision, DeviceId, Refusal, Snapshot, gate};

/// Removes a device, or gives up an open set-up. While MFA is on, a method must be left that the next login can use.
///
/// `id` is `None` for a malformed id. It gets the same 404 as an unknown one.
#[must_use]
pub fn remove(snapshot: &Snapshot, id: Option<DeviceId>, cx: &Context<'_>) -> Decision<()> {
    if let Err(refusal) = gate::require_fresh_factor(snapshot, cx) {
        return Decision::refuse(refusal);
    }
    let Some(id) = id else { return Decision::refuse(Refusal::DeviceNotFound) };
    let mut ledger = snapshot.ledger.clone();
    ledger.devices.retain(|device| device.id != id);
    ledger.setups.retain(|setup| setup.id != id || setup.until <= cx.now);
    if ledger == snapshot.ledger {
        return Decision::refuse(Refusal::DeviceNotFound);
    }
    let had_device = ledger.devices.len() < snapshot.ledger.devices.len();
    let is_on = ledger.enabled || cx.policy.required;
    let after = Snapshot { ledger, ..snapshot.clone() };
    // An address that only the present proof lets through would lock its owner out at the next login.
    if had_device && is_on && gate::lasting_methods(&after, cx).is_empty() {
        return Decision::refuse(Refusal::LastMethod);
    }
    Decision::commit(after.ledger, Ok(()))
}
