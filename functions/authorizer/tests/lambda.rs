//! The real binary, as Lambda runs it.

use mfa_tests::{TestApp, runtime_api};

#[tokio::test]
async fn the_binary_lets_its_sample_event_pass() {
    let mfa = TestApp::start().await;
    let verdict =
        runtime_api::invoke(&mfa, env!("CARGO_BIN_EXE_authorizer"), &runtime_api::read_event("authorizer")).await;
    assert_eq!(verdict["isAuthorized"], true, "{verdict}");
    assert_eq!(verdict["context"]["sub"], "event-authorizer", "{verdict}");
}
