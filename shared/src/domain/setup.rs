//! Setting up an authenticator: open, then confirm with a first code.

use super::{
    Context, Decision, DeviceId, DeviceRecord, Groundwork, Ledger, LoginId, Method, Policy, Refusal, Snapshot,
    Timestamp,
    code::Otp,
    gate,
    ledger::{Device, Setup},
    switch,
    totp::{self, Verdict},
};

/// Opens a set-up for the device of `record`. A fourth replaces the oldest.
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
    ledger.setups.push(Setup { id: record.id, until: setup_ends(record) });
    if ledger.setups.len() > Policy::MAX_OPEN_SETUPS {
        ledger.setups.remove(0);
    }
    Decision::commit_after(Groundwork::PutDevice(record.clone()), ledger, Ok(()))
}

fn may_set_up(snapshot: &Snapshot, cx: &Context<'_>) -> Result<(), Refusal> {
    gate::pass(snapshot, cx)?;
    if cx.policy.offers(Method::Totp) { Ok(()) } else { Err(Refusal::MethodNotAvailable) }
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
    if let Err(refusal) = may_set_up(snapshot, cx) {
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
    name_device(&mut ledger, record.id, step, cx.caller.login);
    switch::right_code(&mut ledger, cx);
    Decision::commit_after(Groundwork::KeepDevice(record.id), ledger, Ok(()))
}

/// Makes the set-up a verified device. Its code counts as used: it must not pass as the first login code.
fn name_device(ledger: &mut Ledger, id: DeviceId, step: u64, login: LoginId) {
    ledger.setups.retain(|setup| setup.id != id);
    // Behind the gate it is the owner's for certain; before MFA is on, it is this login's.
    let by = (!ledger.enabled).then_some(login);
    ledger.devices.push(Device { id, step, used: None, by });
}
