use std::sync::Arc;

use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header, jwk::JwkSet};
use lambda_http::http::{HeaderMap, Method};
use mfa_tests::{Login, Response, TestApp};
use serde_json::{Value, json};

const EC_PRIVATE: &str = include_str!("keys/ec.pem");
const ED_PRIVATE: &str = include_str!("keys/ed.pem");

async fn jwks(mfa: &Arc<TestApp>) -> Response {
    mfa.request(Method::GET, "/.well-known/jwks.json", HeaderMap::new(), Vec::new()).await
}

/// Checks a token as an application does that knows only the published key set.
fn check_by(set: &Value, token: &str) -> Option<Value> {
    let set: JwkSet = serde_json::from_value(set.clone()).expect("a JWK set");
    let header = decode_header(token).expect("a header");
    let jwk = set.find(&header.kid?)?;
    let mut validation = Validation::new(header.alg);
    validation.validate_exp = false; // the clock of the test is not the system's
    let key = DecodingKey::from_jwk(jwk).expect("a key");
    decode::<Value>(token, &key, &validation).ok().map(|decoded| decoded.claims)
}

#[tokio::test]
async fn with_a_shared_secret_there_is_no_public_key() {
    let mfa = TestApp::start().await;
    let answer = jwks(&mfa).await;
    assert_eq!(answer.header("cache-control"), Some("public, max-age=900"));
    assert_eq!(answer.assert_ok(), json!({ "keys": [] }));
    assert!(mfa.fault_proxy.take_calls().is_empty(), "the table is not asked");
}

#[tokio::test]
async fn an_application_checks_our_tokens_by_the_published_keys_alone() {
    for (private, algorithm) in [(EC_PRIVATE, Algorithm::ES256), (ED_PRIVATE, Algorithm::EdDSA)] {
        let mfa = TestApp::start_with(&[("MFA_SIGNING_KEY", private)]).await;
        let set = jwks(&mfa).await.assert_ok();
        let keys = set["keys"].as_array().expect("keys");
        assert_eq!(keys.len(), 1);
        assert_eq!((&keys[0]["use"], &keys[0]["alg"]), (&json!("sig"), &json!(format!("{algorithm:?}"))));
        assert!(keys[0].get("d").is_none(), "the private half is not published: {keys:?}");

        let alice = mfa.user("alice").with_email("alice@example.com").login();
        let code = alice.receive_code("email").await;
        let answer = alice.verify("email", &code).await;
        let claims = check_by(&set, &answer.text("accessToken")).expect("a good signature");
        assert_eq!(claims["isMfaVerified"], true);
        let refreshed = mfa.refresh(&answer.text("refreshToken")).await;
        assert!(check_by(&set, &refreshed.text("accessToken")).is_some());
        assert!(check_by(&set, &alice.token).is_none(), "another key signed the login token");
    }
}

#[tokio::test]
async fn a_key_is_published_before_it_signs_and_taken_after() {
    let old = ("MFA_SIGNING_KEY", EC_PRIVATE);
    let mfa = TestApp::start_with(&[old, ("MFA_NEXT_SIGNING_KEY", ED_PRIVATE)]).await;
    let announced = jwks(&mfa).await.assert_ok();
    assert_eq!(announced["keys"].as_array().map(Vec::len), Some(2));
    let alice = mfa.user("alice").with_email("alice@example.com").login();
    let code = alice.receive_code("email").await;
    let by_old = alice.prove("email", &code).await;

    let swapped = mfa.redeployed_with(&[("MFA_SIGNING_KEY", ED_PRIVATE), ("MFA_NEXT_SIGNING_KEY", EC_PRIVATE)]);
    mfa.advance(60);
    let login = alice.at(&swapped);
    let code = login.receive_code("email").await;
    let by_new = login.prove("email", &code).await;
    assert!(check_by(&announced, &by_new.token).is_some(), "the set from before the change has the new key");
    assert_eq!(decode_header(&by_new.token).expect("a header").alg, Algorithm::EdDSA);
    Login::with_token(&swapped, by_old.token.clone()).status().await;

    let done = mfa.redeployed_with(&[("MFA_SIGNING_KEY", ED_PRIVATE), ("MFA_NEXT_SIGNING_KEY", "")]);
    let answer = by_old.at(&done).call(Method::GET, "/auth/mfa/status", Vec::new()).await;
    answer.assert_problem(401, "INVALID_TOKEN");
}

#[tokio::test]
async fn the_keys_are_there_where_mfa_is_off_and_an_error_is_not_cached() {
    let mfa = TestApp::start_with(&[("MFA_ENABLED", "false"), ("MFA_SIGNING_KEY", EC_PRIVATE)]).await;
    assert_eq!(jwks(&mfa).await.assert_ok()["keys"].as_array().map(Vec::len), Some(1));
    let answer = mfa.request(Method::POST, "/.well-known/jwks.json", HeaderMap::new(), Vec::new()).await;
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    answer.assert_problem(405, "METHOD_NOT_ALLOWED");
}
