//! Removing an authenticator.

use super::{Context, Decision, DeviceId, Refusal, Snapshot, gate, toggle::rest_of_proof};

/// Removes a device, or gives up an open set-up. While the gate is shut, a method must be left that
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
    let was_active = ledger.devices.iter().any(|device| device.id == id && !device.inactive);
    ledger.devices.retain(|device| device.id != id);
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
