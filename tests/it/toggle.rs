use mfa_tests::TestApp;
use serde_json::json;

#[tokio::test]
async fn mfa_is_switched_on_and_off_again() {
    let mfa = TestApp::start().await;
    let alice = mfa.user("alice").login();
    let authenticator = alice.enrol().await;
    assert_eq!(alice.toggle(true).await.assert_ok(), json!({ "message": "MFA enabled successfully" }));
    assert_eq!(alice.status().await["isEnabled"], true);

    let proven = alice.prove("totp", &authenticator.advance_to_next_code(&mfa)).await;
    assert_eq!(proven.toggle(false).await.assert_ok(), json!({ "message": "MFA disabled successfully" }));
    assert_eq!(proven.status().await["isEnabled"], false);
}

#[tokio::test]
async fn asking_for_the_current_state_changes_nothing_and_raises_no_epoch() {
    let mfa = TestApp::start().await;
    let alice = mfa.user("alice").with_email("alice@example.com").login();
    alice.toggle(false).await.assert_ok();
    assert_eq!(mfa.dump().await.len(), 0, "nothing was written");

    let code = alice.receive_code("email").await;
    alice.verify("email", &code).await.assert_ok();
    alice.toggle(true).await.assert_ok();
    mfa.advance(60);
    let code = alice.receive_code("email").await;
    let proven = alice.prove("email", &code).await;
    proven.toggle(true).await.assert_ok();
    proven.toggle(false).await.assert_ok(); // the proof still counts: the epoch is the same
}

#[tokio::test]
async fn without_a_usable_method_mfa_cannot_be_switched_on() {
    let mfa = TestApp::start().await;
    let alice = mfa.user("alice").login();
    alice.open_authenticator().await; // not confirmed, so not usable
    alice.toggle(true).await.assert_problem(403, "MFA_CANNOT_ENABLE_WITHOUT_METHOD");
}

#[tokio::test]
async fn toggling_can_be_off_and_a_required_mfa_cannot_be_switched_off() {
    let mfa = TestApp::start_with(&[("MFA_ALLOW_USER_TOGGLE", "false")]).await;
    let alice = mfa.user("alice").with_email("alice@example.com").login();
    for enabled in [true, false] {
        alice.toggle(enabled).await.assert_problem(403, "MFA_TOGGLING_NOT_ALLOWED");
    }

    let mfa = TestApp::start_with(&[("MFA_REQUIRED", "true")]).await;
    let alice = mfa.user("alice").with_email("alice@example.com").login();
    let code = alice.receive_code("email").await;
    let proven = alice.prove("email", &code).await;
    proven.toggle(false).await.assert_problem(403, "MFA_TOGGLING_NOT_ALLOWED");
    proven.toggle(true).await.assert_ok();
}

#[tokio::test]
async fn the_login_that_switches_on_after_its_own_setup_is_proven_for_a_quarter_of_an_hour() {
    let mfa = TestApp::start().await;
    let alice = mfa.user("alice").login();
    alice.enrol().await;
    mfa.advance(600);
    alice.toggle(true).await.assert_ok();
    alice.setup().await.assert_ok();
    mfa.advance(299);
    alice.setup().await.assert_ok();
    mfa.advance(1);
    alice.setup().await.assert_problem(401, "MFA_REQUIRED");
}

#[tokio::test]
async fn the_grace_is_for_that_login_alone_and_only_for_a_recent_code() {
    let mfa = TestApp::start().await;
    let person = mfa.user("alice");
    let alice = person.login();
    alice.enrol().await;
    alice.toggle(true).await.assert_ok();
    person.login().setup().await.assert_problem(401, "MFA_REQUIRED");

    let bob = mfa.user("bob").with_email("bob@example.com").login();
    bob.toggle(true).await.assert_ok(); // an address is a usable method, but nothing was proven
    bob.toggle(false).await.assert_problem(401, "MFA_REQUIRED");

    let carol = mfa.user("carol").login();
    carol.enrol().await;
    mfa.advance(900);
    carol.toggle(true).await.assert_ok();
    carol.setup().await.assert_problem(401, "MFA_REQUIRED");
}

#[tokio::test]
async fn a_proof_ends_with_its_epoch() {
    let mfa = TestApp::start().await;
    let alice = mfa.user("alice").with_email("alice@example.com").login();
    let code = alice.receive_code("email").await;
    let before = alice.prove("email", &code).await;
    let stranger = mfa.user("alice").with_email("alice@example.com").login();
    stranger.toggle(true).await.assert_ok();
    // This proof is from before MFA was on. Only a proof of the new epoch counts, and the grace
    // belongs to the other login.
    before.toggle(false).await.assert_problem(401, "MFA_REQUIRED");
}

#[tokio::test]
async fn a_planted_device_ends_when_the_owner_switches_mfa_on() {
    let mfa = TestApp::start().await;
    let person = mfa.user("alice").with_email("alice@example.com");
    let planted = person.login().enrol().await;
    mfa.advance(30);
    // The planted device is in use and only a minute old. Nevertheless it is not the owner's.
    person.login().verify("totp", &planted.code(&mfa)).await.assert_ok();
    mfa.advance(30);
    let owner = person.login();
    let own = owner.enrol().await;
    owner.toggle(true).await.assert_ok();
    assert_eq!(mfa.items("MFA#").await.len(), 2, "its item is gone: the ledger and the owner's device are left");

    let list = owner.devices().await.to_string();
    assert!(list.contains(&own.device_id) && !list.contains(&planted.device_id));
    let code = planted.code(&mfa);
    person.login().verify("totp", &code).await.assert_problem(400, "MFA_CODE_INVALID");
    assert_eq!(mfa_tests::totp_code(&planted.secret, mfa.clock.now().as_secs()), code);
}

#[tokio::test]
async fn a_device_of_this_login_or_once_guarded_survives_switching_on() {
    let mfa = TestApp::start().await;
    let device = mfa.user("alice").login().enrol().await;
    mfa.advance(86_400);
    // Another login confirmed the device, so it may be planted. There is no other method.
    let alice = mfa.user("alice").login();
    alice.toggle(true).await.assert_problem(403, "MFA_CANNOT_ENABLE_WITHOUT_METHOD");
    alice.verify("totp", &device.code(&mfa)).await.assert_ok();
    alice.toggle(true).await.assert_ok();

    // MFA is off for a month, then on again. It guarded the device before, so the device is the
    // owner's.
    let proven = alice.prove("totp", &device.advance_to_next_code(&mfa)).await;
    proven.toggle(false).await.assert_ok();
    mfa.advance(30 * 86_400);
    let later = mfa.user("alice").login();
    later.toggle(true).await.assert_ok();
    assert_eq!(later.devices().await.as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn codes_sent_before_mfa_was_on_are_void_after() {
    let mfa = TestApp::start().await;
    let person = mfa.user("alice").with_email("alice@example.com");
    let intruder = person.clone().with_email("intruder@example.net").login();
    let code = intruder.receive_code("email").await;
    person.login().toggle(true).await.assert_ok();
    intruder.verify("email", &code).await.assert_problem(400, "VERIFICATION_CODE_INVALID");
}
