//! The sample event, and the real binary as Lambda runs it.

use mfa_tests::{SampleEvent, TestApp, json, runtime_api::RunningFunction};

mfa_tests::sample_event!(
    "challenge",
    SampleEvent::of::<mfa_challenge::Challenge>().body(&json!({ "method": "email" }))
);

#[tokio::test]
async fn languages_that_give_way_to_english_are_told_when_it_starts() {
    let mfa = TestApp::start_with(&[("MFA_APP_NAME", "Example Bank of Somewhere")]).await;
    let mut function = RunningFunction::start(&mfa, env!("CARGO_BIN_EXE_challenge")).await;
    let line = function.log_line().await;
    assert_eq!((&line["level"], &line["service"]), (&json!("WARN"), &json!("challenge")));
    assert!(line["advice"].as_str().is_some_and(|advice| advice.ends_with(": ja, zh-Hans, ar")), "{line}");
    assert_eq!(function.end().await, "");
}
