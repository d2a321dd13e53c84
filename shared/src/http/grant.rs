use lambda_http::http::header;
use serde::Serialize;
use serde_json::{Map, Value};

use super::{Call, Problem};
use crate::{
    Bundle,
    domain::{
        Beside, Caller, Policy, SessionId, Snapshot, Timestamp,
        session::{RefreshToken, SessionRecord},
        trust::{self, TrustRecord, TrustToken},
        verify::Verified,
    },
    random,
    storage::Subject,
};

/// Where sessions are off: the published client stores tokens only in pairs. Always refused.
const NO_SESSION: &str = "mfa_no-session";

/// What a passed second factor gives: an access token, a session and, where it was asked for, trust in the device.
///
/// Prepared before the decision, so that its items can be written beside the commit.
pub struct Grant<'a> {
    bundle: &'a Bundle,
    caller: &'a Caller,
    claims: Map<String, Value>,
    login_ends: Option<Timestamp>,
    now: Timestamp,
    session: Option<NewSession>,
    trust: Option<NewTrust>,
}

struct NewSession {
    id: SessionId,
    claims: Vec<u8>,
}

struct NewTrust {
    token: TrustToken,
    label: String,
}

impl<'a> Grant<'a> {
    /// Draws what is random, and seals the claims that the session's tokens will carry.
    ///
    /// # Errors
    /// [`Problem::Internal`] where that cannot be done.
    pub fn prepare<B>(bundle: &'a Bundle, call: &'a Call<B>, trust_device: bool) -> Result<Self, Problem> {
        let Bundle { policy, keys, .. } = bundle;
        let caller = &call.who.caller;
        let claims = call.who.claims.kept();
        let session = if policy.sessions {
            let id = SessionId(random::bytes()?);
            let plain = serde_json::to_vec(&claims).map_err(|error| Problem::internal(error.to_string()))?;
            let sealed = keys.seal_claims(caller.user, id, &plain, random::bytes()?);
            Some(NewSession { id, claims: sealed.map_err(|error| Problem::internal(error.to_string()))? })
        } else {
            None
        };
        let trust = if trust_device && policy.trusted_devices {
            let token = TrustToken::from_random(random::bytes()?);
            Some(NewTrust { token, label: trust::label(call.header(header::USER_AGENT.as_str()).unwrap_or_default()) })
        } else {
            None
        };
        let login_ends = call.who.claims.millis("exp").map(Timestamp::from_millis);
        Ok(Self { bundle, caller, claims, login_ends, now: call.now, session, trust })
    }

    /// What must be loaded to decide it.
    #[must_use]
    pub fn subject(&self) -> Subject {
        let subject = Subject::user(self.caller.user);
        if self.trust.is_some() { subject.and_trusted() } else { subject }
    }

    /// What is written beside the commit that `verified` comes with.
    #[must_use]
    pub fn items(&self, snapshot: &Snapshot, verified: &Verified) -> Vec<Beside> {
        let session = self.session.as_ref().map(|new| Beside::PutSession(self.session_record(new, verified)));
        let mut items: Vec<_> = session.into_iter().collect();
        if let Some(new) = &self.trust {
            let record = self.trust_record(new, verified);
            items.extend(trust::surplus(snapshot, &record, self.now).into_iter().map(Beside::DropTrust));
            items.push(Beside::PutTrust(record));
        }
        items
    }

    fn session_record(&self, new: &NewSession, verified: &Verified) -> SessionRecord {
        SessionRecord {
            id: new.id,
            user: self.caller.user,
            epoch: verified.epoch,
            factor: verified.factor,
            auth_time: verified.auth_time,
            claims: new.claims.clone(),
            generation: 0,
            rotated: self.now,
            until: self.now.plus(self.bundle.policy.session_lifetime),
        }
    }

    fn trust_record(&self, new: &NewTrust, verified: &Verified) -> TrustRecord {
        TrustRecord {
            id: self.bundle.keys.trust_id(self.caller.user, &new.token),
            label: new.label.clone(),
            created: self.now,
            used: None,
            epoch: verified.epoch,
            auth_time: verified.auth_time,
            until: self.now.plus(Policy::TRUST_LIFETIME),
        }
    }

    /// The reply that hands it over. The access token expires no later than the login token.
    ///
    /// # Errors
    /// [`Problem::Internal`] where the token cannot be signed.
    pub fn reply(self, message: &'static str, verified: &Verified) -> Result<VerifiedReply, Problem> {
        let Bundle { keys, minter, .. } = self.bundle;
        let refresh_token = self
            .session
            .map_or_else(|| NO_SESSION.to_owned(), |new| RefreshToken { session: new.id, generation: 0 }.to_text(keys));
        let access_token = minter.mint(self.caller.user, self.claims, verified, self.now, self.login_ends)?;
        Ok(VerifiedReply {
            message,
            access_token,
            refresh_token,
            is_requires_mfa: false,
            trust_token: self.trust.map(|new| new.token.to_text()),
            recovery_codes_left: None,
        })
    }
}

/// The reply to a second factor that passed.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VerifiedReply {
    message: &'static str,
    access_token: String,
    refresh_token: String,
    is_requires_mfa: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    trust_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recovery_codes_left: Option<u32>,
}

impl VerifiedReply {
    /// Says how many recovery codes are left.
    #[must_use]
    pub fn with_codes_left(self, left: u32) -> Self {
        Self { recovery_codes_left: Some(left), ..self }
    }
}
