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

/// Whether the authorizer lets a request with the token of this login pass.
pub(crate) async fn passes(mfa: &Arc<TestApp>, route: &str, login: &Login) -> bool {
    let (verdict, _) = judge(mfa, route, Some(&login.token)).await.expect("a verdict");
    assert_eq!(verdict["context"].get("reason").is_none(), verdict["isAuthorized"] == true, "{verdict}");
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
        assert_eq!(verdict, json!({ "isAuthorized": false, "context": { "reason": "invalid_token" } }));
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

#[tokio::test]
async fn where_mfa_is_the_users_choice_only_who_chose_it_shows_a_factor() {
    let routes = "GET /reports = mfa-if-enabled; POST /transfers = mfa-if-enabled max_age=300; $default = token";
    let mfa = TestApp::start_with(&[("MFA_AUTHORIZER_ROUTES", routes)]).await;
    let alice = mfa.user("alice").with_email("alice@example.com").login();
    mfa.fault_proxy.take_calls();
    assert!(passes(&mfa, "GET /reports", &alice).await, "she has no MFA");
    assert_eq!(mfa.fault_proxy.take_calls().len(), 1, "one read");
    assert!(passes(&mfa, "GET /anything", &alice).await);
    assert!(mfa.fault_proxy.take_calls().is_empty(), "of other routes the table is not asked");

    let device = alice.enrol().await;
    assert!(passes(&mfa, "GET /reports", &alice).await, "an authenticator alone demands nothing");
    alice.toggle(true).await.assert_ok();
    let (verdict, log) = judge(&mfa, "GET /reports", Some(&alice.token)).await.expect("a verdict");
    assert_eq!(verdict, json!({ "isAuthorized": false, "context": { "reason": "insufficient_user_authentication" } }));
    assert!(log.contains("demands another second factor"), "{log}");
    let proven = alice.prove("totp", &device.advance_to_next_code(&mfa)).await;
    mfa.fault_proxy.take_calls();
    assert!(passes(&mfa, "GET /reports", &proven).await && passes(&mfa, "POST /transfers", &proven).await);
    assert!(mfa.fault_proxy.take_calls().is_empty(), "a proof needs no read");
    mfa.advance(301);
    assert!(!passes(&mfa, "POST /transfers", &proven).await, "not fresh enough");

    let required = mfa.redeployed_with(&[("MFA_REQUIRED", "true")]);
    let bob = mfa.user("bob").login();
    assert!(passes(&mfa, "GET /reports", &bob).await);
    assert!(!passes(&required, "GET /reports", &bob.at(&required)).await);
    let off = mfa.redeployed_with(&[("MFA_ENABLED", "false")]);
    assert!(passes(&off, "GET /reports", &alice.at(&off)).await);

    mfa.fault_proxy.break_calls("Query", mfa_tests::InjectedFault::Error);
    judge(&mfa, "GET /reports", Some(&bob.token)).await.expect_err("nobody knows");
    judge(&mfa, "GET /anything", Some(&bob.token)).await.expect("a verdict");
}

/// The question of a REST API about a request or about a token.
fn rest_event(kind: &str, route: &str, authorization: &str) -> Value {
    let (method, path) = route.split_once(' ').expect("a route");
    let arn = format!("arn:aws:execute-api:us-east-1:123456789012:a1b2c3d4e5/prod/{method}{path}");
    if kind == "TOKEN" {
        return json!({ "type": kind, "methodArn": arn, "authorizationToken": authorization });
    }
    json!({
        "type": kind, "methodArn": arn, "resource": path, "path": path, "httpMethod": method,
        "headers": { "Authorization": authorization },
        "multiValueHeaders": { "Authorization": [authorization] },
        "requestContext": { "stage": "prod", "path": format!("/prod{path}"), "identity": { "sourceIp": "192.0.2.1" } },
    })
}

async fn judge_rest(mfa: &Arc<TestApp>, event: &Value) -> Result<Value, String> {
    let mut log = LogLine::new("authorizer", "test");
    let verdict = mfa_authorizer::authorize(&mfa.app, &Event::read(event.to_string().as_bytes()), &mut log).await;
    verdict.map(|verdict| serde_json::to_value(verdict).expect("JSON")).map_err(|error| error.to_string())
}

#[tokio::test]
async fn a_rest_api_gets_a_policy_for_the_one_method_and_401_for_a_bad_token() {
    let mfa = started().await;
    let alice = mfa.user("alice").with_email("alice@example.com").login();
    let code = alice.receive_code("email").await;
    let proven = alice.prove("email", &code).await;
    for kind in ["REQUEST", "TOKEN"] {
        for (route, token, effect) in [
            ("GET /reports", &alice.token, "Deny"),
            ("GET /reports", &proven.token, "Allow"),
            ("POST /transfers", &proven.token, "Deny"),
            ("GET /anything/else", &alice.token, "Allow"),
        ] {
            let event = rest_event(kind, route, &format!("Bearer {token}"));
            let verdict = judge_rest(&mfa, &event).await.expect("a verdict");
            let statement =
                json!([{ "Action": "execute-api:Invoke", "Effect": effect, "Resource": event["methodArn"] }]);
            assert_eq!(
                verdict["policyDocument"],
                json!({ "Version": "2012-10-17", "Statement": statement }),
                "{route}"
            );
            let (user, context) = match effect {
                "Deny" => ("unknown", json!({ "reason": "insufficient_user_authentication" })),
                _ if *token == proven.token => {
                    let at = mfa.clock.now().as_secs();
                    ("alice", json!({ "sub": "alice", "amr": "mfa", "method": "email", "authTime": at }))
                }
                _ => ("alice", json!({ "sub": "alice", "amr": "" })),
            };
            assert_eq!((&verdict["principalId"], &verdict["context"]), (&json!(user), &context), "{kind} {route}");
        }
        for bad in ["", "Bearer x", "Basic eDp5", "x"] {
            assert_eq!(
                judge_rest(&mfa, &rest_event(kind, "GET /reports", bad)).await,
                Err("Unauthorized".into()),
                "{bad}"
            );
        }
        let wild = judge_rest(&mfa, &rest_event(kind, "GET /anything/*", &format!("Bearer {}", proven.token))).await;
        let wild = wild.expect("a verdict");
        assert_eq!(
            wild["policyDocument"]["Statement"][0]["Effect"], "Deny",
            "it would be a policy for other paths too"
        );
        let bare = judge_rest(&mfa, &rest_event(kind, "GET /reports", &proven.token)).await.expect("a verdict");
        assert_eq!(bare["principalId"], "alice", "a token without the scheme, as API Gateway takes it");
    }
}

#[tokio::test]
async fn claims_are_handed_on_as_texts_beside_ours() {
    let names = "email,roles,level,beta,profile,absent,https://example.com/team";
    let mfa = TestApp::start_with(&[("MFA_AUTHORIZER_CLAIMS", names)]).await;
    let person = mfa.user("alice").with_email("alice@example.com").with("roles", json!(["admin", 7]));
    let person =
        person.with("level", 3).with("beta", true).with("profile", json!({ "a": 1 })).with("amr", json!(["pwd"]));
    let alice = person.with("https://example.com/team", "blue").login();
    let (verdict, _) = judge(&mfa, "GET /", Some(&alice.token)).await.expect("a verdict");
    let expected = json!({
        "email": "alice@example.com", "roles": "[admin 7]", "level": "3", "beta": "true", "profile": "{\"a\":1}",
        "https://example.com/team": "blue", "sub": "alice", "amr": [],
    });
    assert_eq!(verdict["context"], expected);
}

#[tokio::test]
async fn a_login_that_asked_for_a_second_factor_is_believed_only_if_that_is_configured() {
    let routes =
        "GET /reports = mfa; POST /transfers = mfa max_age=300; GET /totp = mfa methods=totp; $default = token";
    let mfa = TestApp::start_with(&[("MFA_AUTHORIZER_ROUTES", routes), ("MFA_JWT_TRUSTED_AMR", "mfa, hwk")]).await;
    let now = mfa.clock.now().as_secs();
    let person = mfa.user("alice").with_email("alice@example.com");
    let told = |amr: Value, auth_time: Value| person.clone().with("amr", amr).with("auth_time", auth_time).login();
    for (amr, auth_time, some, fresh) in [
        (json!(["pwd", "mfa"]), json!(now - 10), true, true),
        (json!(["hwk"]), json!(now - 301), true, false),
        (json!([{ "method": "mfa", "timestamp": 1 }]), json!(now), true, true),
        (json!(["mfa"]), json!("now"), true, false),
        (json!(["mfa"]), json!(now + 3600), true, false),
        (json!(["pwd"]), json!(now), false, false),
        (json!("mfa"), json!(now), false, false),
        (json!([["mfa"]]), json!(now), false, false),
    ] {
        let login = told(amr.clone(), auth_time.clone());
        assert_eq!(passes(&mfa, "GET /reports", &login).await, some, "{amr} {auth_time}");
        assert_eq!(passes(&mfa, "POST /transfers", &login).await, fresh, "{amr} {auth_time}");
        assert!(!passes(&mfa, "GET /totp", &login).await, "it names none of our methods");
        assert_eq!(login.status().await["satisfiedByLogin"].as_bool(), some.then_some(true), "{amr}");
    }
    let (verdict, _) =
        judge(&mfa, "GET /reports", Some(&told(json!(["mfa"]), json!(now)).token)).await.expect("a verdict");
    assert_eq!(verdict["context"], json!({ "sub": "alice", "amr": [], "satisfiedByLogin": true, "authTime": now }));

    // It opens no gate of ours, mints nothing, and is not read from a token of ours.
    let believed = told(json!(["mfa"]), json!(now));
    believed.toggle(true).await.assert_ok();
    believed.setup().await.assert_problem(401, "MFA_REQUIRED");
    let code = believed.receive_code("email").await;
    let proven = believed.prove("email", &code).await;
    assert_eq!(proven.status().await.get("satisfiedByLogin"), None);
    let claims = mfa_tests::claims_of(&proven.token);
    assert_eq!(claims["amr"], json!(["mfa"]));
    let mut forged = claims;
    forged.insert("mfa".to_owned(), json!({ "epoch": 1 }));
    let forged = Login::with_token(&mfa, person.sign(&forged));
    assert!(!passes(&mfa, "GET /reports", &forged).await);

    let unconfigured = mfa.redeployed_with(&[("MFA_JWT_TRUSTED_AMR", "")]);
    assert!(!passes(&unconfigured, "GET /reports", &believed.at(&unconfigured)).await);
}
