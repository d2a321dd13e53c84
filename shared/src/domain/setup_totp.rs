//! Opening the set-up of an authenticator.

use super::{
    Context, Decision, DeviceRecord, Method, Policy, Refusal, Snapshot, Timestamp, Write, gate, ledger::Setup,
};

/// Opens a set-up for the device of `record`. A fourth one replaces the oldest.
#[must_use]
pub fn open(snapshot: &Snapshot, record: &DeviceRecord, cx: &Context<'_>) -> Decision<()> {
    if let Err(refusal) = may_set_up(snapshot, cx) {
        return Decision::refuse(refusal);
    }
    if snapshot.ledger.devices.len() >= Policy::MAX_DEVICES {
        return Decision::refuse(Refusal::DeviceLimit);
    }

    let mut ledger = snapshot.ledger.clone();
    ledger.setups.retain(|setup| setup.until > cx.now);
    ledger.setups.push(Setup { id: record.id, until: setup_ends(record).whole_seconds() });
    if ledger.setups.len() > Policy::MAX_OPEN_SETUPS {
        ledger.setups.remove(0);
    }
    Decision::commit(ledger, Ok(())).after_writing(Write::Device(record.clone()))
}

/// Whether the caller may set up authenticators at all.
pub(super) fn may_set_up(snapshot: &Snapshot, cx: &Context<'_>) -> Result<(), Refusal> {
    gate::require_fresh_factor(snapshot, cx)?;
    if cx.policy.offers(Method::Totp) { Ok(()) } else { Err(Refusal::MethodNotOffered) }
}

/// When an open set-up ends.
#[must_use]
pub fn setup_ends(record: &DeviceRecord) -> Timestamp {
    record.created.plus(Policy::SETUP_LIFETIME)
}
