//! Confirming the set-up of an authenticator with a first code.

use super::{
    Context, Decision, DeviceId, Factor, Method, Policy, Refusal, Snapshot, Write,
    code::Otp,
    keys,
    ledger::Device,
    setup_totp::may_set_up,
    toggle,
    totp::{self, Verdict},
    verify::{Verified, secret_of, wrong},
};

/// Confirms the open set-up that `secret` belongs to.
///
/// The same secret and code again succeed again, because the answer may have been lost. A secret
/// that belongs to no open set-up of this user gets the answer of a wrong code. It is not counted,
/// because nobody guesses 160 bits.
#[must_use]
pub fn confirm(snapshot: &Snapshot, secret: &[u8], otp: &Otp, cx: &Context<'_>) -> Decision<Verified> {
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
    let repeated = snapshot.verified_devices().find(|device| {
        let is_this = || secret_of(snapshot, device.id, cx).is_ok_and(|own| keys::equal(&own, secret));
        let is_recent = cx.now.since(totp::step_began(device.last_step)) < Policy::SETUP_LIFETIME;
        is_recent && device.last_used_at.is_none() && is_this() && totp::is_code_of(secret, otp, device.last_step)
    });
    if let Some(device) = repeated {
        return again(snapshot, device, cx);
    }
    // The secret may belong to a set-up that cannot be read. Then "wrong" would be a lie.
    let attempts_left = snapshot.ledger.failures.attempts_left(1, cx.now);
    Decision::refuse(unreadable.unwrap_or(Refusal::WrongTotp { attempts_left }))
}

const FACTOR: Factor = Factor::Code(Method::Totp);

fn judge_first_code(
    snapshot: &Snapshot,
    id: DeviceId,
    secret: &[u8],
    otp: &Otp,
    cx: &Context<'_>,
) -> Decision<Verified> {
    if snapshot.ledger.devices.len() >= Policy::MAX_DEVICES {
        return Decision::refuse(Refusal::DeviceLimit);
    }
    let Verdict::Fresh(step) = totp::judge(secret, otp, cx.now, None) else {
        return wrong(snapshot, id.0.as_bytes(), otp, 1, |attempts_left| Refusal::WrongTotp { attempts_left }, cx);
    };
    let mut ledger = snapshot.ledger.clone();
    ledger.setups.retain(|setup| setup.id != id);
    // Its code counts as used, so that it does not pass as the first login code.
    let (confirmed_by, last_used_at, inactive) = (cx.provenance, None, false);
    ledger.devices.push(Device { id, last_step: step, last_used_at, confirmed_by, inactive });
    let stopped = toggle::right_code(&mut ledger, snapshot, FACTOR, cx);
    let verified = Verified { stopped, ..Verified::of(&ledger, FACTOR, cx.now) };
    Decision::commit(ledger, Ok(verified)).after_writing(Write::KeptDevice(id))
}

/// The answer to the first code again. The answer before it may have carried the tokens by which a
/// login that others share is known. So the device goes over to the session of this answer, which
/// proves no more than the first did.
fn again(snapshot: &Snapshot, device: &Device, cx: &Context<'_>) -> Decision<Verified> {
    let verified = Verified::of(&snapshot.ledger, FACTOR, totp::step_began(device.last_step));
    if cx.caller.provenance.is_some() {
        return Decision::NoChange(Ok(verified));
    }
    let mut ledger = snapshot.ledger.clone();
    for known in ledger.devices.iter_mut().filter(|known| known.id == device.id) {
        known.confirmed_by = cx.provenance;
    }
    if let Some(login) = cx.provenance {
        ledger.remember(login, FACTOR, verified.auth_time);
    }
    Decision::commit(ledger, Ok(verified))
}
