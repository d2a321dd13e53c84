use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header, jwk::JwkSet};
use lambda_http::http::{HeaderMap, Method};
use mfa_tests::{TestApp, claims_of};
use serde_json::{Value, json};

const PATH: &str = "/.well-known/openid-configuration";

#[tokio::test]
async fn verifiers_find_the_keys_of_every_kind_from_the_issuer_in_our_tokens() {
    for (key, algorithm) in [
        (include_str!("keys/ec.pem"), "ES256"),
        (include_str!("keys/ed.pem"), "EdDSA"),
        (include_str!("keys/rsa.pem"), "RS256"),
    ] {
        let issuer = "https://mfa.example.com/auth";
        let mfa = TestApp::start_with(&[("MFA_SIGNING_KEY", key), ("MFA_ISSUER", issuer)]).await;
        let answer = mfa.request(Method::GET, PATH, HeaderMap::new(), Vec::new()).await;
        assert_eq!(answer.header("cache-control"), Some("public, max-age=900"));
        let found = answer.assert_ok();
        assert_eq!(found["issuer"], issuer);
        assert_eq!(found["jwks_uri"], format!("{issuer}/.well-known/jwks.json"));
        assert_eq!(found["id_token_signing_alg_values_supported"], json!([algorithm]));

        let alice = mfa.user("alice").with_email("alice@example.com").with("iss", "https://login.example.com").login();
        let code = alice.receive_code("email").await;
        let answer = alice.verify("email", &code).await;
        let refreshed = mfa.refresh(&answer.text("refreshToken")).await;
        for token in [answer.text("accessToken"), refreshed.text("accessToken")] {
            assert_eq!(claims_of(&token)["iss"], issuer);
            let header = jsonwebtoken::decode_header(&token).expect("a header");
            assert_eq!((header.typ.as_deref(), format!("{:?}", header.alg)), (Some("at+jwt"), algorithm.to_owned()));
            assert!(header.kid.is_some());
            alice.with(token).generate_recovery_codes().await;
            mfa.advance(11);
        }
    }
}

#[tokio::test]
async fn without_an_issuer_of_our_own_there_is_nothing_to_find() {
    let mfa = TestApp::start().await;
    mfa.request(Method::GET, PATH, HeaderMap::new(), Vec::new()).await.assert_problem(404, "NOT_FOUND");
    mfa.request(Method::POST, PATH, HeaderMap::new(), Vec::new()).await.assert_problem(405, "METHOD_NOT_ALLOWED");
}

#[tokio::test]
async fn a_token_of_ours_is_taken_by_the_issuer_of_the_login_and_by_our_own() {
    let login = ("MFA_JWT_ISSUER", "https://login.example.com");
    let key = ("MFA_SIGNING_KEY", include_str!("keys/ec.pem"));
    let before = TestApp::start_with(&[login, key]).await;
    let alice = before.user("alice").with_email("alice@example.com").with("iss", login.1).login();
    let code = alice.receive_code("email").await;
    let older = alice.prove("email", &code).await;
    assert_eq!(claims_of(&older.token)["iss"], login.1);

    let after = before.redeployed_with(&[("MFA_ISSUER", "https://mfa.example.com")]);
    assert_eq!(older.at(&after).status().await["verifiedMethods"], json!(["email"]), "an older token of ours");
    before.advance(61);
    let code = alice.at(&after).receive_code("email").await;
    let newer = alice.at(&after).prove("email", &code).await;
    assert_eq!(claims_of(&newer.token)["iss"], "https://mfa.example.com");
    assert_eq!(newer.status().await["verifiedMethods"], json!(["email"]));
    // While both run, and after the setting is taken back.
    assert_eq!(newer.at(&before).status().await["verifiedMethods"], json!(["email"]));
    before.advance(61);
    let code = newer.receive_code("email").await;
    let answer = newer.verify("email", &code).await;
    let back = before.refresh(&answer.text("refreshToken")).await;
    let back = alice.with(back.text("accessToken"));
    assert_eq!(claims_of(&back.token)["iss"], login.1);
    assert_eq!(back.status().await["verifiedMethods"], json!(["email"]));
    let foreign = before.user("alice").with("iss", "https://mfa.example.com").login();
    let answer = foreign.at(&after).call(Method::GET, "/auth/mfa/status", Vec::new()).await;
    answer.assert_problem(401, "INVALID_TOKEN");
}

#[tokio::test]
async fn our_tokens_keep_what_the_login_said_of_itself_and_have_what_is_configured() {
    let added = json!({ "aal": "aal2", "https://example.com/mfa": true }).to_string();
    let mfa = TestApp::start_with(&[("MFA_ADD_CLAIMS", &added)]).await;
    let person = mfa.user("alice").with_email("alice@example.com").with("aal", "aal1");
    let alice = person.with("amr", json!(["pwd", "mfa", { "method": "otp" }])).login();
    let device = alice.enrol().await;
    let answer = alice.verify("totp", &device.advance_to_next_code(&mfa)).await;
    let proven = alice.with(answer.text("accessToken"));
    let refreshed = mfa.refresh(&answer.text("refreshToken")).await;
    mfa.advance(61);
    let code = proven.receive_code("email").await;
    let again = proven.prove("email", &code).await;
    for (token, amr) in [
        (proven.token, json!(["pwd", "mfa", "otp"])),
        (refreshed.text("accessToken"), json!(["pwd", "mfa", "otp"])),
        (again.token, json!(["pwd", "mfa", "otp"])),
    ] {
        let claims = claims_of(&token);
        assert_eq!((&claims["amr"], &claims["aal"]), (&amr, &json!("aal2")));
        assert_eq!(claims["https://example.com/mfa"], Value::Bool(true));
    }
    let bob = mfa.user("bob").with_email("bob@example.com").login();
    let code = bob.receive_code("email").await;
    let by_email = bob.prove("email", &code).await;
    mfa.advance(61);
    let device = by_email.enrol().await;
    let by_totp = by_email.prove("totp", &device.advance_to_next_code(&mfa)).await;
    assert_eq!(claims_of(&by_email.token)["amr"], json!(["mfa"]));
    assert_eq!(claims_of(&by_totp.token)["amr"], json!(["otp", "mfa"]), "what we added is not the login's");
}

/// What API Gateway's JWT authorizer for an HTTP API checks, as its developer guide documents it
/// ("Authorizing API requests"): an RSA signature by a key of the issuer's key set that `kid` names,
/// `iss`, `aud` or where that is absent `client_id`, `exp`, `nbf` and `iat`. What the Application
/// Load Balancer checks ("JWT verification") is a part of that, with RS256 alone.
fn gateway_accepts(set: &JwkSet, issuer: &str, audience: &str, now: u64, token: &str) -> bool {
    let header = decode_header(token).expect("a header");
    let Some(jwk) = header.kid.as_deref().and_then(|id| set.find(id)) else { return false };
    let mut validation = Validation::new(Algorithm::RS256);
    validation.validate_exp = false; // the clock of the test is not the system's
    validation.validate_aud = false;
    let key = DecodingKey::from_jwk(jwk).expect("a key");
    let Ok(data) = decode::<Value>(token, &key, &validation) else { return false };
    let claims = data.claims;
    let audiences = if claims["aud"].is_null() { &claims["client_id"] } else { &claims["aud"] };
    let is_meant =
        |named: &Value| named == audience || named.as_array().is_some_and(|all| all.contains(&json!(audience)));
    let at = |name: &str| claims[name].as_u64();
    claims["iss"] == issuer
        && is_meant(audiences)
        && at("exp").is_some_and(|exp| exp > now)
        && at("nbf").is_none_or(|nbf| nbf <= now)
        && at("iat").is_none_or(|iat| iat <= now)
}

#[tokio::test]
async fn gateways_accept_our_token_by_their_documented_rules_and_refuse_that_of_the_login() {
    let issuer = "https://mfa.example.com";
    let mfa = TestApp::start_with(&[("MFA_SIGNING_KEY", include_str!("keys/rsa.pem")), ("MFA_ISSUER", issuer)]).await;
    let keys = mfa.request(Method::GET, "/.well-known/jwks.json", HeaderMap::new(), Vec::new()).await.assert_ok();
    let set: JwkSet = serde_json::from_value(keys).expect("a key set");
    for (name, value) in [("client_id", json!("web")), ("aud", json!("web")), ("aud", json!(["other", "web"]))] {
        let alice = mfa.user("alice").with_email("alice@example.com").with(name, value).login();
        let code = alice.receive_code("email").await;
        let proven = alice.prove("email", &code).await;
        let now = mfa.clock.now().as_secs();
        assert!(gateway_accepts(&set, issuer, "web", now, &proven.token), "{name}");
        assert!(!gateway_accepts(&set, issuer, "web", now, &alice.token), "the login's own, without a proof");
        assert!(!gateway_accepts(&set, issuer, "mobile", now, &proven.token));
        assert!(!gateway_accepts(&set, "https://other.example.com", "web", now, &proven.token));
        assert!(!gateway_accepts(&set, issuer, "web", now + 900, &proven.token));
        mfa.advance(61);
    }
}
