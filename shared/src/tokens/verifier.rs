use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode_header};

use super::{Claims, TokenError, access, claims::UniqueClaims, contact::contact, login_keys::LoginKeys};
use crate::{
    config::{Config, JwtConfig},
    domain::{
        Caller, Contact, Factor, LoginId, Method, Policy, Proof, ProofSession, SessionId, Timestamp, UserId,
        VerifiedContact,
        keys::{self, Keys},
    },
};

/// The longest token that is read, in bytes. API Gateway accepts 10 KB of headers in all, and our
/// tokens are longer than the login tokens that they are made from.
const MAX_TOKEN: usize = 16 * 1024;

/// How far the clock of the login may be ahead.
const NOT_BEFORE_LEEWAY: Duration = Duration::from_secs(30);

/// Checks bearer tokens. Each key has one fixed algorithm, and the time is a parameter.
pub struct Verifier {
    login: LoginKeys,
    own: Vec<OwnKey>,
    config: JwtConfig,
    verified_contact: VerifiedContact,
    told_of_unnamed_login: AtomicBool,
    keys: Arc<Keys>,
}

/// A key that checks our own tokens, if the key of the login tokens does not.
struct OwnKey {
    id: String,
    algorithm: Algorithm,
    key: Arc<DecodingKey>,
}

impl Verifier {
    /// Builds the verifier of a configuration.
    #[must_use]
    pub fn new(config: &Config, policy: &Policy, keys: Arc<Keys>) -> Self {
        Self {
            login: LoginKeys::new(config),
            own: own_keys(&config.jwt),
            config: config.jwt.clone(),
            verified_contact: policy.verified_contact,
            told_of_unnamed_login: AtomicBool::new(false),
            keys,
        }
    }

    /// Checks a token and says who calls. Needs only the token and, if one is configured, the key
    /// set of the login.
    ///
    /// # Errors
    /// [`TokenError::Invalid`] for every fault; only the log says which.
    /// [`TokenError::Unavailable`] if the key set cannot be fetched.
    pub async fn authenticate(&self, token: &str, now: Timestamp) -> Result<(Caller, Claims), TokenError> {
        let (claims, is_ours) = self.signed_claims(token, now).await?;
        self.check_times_and_issuer(&claims, now)?;
        let user = self.keys.user_id(claims.user_name());
        let contact = contact(claims.all(), &self.config.contact, self.verified_contact);
        let tag = |method: &Method| Some(self.keys.address_tag(user, *method, &contact.address_for(*method).ok()?));
        let proof = self.proof(&claims, user, &contact, now);
        if is_ours && proof.is_none() {
            // If it counted as a token of the application, it would open a session with a new end.
            return Err(TokenError::Invalid("signed by us, and its proof is not ours"));
        }
        let (login, provenance) = if let Some(Proof { session, .. }) = &proof {
            // Read from under the MAC. The claims `auth_time` and `jti` of our tokens name no
            // login.
            (session.login, Some(session.provenance))
        } else {
            let name = claims.login();
            let issuer = claims.text("iss").unwrap_or_default();
            let login = self.keys.login_id(issuer, claims.user_name(), &name.claim, &name.value);
            (login, (!name.is_shared).then_some(login))
        };
        let address_tags = Method::ALL.iter().filter_map(tag).collect();
        let caller = Caller { user, login, provenance, contact, address_tags, proof, source: None };
        Ok((caller, claims))
    }

    /// Whether the log has yet to say that no claim names the login. Each instance of a function
    /// says it once.
    #[must_use]
    pub fn tells_of_unnamed_login(&self) -> bool {
        !self.told_of_unnamed_login.swap(true, Ordering::Relaxed)
    }

    /// The claims of a token with a valid signature, and whether only this bundle holds the key.
    async fn signed_claims(&self, token: &str, now: Timestamp) -> Result<(Claims, bool), TokenError> {
        if token.len() > MAX_TOKEN {
            return Err(TokenError::Invalid("too long"));
        }
        let header = decode_header(token).map_err(|_| TokenError::Invalid("malformed header"))?;
        // RFC 7515 4.1.11: a token with an extension that must be understood. None is understood
        // here.
        if header.crit.is_some() {
            return Err(TokenError::Invalid("critical extension"));
        }
        let own = self.own.iter().find(|own| header.kid.as_deref() == Some(&own.id));
        let algorithm = own.map_or(self.config.algorithm, |own| own.algorithm);
        // The key decides the algorithm, never the token. `jku`, `x5u` and `jwk` of the header are
        // ignored.
        if header.alg != algorithm {
            return Err(TokenError::Invalid("another algorithm"));
        }
        let key = match own {
            Some(own) => Arc::clone(&own.key),
            None => self.login.find(header.kid.as_deref(), now).await?,
        };
        let mut validation = Validation::new(algorithm);
        // The library would ask the system's clock, and accept strings as numbers. `check` compares
        // the times instead.
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        validation.validate_aud = false;
        let decoded = jsonwebtoken::decode::<UniqueClaims>(token, &key, &validation)
            .map_err(|_| TokenError::Invalid("bad signature or malformed claims"))?;
        let claims = Claims::of(decoded.claims, token, &self.config)?;
        access::check(header.typ.as_deref(), &claims, &self.config)?;
        Ok((claims, own.is_some()))
    }

    fn check_times_and_issuer(&self, claims: &Claims, now: Timestamp) -> Result<(), TokenError> {
        let invalid = |cause| Err(TokenError::Invalid(cause));
        match claims.millis("exp") {
            None => return invalid("exp is missing or no number"),
            Some(exp) if exp <= now.as_millis() => return invalid("expired"),
            Some(_) => {}
        }
        match (claims.get("nbf"), claims.millis("nbf")) {
            (None, _) => {}
            (Some(_), None) => return invalid("nbf is no number"),
            (_, Some(nbf)) if nbf > now.plus(NOT_BEFORE_LEEWAY).as_millis() => return invalid("not yet valid"),
            (_, Some(_)) => {}
        }
        if self.config.issuer.as_deref().is_some_and(|issuer| claims.text("iss") != Some(issuer)) {
            return invalid("another issuer");
        }
        Ok(())
    }

    /// The proof that a token carries. A proof that is not ours is ignored without an error.
    fn proof(&self, claims: &Claims, user: UserId, contact: &Contact, now: Timestamp) -> Option<Proof> {
        let claim = claims.get("mfa")?.as_object()?;
        let login = LoginId::parse(claim.get("login")?.as_str()?)?;
        let provenance = match claim.get("provenance") {
            None => None,
            Some(provenance) => Some(LoginId::parse(provenance.as_str()?)?),
        };
        let id = SessionId::parse(claim.get("session")?.as_str()?)?;
        let ends = Timestamp::from_secs(claim.get("ends")?.as_u64()?);
        if ends <= now {
            return None;
        }
        let session = ProofSession::named(id, login, provenance, ends);
        let proof = Proof {
            security_epoch: claim.get("epoch")?.as_u64()?,
            method: Factor::parse(claim.get("method")?.as_str()?)?,
            auth_time: Timestamp::from_secs(claim.get("auth_time")?.as_u64()?),
            session,
        };
        let mac = data_encoding::BASE64URL_NOPAD.decode(claim.get("mac")?.as_str()?.as_bytes()).ok()?;
        let expires = Timestamp::from_secs(claims.get("exp")?.as_u64()?);
        let expected = self.keys.proof_mac(user, claims.text("jti")?, expires, contact, &proof);
        keys::equal(&mac, &expected).then_some(proof)
    }
}

fn own_keys(jwt: &JwtConfig) -> Vec<OwnKey> {
    let checks = |jwk: &jsonwebtoken::jwk::Jwk| {
        let algorithm = jwk.common.key_algorithm?.try_into().ok()?;
        Some(OwnKey { id: jwk.common.key_id.clone()?, algorithm, key: Arc::new(DecodingKey::from_jwk(jwk).ok()?) })
    };
    jwt.public_keys.iter().filter_map(checks).collect()
}
