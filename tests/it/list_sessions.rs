use mfa_tests::{Login, TestApp, claims_of};
use serde_json::json;

fn list(of: &Login) -> impl Future<Output = mfa_tests::Response> {
    of.call(lambda_http::http::Method::GET, "/auth/mfa/sessions", Vec::new())
}

#[tokio::test]
async fn a_session_is_listed_with_its_device_its_factor_and_its_times() {
    let mfa = TestApp::start().await;
    let alice = mfa.user("alice").with_email("alice@example.com").login();
    let code = alice.receive_code("email").await;
    let answer = alice.verify("email", &code).await;
    let proven = alice.with(answer.text("accessToken"));
    let opened = list(&proven).await.assert_ok();
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
    let used = list(&alice.with(renewed.text("accessToken"))).await.assert_ok();
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
    let listed = list(&proven).await.assert_ok();
    let current: Vec<_> = listed.as_array().expect("a list").iter().map(|of| of["current"] == true).collect();
    assert_eq!(current, [true, false], "the newest first: {listed}");
    assert_eq!(listed[1]["id"], claims_of(&on.text("accessToken"))["mfa"]["session"]);

    list(&person.login()).await.assert_problem(401, "MFA_REQUIRED");
    let bob = mfa.user("bob").login();
    assert_eq!(list(&bob).await.assert_ok(), json!([]));
    let off = mfa.redeployed_with(&[("MFA_SESSIONS", "false")]);
    assert_eq!(list(&proven.at(&off)).await.assert_ok(), json!([]));
}
