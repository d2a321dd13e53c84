//! Confirming the set-up of an authenticator with a first code.

use super::{
    Context, Decision, DeviceId, Factor, Method, Policy, Refusal, Snapshot, Write,
    code::Otp,
    keys,
    ledger::{Device, attribution},
    setup_totp::may_set_up,
    toggle,
    totp::{TotpSecret, Verdict},
    verify::{Verified, secret_of, wrong, wrong_totp},
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
    if let Some(locked) = snapshot.ledger.failures.refusal(cx.now) {
        return Decision::refuse(locked);
    }
    let mut unreadable = None;
    for id in snapshot.open_setups(cx.now) {
        match secret_of(snapshot, id, cx) {
            Ok(own) if keys::equal(own.as_bytes(), secret) => return judge_first_code(snapshot, id, &own, otp, cx),
            Ok(_) => {}
            Err(refusal) => unreadable = Some(refusal),
        }
    }
    let repeated = snapshot.verified_devices().find(|device| {
        let is_first_code =
            |own: TotpSecret| keys::equal(own.as_bytes(), secret) && own.is_code_of(otp, device.last_step);
        let is_recent = cx.now.since(Policy::TOTP.period.step_began(device.last_step)) < Policy::SETUP_LIFETIME;
        is_recent && device.last_used_at.is_none() && secret_of(snapshot, device.id, cx).is_ok_and(is_first_code)
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
    secret: &TotpSecret,
    otp: &Otp,
    cx: &Context<'_>,
) -> Decision<Verified> {
    if snapshot.ledger.devices.len() >= Policy::MAX_DEVICES {
        return Decision::refuse(Refusal::DeviceLimit);
    }
    let Verdict::Fresh(step) = secret.judge(otp, cx.now, None) else {
        let refusal = wrong_totp(secret.time_behind(otp, cx.now));
        return wrong(snapshot, id.0.as_bytes(), otp, 1, refusal, cx);
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
    let verified = Verified::of(&snapshot.ledger, FACTOR, Policy::TOTP.period.step_began(device.last_step));
    if cx.caller.provenance.is_some() {
        return Decision::NoChange(Ok(verified));
    }
    let mut ledger = snapshot.ledger.clone();
    for known in ledger.devices.iter_mut().filter(|known| known.id == device.id) {
        known.confirmed_by = attribution(known.confirmed_by, cx.provenance);
    }
    if let Some(login) = cx.provenance {
        ledger.remember(login, FACTOR, verified.auth_time);
    }
    Decision::commit(ledger, Ok(verified))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::{
        LoginId, Timestamp,
        ledger::Setup,
        scenario::{NOW, OTHER, OWN, Scenario, code_in, committed, refused, secret},
    };

    /// The TOTP step of the call.
    const STEP: u64 = NOW.as_secs() / 30;
    const WRONG: Refusal = Refusal::WrongTotp { attempts_left: 5 };

    fn add_setup(scenario: &mut Scenario, number: u128, seconds_left: u64) -> DeviceId {
        let id = scenario.add_device_item(number);
        let until = NOW.plus(Duration::from_secs(seconds_left));
        scenario.user.ledger.setups.push(Setup { id, until });
        id
    }

    /// Enters the code that the device shows at the time of the call.
    fn enter(scenario: &Scenario, id: DeviceId) -> Decision<Verified> {
        confirm(&scenario.user, &secret(id), &code_in(&secret(id), STEP), &scenario.cx())
    }

    #[test]
    fn the_first_code_makes_the_set_up_of_its_secret_a_device_and_counts_as_used() {
        let mut scenario = Scenario::new();
        let [other, id] = [1, 2].map(|number| add_setup(&mut scenario, number, 60));
        let change = committed(enter(&scenario, id));
        assert_eq!(change.outcome.map(|verified| (verified.factor, verified.auth_time)), Ok((FACTOR, NOW)));
        let device = Device { id, last_step: STEP, last_used_at: None, confirmed_by: Some(OWN), inactive: false };
        assert_eq!(change.ledger.devices, [device]);
        assert_eq!(change.ledger.setups.iter().map(|setup| setup.id).collect::<Vec<_>>(), [other]);
        assert!(matches!(change.before[..], [Write::KeptDevice(kept)] if kept == id), "it must not expire");
    }

    #[test]
    fn a_first_code_with_which_a_required_mfa_begins_names_what_stopped() {
        let mut scenario = Scenario::new();
        scenario.policy.required = true;
        let id = add_setup(&mut scenario, 1, 60);
        // The login shows a code of before, so that it may set up one more.
        scenario.prove(Duration::ZERO);
        scenario.add_device(2, OTHER);
        let stopped = committed(enter(&scenario, id)).outcome.expect("it is right").stopped;
        assert_eq!(stopped.inactive_devices.len(), 1);
    }

    #[test]
    fn a_wrong_first_code_is_counted_and_a_secret_of_no_open_set_up_is_not() {
        let mut scenario = Scenario::new();
        let (open, over) = (add_setup(&mut scenario, 1, 1), add_setup(&mut scenario, 2, 0));
        let wrong = confirm(&scenario.user, &secret(open), &code_in(&secret(over), STEP), &scenario.cx());
        let change = committed(wrong);
        assert_eq!(change.outcome.err(), Some(Refusal::WrongTotp { attempts_left: 4 }));
        assert_eq!(change.ledger.failures.consecutive, 1);
        assert_eq!(refused(enter(&scenario, over)), WRONG);
    }

    #[test]
    fn no_set_up_is_confirmed_while_locked_or_as_a_sixth_authenticator() {
        let mut scenario = Scenario::new();
        let id = add_setup(&mut scenario, 9, 60);
        (1..=4).for_each(|number| _ = scenario.add_device(number, OWN));
        assert!(committed(enter(&scenario, id)).outcome.is_ok());
        scenario.add_device(5, OWN);
        assert_eq!(refused(enter(&scenario, id)), Refusal::DeviceLimit);
        let until = NOW.plus(Duration::from_secs(1));
        scenario.user.ledger.failures.locked_until = until;
        assert_eq!(refused(enter(&scenario, id)), Refusal::Locked { until, guessed: None });
    }

    #[test]
    fn a_set_up_whose_secret_does_not_open_is_not_told_as_a_wrong_code() {
        let mut scenario = Scenario::new();
        let [broken, id] = [1, 2].map(|number| add_setup(&mut scenario, number, 60));
        scenario.user.devices[0].secret.clear();
        assert!(matches!(refused(enter(&scenario, broken)), Refusal::Unreadable(_)));
        assert!(committed(enter(&scenario, id)).outcome.is_ok(), "the other one is judged");
    }

    /// A user whose device was confirmed in the step of the call, and another device.
    fn confirmed() -> (Scenario, DeviceId) {
        let mut scenario = Scenario::new();
        let [id, _] = [1, 2].map(|number| scenario.add_device(number, OWN));
        scenario.user.ledger.devices[0].last_step = STEP;
        (scenario, id)
    }

    #[test]
    fn the_first_code_again_succeeds_again_for_ten_minutes_unless_the_device_was_used() {
        let (mut scenario, id) = confirmed();
        let code = code_in(&secret(id), STEP);
        let again = |scenario: &Scenario, secret: &[u8], code: &Otp, seconds| {
            let cx = scenario.cx_at(NOW.plus(Duration::from_secs(seconds)));
            match confirm(&scenario.user, secret, code, &cx) {
                Decision::NoChange(outcome) => outcome.map(|verified| verified.auth_time),
                Decision::Commit(change) => panic!("nothing is to be committed: {change:?}"),
            }
        };
        assert_eq!(again(&scenario, &secret(id), &code, 0), Ok(Timestamp::from_secs(STEP * 30)));
        assert!(again(&scenario, &secret(id), &code, 599).is_ok());
        assert_eq!(again(&scenario, &secret(id), &code, 600), Err(WRONG));
        assert_eq!(again(&scenario, &secret(id), &code_in(&secret(id), STEP + 1), 0), Err(WRONG), "another code");
        assert_eq!(again(&scenario, &[0; 20], &code, 0), Err(WRONG), "another secret");
        scenario.user.ledger.devices[0].last_used_at = Some(NOW);
        assert_eq!(again(&scenario, &secret(id), &code, 0), Err(WRONG));
    }

    #[test]
    fn if_others_share_the_login_the_first_code_again_hands_the_device_to_the_new_session() {
        let (mut scenario, id) = confirmed();
        scenario.caller.provenance = None;
        scenario.user.ledger.devices.iter_mut().for_each(|device| device.confirmed_by = Some(OTHER));
        let session = LoginId([3; 8]);
        let cx = Context { provenance: Some(session), ..scenario.cx() };
        let change = committed(confirm(&scenario.user, &secret(id), &code_in(&secret(id), STEP), &cx));
        let owners: Vec<_> = change.ledger.devices.iter().map(|device| device.confirmed_by).collect();
        assert_eq!(owners, [Some(session), Some(OTHER)]);
        let recent: Vec<_> = change.ledger.recent.iter().map(|recent| (recent.login, recent.verified_at)).collect();
        assert_eq!(recent, [(session, NOW)], "it proves no more than the first did");
    }
}
