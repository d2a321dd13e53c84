//! Several logins before one bundle (row 71 of the threat model): a token is of exactly one, and
//! users of two never meet unless they share a space.

use std::sync::Arc;

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use lambda_http::http::Method;
use mfa::http::{Event, LogLine};
use mfa_tests::{Login, TestApp, claims_of};
use serde_json::{Value, json};

const OWN: &str = include_str!("keys/ed.pem");
const CUSTOMERS: &str = "the secret of the customers' login, of many bytes";
const STAFF: &str = "the secret of the login of the staff, of many bytes";

fn customers(changes: &Value) -> Value {
    merged(json!({ "name": "customers", "MFA_JWT_SECRET": CUSTOMERS }), changes)
}

fn staff(changes: &Value) -> Value {
    merged(json!({ "name": "staff", "MFA_JWT_SECRET": STAFF }), changes)
}

fn merged(mut entry: Value, changes: &Value) -> Value {
    for (name, value) in changes.as_object().expect("an object") {
        entry[name] = value.clone();
    }
    entry
}

async fn started(logins: &[Value]) -> Arc<TestApp> {
    let logins = json!(logins).to_string();
    TestApp::start_with(&[("MFA_JWT_SECRET", ""), ("MFA_SIGNING_KEY", OWN), ("MFA_LOGINS", &logins)]).await
}

/// A login at the one whose secret this is.
fn login(mfa: &Arc<TestApp>, secret: &str, changes: &Value) -> Login {
    let now = mfa.clock.now().as_secs();
    let claims =
        json!({ "sub": "alice", "type": "access", "sid": "s", "exp": now + 300, "email": "alice@example.com" });
    let key = EncodingKey::from_secret(secret.as_bytes());
    Login::with_token(mfa, encode(&Header::new(Algorithm::HS256), &merged(claims, changes), &key).expect("a token"))
}

async fn status(login: &Login) -> u16 {
    login.call(Method::GET, "/auth/mfa/status", Vec::new()).await.status
}

#[tokio::test]
async fn users_of_two_logins_never_meet_wherever_they_stand_in_the_list() {
    for turned in [false, true] {
        let mut logins = [customers(&json!({})), staff(&json!({}))];
        if turned {
            logins.reverse();
        }
        let mfa = started(&logins).await;
        let (customer, employee) = (login(&mfa, CUSTOMERS, &json!({})), login(&mfa, STAFF, &json!({})));
        customer.enrol().await;
        customer.toggle(true).await.assert_ok();
        assert_eq!(customer.status().await["isEnabled"], true);
        assert_eq!(employee.status().await["isEnabled"], false, "the same `sub` of another login");
        let turned = json!([logins[1], logins[0]]).to_string();
        let again = mfa.redeployed_with(&[("MFA_LOGINS", &turned)]);
        assert_eq!(customer.at(&again).status().await["isEnabled"], true, "the place in the list means nothing");
    }
}

#[tokio::test]
async fn the_application_is_told_of_which_login_a_user_is() {
    let logins = json!([customers(&json!({})), staff(&json!({}))]).to_string();
    let settings = [
        ("MFA_JWT_SECRET", ""),
        ("MFA_SIGNING_KEY", OWN),
        ("MFA_LOGINS", &logins),
        ("MFA_ISSUER", "https://mfa.example.com"),
    ];
    let mfa = TestApp::start_with(&settings).await;
    for (secret, name) in [(CUSTOMERS, "customers"), (STAFF, "staff")] {
        let alice = login(&mfa, secret, &json!({}));
        let code = alice.receive_code("email").await;
        let proven = alice.prove("email", &code).await;
        assert_eq!(claims_of(&proven.token)["mfa"]["from"], name);
        for token in [&alice.token, &proven.token] {
            let event = json!({
                "routeKey": "GET /", "rawPath": "/", "headers": { "authorization": format!("Bearer {token}") },
                "requestContext": { "http": { "method": "GET", "path": "/" } },
            });
            let mut log = LogLine::new("authorizer", "test");
            let event = Event::read(event.to_string().as_bytes());
            let verdict = mfa_authorizer::authorize(&mfa.app, &event, &mut log).await.expect("a verdict");
            let verdict = serde_json::to_value(verdict).expect("JSON");
            assert_eq!((&verdict["context"]["sub"], &verdict["context"]["login"]), (&json!("alice"), &json!(name)));
        }
    }
}

#[tokio::test]
async fn users_of_two_logins_are_the_same_in_one_space_and_those_of_before_in_the_empty_one() {
    let before = TestApp::start_with(&[("MFA_SIGNING_KEY", OWN), ("MFA_JWT_SECRET", CUSTOMERS)]).await;
    let earlier = login(&before, CUSTOMERS, &json!({}));
    earlier.enrol().await;
    earlier.toggle(true).await.assert_ok();
    let code = earlier.receive_code("email").await;
    let answer = earlier.verify("email", &code).await;
    let proven = earlier.with(answer.text("accessToken"));

    let logins = json!([customers(&json!({ "users": "" })), staff(&json!({ "users": "" }))]).to_string();
    let after = before.redeployed_with(&[("MFA_JWT_SECRET", ""), ("MFA_LOGINS", &logins)]);
    for login in [&earlier, &login(&after, STAFF, &json!({}))] {
        assert_eq!(login.at(&after).status().await["isEnabled"], true);
    }
    assert_eq!(proven.at(&after).devices().await.as_array().map(Vec::len), Some(1), "a token from before");
    after.refresh(&answer.text("refreshToken")).await.assert_ok();

    let apart = json!([customers(&json!({}))]).to_string();
    let apart = before.redeployed_with(&[("MFA_JWT_SECRET", ""), ("MFA_LOGINS", &apart)]);
    assert_eq!(earlier.at(&apart).status().await["isEnabled"], false, "by default a login has its own space");
    assert_eq!(status(&proven.at(&apart)).await, 401);
}

#[tokio::test]
async fn the_whole_journey_goes_by_the_tokens_of_each_login() {
    let mfa = started(&[customers(&json!({})), staff(&json!({ "MFA_JWT_USER_CLAIM": "uid" }))]).await;
    for (secret, claims) in [(CUSTOMERS, json!({})), (STAFF, json!({ "uid": 7, "sub": "changes" }))] {
        let alice = login(&mfa, secret, &claims);
        let device = alice.enrol().await;
        let answer = alice.verify("totp", &device.advance_to_next_code(&mfa)).await;
        let proven = alice.with(answer.text("accessToken"));
        proven.generate_recovery_codes().await;
        assert_eq!(proven.devices().await.as_array().map(Vec::len), Some(1));
        let refreshed = mfa.refresh(&answer.text("refreshToken")).await;
        let refreshed = alice.with(refreshed.text("accessToken"));
        assert_eq!(refreshed.sessions().await.assert_ok().as_array().map(Vec::len), Some(1));
        mfa.advance(61);
        let code = refreshed.receive_code("email").await;
        refreshed.prove("email", &code).await;
    }
    // A login that is taken away ends what its users have here.
    let fewer = json!([customers(&json!({}))]).to_string();
    let alice = login(&mfa, STAFF, &json!({ "uid": 8 }));
    let code = alice.receive_code("email").await;
    let answer = alice.verify("email", &code).await;
    let fewer = mfa.redeployed_with(&[("MFA_LOGINS", &fewer)]);
    fewer.refresh(&answer.text("refreshToken")).await.assert_problem(401, "REFRESH_TOKEN_INVALID");
    assert_eq!(status(&alice.with(answer.text("accessToken")).at(&fewer)).await, 401);
}

#[tokio::test]
async fn a_token_that_two_logins_accept_is_of_neither() {
    let [issuer, first, second] = ["https://login.example.com", "first", "second"];
    let of = |name: &str, audience: &str| json!({ "name": name, "MFA_JWT_SECRET": CUSTOMERS, "MFA_JWT_ISSUER": issuer, "MFA_JWT_AUDIENCE": audience });
    let mfa = started(&[of("a", first), of("b", second), staff(&json!({}))]).await;
    let with = |audience: Value| login(&mfa, CUSTOMERS, &json!({ "iss": issuer, "aud": audience }));
    assert_eq!(status(&with(json!(first))).await, 200);
    assert_eq!(status(&with(json!([second, "third"]))).await, 200);
    for (audience, why) in [(json!([first, second]), "two logins accept it"), (json!("third"), "another audience")] {
        with(audience).call(Method::GET, "/auth/mfa/status", Vec::new()).await.assert_problem(401, "INVALID_TOKEN");
        assert!(mfa.log().lines().last().is_some_and(|line| line.contains(why)), "{why}: {}", mfa.log());
    }
    let foreign = login(&mfa, "a secret of somebody else, also of many bytes", &json!({ "iss": issuer }));
    assert_eq!(status(&foreign).await, 401);
}

#[tokio::test]
async fn no_login_is_asked_for_keys_of_tokens_that_another_issued() {
    let unreachable = json!({
        "name": "keys", "MFA_JWT_ALGORITHM": "ES256", "MFA_JWT_ISSUER": "https://keys.example",
        "MFA_JWT_KEY_SET_URL": "http://127.0.0.1:1/keys",
    });
    let mfa = started(&[customers(&json!({})), unreachable]).await;
    assert_eq!(status(&login(&mfa, CUSTOMERS, &json!({}))).await, 200);
    let now = mfa.clock.now().as_secs();
    let key = EncodingKey::from_ec_pem(include_bytes!("keys/ec.pem")).expect("a key");
    let token = |issuer: &str| {
        let claims = json!({ "sub": "alice", "type": "access", "exp": now + 300, "iss": issuer });
        Login::with_token(&mfa, encode(&Header::new(Algorithm::ES256), &claims, &key).expect("a token"))
    };
    assert_eq!(status(&token("https://stranger.example")).await, 401, "of no login");
    assert_eq!(status(&token("https://keys.example")).await, 503, "nobody knows");
}

#[tokio::test]
async fn a_note_of_a_backend_says_where_the_person_is() {
    let noted = json!({ "MFA_JWT_SOURCE_IP_CLAIM": "ip" });
    let mfa = started(&[customers(&noted), staff(&json!({}))]).await;
    // 32 persons behind one backend, each at an address of their own.
    for n in 0..32 {
        let person =
            json!({ "sub": format!("p{n}"), "ip": format!("192.0.2.{n}"), "phone": format!("+1202555{n:04}") });
        login(&mfa, CUSTOMERS, &person).challenge("sms").await.assert_ok();
    }
    let mut answers = Vec::new();
    for n in 40..72 {
        let person = json!({ "sub": format!("p{n}"), "ip": "192.0.2.99", "phone": format!("+1202555{n:04}") });
        answers.push(login(&mfa, CUSTOMERS, &person).challenge("sms").await.status);
    }
    assert!(answers.contains(&429), "all at one address: {answers:?}");
    answers.clear();
    for n in 80..112 {
        let person =
            json!({ "sub": format!("p{n}"), "ip": format!("192.0.2.{n}"), "phone": format!("+1202555{n:04}") });
        answers.push(login(&mfa, STAFF, &person).challenge("sms").await.status);
    }
    assert!(answers.contains(&429), "a login that is not marked so says nothing of it: {answers:?}");
}

#[tokio::test]
async fn each_login_has_its_own_claims_of_policy() {
    let mfa = started(&[
        customers(&json!({ "users": "", "MFA_JWT_REQUIRED_CLAIM": "two_factors" })),
        staff(&json!({ "users": "" })),
    ])
    .await;
    for (secret, claims, required) in [
        (CUSTOMERS, json!({ "two_factors": true }), true),
        (CUSTOMERS, json!({ "mfa_required": true }), false),
        (STAFF, json!({ "mfa_required": true }), true),
        (STAFF, json!({ "two_factors": true }), false),
    ] {
        let login = login(&mfa, secret, &merged(json!({ "sub": claims.to_string() + secret }), &claims));
        assert_eq!(login.status().await["required"], required, "{claims}");
        if required {
            // Our token is of the login that the code was given in, and its claims go on.
            let code = login.receive_code("email").await;
            let proven = login.prove("email", &code).await;
            assert_eq!(proven.status().await["requiredBy"], "claim", "{claims}");
        }
    }
}
