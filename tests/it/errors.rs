//! The error table, row by row, and a proof that no client can cause a 500.

use std::sync::Arc;

use futures_util::{FutureExt, future::BoxFuture};
use lambda_http::http::{HeaderMap, HeaderValue, Method};
use mfa::http::reads_body;
use mfa_tests::{InjectedFault, Login, Response, TestApp};
use serde_json::json;

async fn send(mfa: &Arc<TestApp>, method: Method, path: &str, media_type: Option<&str>, body: &[u8]) -> Response {
    let mut headers = HeaderMap::new();
    let token = mfa.user("alice").with_email("alice@example.com").login().token;
    headers.insert("authorization", HeaderValue::from_str(&format!("Bearer {token}")).expect("a header value"));
    if let Some(media_type) = media_type {
        headers.insert("content-type", HeaderValue::from_str(media_type).expect("a header value"));
    }
    mfa.request(method, path, headers, body.to_vec()).await
}

/// At least one request to each route that needs a bearer token, and one to `refresh-token`.
pub(crate) async fn one_of_each(mfa: &Arc<TestApp>, alice: &Login, session: &str) -> Vec<Response> {
    vec![
        alice.call(Method::GET, "/auth/mfa/status", Vec::new()).await,
        alice.call(Method::GET, "/auth/mfa/devices", Vec::new()).await,
        alice.toggle(true).await,
        alice.challenge("email").await,
        alice.challenge("totp").await,
        alice.setup().await,
        alice.confirm("123456", "JBSWY3DP").await,
        alice.verify("email", "123456").await,
        alice.rename("00000000-0000-4000-8000-000000000000", "Phone").await,
        alice.remove("00000000-0000-4000-8000-000000000000").await,
        alice.post("/auth/mfa/generate-recovery-code", json!({})).await,
        alice.recover("0000-0000-0000-0000-0000-0000").await,
        alice.reset("0000-0000-0000-0000-0000-0000").await,
        alice.verify_trusted(&format!("mfat_{}", "A".repeat(43))).await,
        alice.trusted_devices().await,
        alice.revoke("AAAAAAAAAAAAAAAAAAAAAA").await,
        mfa.refresh(session).await,
    ]
}

#[tokio::test]
async fn every_answer_names_its_request_and_is_not_stored() {
    let mfa = TestApp::start().await;
    for route in mfa.routes().iter().filter(|route| route.function != "jwks") {
        for method in [Method::GET, Method::POST, Method::PATCH, Method::DELETE] {
            let mut headers = HeaderMap::new();
            headers.insert("x-request-id", HeaderValue::from_static("of-the-caller"));
            let unknown = mfa.request(method.clone(), route.path, headers, Vec::new()).await;
            for answer in [send(&mfa, method, route.path, None, b"").await, unknown] {
                assert_eq!(answer.header("cache-control"), Some("no-store"), "{}", route.path);
                assert!(answer.header("x-request-id").is_some_and(|id| id.len() == 36), "{}", route.path);
                assert_eq!(answer.header("content-type"), Some("application/json"), "{}", route.path);
            }
        }
    }
}

#[tokio::test]
async fn a_wrong_method_is_405_on_every_route() {
    let mfa = TestApp::start().await;
    for route in mfa.routes() {
        for method in [Method::GET, Method::POST, Method::PUT, Method::DELETE, Method::PATCH, Method::HEAD] {
            if mfa.routes().iter().all(|other| (other.path, &other.method) != (route.path, &method)) {
                let answer = send(&mfa, method, route.path, None, b"").await;
                let allowed = answer.header("allow").expect("the method of a route at this path");
                let of_path = mfa.routes().iter().filter(|other| other.path == route.path);
                assert!(of_path.map(|other| other.method.as_str()).any(|method| method == allowed), "{allowed}");
                answer.assert_problem(405, "METHOD_NOT_ALLOWED");
            }
        }
    }
}

#[tokio::test]
async fn a_body_over_8_kib_is_413_and_exactly_8_kib_is_read() {
    let mfa = TestApp::start().await;
    let body = |len: usize| {
        let padding = "x".repeat(len - r#"{"enabled":false,"x":""}"#.len());
        format!(r#"{{"enabled":false,"x":"{padding}"}}"#).into_bytes()
    };
    let json = Some("application/json");
    send(&mfa, Method::POST, "/auth/mfa/toggle", json, &body(8192)).await.assert_ok();
    for route in mfa.routes() {
        let answer = send(&mfa, route.method.clone(), route.path, json, &body(8193)).await;
        answer.assert_problem(413, "PAYLOAD_TOO_LARGE");
    }
}

#[tokio::test]
async fn a_body_that_is_not_json_by_type_is_415_and_an_empty_one_needs_no_type() {
    let mfa = TestApp::start().await;
    let toggle = "/auth/mfa/toggle";
    for media_type in [None, Some("text/plain"), Some("application/x-www-form-urlencoded"), Some("application/jsonx")] {
        for route in mfa.routes().iter().filter(|route| reads_body(&route.method)) {
            let answer = send(&mfa, route.method.clone(), route.path, media_type, br#"{"enabled":false}"#).await;
            answer.assert_problem(415, "UNSUPPORTED_MEDIA_TYPE");
        }
    }
    for media_type in ["application/json", "Application/JSON; charset=utf-8"] {
        send(&mfa, Method::POST, toggle, Some(media_type), br#"{"enabled":false}"#).await.assert_ok();
    }
    for media_type in [None, Some("text/plain"), Some("application/json")] {
        send(&mfa, Method::POST, "/auth/mfa/setup-totp", media_type, b"").await.assert_ok();
    }
}

#[tokio::test]
async fn size_and_type_come_before_authentication_and_that_before_the_body_and_the_switch() {
    let mfa = TestApp::start_with(&[("MFA_ENABLED", "false")]).await;
    let nobody = |media_type: &'static str, body: Vec<u8>| {
        let mfa = Arc::clone(&mfa);
        async move {
            let mut headers = HeaderMap::new();
            headers.insert("content-type", HeaderValue::from_static(media_type));
            mfa.request(Method::POST, "/auth/mfa/toggle", headers, body).await
        }
    };
    nobody("text/plain", vec![b' '; 9000]).await.assert_problem(413, "PAYLOAD_TOO_LARGE");
    nobody("text/plain", b"{}".to_vec()).await.assert_problem(415, "UNSUPPORTED_MEDIA_TYPE");
    nobody("application/json", b"{".to_vec()).await.assert_problem(401, "NO_AUTH_PROVIDED");
    let alice = mfa.user("alice").login();
    alice.post("/auth/mfa/toggle", json!({})).await.assert_problem(400, "MISSING_REQUIRED_FIELD");
    alice.toggle(true).await.assert_problem(403, "MFA_NOT_ENABLED");
}

#[tokio::test]
async fn where_mfa_is_off_every_route_but_status_and_jwks_says_so() {
    let mfa = TestApp::start_with(&[("MFA_ENABLED", "false")]).await;
    let alice = mfa.user("alice").with_email("alice@example.com").login();
    alice.status().await;
    alice.call(Method::GET, "/auth/mfa/devices", Vec::new()).await.assert_problem(403, "MFA_NOT_ENABLED");
    alice.toggle(true).await.assert_problem(403, "MFA_NOT_ENABLED");
    alice.challenge("email").await.assert_problem(403, "MFA_NOT_ENABLED");
    alice.setup().await.assert_problem(403, "MFA_NOT_ENABLED");
    alice.confirm("123456", "JBSWY3DPEHPK3PXP").await.assert_problem(403, "MFA_NOT_ENABLED");
    alice.verify("email", "123456").await.assert_problem(403, "MFA_NOT_ENABLED");
    alice.remove("x").await.assert_problem(403, "MFA_NOT_ENABLED");
    alice.post("/auth/mfa/generate-recovery-code", json!({})).await.assert_problem(403, "MFA_NOT_ENABLED");
    alice.recover("x").await.assert_problem(403, "MFA_NOT_ENABLED");
    alice.reset("x").await.assert_problem(403, "MFA_NOT_ENABLED");
    mfa.refresh("x").await.assert_problem(403, "MFA_NOT_ENABLED");
    alice.verify_trusted("x").await.assert_problem(403, "MFA_NOT_ENABLED");
    alice.trusted_devices().await.assert_problem(403, "MFA_NOT_ENABLED");
    alice.revoke("x").await.assert_problem(403, "MFA_NOT_ENABLED");
}

#[tokio::test]
async fn a_required_field_that_is_absent_null_or_blank_is_named() {
    let mfa = TestApp::start().await;
    let alice = mfa.user("alice").login();
    let cases = [
        ("/auth/mfa/toggle", json!({}), "enabled"),
        ("/auth/mfa/toggle", json!({ "enabled": null }), "enabled"),
        ("/auth/mfa/challenge", json!({ "method": "" }), "method"),
        ("/auth/mfa/verify", json!({ "otp": "123456" }), "method"),
        ("/auth/mfa/verify", json!({ "method": "email", "otp": "  " }), "otp"),
        ("/auth/refresh-token", json!({}), "refreshToken"),
        ("/auth/refresh-token", json!({ "refreshToken": " " }), "refreshToken"),
        ("/auth/mfa/verify-recovery-code", json!({ "trustDevice": true }), "code"),
        ("/auth/mfa/reset-totp", json!({ "code": null }), "code"),
        ("/auth/mfa/verify-trusted-device", json!({}), "nest_auth_device_trust"),
        ("/auth/mfa/verify-totp-setup", json!({ "secret": "JBSWY3DP" }), "otp"),
        ("/auth/mfa/verify-totp-setup", json!({ "otp": "123456", "secret": null }), "secret"),
    ];
    for (path, body, field) in cases {
        let answer = alice.post(path, body.clone()).await.assert_problem(400, "MISSING_REQUIRED_FIELD");
        assert_eq!(answer.body["message"], format!("{field} is required"), "{path} {body}");
    }
}

#[tokio::test]
async fn an_unknown_method_is_invalid_input() {
    let mfa = TestApp::start().await;
    let alice = mfa.user("alice").with_email("alice@example.com").login();
    for method in ["fax", "TOTP", "e-mail"] {
        alice.challenge(method).await.assert_problem(400, "INVALID_INPUT");
        alice.verify(method, "123456").await.assert_problem(400, "INVALID_INPUT");
    }
}

#[tokio::test]
async fn no_input_of_a_client_causes_a_500() {
    let mfa = TestApp::start().await;
    let values: Vec<String> = [
        json!(1),
        json!(-1.5),
        json!(true),
        json!([]),
        json!({}),
        json!([["x"]]),
        json!("\u{0}"),
        json!("x".repeat(5000)),
        json!("\u{202e}\u{fffd}"),
        json!("email\u{0}"),
        json!("TOTP"),
        json!("１２３４５６"),
    ]
    .iter()
    .map(ToString::to_string)
    .chain([r#""\ud800""#, "1e999", "123456789012345678901234567890", "nul", "'x'", "\"\\x\""].map(ToOwned::to_owned))
    .collect();
    let fields = [
        "method",
        "otp",
        "secret",
        "enabled",
        "label",
        "deviceName",
        "deviceId",
        "trustDevice",
        "rememberDevice",
        "code",
        "refreshToken",
    ];
    let good = r#""method":"email","otp":"123456","secret":"JBSWY3DP","enabled":false,"code":"x""#;
    for route in mfa.routes().iter().filter(|route| reads_body(&route.method)) {
        let path = route.path.replace("{deviceId}", "00000000-0000-4000-8000-000000000000");
        for field in fields {
            for value in &values {
                // The tried field comes last, because the last of two fields of one name counts.
                let body = format!("{{{good},\"{field}\":{value}}}");
                let answer = send(&mfa, route.method.clone(), &path, Some("application/json"), body.as_bytes()).await;
                assert!(answer.status < 500, "{} {body}: {}", route.path, answer.body);
            }
        }
        for body in
            [&b"\xff\xfe"[..], b"null", b"[]", b"\"x\"", b"{\"a\":", b"{}{}", &[b'['; 8000], &[b'{'; 8000], b"\0"]
        {
            let answer = send(&mfa, route.method.clone(), &path, Some("application/json"), body).await;
            answer.assert_problem(400, "INVALID_INPUT");
        }
    }
}

#[tokio::test]
async fn a_table_that_is_down_or_throttles_is_a_503_on_every_route() {
    let mfa = TestApp::start().await;
    let alice = mfa.user("alice").with_email("alice@example.com").login();
    let device = alice.enrol().await;
    let session = alice.verify("totp", &device.advance_to_next_code(&mfa)).await.text("refreshToken");
    for fault in [InjectedFault::Error, InjectedFault::Throttle] {
        mfa.fault_proxy.break_calls("Query", fault);
        for answer in one_of_each(&mfa, &alice, &session).await {
            answer.assert_problem(503, "SERVICE_UNAVAILABLE");
        }
        mfa.fault_proxy.heal();
    }
    assert!(mfa.log().contains("Query user: ThrottlingException"), "{}", mfa.log());
    assert_eq!(mfa.inbox.received(), 0);
}

#[tokio::test]
async fn a_commit_that_loses_eight_races_is_a_429_for_a_second_and_changes_nothing() {
    let mfa = TestApp::start().await;
    let alice = mfa.user("alice").with_email("alice@example.com").login();
    let device = alice.enrol().await;
    let open = alice.open_authenticator().await;
    let codes = alice.generate_recovery_codes().await;
    let emailed = alice.receive_code("email").await;
    mfa.advance(60);
    let before = mfa.dump().await;
    for losses in [8, 7] {
        let right = device.code(&mfa);
        let (code, secret) = (open.code(&mfa), &open.secret);
        let requests: [BoxFuture<'_, Response>; 9] = [
            alice.setup().boxed(),
            alice.confirm(&code, secret).boxed(),
            alice.verify("email", &emailed).boxed(),
            alice.verify("totp", &right).boxed(),
            alice.challenge("email").boxed(),
            alice.toggle(true).boxed(),
            alice.post("/auth/mfa/generate-recovery-code", json!({})).boxed(),
            alice.recover(&codes[0]).boxed(),
            alice.remove(&device.device_id).boxed(),
        ];
        for request in requests {
            (0..losses).for_each(|_| mfa.fault_proxy.break_calls("UpdateItem MFA#LEDGER", InjectedFault::LoseRace));
            let answer = request.await;
            if losses == 8 {
                assert_eq!(answer.assert_problem(429, "RATE_LIMITED").retry_after(), Some(1));
            } else {
                // An earlier request may have made this one needless or forbidden, but nobody is
                // told to try again.
                assert_ne!(answer.code(), Some("RATE_LIMITED"), "{}", answer.body);
            }
            mfa.fault_proxy.heal();
        }
        if losses == 8 {
            // The item of the set-up that was almost confirmed has lost its TTL. The next set-up
            // deletes the item.
            let ttl = before.iter().find_map(|item| item.get("secret").and(item.get("ttl"))).cloned();
            let mut after = mfa.dump().await;
            for item in after.iter_mut().filter(|item| item["sk"]["S"] == format!("MFA#DEVICE#{}", open.device_id)) {
                item["ttl"] = ttl.clone().expect("the TTL of the set-up");
            }
            let changed: Vec<_> = after.iter().filter(|item| !before.contains(item)).collect();
            assert!(changed.is_empty() && after.len() == before.len(), "{changed:?}");
        }
    }
}

#[tokio::test]
async fn a_role_or_table_that_does_not_fit_is_a_500_on_every_route() {
    let mfa = TestApp::start().await;
    let alice = mfa.user("alice").with_email("alice@example.com").login();
    let code = alice.receive_code("email").await;
    let session = alice.verify("email", &code).await.text("refreshToken");
    let lost = mfa.redeployed_with(&[("MFA_TABLE", "no-such-table")]);
    for answer in one_of_each(&lost, &alice.at(&lost), &session).await {
        answer.assert_problem(500, "INTERNAL_ERROR");
    }
}

#[tokio::test]
async fn a_500_says_nothing_of_its_cause_and_the_log_does() {
    let mfa = TestApp::start().await;
    let lost = mfa.redeployed_with(&[("MFA_TABLE", "no-such-table")]);
    let answer = mfa.user("alice").login().at(&lost).call(Method::GET, "/auth/mfa/status", Vec::new()).await;
    let answer = answer.assert_problem(500, "INTERNAL_ERROR");
    assert_eq!(answer.body["message"], "Something went wrong on our side");
    let log = lost.log();
    assert!(
        log.contains("ResourceNotFoundException") && log.contains(answer.header("x-request-id").expect("an id")),
        "{log}"
    );
    assert!(log.contains(r#""level":"ERROR""#));
}
