use mfa_tests::{TestApp, claims_of};
use serde_json::json;

#[tokio::test]
async fn a_session_is_listed_with_its_device_its_factor_and_its_times() {
    let mfa = TestApp::start().await;
    let alice = mfa.user("alice").with_email("alice@example.com").login();
    let code = alice.receive_code("email").await;
    let answer = alice.verify("email", &code).await;
    let proven = alice.with(answer.text("accessToken"));
    let opened = proven.sessions().await.assert_ok();
    let id = claims_of(&proven.token)["mfa"]["session"].clone();
    assert_eq!(
        opened,
        json!([{
            "id": id, "label": "Firefox on Linux", "method": "email", "createdAt": "2030-01-01T00:00:00.000Z",
            "expiresAt": "2030-01-01T12:00:00.000Z", "current": true,
        }])
    );
    mfa.advance(60);
    let renewed = mfa.refresh(&answer.text("refreshToken")).await;
    let used = alice.with(renewed.text("accessToken")).sessions().await.assert_ok();
    assert_eq!((&used[0]["lastUsedAt"], &used[0]["current"]), (&json!("2030-01-01T00:01:00.000Z"), &json!(true)));
}

#[tokio::test]
async fn only_the_callers_own_sessions_that_go_on_are_listed_and_only_behind_the_gate() {
    let mfa = TestApp::start().await;
    let person = mfa.user("alice").with_email("alice@example.com");
    let before = person.login();
    let code = before.receive_code("email").await;
    before.verify("email", &code).await.assert_ok(); // ends when MFA comes on
    let owner = person.login();
    let device = owner.enrol().await;
    let on = owner.toggle(true).await;
    let answer = owner.verify("totp", &device.advance_to_next_code(&mfa)).await;
    mfa.advance(1);
    let proven = owner.with(answer.text("accessToken"));
    let listed = proven.sessions().await.assert_ok();
    let current: Vec<_> = listed.as_array().expect("a list").iter().map(|of| of["current"] == true).collect();
    assert_eq!(current, [true, false], "the newest first: {listed}");
    assert_eq!(listed[1]["id"], claims_of(&on.text("accessToken"))["mfa"]["session"]);

    person.login().sessions().await.assert_problem(401, "MFA_REQUIRED");
    let bob = mfa.user("bob").login();
    assert_eq!(bob.sessions().await.assert_ok(), json!([]));
    let off = mfa.redeployed_with(&[("MFA_SESSIONS", "false")]);
    assert_eq!(proven.at(&off).sessions().await.assert_ok(), json!([]));
}
