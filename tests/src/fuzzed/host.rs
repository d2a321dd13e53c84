//! A bundle without services, and the keys that sign its tokens.

use std::{collections::BTreeMap, sync::Arc};

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, crypto};
use mfa::{
    App,
    clock::Clock,
    config::{Config, Part, development},
    domain::{Caller, Factor, LoginId, Method, ProofSession, SessionId, Stopped, Timestamp, verify::Verified},
    tokens::{Claims, TokenError},
};
use mfa_local::environment::{self, Endpoints};
use serde_json::json;

use crate::START;

/// A private key. [`login_key_set`] holds its public half, under the key id `login`.
pub(super) const LOGIN_KEY: &[u8] = include_bytes!("../../it/keys/ec.pem");
const OWN_KEY: &str = include_str!("../../it/keys/ed.pem");

/// The development environment. Nobody listens at the addresses of its services.
pub(super) fn variables() -> BTreeMap<String, String> {
    let nobody = "http://127.0.0.1:1".to_owned();
    let [dynamodb, ses, sns, end_user_messaging, eventbridge] = std::array::from_fn(|_| nobody.clone());
    let endpoints = Endpoints { dynamodb, ses, sns, end_user_messaging, eventbridge };
    let all = environment::variables(&endpoints).into_iter();
    all.map(|(name, value)| (name.to_owned(), value)).collect()
}

/// A bundle with the development configuration, changed by `settings`. Its clock stands still.
pub(super) fn app(settings: &[(&str, String)]) -> App {
    let mut variables = variables();
    variables.extend(settings.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    let config = Config::from_vars(&Part::ALL, &variables).expect("a configuration");
    App::new(config, Clock::new(|| START))
}

/// Settings under which a key set checks login tokens, and our own tokens use another algorithm.
pub(super) fn set_settings(key_set: &str) -> [(&'static str, String); 3] {
    [
        ("MFA_JWT_ALGORITHM", "ES256".to_owned()),
        ("MFA_JWT_KEY_SET", key_set.to_owned()),
        ("MFA_SIGNING_KEY", OWN_KEY.to_owned()),
    ]
}

/// The key set with [`LOGIN_KEY`]'s public half.
pub(super) fn login_key_set() -> String {
    let key = EncodingKey::from_ec_pem(LOGIN_KEY).expect("a key");
    let mut jwk = jsonwebtoken::jwk::Jwk::from_encoding_key(&key, Algorithm::ES256).expect("a JWK");
    jwk.common.key_id = Some("login".to_owned());
    json!({ "keys": [jwk] }).to_string()
}

/// The private key that signs our own tokens under [`set_settings`].
pub(super) fn own_key() -> EncodingKey {
    EncodingKey::from_ed_pem(OWN_KEY.as_bytes()).expect("a key")
}

/// A login token of Alice, as the application signs it.
pub(super) fn login_token() -> String {
    let claims = json!({
        "sub": "alice", "type": "access", "sessionId": "s", "exp": START.as_secs() + 86_400,
        "email": "alice@example.com", "phone": "+442079460018",
    });
    let key = EncodingKey::from_secret(development::JWT_SECRET.as_bytes());
    jsonwebtoken::encode(&Header::default(), &claims, &key).expect("a token")
}

/// The token that `caller` gets for a right code of an authenticator.
pub(super) fn proven_token(app: &App, caller: &Caller, claims: &Claims, ends: Option<Timestamp>) -> String {
    let session = session(caller.login, caller.provenance);
    app.minter.mint(caller.user, claims.kept(), &right_totp(), session, START, ends).expect("a token")
}

/// What a right code of an authenticator proves.
pub(super) fn right_totp() -> Verified {
    Verified {
        factor: Factor::Code(Method::Totp),
        security_epoch: 1,
        enabled: true,
        auth_time: START,
        sealed_by_old_key: None,
        stopped: Stopped::default(),
    }
}

/// A session of `login`.
pub(super) fn session(login: LoginId, provenance: Option<LoginId>) -> ProofSession {
    let ends = Timestamp::from_secs(START.as_secs() + 43_200);
    ProofSession::named(SessionId([7; 16]), login, provenance, ends)
}

/// The caller that a token names, and its claims. Nothing has to be awaited, because the keys are
/// in the configuration.
pub(super) fn authenticate(app: &App, token: &str) -> Result<(Caller, Claims), TokenError> {
    use futures_util::FutureExt;
    app.verifier.authenticate(token, START).now_or_never().expect("a key of the configuration is at hand")
}

/// Whether `token` is signed with the secret that the application shares with the bundle of
/// [`app`]. This check does not use the verifier.
pub(super) fn is_signed(token: &str) -> bool {
    let key = DecodingKey::from_secret(development::JWT_SECRET.as_bytes());
    is_signed_by(token, &key, Algorithm::HS256)
}

/// Whether the last part of `token` is a signature of the parts before it.
pub(super) fn is_signed_by(token: &str, key: &DecodingKey, algorithm: Algorithm) -> bool {
    let Some((message, signature)) = token.rsplit_once('.') else { return false };
    crypto::verify(signature, message.as_bytes(), key, algorithm).unwrap_or(false)
}

/// The same bundle behind `forwarded_hops` proxies of the operator.
pub(super) fn behind(app: &App, forwarded_hops: u8) -> App {
    let policy = mfa::domain::Policy { forwarded_hops, ..(*app.policy).clone() };
    App { policy: Arc::new(policy), ..app.clone() }
}
