//! Registering a passkey by the answer of its authenticator.

use super::{
    Context, Decision, PasskeyId, Policy, Refusal, Snapshot, Write,
    ledger::{Passkey, attribution},
    passkey::{self, Challenge, CredentialRecord, NotAnswered, PasskeyAnswer, PasskeyRecord, Purpose},
    setup_passkey::may_set_up,
    toggle,
    verify::Verified,
};

/// What an authenticator registers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registered {
    /// What it said.
    pub answer: PasskeyAnswer,
    /// What later answers are checked against, as [`CredentialRecord::credential`].
    pub credential: String,
}

/// Registers the passkey that answers one of the login's challenges, which `check` finds. `random` keeps
/// its items apart from those of another request for the same credential.
///
/// The same answer again succeeds again, because the reply may have been lost. A wrong one is no
/// guess, so it is not counted.
#[must_use]
pub fn confirm(
    snapshot: &Snapshot,
    random: [u8; 4],
    cx: &Context<'_>,
    check: impl Fn(&Challenge) -> Result<Registered, NotAnswered>,
) -> Decision<Verified> {
    match may_confirm(snapshot, cx, check) {
        Err(refusal) => Decision::refuse(refusal),
        Ok((challenge, registered)) => register(snapshot, random, challenge, registered, cx),
    }
}

fn may_confirm(
    snapshot: &Snapshot,
    cx: &Context<'_>,
    check: impl Fn(&Challenge) -> Result<Registered, NotAnswered>,
) -> Result<(Challenge, Registered), Refusal> {
    may_set_up(snapshot, cx)?;
    let (challenge, registered) = passkey::answered(snapshot, Purpose::Setup, cx, check)?;
    let length = registered.answer.credential_id.len();
    if length == 0 || length > Policy::LONGEST_CREDENTIAL_ID {
        return Err(Refusal::WrongPasskey("a credential id of no such length is taken"));
    }
    Ok((challenge, registered))
}

fn register(
    snapshot: &Snapshot,
    random: [u8; 4],
    challenge: Challenge,
    registered: Registered,
    cx: &Context<'_>,
) -> Decision<Verified> {
    let Registered { answer, credential } = registered;
    if let Some(known) = passkey::named(snapshot, &answer.credential_id, cx) {
        return again(snapshot, known, challenge.made, cx);
    }
    // Each challenge registers one passkey.
    if snapshot.ledger.passkeys.iter().any(|other| challenge.made <= other.spent_until) {
        return Decision::refuse(Refusal::WrongPasskey("the challenge was used, or a passkey was used since"));
    }
    if snapshot.ledger.passkeys.len() >= Policy::MAX_PASSKEYS {
        return Decision::refuse(Refusal::PasskeyLimit);
    }
    let id = PasskeyId::new(cx.keys.credential_tag(cx.caller.user, &answer.credential_id), random);
    let mut ledger = snapshot.ledger.clone();
    let passkey = Passkey {
        id,
        spent_until: passkey::spent_until(challenge.made, cx),
        counter: answer.counter,
        confirmed_by: cx.provenance,
        inactive: false,
        used: false,
        backup: answer.backup,
        suspected: false,
    };
    let factor = passkey.factor();
    ledger.passkeys.push(passkey);
    let stopped = toggle::right_factor(&mut ledger, snapshot, factor, cx);
    let verified = Verified { stopped, ..Verified::of(&ledger, factor, cx.now) };
    let name = challenge.name.unwrap_or_else(|| passkey::DEFAULT_NAME.to_owned());
    Decision::commit(ledger, Ok(verified))
        .after_writing(Write::Passkey(PasskeyRecord { id, name, created: cx.now }))
        .after_writing(Write::Credential(CredentialRecord { id, credential }))
}

/// The answer to a credential that the user has. It was registered by the same challenge, or is one
/// that its authenticator should not have offered.
///
/// The reply before this one may have carried the tokens by which a login that others share is known.
/// So the passkey goes over to the session of this reply, which proves no more than the first did.
fn again(snapshot: &Snapshot, known: &Passkey, made: super::Timestamp, cx: &Context<'_>) -> Decision<Verified> {
    let is_repeated = !known.used && made <= known.spent_until;
    if !is_repeated {
        return Decision::refuse(Refusal::WrongPasskey("the user has this credential already"));
    }
    let verified = Verified::of(&snapshot.ledger, known.factor(), known.spent_until.min(cx.now));
    if cx.caller.provenance.is_some() {
        return Decision::NoChange(Ok(verified));
    }
    let mut ledger = snapshot.ledger.clone();
    for passkey in ledger.passkeys.iter_mut().filter(|passkey| passkey.id == known.id) {
        passkey.confirmed_by = attribution(passkey.confirmed_by, cx.provenance);
    }
    if let Some(login) = cx.provenance {
        ledger.remember(login, known.factor(), verified.auth_time);
    }
    Decision::commit(ledger, Ok(verified))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::{
        Factor, LoginId, Timestamp,
        ledger::Backup,
        scenario::{NOW, OTHER, OWN, Scenario, committed, refused},
    };

    fn registers(credential_id: &[u8]) -> Registered {
        let answer = PasskeyAnswer { credential_id: credential_id.to_vec(), counter: 3, backup: Backup::Synced };
        Registered { answer, credential: "{}".to_owned() }
    }

    fn confirmed(scenario: &Scenario, credential_id: &[u8]) -> Decision<Verified> {
        confirm(&scenario.user, [9; 4], &scenario.cx(), |_| Ok(registers(credential_id)))
    }

    fn scenario() -> Scenario {
        let mut scenario = Scenario::new();
        scenario.add_challenge(Purpose::Setup, NOW);
        scenario
    }

    #[test]
    fn a_passkey_is_named_with_its_items_and_is_not_used_yet() {
        let scenario = scenario();
        let change = committed(confirmed(&scenario, &[1]));
        let id = PasskeyId::new(scenario.keys.credential_tag(scenario.caller.user, &[1]), [9; 4]);
        let passkey = Passkey {
            id,
            spent_until: NOW,
            counter: 3,
            confirmed_by: Some(OWN),
            inactive: false,
            used: false,
            backup: Backup::Synced,
            suspected: false,
        };
        assert_eq!(change.ledger.passkeys, [passkey]);
        let keys: Vec<_> = change.before.iter().map(Write::key).collect();
        assert_eq!(keys, change.ledger.named_items().collect::<Vec<_>>());
        assert!(matches!(&change.before[0], Write::Passkey(record) if record.name == "Mine"));
        let verified = change.outcome.expect("it is right");
        assert_eq!((verified.factor, verified.auth_time), (Factor::passkey(true), NOW));
    }

    #[test]
    fn a_credential_id_has_at_least_one_and_at_most_255_bytes() {
        for (length, taken) in [(0, false), (1, true), (255, true), (256, false), (1023, false)] {
            let decision = confirmed(&scenario(), &vec![7; length]);
            assert_eq!(matches!(decision, Decision::Commit(_)), taken, "{length} bytes");
        }
    }

    #[test]
    fn a_challenge_registers_one_passkey_and_the_same_answer_again_succeeds_again() {
        let mut scenario = scenario();
        scenario.user.ledger = committed(confirmed(&scenario, &[1])).ledger;
        assert!(matches!(confirmed(&scenario, &[1]), Decision::NoChange(Ok(_))));
        assert!(matches!(refused(confirmed(&scenario, &[2])), Refusal::WrongPasskey(_)), "another credential");
        scenario.user.ledger.passkeys[0].used = true;
        assert!(matches!(refused(confirmed(&scenario, &[1])), Refusal::WrongPasskey(_)), "it was used since");
        scenario.user.ledger.passkeys[0].used = false;
        scenario.add_challenge(Purpose::Setup, NOW.plus(Duration::from_millis(1)));
        assert!(matches!(refused(confirmed(&scenario, &[1])), Refusal::WrongPasskey(_)), "by another challenge");
        assert!(matches!(confirmed(&scenario, &[2]), Decision::Commit(_)));
    }

    #[test]
    fn a_sixth_passkey_is_refused_and_so_is_one_behind_a_shut_gate() {
        let mut scenario = scenario();
        (10..14).for_each(|number| _ = scenario.add_passkey(number, OWN));
        assert!(matches!(confirmed(&scenario, &[1]), Decision::Commit(_)));
        scenario.add_passkey(14, OWN);
        assert_eq!(refused(confirmed(&scenario, &[1])), Refusal::PasskeyLimit);
        scenario.user.ledger.enabled = true;
        assert_eq!(refused(confirmed(&scenario, &[1])), Refusal::ProofRequired);
    }

    #[test]
    fn if_others_share_the_login_the_same_answer_again_hands_the_passkey_to_the_new_session() {
        let mut scenario = scenario();
        scenario.user.ledger = committed(confirmed(&scenario, &[1])).ledger;
        scenario.user.ledger.passkeys[0].confirmed_by = Some(OTHER);
        scenario.caller.provenance = None;
        let session = LoginId([3; 8]);
        let cx = Context { provenance: Some(session), ..scenario.cx() };
        let change = committed(confirm(&scenario.user, [8; 4], &cx, |_| Ok(registers(&[1]))));
        assert_eq!(change.ledger.passkeys[0].confirmed_by, Some(session));
        let recent: Vec<_> = change.ledger.recent.iter().map(|recent| (recent.login, recent.verified_at)).collect();
        assert_eq!(recent.last(), Some(&(session, Timestamp::from_secs(NOW.as_secs()))));
    }

    #[test]
    fn a_challenge_of_a_user_who_was_new_counts_until_mfa_is_on() {
        for (stored, enabled, counts) in [(false, false, true), (true, false, true), (true, true, false)] {
            let mut scenario = Scenario::new();
            scenario.user.stored = stored;
            let slot = passkey::ChallengeSlot { login: OWN, purpose: Purpose::Setup, of_known_caller: false };
            let challenge = Challenge { made: NOW, security_epoch: None, name: None, state: String::new() };
            let sealed = scenario.keys.seal_challenge(scenario.caller.user, slot, &challenge, [0; 12]).expect("sealed");
            scenario.user.challenges =
                vec![passkey::ChallengeRecord { slot, until: passkey::challenge_ends(NOW), sealed }];
            scenario.user.ledger.enabled = enabled;
            scenario.prove(Duration::ZERO);
            scenario.caller.proof = scenario.caller.proof.filter(|_| stored);
            let decision = confirmed(&scenario, &[1]);
            assert_eq!(matches!(decision, Decision::Commit(_)), counts, "stored {stored}, on {enabled}");
        }
    }

    #[test]
    fn a_challenge_of_a_use_registers_nothing() {
        let mut scenario = Scenario::new();
        scenario.add_challenge(Purpose::Use, NOW);
        assert!(matches!(refused(confirmed(&scenario, &[1])), Refusal::WrongPasskey(_)));
    }
}
