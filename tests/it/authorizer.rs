//! The authorizer, with events as API Gateway sends them.

use std::sync::Arc;

use mfa::http::{Event, LogLine};
use mfa_tests::{Login, TestApp, runtime_api};
use serde_json::{Value, json};

const ROUTES: &str = "POST /transfers = mfa max_age=300 methods=totp,sms; GET /reports = mfa; $default = token";

async fn started() -> Arc<TestApp> {
    TestApp::start_with(&[("MFA_AUTHORIZER_ROUTES", ROUTES)]).await
}

/// The verdict on a request with this token in its `Authorization` header, and the log line.
async fn judge(mfa: &Arc<TestApp>, route: &str, token: Option<&str>) -> Result<(Value, String), String> {
    let mut event: Value = serde_json::from_str(&runtime_api::read_event("authorizer")).expect("JSON");
    event["routeKey"] = route.into();
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
async fn an_event_that_names_no_route_passes_nowhere() {
    let mfa = started().await;
    let mut event: Value = serde_json::from_str(&runtime_api::read_event("authorizer")).expect("JSON");
    event["routeKey"] = Value::Null;
    event["headers"]["authorization"] = format!("Bearer {}", mfa.user("alice").login().token).into();
    let mut log = LogLine::new("authorizer", "test");
    let event = Event::read(event.to_string().as_bytes());
    mfa_authorizer::authorize(&mfa.app, &event, &mut log).await.expect_err("no verdict");
    assert_eq!((log.level, log.status), ("error", 500));
}

#[tokio::test]
async fn if_the_keys_cannot_be_fetched_nothing_passes() {
    let settings = [
        ("MFA_JWT_ALGORITHM", "ES256"),
        ("MFA_SIGNING_KEY", include_str!("keys/ec.pem")),
        ("MFA_JWT_KEY_SET_URL", "http://127.0.0.1:1/keys"),
    ];
    let mfa = TestApp::start_with(&settings).await;
    let header =
        jsonwebtoken::Header { kid: Some("a".to_owned()), ..jsonwebtoken::Header::new(jsonwebtoken::Algorithm::ES256) };
    let key = jsonwebtoken::EncodingKey::from_ec_pem(include_bytes!("keys/ec.pem")).expect("a key");
    let token = jsonwebtoken::encode(&header, &json!({ "sub": "alice" }), &key).expect("a token");
    judge(&mfa, "GET /", Some(&token)).await.expect_err("no verdict");
}
