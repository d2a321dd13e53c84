//! The authorizer, with events as API Gateway sends them.

use std::sync::Arc;

use mfa::http::{Event, LogLine};
use mfa_tests::{Login, TestApp, runtime_api};
use serde_json::{Value, json};

const ROUTES: &str = "POST /transfers = mfa max_age=300 methods=totp,sms; GET /reports = mfa; $default = token";

async fn started() -> Arc<TestApp> {
    TestApp::start_with(&[("MFA_AUTHORIZER_ROUTES", ROUTES)]).await
}

/// The event of a request that API Gateway found by its own route key, so that path and key agree.
fn event_of(route: &str) -> Value {
    let (method, path) = route.split_once(' ').expect("a route");
    let mut event: Value = serde_json::from_str(&runtime_api::read_event("authorizer")).expect("JSON");
    event["routeKey"] = route.into();
    event["rawPath"] = path.into();
    event["requestContext"]["http"]["method"] = method.into();
    event["requestContext"]["http"]["path"] = path.into();
    event
}

/// The verdict on a request with these tokens in `Authorization` headers, and what was logged.
async fn judge(mfa: &Arc<TestApp>, route: &str, token: Option<&str>) -> Result<(Value, String), String> {
    judge_event(mfa, event_of(route), token).await
}

async fn judge_event(mfa: &Arc<TestApp>, mut event: Value, token: Option<&str>) -> Result<(Value, String), String> {
    event["headers"].as_object_mut().expect("headers").retain(|name, _| name != "authorization");
    if let Some(token) = token {
        event["headers"]["authorization"] = format!("Bearer {token}").into();
    }
    let mut log = LogLine::new("authorizer", "test");
    let verdict = mfa_authorizer::authorize(&mfa.app, &Event::read(event.to_string().as_bytes()), &mut log).await;
    let verdict = verdict.map_err(|error| error.to_string())?;
    Ok((serde_json::to_value(verdict).expect("JSON"), serde_json::to_string(&log).expect("JSON")))
}

async fn passes(mfa: &Arc<TestApp>, route: &str, login: &Login) -> bool {
    let (verdict, _) = judge(mfa, route, Some(&login.token)).await.expect("a verdict");
    assert_eq!(verdict.get("context").is_some(), verdict["isAuthorized"] == true, "{verdict}");
    verdict["isAuthorized"] == true
}

#[tokio::test]
async fn each_route_demands_what_its_setting_says() {
    let mfa = started().await;
    let alice = mfa.user("alice").with_email("alice@example.com").login();
    let device = alice.enrol().await;
    alice.toggle(true).await.assert_ok();
    let code = alice.receive_code("email").await;
    let by_email = alice.prove("email", &code).await;
    let by_totp = alice.prove("totp", &device.advance_to_next_code(&mfa)).await;

    for (route, plain, email, totp) in [
        ("GET /anything", true, true, true),
        ("GET /reports", false, true, true),
        ("POST /transfers", false, false, true),
    ] {
        assert_eq!(passes(&mfa, route, &alice).await, plain, "{route} without a second factor");
        assert_eq!(passes(&mfa, route, &by_email).await, email, "{route} by e-mail");
        assert_eq!(passes(&mfa, route, &by_totp).await, totp, "{route} by TOTP");
    }
    mfa.advance(300);
    mfa.fault_proxy.take_calls();
    assert!(passes(&mfa, "POST /transfers", &by_totp).await);
    assert!(mfa.fault_proxy.take_calls().is_empty(), "the table is not asked");
    mfa.advance(1);
    assert!(!passes(&mfa, "POST /transfers", &by_totp).await, "not fresh enough");
    assert!(passes(&mfa, "GET /reports", &by_totp).await);
}

#[tokio::test]
async fn the_application_is_told_who_it_is_and_by_which_factor() {
    let mfa = started().await;
    let alice = mfa.user("alice").login();
    let device = alice.enrol().await;
    let proven = alice.prove("totp", &device.advance_to_next_code(&mfa)).await;
    let (verdict, log) = judge(&mfa, "GET /reports", Some(&proven.token)).await.expect("a verdict");
    let told =
        json!({ "sub": "alice", "amr": ["otp", "mfa"], "method": "totp", "authTime": mfa.clock.now().as_secs() });
    assert_eq!(verdict, json!({ "isAuthorized": true, "context": told }));
    assert!(!log.contains("alice"), "{log}");
    let (verdict, _) = judge(&mfa, "GET /", Some(&alice.token)).await.expect("a verdict");
    assert_eq!(verdict, json!({ "isAuthorized": true, "context": { "sub": "alice", "amr": [] } }));
}

#[tokio::test]
async fn a_token_with_any_fault_passes_nowhere_and_the_table_is_not_asked() {
    let mfa = started().await;
    let person = mfa.user("alice");
    let expired = person.clone().with("exp", mfa.clock.now().as_secs()).login().token;
    let refresh = person.clone().with("type", "refresh").login().token;
    for token in [None, Some("x"), Some(expired.as_str()), Some(refresh.as_str())] {
        let (verdict, log) = judge(&mfa, "GET /anything", token).await.expect("a verdict");
        assert_eq!(verdict, json!({ "isAuthorized": false }));
        assert!(log.contains(r#""status":403"#), "{log}");
    }
    assert!(mfa.fault_proxy.take_calls().is_empty());
}

#[tokio::test]
async fn what_the_application_claims_is_no_second_factor() {
    let mfa = started().await;
    let claims = mfa.user("alice").with("isMfaVerified", true).with("amr", json!(["otp", "mfa"]));
    let forged = claims.with("mfa", json!({ "epoch": 1, "method": "totp", "auth_time": 1_893_456_000, "mac": "AAAA" }));
    assert!(!passes(&mfa, "GET /reports", &forged.login()).await);
}

#[tokio::test]
async fn behind_a_route_key_for_many_routes_each_route_still_demands_its_own() {
    let mfa = started().await;
    let alice = mfa.user("alice").with_email("alice@example.com").login();
    let code = alice.receive_code("email").await;
    let by_email = alice.prove("email", &code).await;

    // Route key, stage, the path that API Gateway hands on, and what it found for {proxy+}.
    for (key, stage, base, proxy) in [
        ("ANY {path}", "$default", "", false),
        ("$default", "$default", "", false),
        ("$default", "prod", "/prod", false),
        ("ANY /{proxy+}", "$default", "", true),
        ("ANY /{proxy+}", "prod", "/prod", true),
        // A custom domain with a base path keeps that path, and no stage.
        ("ANY /{proxy+}", "prod", "/bank/v1", true),
    ] {
        for (route, plain, email) in [
            ("GET /anything", true, true),
            ("GET /transfers", true, true),
            ("GET /reports", false, true),
            ("HEAD /reports", false, true),
            ("POST /transfers", false, false),
            ("POST /transfers/", false, false),
            ("POST //transfers", false, false),
            ("POST /Transfers", false, false),
            ("POST /%74ransfers", false, false),
        ] {
            let mut event = event_of(route);
            let path = event["rawPath"].as_str().expect("a path").to_owned();
            event["routeKey"] = key.replace("{path}", &path).into();
            event["requestContext"]["stage"] = stage.into();
            event["rawPath"] = format!("{base}{path}").into();
            event["requestContext"]["http"]["path"] = format!("{base}{path}").into();
            if proxy {
                event["pathParameters"] = json!({ "proxy": path.trim_start_matches('/') });
            }
            for (login, wanted, how) in [(&alice, plain, "no second factor"), (&by_email, email, "e-mail")] {
                let (verdict, _) = judge_event(&mfa, event.clone(), Some(&login.token)).await.expect("a verdict");
                assert_eq!(verdict["isAuthorized"], wanted, "{route} by {how}, key {key}, stage {stage}, {base}");
            }
        }
    }
}

#[tokio::test]
async fn an_event_that_names_no_route_or_no_path_passes_nowhere() {
    let mfa = started().await;
    let token = mfa.user("alice").login().token;
    let whole = event_of("GET /anything");
    for (name, inner) in [("routeKey", false), ("rawPath", true)] {
        let mut event = whole.clone();
        event[name] = Value::Null;
        if inner {
            event["requestContext"]["http"]["path"] = Value::Null;
        }
        judge_event(&mfa, event, Some(&token)).await.expect_err("no verdict");
    }
    judge_event(&mfa, whole, Some(&token)).await.expect("a verdict");
}

#[tokio::test]
async fn if_the_keys_cannot_be_fetched_nothing_passes() {
    let settings = [
        ("MFA_JWT_ALGORITHM", "ES256"),
        ("MFA_SIGNING_KEY", include_str!("keys/ec.pem")),
        ("MFA_JWT_KEY_SET_URL", "http://127.0.0.1:1/keys"),
        ("MFA_JWT_ISSUER", "https://login.example"),
    ];
    let mfa = TestApp::start_with(&settings).await;
    let header =
        jsonwebtoken::Header { kid: Some("a".to_owned()), ..jsonwebtoken::Header::new(jsonwebtoken::Algorithm::ES256) };
    let key = jsonwebtoken::EncodingKey::from_ec_pem(include_bytes!("keys/ec.pem")).expect("a key");
    let token = jsonwebtoken::encode(&header, &json!({ "sub": "alice" }), &key).expect("a token");
    judge(&mfa, "GET /", Some(&token)).await.expect_err("no verdict");
}
