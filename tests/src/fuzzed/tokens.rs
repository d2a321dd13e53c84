//! Bearer tokens.

use std::sync::LazyLock;

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, crypto};
use mfa::{
    App,
    config::development,
    domain::{Caller, Timestamp},
    tokens::Claims,
};
use serde_json::{Map, Value};

use super::{
    host::{LOGIN_KEY, app, authenticate, is_signed, is_signed_by, login_key_set, own_key, proven_token, set_settings},
    text,
};
use crate::START;

/// A bundle whose login tokens and own tokens are signed with one shared secret.
static SHARED: LazyLock<App> = LazyLock::new(|| app(&[]));

/// A bundle that checks login tokens by a key set, and signs its own with another algorithm.
static SET: LazyLock<App> = LazyLock::new(|| app(&set_settings(&login_key_set())));

/// A key that signs tokens, its algorithm, and the bundle that accepts them.
struct Signer {
    key: EncodingKey,
    algorithm: Algorithm,
    app: &'static LazyLock<App>,
}

static SIGNERS: LazyLock<[Signer; 3]> = LazyLock::new(|| {
    let secret = EncodingKey::from_secret(development::JWT_SECRET.as_bytes());
    let login = EncodingKey::from_ec_pem(LOGIN_KEY).expect("a key");
    [
        Signer { key: secret, algorithm: Algorithm::HS256, app: &SHARED },
        Signer { key: login, algorithm: Algorithm::ES256, app: &SET },
        Signer { key: own_key(), algorithm: Algorithm::EdDSA, app: &SET },
    ]
});

/// Any tokens. A token that is accepted was signed with a key that may sign.
pub fn tokens(data: &[u8]) {
    let Some(token) = text(data) else { return };
    if authenticate(&SHARED, token).is_ok() {
        assert!(is_signed(token), "{token}");
    }
    if authenticate(&SET, token).is_ok() {
        let public = |pem: &[u8]| DecodingKey::from_ec_pem(pem).expect("a key");
        let login = public(include_bytes!("../../it/keys/ec.pub.pem"));
        let own = DecodingKey::from_ed_pem(include_bytes!("../../it/keys/ed.pub.pem")).expect("a key");
        let signed = is_signed_by(token, &login, Algorithm::ES256) || is_signed_by(token, &own, Algorithm::EdDSA);
        assert!(signed, "{token}");
    }
}

/// The contents of a signed token. The first line of an input is the header, the rest the claims.
pub fn claims(data: &[u8]) {
    let end = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let (header, claims) = (&data[..end], data.get(end + 1..).unwrap_or_default());
    let encode = |part: &[u8]| data_encoding::BASE64URL_NOPAD.encode(part);
    let message = format!("{}.{}", encode(header), encode(claims));
    for signer in &*SIGNERS {
        let signed = |key, algorithm| {
            let signature = crypto::sign(message.as_bytes(), key, algorithm).expect("a signature");
            format!("{message}.{signature}")
        };
        if let Ok((caller, found)) = authenticate(signer.app, &signed(&signer.key, signer.algorithm)) {
            assert_header(header, signer.algorithm);
            assert_claims(claims, &caller, &found, signer.app);
        }
        // The same contents, signed by somebody who knows only public keys.
        let public = EncodingKey::from_secret(include_bytes!("../../it/keys/ec.pub.pem"));
        let forged = signed(&public, Algorithm::HS256);
        assert!(authenticate(signer.app, &forged).is_err(), "{forged}");
    }
}

fn assert_header(header: &[u8], algorithm: Algorithm) {
    let header: Value = serde_json::from_slice(header).expect("JSON");
    assert_eq!(header["alg"], serde_json::to_value(algorithm).expect("JSON"));
    assert!(header["crit"].is_null(), "{header}");
}

fn assert_claims(claims: &[u8], caller: &Caller, found: &Claims, app: &App) {
    let json: Map<String, Value> = serde_json::from_slice(claims).expect("an object");
    let claim = |name: &str| json.get(name).unwrap_or(&Value::Null);
    let now = f64::from(u32::try_from(START.as_secs()).expect("this century"));
    assert!(claim("exp").as_f64().is_some_and(|exp| exp > now), "{json:?}");
    assert!(claim("nbf").as_f64().is_none_or(|nbf| nbf < now + 30.001), "{json:?}");
    assert_eq!(claim("type"), "access");

    let names: Vec<_> = ["sub", "id"].iter().filter_map(|name| json.get(*name)).collect();
    let text = |name: &Value| name.as_str().map_or_else(|| name.to_string(), ToOwned::to_owned);
    let name = names.first().map(|name| text(name)).expect("a name");
    assert!(names.iter().all(|other| text(other) == name) && (1..=255).contains(&name.len()), "{names:?}");
    assert_eq!((caller.user, found.user_name()), (app.keys.user_id(&name), name.as_str()));

    if let Ok(email) = &caller.contact.email {
        let written = claim("email").as_str().and_then(|text| text.split_once('@')).map(|(local, _)| local);
        assert_eq!(written, email.as_str().split_once('@').map(|(local, _)| local), "the local part is kept");
        assert_ne!(claim("email_verified"), false);
    }
    if caller.contact.phone.is_ok() {
        assert_ne!(claim("phone_number_verified"), false);
    }
    if let Some(proof) = &caller.proof {
        let token_id = claim("jti").as_str().expect("an id");
        let expires = Timestamp::from_secs(claim("exp").as_u64().expect("whole seconds"));
        let mac = app.keys.proof_mac(caller.user, token_id, expires, &caller.contact, proof);
        assert_eq!(claim("mfa")["mac"], data_encoding::BASE64URL_NOPAD.encode(&mac));
    }
    assert_same_caller_by_our_token(caller, found, app);
}

/// A token that is minted for a caller names the same caller. No claim of the login token replaces
/// the proof of the second factor in it.
fn assert_same_caller_by_our_token(caller: &Caller, found: &Claims, app: &App) {
    let ends = found.millis("exp").map(Timestamp::from_millis).expect("an end");
    // The end is written in whole seconds. A token that lives for less than a second is expired.
    if ends.as_secs() <= START.as_secs() {
        return;
    }
    let token = proven_token(app, caller, found, Some(ends));
    // Our token is longer than the login token. The verifier refuses one that is too long.
    if token.len() > 16 * 1024 {
        return;
    }
    let (again, minted) = authenticate(app, &token).expect("a token of ours is taken");
    assert_eq!(again.user, caller.user);
    assert_eq!(again.login, caller.login);
    assert_eq!(again.address_tags, caller.address_tags);
    assert!(again.proof.is_some_and(|proof| proof.security_epoch == 1 && proof.auth_time == START));
    assert!(minted.millis("exp").is_some_and(|exp| exp <= ends.as_millis()));
    assert_eq!(minted.get("isMfaVerified"), Some(&Value::Bool(true)));
}
