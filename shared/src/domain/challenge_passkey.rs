//! Asking for a passkey. Nothing of the ledger changes, so a stale read does no harm: the answer is
//! judged by the ledger of its own time ([`verify_passkey`](super::verify_passkey)).

use super::{
    Context, Counter, CounterKind, Policy, Refusal, Snapshot, TrustId, challenge,
    passkey::{self, ChallengeSlot, CredentialRecord, Purpose},
};

/// What the browser is to be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked<'a> {
    /// The credentials that may answer, or that must not be registered again.
    pub credentials: Vec<&'a CredentialRecord>,
    /// What is made of the challenge.
    pub ticket: Ticket,
}

/// Where a challenge is stored and in which limit it counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// The security epoch in which the challenge counts, as [`Challenge`](passkey::Challenge) has it.
    pub security_epoch: Option<u64>,
    /// The place of the challenge.
    pub slot: ChallengeSlot,
    /// The limit, which is raised before the challenge is stored.
    pub limit: Counter,
}

/// Lets the caller answer with one of their passkeys. A lock stops guesses and not possession, so it
/// stops no passkey.
///
/// # Errors
/// If passkeys are not offered, or if the user has none that counts.
pub fn ask<'a>(
    snapshot: &'a Snapshot,
    trusted_device: Option<TrustId>,
    cx: &Context<'_>,
) -> Result<Asked<'a>, Refusal> {
    passkey::is_offered(cx)?;
    let credentials = passkey::credentials(snapshot, passkey::usable(snapshot, cx)?)?;
    Ok(asked(snapshot, credentials, Purpose::Use, trusted_device, cx))
}

/// Known callers have a limit and, if others can share their login, a place of their own. Otherwise a
/// stranger with the password would use up the owner's challenges, or replace them.
pub(super) fn asked<'a>(
    snapshot: &Snapshot,
    credentials: Vec<&'a CredentialRecord>,
    purpose: Purpose,
    trusted_device: Option<TrustId>,
    cx: &Context<'_>,
) -> Asked<'a> {
    let known = challenge::is_known_caller(snapshot, trusted_device, cx);
    let share: &[u8] = if known { b"known" } else { b"" };
    let of_known_caller = known && cx.caller.shares_login();
    let limit = Counter {
        kind: CounterKind::PasskeyChallenges,
        key: cx.keys.limit_key(&[&cx.caller.user.0, share].concat()),
        window: Policy::SEND_WINDOW,
        max: Policy::PASSKEY_CHALLENGES,
        part: None,
    };
    let slot = ChallengeSlot { login: cx.caller.login, purpose, of_known_caller };
    let security_epoch = snapshot.stored.then_some(snapshot.ledger.security_epoch);
    Asked { credentials, ticket: Ticket { security_epoch, slot, limit } }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::{
        Method, NetworkTag,
        scenario::{NOW, OTHER, OWN, Scenario},
        setup_passkey,
    };

    #[test]
    fn active_passkeys_are_asked_and_inactive_ones_under_a_fresh_proof_too() {
        let mut scenario = Scenario::enabled();
        let asked = |scenario: &Scenario| {
            let asked = ask(&scenario.user, None, &scenario.cx())?;
            Ok(asked.credentials.iter().map(|record| record.credential.clone()).collect::<Vec<_>>())
        };
        assert_eq!(asked(&scenario), Err(Refusal::NoPasskey));
        scenario.add_passkey(1, OTHER);
        scenario.user.ledger.passkeys[0].inactive = true;
        assert_eq!(asked(&scenario), Err(Refusal::InactivePasskey));
        scenario.add_passkey(2, OWN);
        assert_eq!(asked(&scenario), Ok(vec!["2".to_owned()]));
        scenario.prove(Duration::ZERO);
        assert_eq!(asked(&scenario), Ok(vec!["1".to_owned(), "2".to_owned()]));
        scenario.policy.methods.retain(|method| *method != Method::Passkey);
        assert_eq!(asked(&scenario), Err(Refusal::MethodNotOffered));
    }

    #[test]
    fn a_lock_stops_no_passkey() {
        let mut scenario = Scenario::enabled();
        scenario.add_passkey(1, OWN);
        scenario.user.ledger.failures.locked_until = NOW.plus(Duration::from_mins(1));
        assert!(ask(&scenario.user, None, &scenario.cx()).is_ok());
    }

    #[test]
    fn a_known_caller_has_a_limit_and_in_a_shared_login_a_place_of_their_own() {
        let mut scenario = Scenario::enabled();
        scenario.add_passkey(1, OWN);
        let ticket = |scenario: &Scenario| ask(&scenario.user, None, &scenario.cx()).expect("asked").ticket;
        scenario.user.ledger.know(NetworkTag([9; 8]), NOW);
        let of_anybody = ticket(&scenario);
        let own = scenario.cx().network().expect("a network");
        scenario.user.ledger.know(own, NOW);
        let of_owner = ticket(&scenario);
        assert_ne!(of_anybody.limit.key, of_owner.limit.key);
        assert_eq!(of_anybody.slot, of_owner.slot, "a stranger is in another login");
        scenario.caller.provenance = None;
        assert!(ticket(&scenario).slot.of_known_caller);
    }

    #[test]
    fn a_further_passkey_may_be_asked_for_until_there_are_five() {
        let mut scenario = Scenario::new();
        (1..=4).for_each(|number| _ = scenario.add_passkey(number, OWN));
        let asked = setup_passkey::ask(&scenario.user, &scenario.cx()).expect("a fifth");
        assert_eq!((asked.credentials.len(), asked.ticket.slot.purpose), (4, Purpose::Setup));
        scenario.add_passkey(5, OWN);
        let refused = |scenario: &Scenario| setup_passkey::ask(&scenario.user, &scenario.cx()).err();
        assert_eq!(refused(&scenario), Some(Refusal::PasskeyLimit));
        scenario.user.ledger.enabled = true;
        assert_eq!(refused(&scenario), Some(Refusal::ProofRequired));
    }
}
