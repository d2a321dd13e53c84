use std::sync::Arc;

use jsonwebtoken::{EncodingKey, Header};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{TokenError, claims::OfLogin, contact::contact};
use crate::{
    config::{Config, SigningKey},
    domain::{Factor, LoginId, Proof, ProofSession, SessionId, Timestamp, UserId, keys::Keys, verify::Verified},
    random,
};

/// The claim `mfa`: a [`Proof`] and its MAC.
#[derive(Serialize)]
struct ProofClaim {
    epoch: u64,
    method: Factor,
    auth_time: u64,
    session: SessionId,
    login: LoginId,
    /// Absent if it is the login.
    #[serde(skip_serializing_if = "Option::is_none")]
    provenance: Option<LoginId>,
    ends: u64,
    mac: String,
    #[serde(flatten)]
    of_login: OfLogin,
}

/// Signs access tokens that prove a passed second factor, both to the application and to this
/// bundle.
pub struct Minter {
    signing: Option<(Header, EncodingKey)>,
    config: Arc<Config>,
    keys: Arc<Keys>,
}

impl Minter {
    /// Builds the minter of a configuration.
    #[must_use]
    pub fn new(config: Arc<Config>, keys: Arc<Keys>) -> Self {
        let signing = config.jwt.signing_key.clone().map(|SigningKey { algorithm, key, id }| {
            let mut header = Header::new(algorithm);
            if id.is_some() {
                // RFC 9068 2.1. With a shared secret, the header is the one that the application makes.
                header.typ = Some("at+jwt".to_owned());
            }
            header.kid = id;
            (header, key)
        });
        Self { signing, config, keys }
    }

    /// An access token of `session` for a user who passed a second factor. It carries `claims`,
    /// which [`Claims::kept`](super::Claims::kept) gave, and ours. It expires at `login_ends` and
    /// with the session at the latest.
    ///
    /// # Errors
    /// [`TokenError::NotMade`].
    pub fn mint(
        &self,
        user: UserId,
        mut claims: Map<String, Value>,
        verified: &Verified,
        session: ProofSession,
        now: Timestamp,
        login_ends: Option<Timestamp>,
    ) -> Result<String, TokenError> {
        let token_id = random::uuid()?.to_string();
        let auth_time = verified.auth_time;
        let proof = Proof { security_epoch: verified.security_epoch, method: verified.factor, auth_time, session };
        let mut of_login = OfLogin::take(&mut claims);
        let Config { jwt, policy, .. } = &*self.config;
        let login = jwt.login_named(&of_login.from).ok_or(TokenError::LoginGone)?;
        let contact = contact(&claims, &login.contact);
        if let Some(issuer) = &jwt.issuer {
            of_login.iss = claims.get("iss").and_then(Value::as_str).map(ToOwned::to_owned);
            claims.insert("iss".to_owned(), issuer.as_str().into());
        }
        let expires = now.plus(policy.access_token_lifetime).min(session.ends);
        let expires = login_ends.map_or(expires, |ends| expires.min(ends)).whole_seconds();
        let mac = self.keys.proof_mac(user, &token_id, expires, &contact, &proof);

        let ours = json!({
            "isMfaEnabled": verified.enabled,
            "isMfaVerified": true,
            "amr": union(&of_login.amr, verified.factor.authentication_methods()),
            "auth_time": auth_time.as_secs(),
            "mfa": ProofClaim {
                epoch: proof.security_epoch,
                method: proof.method,
                auth_time: auth_time.as_secs(),
                session: session.id,
                login: session.login,
                provenance: session.other_provenance(),
                ends: session.ends.as_secs(),
                mac: data_encoding::BASE64URL_NOPAD.encode(&mac),
                of_login,
            },
            "iat": now.as_secs(),
            "exp": expires.as_secs(),
            "jti": token_id,
            "type": "access",
        });
        claims.extend(jwt.added_claims.clone());
        if let Value::Object(ours) = ours {
            claims.extend(ours);
        }
        let Some((header, key)) = &self.signing else {
            return Err(TokenError::NotMade("the function does not use the signing key".to_owned()));
        };
        jsonwebtoken::encode(header, &claims, key)
            .map_err(|error| TokenError::NotMade(format!("a token cannot be signed: {error}")))
    }
}

/// The authentication methods of the login, then ours that are not among them.
fn union<'a>(of_login: &'a [String], ours: &[&'a str]) -> Vec<&'a str> {
    let new = ours.iter().copied().filter(|method| !of_login.iter().any(|of| of == method));
    of_login.iter().map(String::as_str).chain(new).collect()
}
