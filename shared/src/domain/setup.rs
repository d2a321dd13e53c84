//! Setting up an authenticator: open, then confirm with a first code.

use super::{
    Context, Decision, DeviceId, DeviceRecord, Groundwork, Ledger, Policy, Refusal, Snapshot, Timestamp,
    code::Otp,
    gate,
    ledger::{Device, Setup},
    switch,
    totp::{self, Verdict},
};

/// A set-up that was opened.
#[derive(Clone, Debug)]
pub struct Opened {
    /// Set-ups that the ledger names no more; their items can be deleted.
    pub garbage: Vec<DeviceId>,
}

/// Opens a set-up for the device of `record`. A fourth replaces the oldest.
#[must_use]
pub fn open(snapshot: &Snapshot, record: &DeviceRecord, cx: &Context<'_>) -> Decision<Opened> {
    if let Err(refusal) = gate::pass(snapshot, cx) {
        return Decision::refuse(refusal);
    }
    if snapshot.ledger.devices.len() >= Policy::MAX_DEVICES {
        return Decision::refuse(Refusal::DeviceLimit);
    }

    let mut ledger = snapshot.ledger.clone();
    let (open, mut garbage): (Vec<_>, Vec<_>) =
        std::mem::take(&mut ledger.setups).into_iter().partition(|setup| setup.until > cx.now);
    ledger.setups = open;
    ledger.setups.push(Setup { id: record.id, until: setup_ends(record) });
    if ledger.setups.len() > Policy::MAX_OPEN_SETUPS {
        garbage.push(ledger.setups.remove(0));
    }
    let garbage = garbage.into_iter().map(|setup| setup.id).collect();
    Decision::commit_after(Groundwork::PutDevice(record.clone()), ledger, Ok(Opened { garbage }))
}

/// When an open set-up ends.
#[must_use]
pub fn setup_ends(record: &DeviceRecord) -> Timestamp {
    record.created.plus(Policy::SETUP_LIFETIME)
}

/// Confirms the open set-up that `secret` belongs to, with a first code.
///
/// The same secret and code once more (the answer was lost) are right again. A secret that belongs to no open set-up of
/// this user is answered like a wrong code, and is no guess: 160 bits cannot be guessed.
#[must_use]
pub fn confirm(snapshot: &Snapshot, secret: &[u8], otp: &Otp, cx: &Context<'_>) -> Decision<()> {
    if let Err(refusal) = gate::pass(snapshot, cx) {
        return Decision::refuse(refusal);
    }
    if let Some(until) = snapshot.ledger.failures.locked_until(cx.now) {
        return Decision::refuse(Refusal::Locked { until });
    }
    let belongs = |record: &DeviceRecord| cx.keys.is_totp_secret(cx.caller.user, record, secret);

    if let Some(record) = snapshot.open_setups(cx.now).find(|record| belongs(record)) {
        return judge_first_code(snapshot, record, secret, otp, cx);
    }
    let repeated = snapshot
        .verified_devices()
        .any(|(device, record)| device.used.is_none() && belongs(record) && totp::is_code_of(secret, otp, device.step));
    Decision::Answer(if repeated { Ok(()) } else { Err(Refusal::WrongTotp) })
}

fn judge_first_code(
    snapshot: &Snapshot,
    record: &DeviceRecord,
    secret: &[u8],
    otp: &Otp,
    cx: &Context<'_>,
) -> Decision<()> {
    if snapshot.ledger.devices.len() >= Policy::MAX_DEVICES {
        return Decision::refuse(Refusal::DeviceLimit);
    }
    let mut ledger = snapshot.ledger.clone();
    let Verdict::Fresh(step) = totp::judge(secret, otp, cx.now, None) else {
        let tag = cx.keys.guess_tag(cx.caller.user, record.id.0.as_bytes(), otp);
        if ledger.failures.is_repeat(tag, cx.now) {
            return Decision::refuse(Refusal::WrongTotp);
        }
        ledger.failures.wrong(tag, cx.now);
        return Decision::commit(ledger, Err(Refusal::WrongTotp));
    };
    name_device(&mut ledger, record.id, step);
    switch::first_success(snapshot, &mut ledger, cx);
    Decision::commit_after(Groundwork::KeepDevice(record.id), ledger, Ok(()))
}

/// Makes the set-up a verified device. Its code counts as used: it must not pass as the first login code.
fn name_device(ledger: &mut Ledger, id: DeviceId, step: u64) {
    ledger.setups.retain(|setup| setup.id != id);
    ledger.devices.push(Device { id, step, used: None, own: ledger.enabled });
    if ledger.devices.len() >= Policy::MAX_DEVICES {
        ledger.setups.clear();
    }
}
