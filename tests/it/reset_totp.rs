use mfa_tests::TestApp;
use serde_json::json;

#[tokio::test]
async fn a_reset_ends_everything_and_leaves_mfa_off() {
    let mfa = TestApp::start().await;
    let person = mfa.user("alice").with_email("alice@example.com");
    let alice = person.login();
    let device = alice.enrol().await;
    alice.toggle(true).await.assert_ok();
    let codes = alice.generate_recovery_codes().await;
    let code = alice.receive_code("email").await;
    let proven = alice.prove("email", &code).await;
    alice.open_authenticator().await;

    let late = person.login();
    assert_eq!(late.reset(&codes[0]).await.assert_ok(), json!({ "message": "MFA reset successfully" }));
    let status = late.status().await;
    assert_eq!((&status["isEnabled"], &status["totpDevices"]), (&json!(false), &json!([])));
    assert_eq!(status["hasRecoveryCode"], false);
    late.recover(&codes[1]).await.assert_problem(400, "MFA_RECOVERY_CODE_INVALID");
    late.verify("totp", &device.advance_to_next_code(&mfa)).await.assert_problem(400, "MFA_METHOD_NOT_AVAILABLE");
    assert_eq!(mfa.items("MFA#").await.len(), 1, "only the ledger is left");

    // A proof from before the reset does not count in the new epoch.
    late.toggle(true).await.assert_ok();
    proven.setup().await.assert_problem(401, "MFA_REQUIRED");
}

#[tokio::test]
async fn a_reset_needs_a_right_code_and_wrong_ones_are_limited() {
    let mfa = TestApp::start().await;
    let alice = mfa.user("alice").login();
    alice.enrol().await;
    alice.toggle(true).await.assert_ok();
    let codes = alice.generate_recovery_codes().await;
    alice.recover(&codes[0]).await.assert_ok();
    for wrong in [codes[0].as_str(), "nonsense"].iter().cycle().take(10) {
        alice.reset(wrong).await.assert_problem(400, "MFA_RECOVERY_CODE_INVALID");
    }
    alice.reset("nonsense").await.assert_problem(429, "RATE_LIMITED");
    assert_eq!(alice.status().await["isEnabled"], true);
    alice.reset(&codes[1]).await.assert_ok();
}

#[tokio::test]
async fn a_reset_passes_a_lock() {
    let mfa = TestApp::start().await;
    let alice = mfa.user("alice").login();
    alice.enrol().await;
    alice.toggle(true).await.assert_ok();
    let codes = alice.generate_recovery_codes().await;
    for n in 0..5 {
        alice.verify("totp", &format!("{n:06}")).await;
    }
    alice.reset(&codes[9]).await.assert_ok();
    alice.enrol().await;
}
