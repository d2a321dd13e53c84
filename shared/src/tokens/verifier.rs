use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use data_encoding::BASE64URL_NOPAD;
use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation, decode_header};
use serde_json::Value;

use super::{
    Claims, TokenError, access, claimed_policy::claimed_policy, claims::UniqueClaims, contact::contact,
    login_keys::LoginKeys,
};
use crate::{
    config::{Config, JwtConfig, LoginConfig},
    domain::{
        Caller, Contact, Factor, LoginFactor, LoginId, Method, Proof, ProofSession, SessionId, Timestamp, UserId,
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
    config: Arc<Config>,
    /// What checks the tokens of each login.
    logins: Vec<LoginKeys>,
    own: Vec<OwnKey>,
    told_of_unnamed_login: AtomicBool,
    keys: Arc<Keys>,
}

/// A key that checks our own tokens, if the key of the login tokens does not.
struct OwnKey {
    id: String,
    algorithm: Algorithm,
    key: Arc<DecodingKey>,
}

/// A token that passed every check but that of its proof.
struct Checked<'a> {
    claims: Claims,
    login: &'a LoginConfig,
    /// Whether only this bundle holds the key.
    is_ours: bool,
}

impl Verifier {
    /// Builds the verifier of a configuration.
    #[must_use]
    pub fn new(config: Arc<Config>, keys: Arc<Keys>) -> Self {
        Self {
            logins: config.jwt.logins.iter().map(|login| LoginKeys::new(login, config.aws.timeout)).collect(),
            own: own_keys(&config.jwt),
            config,
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
        let Checked { claims, login: config, is_ours } = self.checked(token, now).await?;
        let user = self.keys.user_id_in(&config.users, claims.user_name());
        let contact = contact(claims.all(), &config.contact);
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
        let login_factor = login_factor(&claims, config, now);
        let claimed_policy = claimed_policy(claims.all(), &config.policy_claims);
        let source = None;
        let caller =
            Caller { user, login, provenance, contact, address_tags, proof, login_factor, claimed_policy, source };
        Ok((caller, claims))
    }

    /// Where the person calls from, if a note of the application's backend says it.
    #[must_use]
    pub fn noted_source<'a>(&self, claims: &'a Claims) -> Option<&'a str> {
        let login = self.config.jwt.login_named(claims.from()).filter(|_| claims.get("mfa").is_none())?;
        login.source_claim.as_ref()?.find(claims.all())?.as_str()
    }

    /// The language that the person reads, as the login token writes it.
    #[must_use]
    pub fn locale<'a>(&self, claims: &'a Claims) -> Option<&'a str> {
        let login = self.config.jwt.login_named(claims.from())?;
        login.locale_claims.iter().find_map(|name| name.find(claims.all())?.as_str())
    }

    /// Whether the log has yet to say that no claim names the login. Each instance of a function
    /// says it once.
    #[must_use]
    pub fn tells_of_unnamed_login(&self) -> bool {
        !self.told_of_unnamed_login.swap(true, Ordering::Relaxed)
    }

    async fn checked(&self, token: &str, now: Timestamp) -> Result<Checked<'_>, TokenError> {
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
        if let Some(own) = own {
            return self.checked_own(token, &header, own, now);
        }
        let mut logins = self.config.jwt.logins.iter().zip(&self.logins);
        match (logins.next(), logins.len()) {
            (Some((login, keys)), 0) => checked(login, keys, token, &header, now).await,
            _ => self.checked_by_one(token, &header, now).await,
        }
    }

    /// The login that accepts a token, if it is exactly one. If two did, nobody could say whose user
    /// it is.
    async fn checked_by_one(&self, token: &str, header: &Header, now: Timestamp) -> Result<Checked<'_>, TokenError> {
        let claims = unchecked_claims(token)?;
        let mut accepted = None;
        let mut refused = TokenError::Invalid(OF_NO_LOGIN);
        let logins = self.config.jwt.logins.iter().zip(&self.logins);
        for (login, keys) in logins.filter(|(login, _)| may_have_issued(login, header, &claims)) {
            match (checked(login, keys, token, header, now).await, &accepted) {
                (Ok(by_this), None) => accepted = Some(by_this),
                (Ok(_), Some(_)) => return Err(TokenError::Invalid("two logins accept it")),
                (Err(error @ (TokenError::Unavailable { .. } | TokenError::UnknownKey { .. })), _) => {
                    return Err(error);
                }
                // What a login says that checked the signature is worth more to the log.
                (Err(TokenError::Invalid(BAD_SIGNATURE)), _) => {}
                (Err(error), _) => refused = error,
            }
        }
        accepted.ok_or(refused)
    }

    fn checked_own(
        &self,
        token: &str,
        header: &Header,
        own: &OwnKey,
        now: Timestamp,
    ) -> Result<Checked<'_>, TokenError> {
        let claims = signed_claims(token, header, own.algorithm, &own.key)?;
        let login = self.config.jwt.login_named(claims.from());
        let login = login.ok_or(TokenError::Invalid("of a login that is no longer configured"))?;
        let claims = read_claims(claims, token, header, login, now)?;
        check_issuer(claims.login_issuer(), login)?;
        Ok(Checked { claims, login, is_ours: true })
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
        let mac = BASE64URL_NOPAD.decode(claim.get("mac")?.as_str()?.as_bytes()).ok()?;
        let expires = Timestamp::from_secs(claims.get("exp")?.as_u64()?);
        let expected = self.keys.proof_mac(user, claims.text("jti")?, expires, contact, &proof);
        keys::equal(&mac, &expected).then_some(proof)
    }
}

async fn checked<'a>(
    login: &'a LoginConfig,
    keys: &LoginKeys,
    token: &str,
    header: &Header,
    now: Timestamp,
) -> Result<Checked<'a>, TokenError> {
    // Otherwise a key set would be asked for a key that no token of this login has.
    if header.alg != login.algorithm {
        return Err(OTHER_ALGORITHM);
    }
    let key = keys.find(header.kid.as_deref(), now).await?;
    let claims = signed_claims(token, header, login.algorithm, &key)?;
    let claims = read_claims(claims, token, header, login, now)?;
    check_issuer(claims.text("iss"), login)?;
    Ok(Checked { claims, login, is_ours: false })
}

/// Whether a token can be of this login. Its signature is not checked, so this decides only which
/// keys are asked.
fn may_have_issued(login: &LoginConfig, header: &Header, claims: &UniqueClaims) -> bool {
    let is_issuer = |issuer: &String| claims.get("iss").and_then(Value::as_str) == Some(issuer);
    header.alg == login.algorithm && login.issuer.as_ref().is_none_or(is_issuer)
}

/// The claims of a token as a login means them, whoever signed it.
pub(super) fn read_unchecked(token: &str, login: &LoginConfig, now: Timestamp) -> Result<Claims, TokenError> {
    let header = decode_header(token).map_err(|_| TokenError::Invalid("malformed header"))?;
    if header.alg != login.algorithm {
        return Err(OTHER_ALGORITHM);
    }
    let claims = read_claims(unchecked_claims(token)?, token, &header, login, now)?;
    check_issuer(claims.text("iss"), login)?;
    Ok(claims)
}

/// The claims of a token whose signature nobody checked.
fn unchecked_claims(token: &str) -> Result<UniqueClaims, TokenError> {
    let payload = token.split('.').nth(1).and_then(|part| BASE64URL_NOPAD.decode(part.as_bytes()).ok());
    let claims = payload.and_then(|payload| serde_json::from_slice(&payload).ok());
    claims.ok_or(TokenError::Invalid("malformed claims"))
}

const OF_NO_LOGIN: &str = "of no login that is configured";
const BAD_SIGNATURE: &str = "bad signature or malformed claims";
const OTHER_ALGORITHM: TokenError = TokenError::Invalid("another algorithm");

/// The claims of a token with a valid signature. The key decides the algorithm, never the token.
/// `jku`, `x5u` and `jwk` of the header are ignored.
fn signed_claims(
    token: &str,
    header: &Header,
    algorithm: Algorithm,
    key: &DecodingKey,
) -> Result<UniqueClaims, TokenError> {
    if header.alg != algorithm {
        return Err(OTHER_ALGORITHM);
    }
    let mut validation = Validation::new(algorithm);
    // The library would ask the system's clock, and accept strings as numbers. `check_times`
    // compares the times instead.
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_aud = false;
    let decoded = jsonwebtoken::decode::<UniqueClaims>(token, key, &validation);
    decoded.map(|data| data.claims).map_err(|_| TokenError::Invalid(BAD_SIGNATURE))
}

/// Reads claims as `login` means them. Fails unless they are those of an access token that goes on.
fn read_claims(
    claims: UniqueClaims,
    token: &str,
    header: &Header,
    login: &LoginConfig,
    now: Timestamp,
) -> Result<Claims, TokenError> {
    let claims = Claims::of(claims, token, login)?;
    access::check(header.typ.as_deref(), &claims, login)?;
    check_times(&claims, now)?;
    Ok(claims)
}

fn check_times(claims: &Claims, now: Timestamp) -> Result<(), TokenError> {
    let invalid = |cause| Err(TokenError::Invalid(cause));
    match claims.millis("exp") {
        None => return invalid("exp is missing or no number"),
        Some(exp) if exp <= now.as_millis() => return invalid("expired"),
        Some(_) => {}
    }
    match (claims.get("nbf"), claims.millis("nbf")) {
        (None, _) => Ok(()),
        (Some(_), None) => invalid("nbf is no number"),
        (_, Some(nbf)) if nbf > now.plus(NOT_BEFORE_LEEWAY).as_millis() => invalid("not yet valid"),
        (_, Some(_)) => Ok(()),
    }
}

fn check_issuer(named: Option<&str>, login: &LoginConfig) -> Result<(), TokenError> {
    match &login.issuer {
        Some(issuer) if named != Some(issuer) => Err(TokenError::Invalid("another issuer")),
        Some(_) | None => Ok(()),
    }
}

/// The second factor that the login says it asked for. Never read from a token with our own claim:
/// its `amr` holds what we added.
fn login_factor(claims: &Claims, login: &LoginConfig, now: Timestamp) -> Option<LoginFactor> {
    let says_so = !login.trusted_amr.is_empty()
        && claims.get("mfa").is_none()
        && claims.login_amr().iter().any(|method| login.trusted_amr.contains(method));
    let auth_time = claims.millis("auth_time").map(Timestamp::from_millis);
    says_so.then(|| LoginFactor { auth_time: auth_time.filter(|at| *at <= now.plus(NOT_BEFORE_LEEWAY)) })
}

fn own_keys(jwt: &JwtConfig) -> Vec<OwnKey> {
    let checks = |jwk: &jsonwebtoken::jwk::Jwk| {
        let algorithm = jwk.common.key_algorithm?.try_into().ok()?;
        Some(OwnKey { id: jwk.common.key_id.clone()?, algorithm, key: Arc::new(DecodingKey::from_jwk(jwk).ok()?) })
    };
    jwt.public_keys.iter().filter_map(checks).collect()
}
