//! Judging the answer of a passkey.

use super::{
    Context, Decision, PasskeyId, Refusal, Snapshot,
    ledger::{Passkey, attribution},
    passkey::{self, Challenge, CredentialRecord, NotAnswered, PasskeyAnswer, Purpose},
    toggle,
    verify::Verified,
};

/// Takes a passkey as a second factor. `check` finds the challenge that it answers.
///
/// It passes a lock, because a lock stops guesses and not possession, and it does not end the lock. A
/// wrong answer is no guess, and changes nothing here; one whose counter did not rise is noted.
#[must_use]
pub fn judge(
    snapshot: &Snapshot,
    cx: &Context<'_>,
    check: impl Fn(&Challenge, &[&CredentialRecord]) -> Result<PasskeyAnswer, NotAnswered>,
) -> Decision<Verified> {
    match right_passkey(snapshot, cx, check) {
        Err(Refusal::CopiedPasskey(id)) => suspect(snapshot, id),
        Err(refusal) => Decision::refuse(refusal),
        Ok(next) => {
            let mut ledger = snapshot.ledger.clone();
            let factor = next.factor();
            let places = ledger.passkeys.iter_mut().filter(|passkey| passkey.id == next.id);
            places.for_each(|place| *place = next.clone());
            let stopped = toggle::right_factor(&mut ledger, snapshot, factor, cx);
            let verified = Verified { stopped, ..Verified::of(&ledger, factor, cx.now) };
            Decision::commit(ledger, Ok(verified))
        }
    }
}

/// Refuses an answer whose counter did not rise, and notes it in the ledger, so that the owner is told.
fn suspect<T>(snapshot: &Snapshot, id: PasskeyId) -> Decision<T> {
    let refusal = Refusal::CopiedPasskey(id);
    let mut ledger = snapshot.ledger.clone();
    match ledger.passkeys.iter_mut().find(|passkey| passkey.id == id && !passkey.suspected) {
        None => Decision::refuse(refusal),
        Some(passkey) => {
            passkey.suspected = true;
            Decision::commit(ledger, Err(refusal))
        }
    }
}

/// The passkey that answers, as the ledger is to know it from then on.
fn right_passkey(
    snapshot: &Snapshot,
    cx: &Context<'_>,
    check: impl Fn(&Challenge, &[&CredentialRecord]) -> Result<PasskeyAnswer, NotAnswered>,
) -> Result<Passkey, Refusal> {
    passkey::is_offered(cx)?;
    let usable = passkey::usable(snapshot, cx)?;
    let credentials = passkey::credentials(snapshot, usable.iter().copied())?;
    let check = |challenge: &Challenge| check(challenge, &credentials);
    let (challenge, answer) = passkey::answered(snapshot, Purpose::Use, cx, check)?;
    let known = passkey::named(snapshot, &answer.credential_id, cx);
    let known = known.ok_or(Refusal::WrongPasskey("an unknown credential"))?;
    if challenge.made <= known.spent_until {
        return Err(Refusal::WrongPasskey("the challenge was used, or the passkey was used since"));
    }
    // WebAuthn Level 3 7.2, step 22. The ledger's counter is the one that counts: that of the
    // credential is the one it was registered with.
    if (answer.counter > 0 || known.counter > 0) && answer.counter <= known.counter {
        return Err(Refusal::CopiedPasskey(known.id));
    }
    Ok(Passkey {
        id: known.id,
        spent_until: passkey::spent_until(challenge.made, cx),
        counter: answer.counter,
        confirmed_by: attribution(known.confirmed_by, cx.provenance),
        inactive: false,
        used: true,
        backup: answer.backup,
        suspected: false,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::{
        Factor, Policy, Timestamp,
        ledger::Backup,
        scenario::{NOW, OTHER, OWN, Scenario, committed, refused},
    };

    fn at(millis: u64) -> Timestamp {
        NOW.plus(Duration::from_millis(millis))
    }

    /// A user with a passkey, and a challenge that was made 500 ms after the beginning of its second.
    fn scenario() -> Scenario {
        let mut scenario = Scenario::new();
        scenario.add_passkey(1, OWN);
        scenario.add_challenge(Purpose::Use, at(500));
        scenario
    }

    fn answer(counter: u32) -> PasskeyAnswer {
        PasskeyAnswer { credential_id: vec![1], counter, backup: Backup::Never }
    }

    /// What a browser said.
    struct Said(Result<PasskeyAnswer, NotAnswered>);

    impl From<PasskeyAnswer> for Said {
        fn from(answer: PasskeyAnswer) -> Self {
            Self(Ok(answer))
        }
    }

    impl From<NotAnswered> for Said {
        fn from(not: NotAnswered) -> Self {
            Self(Err(not))
        }
    }

    fn judged(scenario: &Scenario, now: Timestamp, answer: impl Into<Said>) -> Decision<Verified> {
        let Said(answer) = answer.into();
        judge(&scenario.user, &scenario.cx_at(now), |_, _| answer.clone())
    }

    const WRONG: fn(Refusal) -> bool = |refusal| matches!(refusal, Refusal::WrongPasskey(_));

    #[test]
    fn a_right_answer_spends_its_challenge_to_the_next_whole_second_of_the_later_clock() {
        for (now, spent_until) in [(NOW, 1), (at(1000), 1), (at(3000), 3)] {
            let scenario = scenario();
            let change = committed(judged(&scenario, now, answer(0)));
            let passkey = &change.ledger.passkeys[0];
            assert_eq!((passkey.spent_until, passkey.used), (at(spent_until * 1000), true));
            let verified = change.outcome.expect("it is right");
            assert_eq!((verified.factor, verified.auth_time), (Factor::passkey(false), now));
            // The same challenge, by a clock two seconds behind and by one ahead.
            let mut after = scenario;
            after.user.ledger = change.ledger;
            for later in [NOW, at(2000), at(60_000)] {
                assert!(WRONG(refused(judged(&after, later, answer(0)))), "{later:?}");
            }
        }
    }

    #[test]
    fn a_challenge_counts_if_it_is_later_than_the_last_use_by_a_millisecond() {
        for (made, counts) in [(0, false), (999, false), (1000, false), (1001, true)] {
            let mut scenario = Scenario::new();
            scenario.add_passkey(1, OWN);
            scenario.user.ledger.passkeys[0].spent_until = at(1000);
            scenario.add_challenge(Purpose::Use, at(made));
            let decision = judged(&scenario, at(2000), answer(0));
            assert_eq!(matches!(decision, Decision::Commit(_)), counts, "{made} ms");
        }
    }

    #[test]
    fn a_challenge_counts_for_five_minutes_in_its_own_epoch() {
        let scenario = scenario();
        let ends = challenge_end();
        assert!(matches!(judged(&scenario, ends, answer(0)), Decision::Commit(_)));
        let over = ends.plus(Duration::from_secs(1));
        assert_eq!(refused(judged(&scenario, over, answer(0))), Refusal::ExpiredPasskeyChallenge);
        let mut later = scenario;
        later.user.ledger.begin_epoch(None);
        assert_eq!(refused(judged(&later, NOW, answer(0))), Refusal::ExpiredPasskeyChallenge);
        later.user.challenges.clear();
        assert!(WRONG(refused(judged(&later, NOW, answer(0)))));
    }

    fn challenge_end() -> Timestamp {
        at(500).plus(Policy::PASSKEY_CHALLENGE_LIFETIME).whole_seconds()
    }

    #[test]
    fn a_counter_must_rise_above_that_of_the_ledger_unless_both_are_zero() {
        for (known, given, counts) in
            [(0, 0, true), (0, 1, true), (5, 6, true), (5, 5, false), (5, 4, false), (5, 0, false)]
        {
            let mut scenario = scenario();
            scenario.user.ledger.passkeys[0].counter = known;
            let decision = judged(&scenario, NOW, answer(given));
            if counts {
                assert_eq!(committed(decision).ledger.passkeys[0].counter, given, "{known} -> {given}");
            } else {
                let change = committed(decision);
                let id = scenario.user.ledger.passkeys[0].id;
                assert_eq!(change.outcome.err(), Some(Refusal::CopiedPasskey(id)), "{known} -> {given}");
                assert!(change.ledger.passkeys[0].suspected);
                // It is noted once, and a right answer forgets it.
                scenario.user.ledger = change.ledger;
                assert_eq!(refused(judged(&scenario, NOW, answer(given))), Refusal::CopiedPasskey(id));
                let right = committed(judged(&scenario, NOW, answer(known + 1)));
                assert!(!right.ledger.passkeys[0].suspected);
            }
        }
        let copied = judged(&scenario(), NOW, NotAnswered::Copied(vec![1]));
        let outcome = committed(copied).outcome;
        assert!(matches!(outcome, Err(Refusal::CopiedPasskey(_))), "not above that of the registration");
        let unknown = judged(&scenario(), NOW, NotAnswered::Copied(vec![9]));
        assert!(WRONG(refused(unknown)));
    }

    #[test]
    fn an_answer_passes_a_lock_and_leaves_the_count_of_wrong_codes_alone() {
        let mut scenario = scenario();
        scenario.user.ledger.failures.locked_until = at(60_000);
        scenario.user.ledger.failures.consecutive = 5;
        let ledger = committed(judged(&scenario, NOW, answer(0))).ledger;
        assert_eq!(ledger.failures, scenario.user.ledger.failures);
    }

    #[test]
    fn a_wrong_answer_or_one_of_a_passkey_that_is_gone_changes_nothing() {
        let wrong = || NotAnswered::Wrong("a cause");
        assert_eq!(refused(judged(&scenario(), NOW, wrong())), Refusal::WrongPasskey("a cause"));
        let mut gone = scenario();
        gone.add_passkey(2, OWN);
        gone.user.ledger.passkeys.remove(0);
        assert!(WRONG(refused(judged(&gone, NOW, answer(0)))));
        gone.user.ledger.passkeys.clear();
        assert_eq!(refused(judged(&gone, NOW, answer(0))), Refusal::NoPasskey);
        gone.policy.methods.retain(|method| *method != crate::domain::Method::Passkey);
        assert_eq!(refused(judged(&gone, NOW, answer(0))), Refusal::MethodNotOffered);
    }

    #[test]
    fn an_inactive_passkey_is_asked_under_a_fresh_proof_alone_and_becomes_active_by_its_use() {
        let mut scenario = Scenario::enabled();
        scenario.add_passkey(1, OTHER);
        scenario.user.ledger.passkeys[0].inactive = true;
        scenario.add_challenge(Purpose::Use, at(500));
        assert_eq!(refused(judged(&scenario, NOW, answer(0))), Refusal::InactivePasskey);
        scenario.prove(Duration::ZERO);
        let passkey = committed(judged(&scenario, NOW, answer(0))).ledger.passkeys.remove(0);
        assert_eq!((passkey.inactive, passkey.confirmed_by), (false, Some(OWN)));
    }

    #[test]
    fn what_the_authenticator_says_of_copies_is_kept() {
        for backup in [Backup::Never, Backup::Eligible, Backup::Synced] {
            let said = PasskeyAnswer { credential_id: vec![1], counter: 0, backup };
            let change = committed(judged(&scenario(), NOW, said));
            assert_eq!(change.ledger.passkeys[0].backup, backup);
            let factor = change.outcome.map(|verified| verified.factor);
            assert_eq!(factor, Ok(Factor::passkey(backup != Backup::Never)));
        }
    }

    #[test]
    fn a_challenge_that_does_not_open_is_no_wrong_answer() {
        let mut scenario = scenario();
        scenario.user.challenges[0].sealed[20] ^= 1;
        assert!(matches!(refused(judged(&scenario, NOW, answer(0))), Refusal::Unreadable(_)));
    }
}
