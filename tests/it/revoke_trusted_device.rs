use mfa_tests::{InjectedFault, TestApp};
use serde_json::json;

#[tokio::test]
async fn a_revoked_device_is_trusted_no_more_and_the_others_are() {
    let mfa = TestApp::start().await;
    let person = mfa.user("alice");
    let alice = person.login();
    let device = alice.enrol().await;
    alice.toggle(true).await.assert_ok();
    let kept = alice.trust("totp", &device.advance_to_next_code(&mfa)).await;
    let gone = alice.trust("totp", &device.advance_to_next_code(&mfa)).await;
    let proven = alice.prove("totp", &device.advance_to_next_code(&mfa)).await;
    let list = proven.trusted_devices().await.assert_ok();
    let id = list[0]["id"].as_str().expect("an id").to_owned(); // the newest

    person.login().revoke(&id).await.assert_problem(401, "MFA_REQUIRED");
    let revoked = proven.revoke(&id).await.assert_ok();
    assert_eq!(revoked, json!({ "message": "Trusted device revoked successfully" }));
    person.login().verify_trusted(&gone).await.assert_problem(404, "MFA_DEVICE_NOT_FOUND");
    person.login().verify_trusted(&kept).await.assert_ok();
    proven.revoke(&id).await.assert_problem(404, "MFA_DEVICE_NOT_FOUND");
}

#[tokio::test]
async fn unknown_foreign_and_malformed_ids_are_not_found_alike() {
    let mfa = TestApp::start().await;
    let alice = mfa.user("alice").with_email("alice@example.com").login();
    let code = alice.receive_code("email").await;
    let token = alice.trust("email", &code).await;
    let list = alice.trusted_devices().await.assert_ok();
    let id = list[0]["id"].as_str().expect("an id");
    let mallory = mfa.user("mallory").login();
    let foreign = mallory.revoke(id).await.assert_problem(404, "MFA_DEVICE_NOT_FOUND").body;
    for bad in ["AAAAAAAAAAAAAAAAAAAAAA", "x", "%00", "MFA#LEDGER", &token] {
        let answer = mallory.revoke(bad).await.assert_problem(404, "MFA_DEVICE_NOT_FOUND");
        assert_eq!(answer.body, foreign, "{bad}");
    }
    alice.verify_trusted(&token).await.assert_ok();
}

#[tokio::test]
async fn a_stale_read_lets_no_revoked_device_pass() {
    let mfa = TestApp::start().await;
    let alice = mfa.user("alice").with_email("alice@example.com").login();
    let code = alice.receive_code("email").await;
    let token = alice.trust("email", &code).await;
    mfa.fault_proxy.remember();
    alice.verify_trusted(&token).await.assert_ok();
    mfa.fault_proxy.break_calls("Query", InjectedFault::Stale);
    let list = alice.trusted_devices().await.assert_ok();
    alice.revoke(list[0]["id"].as_str().expect("an id")).await.assert_ok();
    alice.verify_trusted(&token).await.assert_problem(404, "MFA_DEVICE_NOT_FOUND");
}

#[tokio::test]
async fn the_sessions_that_the_device_opened_end_with_its_trust() {
    let mfa = TestApp::start().await;
    let alice = mfa.user("alice").with_email("alice@example.com").login();
    let code = alice.receive_code("email").await;
    let answer = alice.verify("email", &code).await;
    let proven = alice.with(answer.text("accessToken"));
    mfa.advance(30);
    let code = alice.receive_code("email").await;
    let trust = alice.trust("email", &code).await;
    let opened = [alice.verify_trusted(&trust).await, alice.verify_trusted(&trust).await];
    let id = proven.trusted_devices().await.body[0]["id"].as_str().expect("an id").to_owned();
    proven.revoke(&id).await.assert_ok();
    for session in opened {
        mfa.refresh(&session.text("refreshToken")).await.assert_problem(401, "REFRESH_TOKEN_INVALID");
    }
    mfa.refresh(&answer.text("refreshToken")).await.assert_ok();
}
