//! The sample event, and the real binary as Lambda runs it.

use lambda_http::http::Method;
use mfa_tests::{
    SampleEvent, TestApp, json, nasty_events::with, runtime_api::RunningFunction, sample_event::as_payload_1,
};
use serde_json::Value;

mfa_tests::sample_event!(
    "authorizer",
    // A route of the application that the configuration does not name: any valid token passes.
    SampleEvent::of_authorizer(Method::GET, "/reports")
);

#[tokio::test]
async fn an_odd_event_is_judged_and_a_foreign_one_lets_nothing_pass() {
    let sample = SampleEvent::of_authorizer(Method::GET, "/reports").event();
    let mfa = TestApp::start().await;
    let mut function = RunningFunction::start(&mfa, env!("CARGO_BIN_EXE_authorizer")).await;
    for (pointer, value, is_authorized) in [
        ("/rawQueryString", json!("\"<> \u{0}"), true),
        ("/cookies", json!([null, "\u{0}"]), true),
        ("/cookies", json!(null), true),
        ("/headers/host", json!("\u{0}"), true),
        ("/headers/x y", json!(["\u{0}"]), true),
        ("/identitySource", json!(1), true),
        ("/requestContext/timeEpoch", json!("x"), true),
        ("/requestContext/http/method", json!("G ET"), true),
        ("/headers/authorization", json!("Bearer \u{0}"), false),
        ("/headers/authorization", json!(null), false),
        ("/headers", json!(null), false),
    ] {
        let event = with(&sample, pointer, value).to_string();
        let verdict = function.invoke(event.as_str()).await.unwrap_or_else(|error| panic!("{event}: {error}"));
        assert_eq!(verdict["isAuthorized"], is_authorized, "{event}");
        assert_eq!(function.log_line().await["status"], if is_authorized { 200 } else { 403 }, "{event}");
    }
    let rest = as_payload_1(&sample).to_string();
    let nowhere = with(&sample, "/routeKey", Value::Null).to_string();
    for event in ["{}", "[]", "\"x\"", "", &rest, &nowhere] {
        function.invoke(event).await.expect_err("no verdict");
        let line = function.log_line().await;
        assert_eq!((&line["level"], &line["status"]), (&json!("ERROR"), &json!(500)), "{event}");
    }
    assert_eq!(function.end().await, "", "a function writes its log lines and nothing else");
}
