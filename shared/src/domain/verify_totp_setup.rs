//! Confirming the set-up of an authenticator with a first code.

use super::{
    Context, Decision, DeviceId, Ledger, LoginId, Policy, Refusal, Snapshot, Write,
    code::Otp,
    keys,
    ledger::Device,
    setup_totp::may_set_up,
    toggle,
    totp::{self, Verdict},
    verify::secret_of,
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
    let mut unreadable = None;
    for id in snapshot.open_setups(cx.now) {
        match secret_of(snapshot, id, cx) {
            Ok(own) if keys::equal(&own, secret) => return judge_first_code(snapshot, id, secret, otp, cx),
            Ok(_) => {}
            Err(refusal) => unreadable = Some(refusal),
        }
    }
    let repeated = snapshot.verified_devices().any(|device| {
        let is_this = || secret_of(snapshot, device.id, cx).is_ok_and(|own| keys::equal(&own, secret));
        device.last_used_at.is_none() && is_this() && totp::is_code_of(secret, otp, device.last_step)
    });
    if repeated {
        return Decision::NoChange(Ok(()));
    }
    // The secret may belong to a set-up that cannot be read. Then "wrong" would be a lie.
    Decision::refuse(unreadable.unwrap_or(Refusal::WrongTotp))
}

fn judge_first_code(snapshot: &Snapshot, id: DeviceId, secret: &[u8], otp: &Otp, cx: &Context<'_>) -> Decision<()> {
    if snapshot.ledger.devices.len() >= Policy::MAX_DEVICES {
        return Decision::refuse(Refusal::DeviceLimit);
    }
    let mut ledger = snapshot.ledger.clone();
    let Verdict::Fresh(step) = totp::judge(secret, otp, cx.now, None) else {
        let tag = cx.keys.guess_tag(cx.caller.user, id.0.as_bytes(), otp);
        if ledger.failures.is_repeat(tag, cx.now) {
            return Decision::refuse(Refusal::WrongTotp);
        }
        ledger.failures.wrong(tag, cx.now);
        return Decision::commit(ledger, Err(Refusal::WrongTotp));
    };
    name_device(&mut ledger, id, step, cx.caller.login);
    toggle::right_code(&mut ledger, cx);
    Decision::commit(ledger, Ok(())).after_writing(Write::KeptDevice(id))
}

/// Makes the set-up a verified device. Its code counts as used: it must not pass as the first login code.
fn name_device(ledger: &mut Ledger, id: DeviceId, step: u64, login: LoginId) {
    ledger.setups.retain(|setup| setup.id != id);
    // Behind the gate it certainly belongs to the owner. Before MFA is on, it belongs to this login.
    let confirmed_by = (!ledger.enabled).then_some(login);
    ledger.devices.push(Device { id, last_step: step, last_used_at: None, confirmed_by });
}
