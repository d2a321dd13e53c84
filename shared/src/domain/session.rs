//! Sessions: refresh tokens, each used once.

use serde::{Deserialize, Serialize};

use super::{
    Context, Decision, Factor, Ledger, LoginId, Policy, ProofSession, Refusal, SessionId, Snapshot, Timestamp, UserId,
    gate,
    keys::{self, Keys},
    toggle::rest_of_proof,
    verify::Verified,
};

/// One of the refresh tokens of a session. They follow one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefreshToken {
    /// The user.
    pub user: UserId,
    /// The session.
    pub session: SessionId,
    /// Its place in their order, from 0.
    pub generation: u64,
}

impl RefreshToken {
    /// The token as a client holds it: `mfa_<user and session>.<generation>.<mac>`.
    #[must_use]
    pub fn to_text(self, keys: &Keys) -> String {
        let encode = |bytes: &[u8]| data_encoding::BASE64URL_NOPAD.encode(bytes);
        let names = encode(&[self.user.0, self.session.0].concat());
        format!("mfa_{names}.{}.{}", self.generation, encode(&self.mac(keys)))
    }

    /// The MAC that shows that we made it. The successor of a token is a function of the token, so
    /// nobody can make a token from the table.
    fn mac(self, keys: &Keys) -> [u8; 32] {
        keys.refresh_mac(&[&self.user.0, &self.session.0, &self.generation.to_be_bytes()])
    }

    /// Reads a token that was made here. Anything else is `None`.
    #[must_use]
    pub fn parse(text: &str, keys: &Keys) -> Option<Self> {
        let (names, rest) = text.strip_prefix("mfa_")?.split_once('.')?;
        let (generation, _) = rest.split_once('.')?;
        let names = data_encoding::BASE64URL_NOPAD.decode(names.as_bytes()).ok()?;
        let (user, session) = names.split_at_checked(16)?;
        let (user, session) = (UserId(user.try_into().ok()?), SessionId(session.try_into().ok()?));
        let token = Self { user, session, generation: generation.parse().ok()? };
        keys::equal(text.as_bytes(), token.to_text(keys).as_bytes()).then_some(token)
    }

    /// The token that replaces it.
    #[must_use]
    pub const fn successor(self) -> Self {
        Self { generation: self.generation.saturating_add(1), ..self }
    }
}

/// The item of a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionRecord {
    /// Its id, which stands in the item's key.
    #[serde(skip_serializing)]
    pub id: SessionId,
    /// What its owner knows it by: `Firefox on Linux`.
    pub label: String,
    /// When it was opened.
    pub created: Timestamp,
    /// The login that opened it.
    pub login: LoginId,
    /// [`ProofSession::provenance`], if it differs from the login.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provenance: Option<LoginId>,
    /// The user's security epoch when it was opened. A later epoch ends it.
    #[serde(rename = "epoch")]
    pub security_epoch: u64,
    /// The factor that it rests on.
    pub factor: Factor,
    /// When a code was last judged right. Refreshing does not renew it.
    pub auth_time: Timestamp,
    /// The sealed claims that its tokens carry.
    #[serde(with = "serde_bytes")]
    pub claims: Vec<u8>,
    /// The generation of the token that is to be used next.
    pub generation: u64,
    /// When the token before it was used.
    #[serde(rename = "rotated")]
    pub rotated_at: Timestamp,
    /// The session ends at this moment, however much it is used.
    pub until: Timestamp,
}

/// What a refresh token does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefreshOutcome {
    /// It is the next one to be used. Its successor replaces it.
    Rotate,
    /// It was used a moment ago, and its successor was not. The answer may have been lost, so it
    /// gets the same successor.
    Repeat,
    /// It was used before. Two parties hold tokens of one session, and nobody knows which of them
    /// is the thief, so the session ends.
    End,
}

/// Judges a refresh token. A lock does not stop it: whoever holds it passed a second factor.
///
/// # Errors
/// [`Refusal::SessionExpired`], or [`Refusal::SessionInvalid`] if the session is of another epoch.
pub fn judge(
    session: &SessionRecord,
    snapshot: &Snapshot,
    token: RefreshToken,
    now: Timestamp,
) -> Result<RefreshOutcome, Refusal> {
    if session.until <= now {
        return Err(Refusal::SessionExpired);
    }
    if !snapshot.is_of_epoch(session.security_epoch) {
        return Err(Refusal::SessionInvalid);
    }
    let is_predecessor = token.successor().generation == session.generation;
    Ok(match token.generation == session.generation {
        true => RefreshOutcome::Rotate,
        false if is_predecessor && now.since(session.rotated_at) <= Policy::REFRESH_GRACE => RefreshOutcome::Repeat,
        false => RefreshOutcome::End,
    })
}

impl SessionRecord {
    /// What the tokens of the session prove.
    #[must_use]
    pub fn verified(&self, ledger: &Ledger) -> Verified {
        Verified::of(ledger, self.factor, self.auth_time)
    }

    /// The session as its tokens name it.
    #[must_use]
    pub fn proof_session(&self) -> ProofSession {
        ProofSession::named(self.id, self.login, self.provenance, self.until)
    }

    /// When one of its refresh tokens was last used.
    #[must_use]
    pub fn last_used_at(&self) -> Option<Timestamp> {
        (self.generation > 0).then_some(self.rotated_at)
    }
}

/// The sessions that go on: last used first, then newest.
#[must_use]
pub fn list<'a>(snapshot: &'a Snapshot, policy: &Policy, now: Timestamp) -> Vec<&'a SessionRecord> {
    let goes_on = |record: &&SessionRecord| snapshot.is_of_epoch(record.security_epoch) && record.until > now;
    let mut list: Vec<_> = snapshot.sessions.iter().filter(|_| policy.sessions).filter(goes_on).collect();
    list.sort_by_key(|record| std::cmp::Reverse((record.last_used_at(), record.created)));
    list
}

/// Ends every proof, session and trusted device of the user, except the session of the caller's
/// token.
#[must_use]
pub fn end_others(snapshot: &Snapshot, cx: &Context<'_>) -> Decision<()> {
    if let Err(refusal) = gate::require_fresh_factor(snapshot, cx) {
        return Decision::refuse(refusal);
    }
    let mut ledger = snapshot.ledger.clone();
    ledger.begin_epoch(rest_of_proof(snapshot, cx));
    ledger.forget_networks_but(cx.network());
    Decision::commit(ledger, Ok(())).carrying_session(&snapshot.ledger, cx)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::{
        After, Method, NetworkTag,
        ledger::Grace,
        scenario::{self, Scenario, committed},
    };

    const NOW: Timestamp = Timestamp::from_secs(1_000_000);

    fn keys() -> Keys {
        Keys::derive(&[7; 32], Vec::new())
    }

    fn session(generation: u64) -> SessionRecord {
        SessionRecord {
            id: SessionId([1; 16]),
            label: String::new(),
            created: NOW,
            login: LoginId([3; 8]),
            provenance: None,
            security_epoch: 5,
            factor: Factor::Code(Method::Totp),
            auth_time: NOW,
            claims: Vec::new(),
            generation,
            rotated_at: NOW,
            until: NOW.plus(Policy::default().session_lifetime),
        }
    }

    fn token(generation: u64) -> RefreshToken {
        RefreshToken { user: UserId([2; 16]), session: SessionId([1; 16]), generation }
    }

    fn user(epoch: u64) -> Snapshot {
        let ledger = Ledger { security_epoch: epoch, ..Ledger::fresh(0) };
        Snapshot { ledger, stored: true, ..Snapshot::empty(0) }
    }

    fn after(seconds: u64) -> Timestamp {
        NOW.plus(Duration::from_secs(seconds))
    }

    #[test]
    fn a_token_reads_back_and_nothing_else_is_one() {
        let text = token(3).to_text(&keys());
        assert_eq!(RefreshToken::parse(&text, &keys()), Some(token(3)));
        let other = Keys::derive(&[8; 32], Vec::new());
        assert_eq!(RefreshToken::parse(&text, &other), None, "another bundle's");
        for bad in [
            text.replace(".3.", ".4."),
            text.replace(".3.", ".03."),
            text.replace("mfa_", ""),
            format!("{text}A"),
            text[..text.len() - 1].to_owned(),
            "mfa_..".to_owned(),
            "mfa_no-session".to_owned(),
            String::new(),
        ] {
            assert_eq!(RefreshToken::parse(&bad, &keys()), None, "{bad}");
        }
        assert_eq!(RefreshToken::parse(&token(u64::MAX).to_text(&keys()), &keys()), Some(token(u64::MAX)));
    }

    #[test]
    fn a_token_is_used_once_and_its_successor_is_given_again_for_ten_seconds() {
        let judged = |generation, seconds| judge(&session(1), &user(5), token(generation), after(seconds));
        assert_eq!(judged(1, 0), Ok(RefreshOutcome::Rotate));
        assert_eq!(judged(1, 11), Ok(RefreshOutcome::Rotate));
        assert_eq!(judged(0, 10), Ok(RefreshOutcome::Repeat));
        assert_eq!(judged(0, 11), Ok(RefreshOutcome::End));
        assert_eq!(judged(2, 0), Ok(RefreshOutcome::End), "from the future of a restored table");
        let used_again = judge(&session(2), &user(5), token(0), NOW);
        assert_eq!(used_again, Ok(RefreshOutcome::End), "its successor was used");
    }

    #[test]
    fn a_session_is_named_with_its_login_its_provenance_and_its_end() {
        let named = session(0).proof_session();
        assert_eq!((named.login, named.provenance), (LoginId([3; 8]), LoginId([3; 8])));
        assert_eq!((named.id, named.ends), (session(0).id, session(0).until));
        let own = keys().session_login(named.id);
        let shared = SessionRecord { provenance: Some(own), ..session(0) }.proof_session();
        assert_eq!((shared.login, shared.provenance), (LoginId([3; 8]), own));
    }

    #[test]
    fn the_list_has_the_sessions_of_this_epoch_that_have_not_ended_last_used_first() {
        let numbered = |n: u8, generation, seconds, epoch| SessionRecord {
            id: SessionId([n; 16]),
            security_epoch: epoch,
            rotated_at: after(seconds),
            created: after(100 - seconds),
            ..session(generation)
        };
        let sessions = vec![
            numbered(1, 0, 0, 5),
            numbered(2, 3, 10, 5),
            numbered(3, 1, 20, 5),
            numbered(4, 0, 5, 5),
            numbered(5, 9, 99, 4),
        ];
        let snapshot = Snapshot { sessions, ..user(5) };
        let listed = |snapshot: &Snapshot, policy: &Policy, now| -> Vec<u8> {
            list(snapshot, policy, now).iter().map(|record| record.id.0[0]).collect()
        };
        assert_eq!(listed(&snapshot, &Policy::default(), NOW), [3, 2, 1, 4]);
        assert!(listed(&snapshot, &Policy::default(), session(0).until).is_empty());
        assert!(listed(&snapshot, &Policy { sessions: false, ..Policy::default() }, NOW).is_empty());
        assert!(listed(&Snapshot { stored: false, ..snapshot }, &Policy::default(), NOW).is_empty());
    }

    #[test]
    fn a_session_was_used_when_a_refresh_token_of_it_was_used() {
        assert_eq!([0, 1, 2].map(|generation| session(generation).last_used_at()), [None, Some(NOW), Some(NOW)]);
    }

    #[test]
    fn whoever_ends_the_other_sessions_keeps_their_own_session_network_and_proof() {
        let mut scenario = Scenario::enabled();
        let id = scenario.prove(Duration::from_mins(1));
        let own = scenario.cx().network().expect("a network");
        scenario.user.ledger.know(own, scenario::NOW);
        scenario.user.ledger.know(NetworkTag([9; 8]), scenario::NOW);
        let from = scenario.user.ledger.security_epoch;
        let change = committed(end_others(&scenario.user, &scenario.cx()));
        assert_eq!(change.ledger.security_epoch, from + 1);
        assert_eq!(change.after, [After::CarrySession { id, from, to: from + 1 }]);
        assert_eq!(change.ledger.networks.iter().map(|network| network.tag).collect::<Vec<_>>(), [own]);
        let holder = scenario.keys.session_login(id);
        let until = scenario::NOW.plus(Duration::from_mins(14));
        assert_eq!(change.ledger.grace, Some(Grace { holder, until }), "the rest of a quarter of an hour");
    }

    #[test]
    fn a_session_ends_with_its_time_and_with_its_epoch() {
        let lifetime = Policy::default().session_lifetime.as_secs();
        assert_eq!(judge(&session(0), &user(5), token(0), after(lifetime - 1)), Ok(RefreshOutcome::Rotate));
        assert_eq!(judge(&session(0), &user(5), token(0), after(lifetime)), Err(Refusal::SessionExpired));
        let erased = Snapshot { stored: false, ..user(5) };
        assert_eq!(judge(&session(0), &erased, token(0), NOW), Err(Refusal::SessionInvalid));
        for epoch in [4, 6] {
            assert_eq!(judge(&session(0), &user(epoch), token(0), NOW), Err(Refusal::SessionInvalid));
        }
    }
}
