//! What a caller gets who passed a second factor: an access token, a session and, on request, a
//! trusted device.

use serde_json::{Map, Value};

use crate::{
    App,
    domain::{
        After, Caller, Context, ItemKey, Policy, ProofSession, SessionId, Snapshot, Timestamp, Write,
        session::{RefreshToken, SessionRecord},
        trust::{self, TrustRecord, TrustToken},
        verify::Verified,
    },
    random,
    storage::UserQuery,
    tokens::{Claims, TokenError},
};

/// The refresh token if sessions are off. It is always refused, but the published client stores
/// tokens only in pairs.
const NO_SESSION: &str = "mfa_no-session";

/// Prepared before the decision, so that its items can be written at the same time as the commit.
pub struct StepUp<'a> {
    app: &'a App,
    caller: &'a Caller,
    claims: Map<String, Value>,
    login_ends: Option<Timestamp>,
    now: Timestamp,
    session: ProofSession,
    /// The sealed claims of the session's tokens, unless sessions are off.
    session_claims: Option<Vec<u8>>,
    /// What the owner knows the device by.
    label: String,
    /// The token of the device, if it is to be trusted.
    trust: Option<TrustToken>,
}

/// The tokens that a client gets.
pub struct Tokens {
    /// A bearer token that proves the second factor. It expires no later than the token that the
    /// caller sent, if that was the application's own, and no later than the session.
    pub access: String,
    /// Gives the next access token, once. Never empty.
    pub refresh: String,
    /// Stands in for a code on the next login from this device.
    pub trust: Option<String>,
}

impl<'a> StepUp<'a> {
    /// Draws everything random, and seals the claims that the session's tokens will carry.
    /// `user_agent` is that of the device, and `trust_device` says whether it is to be trusted.
    ///
    /// # Errors
    /// [`TokenError::NotMade`].
    pub fn prepare(
        app: &'a App,
        caller: &'a Caller,
        claims: &Claims,
        user_agent: &str,
        trust_device: bool,
        now: Timestamp,
    ) -> Result<Self, TokenError> {
        let App { policy, .. } = app;
        // A token of ours expires before the login ends, so its expiry says nothing about the
        // login.
        let login_ends = claims.millis("exp").map(Timestamp::from_millis).filter(|_| caller.proof.is_none());
        let session = new_session(app, caller, login_ends, now)?;
        let claims = claims.kept();
        let session_claims = if policy.sessions { Some(seal(app, caller, session.id, &claims)?) } else { None };
        let trusts = trust_device && policy.trusted_devices;
        let trust = if trusts { Some(TrustToken::from_random(random::bytes()?)) } else { None };
        let label = trust::label(user_agent);
        Ok(Self { app, caller, claims, login_ends, now, session, session_claims, label, trust })
    }

    /// What the rules need in addition to the snapshot. What the call makes or uses is attributed
    /// to its session, if the caller's login is one that others share.
    #[must_use]
    pub fn context(&self) -> Context<'a> {
        let App { policy, keys, .. } = self.app;
        let provenance = Some(self.session.provenance);
        Context { caller: self.caller, provenance, policy, keys, now: self.now.whole_seconds() }
    }

    /// What must be loaded to decide it.
    #[must_use]
    pub fn query(&self) -> UserQuery {
        let query = UserQuery::user(self.caller.user);
        if self.trust.is_some() { query.and_trusted() } else { query }
    }

    /// What is written at the same time as the commit of `verified`, and what is done after it.
    #[must_use]
    pub fn items(&self, snapshot: &Snapshot, verified: &Verified) -> (Vec<Write>, Vec<After>) {
        let mut writes: Vec<_> = self.session(verified).map(Write::Session).into_iter().collect();
        let mut after = Vec::new();
        if let Some(token) = &self.trust {
            let record = self.trust_record(token, verified);
            let surplus = trust::surplus(snapshot, &record, self.now);
            after.extend(surplus.into_iter().map(|id| After::Delete(ItemKey::Trust(id))));
            writes.push(Write::Trust(record));
        }
        (writes, after)
    }

    /// The session that `verified` opens, unless sessions are off.
    #[must_use]
    pub fn session(&self, verified: &Verified) -> Option<SessionRecord> {
        self.session_claims.as_ref().map(|claims| SessionRecord {
            id: self.session.id,
            label: self.label.clone(),
            created: self.now,
            login: self.session.login,
            provenance: self.session.other_provenance(),
            security_epoch: verified.security_epoch,
            factor: verified.factor,
            auth_time: verified.auth_time,
            claims: claims.clone(),
            generation: 0,
            rotated_at: self.now,
            until: self.session.ends,
        })
    }

    fn trust_record(&self, token: &TrustToken, verified: &Verified) -> TrustRecord {
        TrustRecord {
            id: self.app.keys.trust_id(self.caller.user, token),
            label: self.label.clone(),
            created: self.now,
            last_used_at: None,
            security_epoch: verified.security_epoch,
            auth_time: verified.auth_time,
            until: self.now.plus(Policy::TRUST_LIFETIME),
            sessions: Vec::new(),
        }
    }

    /// The tokens, once the commit of `verified` is known to be ours.
    ///
    /// # Errors
    /// [`TokenError::NotMade`].
    pub fn tokens(self, verified: &Verified) -> Result<Tokens, TokenError> {
        let App { keys, minter, .. } = self.app;
        let first = RefreshToken { user: self.caller.user, session: self.session.id, generation: 0 };
        Ok(Tokens {
            access: minter.mint(self.caller.user, self.claims, verified, self.session, self.now, self.login_ends)?,
            refresh: self.session_claims.map_or_else(|| NO_SESSION.to_owned(), |_| first.to_text(keys)),
            trust: self.trust.map(|token| token.to_text()),
        })
    }
}

/// The session that `caller` opens. With a token of ours, it ends no later than the session of that
/// token, so that no chain of calls outlives the application's last token by more than one
/// lifetime.
///
/// With sessions off, there is none to outlive the login token.
fn new_session(
    app: &App,
    caller: &Caller,
    login_ends: Option<Timestamp>,
    now: Timestamp,
) -> Result<ProofSession, TokenError> {
    let id = SessionId(random::bytes()?);
    let longest = now.plus(app.policy.session_lifetime);
    let longest = login_ends.filter(|_| !app.policy.sessions).map_or(longest, |ends| longest.min(ends));
    let ends = caller.session().map_or(longest, |session| longest.min(session.ends));
    Ok(ProofSession {
        id,
        login: caller.login,
        provenance: caller.provenance.unwrap_or_else(|| app.keys.session_login(id)),
        // A token carries its end in whole seconds.
        ends: Timestamp::from_secs(ends.as_secs()),
    })
}

fn seal(app: &App, caller: &Caller, id: SessionId, claims: &Map<String, Value>) -> Result<Vec<u8>, TokenError> {
    let plain = serde_json::to_vec(claims).map_err(|error| TokenError::NotMade(error.to_string()))?;
    let sealed = app.keys.seal_claims(caller.user, id, &plain, random::bytes()?);
    sealed.map_err(|error| TokenError::NotMade(error.to_string()))
}
