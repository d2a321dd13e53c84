use lambda_http::http::Method;
use mfa_tests::{InjectedFault, TestApp};
use serde_json::json;

#[tokio::test]
async fn a_removed_device_is_gone_and_judges_nothing_any_more() {
    let mfa = TestApp::start().await;
    let alice = mfa.user("alice").login();
    let (kept, removed) = (alice.enrol().await, alice.enrol().await);
    assert_eq!(
        alice.remove(&removed.device_id).await.assert_ok(),
        json!({ "message": "MFA device removed successfully" })
    );
    let list = alice.devices().await.to_string();
    assert!(list.contains(&kept.device_id) && !list.contains(&removed.device_id));
    alice.verify("totp", &removed.advance_to_next_code(&mfa)).await.assert_problem(400, "MFA_CODE_INVALID");
    alice.verify("totp", &kept.code(&mfa)).await.assert_ok();
    assert_eq!(mfa.items("MFA#").await.len(), 2, "its item is gone too");
}

#[tokio::test]
async fn an_open_setup_can_be_given_up() {
    let mfa = TestApp::start().await;
    let alice = mfa.user("alice").login();
    let open = alice.open_authenticator().await;
    alice.remove(&open.device_id).await.assert_ok();
    assert_eq!(alice.devices().await, json!([]));
    alice.confirm(&open.code(&mfa), &open.secret).await.assert_problem(400, "MFA_CODE_INVALID");
}

#[tokio::test]
async fn unknown_foreign_expired_and_malformed_ids_are_not_found_alike() {
    let mfa = TestApp::start().await;
    let alice = mfa.user("alice").login();
    let bob = mfa.user("bob").login();
    let bobs = bob.enrol().await;
    let expired = alice.open_authenticator().await;
    mfa.advance(600);
    let first = alice.remove("00000000-0000-4000-8000-000000000000").await.assert_problem(404, "MFA_DEVICE_NOT_FOUND");
    for id in [bobs.device_id.as_str(), expired.device_id.as_str(), "x", "%00", "..", "1", "MFA#LEDGER"] {
        let answer = alice.remove(id).await;
        assert_eq!((answer.status, &answer.body), (404, &first.body), "{id}");
    }
    assert_eq!(bob.devices().await.as_array().map(Vec::len), Some(1), "the device is still there");
}

#[tokio::test]
async fn while_mfa_is_on_the_last_usable_method_stays() {
    let mfa = TestApp::start().await;
    let alice = mfa.user("alice").login();
    let (first, second) = (alice.enrol().await, alice.enrol().await);
    alice.toggle(true).await.assert_ok();
    alice.remove(&first.device_id).await.assert_ok();
    alice.remove(&second.device_id).await.assert_problem(409, "MFA_LAST_METHOD");
    alice.toggle(false).await.assert_ok();
    mfa.user("alice").login().remove(&second.device_id).await.assert_ok();

    // A proven address is another method.
    let bob = mfa.user("bob").with_email("bob@example.com").login();
    let only = bob.enrol().await;
    bob.toggle(true).await.assert_ok();
    bob.remove(&only.device_id).await.assert_problem(409, "MFA_LAST_METHOD");
    let code = bob.receive_code("email").await;
    bob.verify("email", &code).await.assert_ok();
    bob.remove(&only.device_id).await.assert_ok();
}

#[tokio::test]
async fn the_removal_of_a_device_ends_every_session_but_the_callers() {
    let mfa = TestApp::start().await;
    let person = mfa.user("alice");
    let (owner, thief) = (person.login(), person.login());
    let (stolen, kept) = (owner.enrol().await, owner.enrol().await);
    owner.toggle(true).await.assert_ok();
    let of_thief = thief.verify("totp", &stolen.advance_to_next_code(&mfa)).await;
    let trusted = thief.trust("totp", &stolen.advance_to_next_code(&mfa)).await;
    let answer = owner.verify("totp", &kept.code(&mfa)).await;
    let proven = owner.with(answer.text("accessToken"));
    proven.remove(&stolen.device_id).await.assert_ok();

    mfa.refresh(&of_thief.text("refreshToken")).await.assert_problem(401, "REFRESH_TOKEN_INVALID");
    thief.with(of_thief.text("accessToken")).setup().await.assert_problem(401, "MFA_REQUIRED");
    thief.verify_trusted(&trusted).await.assert_problem(404, "MFA_DEVICE_NOT_FOUND");
    let renewed = mfa.refresh(&answer.text("refreshToken")).await;
    owner.with(renewed.text("accessToken")).setup().await.assert_ok();
    // The token that the caller holds passes the gate for the rest of its quarter of an hour.
    proven.setup().await.assert_ok();
    mfa.advance(900);
    proven.setup().await.assert_problem(401, "INVALID_TOKEN");
}

#[tokio::test]
async fn the_removal_of_an_inactive_device_is_never_refused_and_ends_nothing() {
    let mfa = TestApp::start().await;
    let person = mfa.user("alice");
    let planted = person.login().enrol().await;
    let owner = person.login();
    owner.enrol().await;
    let answer = owner.toggle(true).await;
    owner.remove(&planted.device_id).await.assert_ok();
    mfa.refresh(&answer.text("refreshToken")).await.assert_ok();
}

#[tokio::test]
async fn an_address_that_is_new_since_mfa_was_switched_on_is_no_method_that_is_left() {
    let mfa = TestApp::start().await;
    let before = mfa.user("alice").with_email("old@example.com").login();
    let code = before.receive_code("email").await;
    before.verify("email", &code).await.assert_ok();
    mfa.advance(60);
    let only = before.enrol().await;
    before.toggle(true).await.assert_ok();
    let moved = mfa.user("alice").with_email("new@example.com");
    let proven = moved.login().prove("totp", &only.advance_to_next_code(&mfa)).await;
    assert_eq!(proven.status().await["verifiedMethods"], json!(["totp", "email"]));
    proven.remove(&only.device_id).await.assert_problem(409, "MFA_LAST_METHOD");
    // A right code that was sent to the new address makes it one.
    let code = proven.receive_code("email").await;
    proven.verify("email", &code).await.assert_ok();
    proven.remove(&only.device_id).await.assert_ok();
    mfa.advance(901);
    let next = moved.login();
    let code = next.receive_code("email").await;
    next.verify("email", &code).await.assert_ok();
}

#[tokio::test]
async fn while_mfa_is_required_the_last_usable_method_stays() {
    let mfa = TestApp::start_with(&[("MFA_REQUIRED", "true")]).await;
    let alice = mfa.user("alice").login();
    let only = alice.enrol().await;
    alice.remove(&only.device_id).await.assert_problem(409, "MFA_LAST_METHOD");
}

#[tokio::test]
async fn a_removal_without_a_proof_is_refused_before_it_says_whether_the_device_is_there() {
    let mfa = TestApp::start().await;
    let person = mfa.user("alice");
    let owner = person.login();
    let device = owner.enrol().await;
    owner.toggle(true).await.assert_ok();
    for id in [device.device_id.as_str(), "00000000-0000-4000-8000-000000000000", "x"] {
        person.login().remove(id).await.assert_problem(401, "MFA_REQUIRED");
    }
}

#[tokio::test]
async fn a_body_that_is_sent_along_is_not_read() {
    let mfa = TestApp::start().await;
    let alice = mfa.user("alice").login();
    let device = alice.enrol().await;
    let path = format!("/auth/mfa/devices/{}", device.device_id);
    alice.call(Method::DELETE, &path, b"{".to_vec()).await.assert_ok();
}

#[tokio::test]
async fn a_session_that_has_ended_is_not_revived_by_its_own_removal_of_a_device() {
    let mfa = TestApp::start().await;
    let person = mfa.user("alice").with_email("alice@example.com");
    let other = person.login();
    let code = other.receive_code("email").await;
    let answer = other.verify("email", &code).await;
    let proven = other.with(answer.text("accessToken"));
    let owner = person.login();
    let (first, second) = (owner.enrol().await, owner.enrol().await);
    // MFA is off, so the gate is open. The first removal ends the other session, whose token then
    // opens nothing.
    owner.remove(&first.device_id).await.assert_ok();
    proven.remove(&second.device_id).await.assert_problem(401, "MFA_REQUIRED");
    owner.remove(&second.device_id).await.assert_ok();
    mfa.refresh(&answer.text("refreshToken")).await.assert_problem(401, "REFRESH_TOKEN_INVALID");
}

#[tokio::test]
async fn no_session_is_carried_beside_a_commit_that_loses_its_race() {
    let mfa = TestApp::start().await;
    let person = mfa.user("alice");
    let (owner, thief) = (person.login(), person.login());
    let (first, second, third) = (owner.enrol().await, owner.enrol().await, owner.enrol().await);
    owner.toggle(true).await.assert_ok();
    let stolen = thief.verify("totp", &third.advance_to_next_code(&mfa)).await;
    let of_thief = thief.with(stolen.text("accessToken"));
    let answer = owner.verify("totp", &third.advance_to_next_code(&mfa)).await;
    let of_owner = owner.with(answer.text("accessToken"));

    // Both remove a device at the same moment, and the owner's commit comes first.
    mfa.fault_proxy.break_call("UpdateItem MFA#LEDGER", 0, InjectedFault::Hold);
    let late = tokio::spawn({
        let of_thief = of_thief.clone();
        async move { of_thief.remove(&first.device_id).await }
    });
    mfa.fault_proxy.hung().await;
    of_owner.remove(&second.device_id).await.assert_ok();
    mfa.fault_proxy.release();
    late.await.expect("an answer").assert_problem(401, "MFA_REQUIRED");
    mfa.refresh(&stolen.text("refreshToken")).await.assert_problem(401, "REFRESH_TOKEN_INVALID");
    mfa.refresh(&answer.text("refreshToken")).await.assert_ok();
}
