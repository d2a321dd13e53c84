//! Which tokens are accepted: rows 20 and 31 of the threat model.

use std::sync::Arc;

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use lambda_http::http::{HeaderMap, HeaderValue, Method};
use mfa_tests::{Login, Person, TestApp, claims_of};
use serde_json::{Map, Value, json};

const RSA_PRIVATE: &str = include_str!("keys/rsa.pem");
const RSA_PUBLIC: &str = include_str!("keys/rsa.pub.pem");
const EC_PRIVATE: &str = include_str!("keys/ec.pem");
const EC_PUBLIC: &str = include_str!("keys/ec.pub.pem");
const ED_PRIVATE: &str = include_str!("keys/ed.pem");
const ED_PUBLIC: &str = include_str!("keys/ed.pub.pem");

async fn assert_invalid(mfa: &Arc<TestApp>, token: &str, why: &str) {
    mfa.fault_proxy.take_calls();
    let answer = Login::with_token(mfa, token).call(Method::GET, "/auth/mfa/status", Vec::new()).await;
    assert_eq!((answer.status, answer.code()), (401, Some("INVALID_TOKEN")), "{why}: {}", answer.body);
    assert_eq!(answer.header("www-authenticate"), Some(r#"Bearer error="invalid_token""#));
    assert!(mfa.fault_proxy.take_calls().is_empty(), "{why}: the table was read");
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => panic!("{other} is not an object"),
    }
}

/// Valid claims, changed by `change`. The value `(none)` removes a claim.
fn claims(mfa: &TestApp, change: Value) -> Map<String, Value> {
    let mut claims =
        object(json!({ "sub": "alice", "type": "access", "sessionId": "s", "exp": mfa.clock.now().as_secs() + 60 }));
    for (name, value) in object(change) {
        if value == json!("(none)") {
            claims.remove(&name);
        } else {
            claims.insert(name, value);
        }
    }
    claims
}

#[tokio::test]
async fn a_token_with_any_fault_is_refused_before_the_table_is_read() {
    let mfa = TestApp::start().await;
    let now = mfa.clock.now().as_secs();
    let signer = mfa.user("signer");
    let faults = [
        ("no exp", json!({ "exp": "(none)" })),
        ("past exp", json!({ "exp": now - 1 })),
        ("exp of this second", json!({ "exp": now })),
        ("exp as a string", json!({ "exp": (now + 60).to_string() })),
        ("exp null", json!({ "exp": null })),
        ("exp 1e23", json!({ "exp": 1e23 })),
        ("exp negative", json!({ "exp": -1 })),
        ("future nbf", json!({ "nbf": now + 31 })),
        ("nbf as a string", json!({ "nbf": "0" })),
        ("nbf null", json!({ "nbf": null })),
        ("a refresh token", json!({ "type": "refresh" })),
        ("type of another kind", json!({ "type": 1 })),
        ("type null", json!({ "type": null })),
        ("neither type nor a configured audience", json!({ "type": "(none)", "aud": "api" })),
        ("no user", json!({ "sub": "(none)" })),
        ("empty user", json!({ "sub": "" })),
        ("giant user", json!({ "sub": "x".repeat(256) })),
        ("user as a fraction", json!({ "sub": 7.5 })),
        ("a list of users", json!({ "sub": ["alice"] })),
        ("user null", json!({ "sub": null })),
        ("sub and another id", json!({ "id": "bob" })),
        ("sub and another id that is a number", json!({ "id": 7 })),
        ("a logout token", json!({ "events": {} })),
        ("a refresh token of Keycloak", json!({ "typ": "Refresh" })),
        ("token_use of another kind", json!({ "token_use": "refresh" })),
        ("token_type of another kind", json!({ "token_type": "refresh" })),
    ];
    for (why, change) in faults {
        assert_invalid(&mfa, &signer.sign(&claims(&mfa, change)), why).await;
    }
}

#[tokio::test]
async fn tokens_at_the_edges_of_what_is_allowed_are_taken() {
    let mfa = TestApp::start().await;
    let now = mfa.clock.now().as_secs();
    let signer = mfa.user("signer");
    for change in [
        json!({}),
        json!({ "sub": "x".repeat(128) }),
        json!({ "sub": "(none)", "id": "alice" }),
        json!({ "id": "alice" }),
        json!({ "nbf": now }),
        json!({ "exp": 9_007_199_254_740_992_u64 }),
        json!({ "exp": (now + 1) }),
        json!({ "sub": "ünïcödé\u{0}" }),
    ] {
        let token = signer.sign(&claims(&mfa, change.clone()));
        let answer = Login::with_token(&mfa, token).call(Method::GET, "/auth/mfa/status", Vec::new()).await;
        assert_eq!(answer.status, 200, "{change}: {}", answer.body);
    }
}

#[tokio::test]
async fn issuer_and_audience_must_be_there_and_match_where_configured() {
    let mfa = TestApp::start_with(&[("MFA_JWT_ISSUER", "https://login"), ("MFA_JWT_AUDIENCE", "api")]).await;
    let signer = mfa.user("signer");
    let good = json!({ "iss": "https://login", "aud": ["web", "api"], "type": "(none)" });
    let token = signer.sign(&claims(&mfa, good));
    Login::with_token(&mfa, token).status().await;
    for change in [
        json!({ "aud": "api" }),
        json!({ "iss": "https://evil", "aud": "api" }),
        json!({ "iss": ["https://login"], "aud": "api" }),
        json!({ "iss": "https://login" }),
        json!({ "iss": "https://login", "aud": "web" }),
        json!({ "iss": "https://login", "aud": [] }),
        json!({ "iss": "https://login", "aud": { "api": true } }),
        json!({ "iss": "https://login", "aud": "api", "type": "refresh" }),
    ] {
        assert_invalid(&mfa, &signer.sign(&claims(&mfa, change.clone())), &change.to_string()).await;
    }
}

#[tokio::test]
async fn a_claim_that_occurs_twice_spoils_the_token() {
    let mfa = TestApp::start().await;
    let exp = mfa.clock.now().as_secs() + 60;
    for payload in [
        format!(r#"{{"sub":"alice","sub":"bob","type":"access","exp":{exp}}}"#),
        format!(r#"{{"sub":"alice","type":"access","exp":{exp},"exp":{exp}}}"#),
        format!(r#"{{"sub":"alice","type":"refresh","type":"access","exp":{exp}}}"#),
        format!(r#"{{"sub":"alice","type":"access","exp":{exp},"mfa":{{}},"mfa":{{}}}}"#),
    ] {
        assert_invalid(&mfa, &sign_raw(r#"{"alg":"HS256","typ":"JWT"}"#, &payload), &payload).await;
    }
}

/// Signs any text as header and payload, by HS256 with the development secret.
fn sign_raw(header: &str, payload: &str) -> String {
    let encode = |text: &str| data_encoding::BASE64URL_NOPAD.encode(text.as_bytes());
    let message = format!("{}.{}", encode(header), encode(payload));
    let key = EncodingKey::from_secret(mfa::config::development::JWT_SECRET.as_bytes());
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::HS256).expect("a signature");
    format!("{message}.{signature}")
}

#[tokio::test]
async fn no_other_algorithm_key_or_form_passes() {
    let mfa = TestApp::start().await;
    let good = claims(&mfa, json!({}));
    let payload = Value::Object(good.clone()).to_string();
    let encode = |text: &str| data_encoding::BASE64URL_NOPAD.encode(text.as_bytes());
    let none = format!("{}.{}.", encode(r#"{"alg":"none"}"#), encode(&payload));
    assert_invalid(&mfa, &none, "alg none").await;
    let hs256 = sign_raw(r#"{"alg":"HS256"}"#, &payload);
    let unsigned = format!("{}.", hs256.rsplit_once('.').expect("three parts").0);
    assert_invalid(&mfa, &unsigned, "no signature").await;
    assert_invalid(&mfa, &sign_raw(r#"{"alg":"HS384"}"#, &payload), "HS384").await;
    assert_invalid(&mfa, &sign_raw(r#"{"alg":"nonsense"}"#, &payload), "unknown algorithm").await;
    let other = EncodingKey::from_secret(b"another secret of at least 32 bytes");
    let other = jsonwebtoken::encode(&Header::default(), &good, &other).expect("a token");
    assert_invalid(&mfa, &other, "another key").await;
    for (why, token) in [
        ("two parts", "a.b".to_owned()),
        ("not base 64", "!!.!!.!!".to_owned()),
        ("giant", "x".repeat(9000)),
        ("claims that are no object", sign_raw(r#"{"alg":"HS256"}"#, "[]")),
        ("claims that are no JSON", sign_raw(r#"{"alg":"HS256"}"#, "{")),
        ("a trailing part", format!("{hs256}.x")),
    ] {
        assert_invalid(&mfa, &token, why).await;
    }
}

#[tokio::test]
async fn the_scheme_is_bearer_in_any_case_and_nothing_else() {
    let mfa = TestApp::start().await;
    let token = mfa.user("alice").login().token;
    let status = |value: Option<String>| {
        let mfa = Arc::clone(&mfa);
        async move {
            let mut headers = HeaderMap::new();
            if let Some(value) = value {
                headers.insert("authorization", HeaderValue::from_str(&value).expect("a header value"));
            }
            mfa.request(Method::GET, "/auth/mfa/status", headers, Vec::new()).await
        }
    };
    for scheme in ["Bearer", "bearer", "BEARER"] {
        status(Some(format!("{scheme} {token}"))).await.assert_ok();
    }
    for value in
        [None, Some(String::new()), Some("Bearer".into()), Some("Bearer  ".into()), Some(format!("Basic {token}"))]
    {
        let answer = status(value).await.assert_problem(401, "NO_AUTH_PROVIDED");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
    }
}

#[tokio::test]
async fn rs256_es256_and_eddsa_login_tokens_are_checked_by_their_own_key_alone() {
    let rsa = EncodingKey::from_rsa_pem(RSA_PRIVATE.as_bytes()).expect("a key");
    let ec = EncodingKey::from_ec_pem(EC_PRIVATE.as_bytes()).expect("a key");
    let ed = EncodingKey::from_ed_pem(ED_PRIVATE.as_bytes()).expect("a key");
    let cases = [
        (Algorithm::RS256, "RS256", RSA_PUBLIC, &rsa),
        (Algorithm::ES256, "ES256", EC_PUBLIC, &ec),
        (Algorithm::EdDSA, "EdDSA", ED_PUBLIC, &ed),
    ];
    for (algorithm, name, public, key) in cases {
        let settings = [
            ("MFA_JWT_ALGORITHM", name),
            ("MFA_JWT_PUBLIC_KEY", public),
            ("MFA_JWT_SECRET", ""),
            ("MFA_SIGNING_KEY", if name == "ES256" { ED_PRIVATE } else { EC_PRIVATE }),
        ];
        let mfa = TestApp::start_with(&settings).await;
        let good = claims(&mfa, json!({ "email": "alice@example.com" }));
        let sign =
            |algorithm, key: &EncodingKey| jsonwebtoken::encode(&Header::new(algorithm), &good, key).expect("a token");
        let login = Login::with_token(&mfa, sign(algorithm, key));

        // Our own token, signed with our own key, is accepted as a bearer token too.
        let code = login.receive_code("email").await;
        let proven = login.prove("email", &code).await;
        proven.toggle(true).await.assert_ok();
        let header = jsonwebtoken::decode_header(&proven.token).expect("a header");
        let own = if algorithm == Algorithm::ES256 { Algorithm::EdDSA } else { Algorithm::ES256 };
        assert_eq!(header.alg, own);
        assert!(header.kid.is_some());

        // Two classic confusions: the public key as an HS256 secret, and a key of another
        // algorithm.
        let confused = EncodingKey::from_secret(public.as_bytes());
        assert_invalid(&mfa, &sign(Algorithm::HS256, &confused), "HS256 with the public key").await;
        for (other_algorithm, _, _, other) in cases.iter().filter(|case| case.0 != algorithm) {
            assert_invalid(&mfa, &sign(*other_algorithm, other), "another algorithm").await;
        }
        // A login token that claims our own key's id does not pass by the login key.
        let mut header = Header::new(algorithm);
        header.kid = jsonwebtoken::decode_header(&proven.token).expect("a header").kid;
        let named = jsonwebtoken::encode(&header, &good, key).expect("a token");
        assert_invalid(&mfa, &named, "our key id, another algorithm").await;
    }
}

/// A user with MFA on, a login without a proof, and the same login with a token that has a proof.
async fn on_with_proof(mfa: &Arc<TestApp>) -> (Person, Login, Login) {
    let person = mfa.user("alice").with_email("alice@example.com");
    person.login().toggle(true).await.assert_ok();
    let plain = person.login();
    let code = plain.receive_code("email").await;
    let proven = plain.prove("email", &code).await;
    (person, plain, proven)
}

#[tokio::test]
async fn no_claim_of_the_application_is_a_proof() {
    let mfa = TestApp::start().await;
    let (person, _, proven) = on_with_proof(&mfa).await;
    let ours = claims_of(&proven.token);
    let now = mfa.clock.now().as_secs();
    let forged = json!({ "epoch": ours["mfa"]["epoch"], "method": "totp", "auth_time": now, "mac": "AAAA" });
    for (name, value) in [
        ("isMfaVerified", json!(true)),
        ("amr", json!(["otp", "mfa"])),
        ("acr", json!("mfa")),
        ("auth_time", json!(now)),
        ("mfa", json!(true)),
        ("mfa", json!({})),
        ("mfa", forged),
        // The whole true claim, in a token that the application signs anew. The claim is bound to
        // the id of our token.
        ("mfa", ours["mfa"].clone()),
    ] {
        let login = person.clone().with(name, value.clone()).with("jti", "another").login();
        login.setup().await.assert_problem(401, "MFA_REQUIRED");
    }
}

#[tokio::test]
async fn a_proof_is_of_its_user_token_addresses_session_and_moment() {
    let mfa = TestApp::start().await;
    let (_, _, proven) = on_with_proof(&mfa).await;
    let signer = mfa.user("signer");
    let ours = claims_of(&proven.token);
    Login::with_token(&mfa, signer.sign(&ours)).setup().await.assert_ok(); // the unchanged claims
    let bob = mfa.user("bob").with_email("bob@example.com").login();
    bob.toggle(true).await.assert_ok();
    for (place, value) in [
        ("/sub", json!("bob")),
        ("/jti", json!("00000000-0000-4000-8000-000000000000")),
        ("/mfa/epoch", json!(ours["mfa"]["epoch"].as_u64().expect("a number") + 1)),
        ("/mfa/method", json!("totp")),
        ("/mfa/auth_time", json!(mfa.clock.now().as_secs() + 1)),
        ("/mfa/session", json!("AAAAAAAAAAAAAAAAAAAAAA")),
        ("/mfa/login", json!("AAAAAAAAAAA")),
        ("/mfa/ends", json!(ours["mfa"]["ends"].as_u64().expect("a number") + 1)),
        ("/email", json!("mallory@example.net")),
        ("/email", Value::Null),
        ("/phone", json!("+442079460018")),
        ("/mfa/provenance", json!("AAAAAAAAAAA")),
        ("/mfa/mac", json!("")),
    ] {
        let mut changed = Value::Object(ours.clone());
        let (object_at, name) = place.rsplit_once('/').expect("a place");
        changed.pointer_mut(object_at).and_then(Value::as_object_mut).expect("claims").insert(name.to_owned(), value);
        let login = Login::with_token(&mfa, signer.sign(&object(changed)));
        let answer = login.setup().await;
        assert_eq!((answer.status, answer.code()), (401, Some("MFA_REQUIRED")), "{place}");
    }
}

#[tokio::test]
async fn a_proof_is_fresh_for_a_quarter_of_an_hour() {
    let mfa = TestApp::start().await;
    let (_, _, proven) = on_with_proof(&mfa).await;
    // Whoever signs a longer life into the token takes the proof out of it.
    for change in [1, 86_400] {
        let mut longer = claims_of(&proven.token);
        let expires = longer["exp"].as_u64().expect("a time") + change;
        longer.insert("exp".to_owned(), expires.into());
        let longer = Login::with_token(&mfa, mfa.user("signer").sign(&longer));
        longer.setup().await.assert_problem(401, "MFA_REQUIRED");
    }
    mfa.advance(899);
    proven.setup().await.assert_ok();
    mfa.advance(1);
    proven.setup().await.assert_problem(401, "INVALID_TOKEN");
}

#[tokio::test]
async fn a_proof_ends_with_its_session_whatever_else_the_token_says() {
    let mfa = TestApp::start_with(&[("MFA_SESSION_LIFETIME", "300")]).await;
    let (_, _, proven) = on_with_proof(&mfa).await;
    let ends = claims_of(&proven.token)["mfa"]["ends"].as_u64().expect("a time");
    assert_eq!(claims_of(&proven.token)["exp"], ends, "it expires with its session");
    mfa.advance(300);
    proven.setup().await.assert_problem(401, "INVALID_TOKEN");
}

/// How the tokens of an application name a login: the claims, and what the bundle is told.
const LOGIN_NAMES: [(&[(&str, &str)], &str); 9] = [
    (&[("sessionId", "a")], ""),
    (&[("sid", "a")], ""),
    (&[("session_id", "a")], ""),
    (&[("origin_jti", "a")], ""),
    (&[("auth_time", "1893456000")], ""),
    (&[("jti", "a")], ""),
    (&[("sid", "always another"), ("login", "a")], "login"),
    (&[("sid", "a")], "device,sid"),
    (&[], "sub"),
];

#[tokio::test]
#[expect(clippy::print_stdout, reason = "the figure is shown with --nocapture")]
async fn our_token_is_at_most_seven_hundred_bytes_longer_than_the_login_token_and_1100_with_rsa() {
    let rsa = [("MFA_SIGNING_KEY", include_str!("keys/rsa.pem")), ("MFA_ISSUER", "https://mfa.example.com")];
    for (settings, at_most) in [(&[][..], 700), (&rsa[..], 1100)] {
        let mfa = TestApp::start_with(settings).await;
        // A login token that fills the 10,240 bytes of headers that API Gateway takes, nearly.
        let person = mfa.user("alice").with_email("alice@example.com").with("roles", "r".repeat(6000));
        let login = person.with("iss", "https://login.example.com").login();
        let code = login.receive_code("email").await;
        let ours = login.verify("email", &code).await.text("accessToken").len();
        let longer = ours - login.token.len();
        println!("the largest access token: {ours} bytes, {longer} more than the login token of {}", login.token.len());
        assert!(longer <= at_most, "{longer} bytes");
    }
}

#[tokio::test]
async fn a_renewed_token_is_the_same_login_whatever_names_it() {
    for (claims, setting) in LOGIN_NAMES {
        let mfa = TestApp::start_with(&[("MFA_JWT_LOGIN_CLAIM", setting)]).await;
        let mut person = mfa.user("alice").with_email("alice@example.com").with("sessionId", "(none)");
        for (name, value) in claims {
            person = person.with(name, *value);
        }
        let alice = person.login();
        let code = alice.receive_code("email").await;
        alice.verify("email", &code).await.assert_ok();

        // The authenticator of this login still counts after switching on, and nobody enters a code
        // again. If others can share the login's name, its session does, and the set-up answers
        // with the session's tokens.
        let device = alice.open_authenticator().await;
        let confirmed = alice.confirm(&device.code(&mfa), &device.secret).await;
        let is_shared = confirmed.body["accessToken"].is_string();
        let names: Vec<_> = claims.iter().map(|(name, _)| *name).collect();
        assert_eq!(is_shared, names.is_empty() || names == ["auth_time"] || names == ["jti"], "{}", confirmed.body);
        let enrolled = if is_shared { alice.with(confirmed.text("accessToken")) } else { alice.clone() };
        enrolled.toggle(true).await.assert_ok();
        enrolled.generate_recovery_codes().await;
        let by_device = device.advance_to_next_code(&mfa);
        alice.verify("totp", &by_device).await.assert_ok();
        let proven = alice.prove("totp", &device.advance_to_next_code(&mfa)).await;
        let code = proven.receive_code("email").await;
        let answer = if is_shared { &proven } else { &alice }.verify("email", &code).await;
        assert_eq!(answer.status, 200, "{claims:?} {setting}: {}", answer.body);
        assert!(!mfa.log().contains("advice"), "{claims:?} {setting}");
    }
}

#[tokio::test]
async fn without_a_claim_that_names_the_login_a_renewed_token_is_another_login_and_the_log_says_so_once() {
    let mfa = TestApp::start().await;
    let alice = mfa.user("alice").with_email("alice@example.com").with("sessionId", "(none)").login();
    let code = alice.receive_code("email").await;
    alice.verify("email", &code).await.assert_problem(400, "VERIFICATION_CODE_INVALID");
    let advice: Vec<_> =
        mfa.log().lines().filter(|line| line.contains("MFA_JWT_LOGIN_CLAIM")).map(str::to_owned).collect();
    assert_eq!(advice.len(), 1, "{advice:?}");
    assert!(advice[0].contains(r#""level":"WARN""#), "{advice:?}");

    // The same token is the same login.
    mfa.advance(60);
    let fixed = Login::with_token(&mfa, alice.token);
    let code = fixed.receive_code("email").await;
    fixed.verify("email", &code).await.assert_ok();
}

#[tokio::test]
async fn a_login_of_another_claim_issuer_or_user_is_another_login() {
    let mfa = TestApp::start().await;
    let person = mfa.user("alice").with_email("alice@example.com");
    let code = person.clone().with("sessionId", "a").login().receive_code("email").await;
    let others = [
        person.clone().with("sessionId", "(none)").with("sid", "a"),
        person.clone().with("sessionId", "a").with("iss", "https://other.example"),
        person.clone().with("sessionId", "b"),
        mfa.user("bob").with_email("alice@example.com").with("sessionId", "a"),
    ];
    for other in others {
        other.login().verify("email", &code).await.assert_problem(400, "VERIFICATION_CODE_INVALID");
    }
    person.with("sessionId", "a").login().verify("email", &code).await.assert_ok();
}

#[tokio::test]
async fn whoever_is_in_a_login_of_the_same_name_is_another_when_factors_are_attributed() {
    for (claims, setting) in [(Some(("auth_time", "1893456000")), ""), (Some(("jti", "a")), ""), (None, "sub")] {
        let mfa = TestApp::start_with(&[("MFA_JWT_LOGIN_CLAIM", setting)]).await;
        let mut person = mfa.user("alice").with_email("alice@example.com").with("sessionId", "(none)");
        if let Some((name, value)) = claims {
            person = person.with(name, value);
        }
        // The intruder signs in within the same second, or at any time, and plants what can be
        // planted.
        let (intruder, owner) = (person.login(), person.login());
        let planted = intruder.enrol().await;
        let codes = intruder.generate_recovery_codes().await;

        let device = owner.open_authenticator().await;
        let confirmed = owner.confirm(&device.code(&mfa), &device.secret).await;
        let enrolled = owner.with(confirmed.text("accessToken"));
        let on = enrolled.toggle(true).await.assert_ok();
        assert_eq!(on["inactiveDevices"][0]["id"], planted.device_id, "{setting}: {on}");
        assert_eq!(on["recoveryCodesVoided"], true, "{setting}: {on}");
        assert!(on["accessToken"].is_string(), "{on}");

        // The grace is the session's that switched on, not the name's.
        intruder.setup().await.assert_problem(401, "MFA_REQUIRED");
        intruder.recover(&codes[0]).await.assert_problem(400, "MFA_RECOVERY_CODE_INVALID");
        enrolled.setup().await.assert_ok();
    }
}

#[tokio::test]
async fn a_confirmed_set_up_of_a_shared_login_is_answered_again_with_tokens() {
    let mfa = TestApp::start().await;
    let person = mfa.user("alice").with("sessionId", "(none)").with("auth_time", "1893456000");
    let alice = person.login();
    let device = alice.open_authenticator().await;
    let code = device.code(&mfa);
    alice.confirm(&code, &device.secret).await.assert_ok(); // its answer is lost
    let again = alice.confirm(&code, &device.secret).await;
    alice.with(again.text("accessToken")).toggle(true).await.assert_ok();
}
