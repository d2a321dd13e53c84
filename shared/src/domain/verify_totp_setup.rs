//! Confirming the set-up of an authenticator with a first code.

use super::{
    Context, Decision, DeviceId, DeviceRecord, ItemKey, Ledger, LoginId, Policy, Refusal, Snapshot, Write,
    code::Otp,
    ledger::Device,
    setup_totp::may_set_up,
    toggle,
    totp::{self, Verdict},
};

/// Confirms the open set-up that `secret` belongs to.
///
/// The same secret and code again succeed again, because the answer may have been lost. A secret that belongs to no open
/// set-up of this user gets the answer of a wrong code. It is no guess: nobody guesses 160 bits.
#[must_use]
pub fn confirm(snapshot: &Snapshot, secret: &[u8], otp: &Otp, cx: &Context<'_>) -> Decision<()> {
    if let Err(refusal) = may_set_up(snapshot, cx) {
        return Decision::refuse(refusal);
    }
    if let Some(until) = snapshot.ledger.failures.lock_end(cx.now) {
        return Decision::refuse(Refusal::Locked { until });
    }
    let belongs = |record: &DeviceRecord| cx.keys.is_totp_secret(cx.caller.user, record, secret);

    if let Some(record) = snapshot.open_setups(cx.now).filter_map(|id| snapshot.device(id)).find(|r| belongs(r)) {
        return judge_first_code(snapshot, record, secret, otp, cx);
    }
    let repeated = snapshot.verified_devices().any(|device| {
        let is_this = device.last_used_at.is_none() && snapshot.device(device.id).is_some_and(belongs);
        is_this && totp::is_code_of(secret, otp, device.last_step)
    });
    if repeated {
        return Decision::NoChange(Ok(()));
    }
    // The secret may belong to a set-up that cannot be read: then "wrong" would be a lie.
    let unreadable = snapshot.open_setups(cx.now).find_map(|id| snapshot.require_readable(ItemKey::Device(id)).err());
    Decision::refuse(unreadable.unwrap_or(Refusal::WrongTotp))
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
    toggle::right_code(&mut ledger, cx);
    Decision::commit(ledger, Ok(())).after_writing(Write::KeptDevice(record.id))
}

/// Makes the set-up a verified device. Its code counts as used: it must not pass as the first login code.
fn name_device(ledger: &mut Ledger, id: DeviceId, step: u64, login: LoginId) {
    ledger.setups.retain(|setup| setup.id != id);
    // Behind the gate it certainly belongs to the owner. Before MFA is on, it belongs to this login.
    let confirmed_by = (!ledger.enabled).then_some(login);
    ledger.devices.push(Device { id, last_step: step, last_used_at: None, confirmed_by });
}
