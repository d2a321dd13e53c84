//! Sessions: refresh tokens, each used once.

use serde::{Deserialize, Serialize};

use super::{
    Factor, Ledger, LoginId, Policy, ProofSession, Refusal, SessionId, Timestamp, UserId,
    keys::{self, Keys},
    verify::Verified,
};

/// One of the refresh tokens of a session. They follow one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefreshToken {
    /// Whose.
    pub session: SessionId,
    /// Its place in their order, from 0.
    pub generation: u64,
}

impl RefreshToken {
    /// The token as a client holds it: `mfa_<id>.<generation>.<mac>`.
    #[must_use]
    pub fn to_text(self, keys: &Keys) -> String {
        let encode = |bytes: &[u8]| data_encoding::BASE64URL_NOPAD.encode(bytes);
        format!("mfa_{}.{}.{}", self.session, self.generation, encode(&self.mac(keys)))
    }

    /// The MAC that makes it ours. A token's successor is a function of the token, and nothing in the table makes one.
    fn mac(self, keys: &Keys) -> [u8; 32] {
        keys.refresh_mac(&[&self.session.0, &self.generation.to_be_bytes()])
    }

    /// Reads a token that was made here. Anything else is `None`.
    #[must_use]
    pub fn parse(text: &str, keys: &Keys) -> Option<Self> {
        let (session, rest) = text.strip_prefix("mfa_")?.split_once('.')?;
        let (generation, _) = rest.split_once('.')?;
        let token = Self { session: SessionId::parse(session)?, generation: generation.parse().ok()? };
        keys::equal(text.as_bytes(), token.to_text(keys).as_bytes()).then_some(token)
    }

    /// The token that takes its place.
    #[must_use]
    pub const fn successor(self) -> Self {
        Self { session: self.session, generation: self.generation.saturating_add(1) }
    }
}

/// The item of a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionRecord {
    /// Its id, which stands in the item's key.
    #[serde(skip_serializing)]
    pub id: SessionId,
    /// Whose.
    pub user: UserId,
    /// The login that opened it. Items of version 0.1 do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login: Option<LoginId>,
    /// [`ProofSession::provenance`], if it is another than the login.
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
    /// From this moment on it is over, however much it is used.
    pub until: Timestamp,
}

/// What a refresh token does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefreshOutcome {
    /// It is the next one to be used: its successor takes its place.
    Rotate,
    /// It was used a moment ago and its successor was not: the answer may have been lost. It gets the same successor.
    Repeat,
    /// It was used before: two parties hold tokens of one session, and nobody knows which is the thief. The session ends.
    End,
}

/// Judges a refresh token. A lock does not stop it: whoever holds it passed a second factor.
///
/// # Errors
/// [`Refusal::SessionExpired`], or [`Refusal::SessionInvalid`] where the user's epoch is a later one.
pub fn judge(
    session: &SessionRecord,
    ledger: &Ledger,
    token: RefreshToken,
    now: Timestamp,
) -> Result<RefreshOutcome, Refusal> {
    if session.until <= now {
        return Err(Refusal::SessionExpired);
    }
    if session.security_epoch != ledger.security_epoch {
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
    pub fn proof_session(&self, keys: &Keys) -> ProofSession {
        let login = self.login.unwrap_or_else(|| keys.session_login(self.id));
        ProofSession::named(self.id, login, self.provenance, self.until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Method;

    const NOW: Timestamp = Timestamp::from_secs(1_000_000);

    fn keys() -> Keys {
        Keys::derive(&[7; 32], Vec::new())
    }

    fn session(generation: u64) -> SessionRecord {
        SessionRecord {
            id: SessionId([1; 16]),
            user: UserId([2; 16]),
            login: Some(LoginId([3; 8])),
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
        RefreshToken { session: SessionId([1; 16]), generation }
    }

    fn ledger(epoch: u64) -> Ledger {
        Ledger { security_epoch: epoch, ..Ledger::fresh(0) }
    }

    fn after(seconds: u64) -> Timestamp {
        NOW.plus(std::time::Duration::from_secs(seconds))
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
        let judged = |generation, seconds| judge(&session(1), &ledger(5), token(generation), after(seconds));
        assert_eq!(judged(1, 0), Ok(RefreshOutcome::Rotate));
        assert_eq!(judged(1, 11), Ok(RefreshOutcome::Rotate));
        assert_eq!(judged(0, 10), Ok(RefreshOutcome::Repeat));
        assert_eq!(judged(0, 11), Ok(RefreshOutcome::End));
        assert_eq!(judged(2, 0), Ok(RefreshOutcome::End), "from the future of a restored table");
        let used_again = judge(&session(2), &ledger(5), token(0), NOW);
        assert_eq!(used_again, Ok(RefreshOutcome::End), "its successor was used");
    }

    #[test]
    fn a_session_of_an_older_version_is_a_login_of_its_own() {
        let named = session(0).proof_session(&keys());
        assert_eq!((named.login, named.provenance), (LoginId([3; 8]), LoginId([3; 8])));
        assert_eq!((named.id, named.ends), (session(0).id, session(0).until));
        let nameless = SessionRecord { login: None, ..session(0) }.proof_session(&keys());
        let own = keys().session_login(named.id);
        assert_eq!((nameless.login, nameless.provenance), (own, own));
        let shared = SessionRecord { provenance: Some(own), ..session(0) }.proof_session(&keys());
        assert_eq!((shared.login, shared.provenance), (LoginId([3; 8]), own));
    }

    #[test]
    fn a_session_ends_with_its_time_and_with_its_epoch() {
        let lifetime = Policy::default().session_lifetime.as_secs();
        assert_eq!(judge(&session(0), &ledger(5), token(0), after(lifetime - 1)), Ok(RefreshOutcome::Rotate));
        assert_eq!(judge(&session(0), &ledger(5), token(0), after(lifetime)), Err(Refusal::SessionExpired));
        for epoch in [4, 6] {
            assert_eq!(judge(&session(0), &ledger(epoch), token(0), NOW), Err(Refusal::SessionInvalid));
        }
    }
}
