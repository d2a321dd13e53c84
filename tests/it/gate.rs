//! Row 9 of the threat model: what each route answers to each kind of caller.

use mfa::http::ErrorCode;
use mfa_tests::TestApp;
use serde_json::json;

#[tokio::test]
async fn every_route_knows_whom_it_may_serve() {
    let mfa = TestApp::start().await;
    let person = mfa.user("alice");
    let owner = person.login();
    let device = owner.enrol().await;
    owner.toggle(true).await.assert_ok();
    let expired = person.clone().with("exp", mfa.clock.now().as_secs()).login();
    let plain = person.login();
    let other = mfa.user("mallory").login();

    let mut gated = 0;
    for route in mfa.routes() {
        let (name, errors) = (route.name, &route.errors);
        let call = |token| mfa.replay_sample(name, token);
        if !errors.contains(&ErrorCode::NoAuthProvided) {
            let answer = call(None).await;
            assert!(!matches!(answer.code(), Some("NO_AUTH_PROVIDED" | "INVALID_TOKEN")), "{name}: {}", answer.body);
            continue;
        }
        call(None).await.assert_problem(401, "NO_AUTH_PROVIDED");
        call(Some(&expired)).await.assert_problem(401, "INVALID_TOKEN");

        mfa.advance(30);
        let answer = call(Some(&plain)).await;
        if errors.contains(&ErrorCode::MfaRequired) {
            gated += 1;
            let challenge = answer.header("www-authenticate").expect("a challenge").to_owned();
            assert!(challenge.contains("insufficient_user_authentication") && challenge.contains("max_age=\"900\""));
            answer.assert_problem(401, "MFA_REQUIRED");
        } else {
            assert_ne!(answer.status, 401, "{name} without a proof: {}", answer.body);
        }
        let proven = plain.prove("totp", &device.advance_to_next_code(&mfa)).await;
        mfa.advance(30);
        let answer = call(Some(&proven)).await;
        assert_ne!(answer.status, 401, "{name} with a proof: {}", answer.body);
        // MFA is off for this user, so no second factor is required.
        let answer = call(Some(&other)).await;
        assert_ne!(answer.status, 401, "{name} by another user: {}", answer.body);
    }
    assert!(gated >= 7, "{gated} routes need a fresh second factor");
}

#[tokio::test]
async fn a_stale_claim_that_mfa_is_off_opens_nothing() {
    let mfa = TestApp::start().await;
    let person = mfa.user("alice").with("isMfaEnabled", false).with("isMfaVerified", true);
    let owner = person.login();
    owner.enrol().await;
    owner.toggle(true).await.assert_ok();
    let later = person.login();
    later.toggle(false).await.assert_problem(401, "MFA_REQUIRED");
    later.setup().await.assert_problem(401, "MFA_REQUIRED");
}

#[tokio::test]
async fn the_gate_rests_on_a_strong_read() {
    let mfa = TestApp::start().await;
    let person = mfa.user("alice");
    let before = person.login();
    mfa.fault_proxy.remember();
    before.setup().await.assert_ok(); // from now on a stale read says that MFA is off
    mfa.fault_proxy.break_calls("Query", mfa_tests::InjectedFault::Stale);
    let owner = person.login();
    owner.enrol().await;
    owner.toggle(true).await.assert_ok();
    before.setup().await.assert_problem(401, "MFA_REQUIRED");
}

#[tokio::test]
async fn when_mfa_becomes_required_a_changed_address_takes_over_nobody_who_has_a_factor() {
    let mfa = TestApp::start().await;
    let required = mfa.redeployed_with(&[("MFA_REQUIRED", "true")]);
    let person = mfa.user("alice").with_email("alice@example.com");
    let owner = person.login();
    let device = owner.enrol().await; // and never switched MFA on

    // The intruder has the password and changed the profile. A code is on its way when the setting
    // changes.
    let intruder = person.clone().with_email("intruder@example.net").login();
    let on_its_way = intruder.receive_code("email").await;
    let intruder = intruder.at(&required);
    intruder.verify("email", &on_its_way).await.assert_problem(400, "VERIFICATION_CODE_INVALID");
    mfa.advance(60);
    intruder.challenge("email").await.assert_problem(400, "MFA_METHOD_NOT_AVAILABLE");
    for refused in [intruder.setup().await, intruder.toggle(true).await, intruder.remove(&device.device_id).await] {
        refused.assert_problem(401, "MFA_REQUIRED");
    }
    assert_eq!(intruder.status().await["verifiedMethods"], json!(["totp"]));
    let status = intruder.status().await;
    assert_eq!((&status["isEnabled"], status.get("deadEnd")), (&json!(true), None));

    let proven = owner.at(&required).prove("totp", &device.advance_to_next_code(&mfa)).await;
    assert!(mfa.ledger("alice").await.expect("a ledger").enabled, "the first right code of a method switches MFA on");
    proven.setup().await.assert_ok();
}

#[tokio::test]
async fn where_mfa_is_required_and_a_code_can_be_sent_a_password_alone_enrols_nothing() {
    let mfa = TestApp::start_with(&[("MFA_REQUIRED", "true")]).await;
    let alice = mfa.user("alice").with_email("alice@example.com").login();
    alice.setup().await.assert_problem(401, "MFA_REQUIRED");
    alice.post("/auth/mfa/generate-recovery-code", json!({})).await.assert_problem(401, "MFA_REQUIRED");
    let code = alice.receive_code("email").await;
    alice.prove("email", &code).await.enrol().await;

    // Who has no address must be able to begin.
    let bob = mfa.user("bob").login();
    bob.enrol().await;
    mfa.user("bob").login().setup().await.assert_problem(401, "MFA_REQUIRED");
}

#[tokio::test]
async fn a_user_without_any_way_through_the_gate_is_told_so() {
    let mfa = TestApp::start().await;
    let before = mfa.user("alice").with_email("old@example.com").login();
    before.toggle(true).await.assert_ok();
    assert_eq!(before.status().await.get("deadEnd"), None);
    // The address in the application was changed, and nothing else was ever set up.
    let moved = mfa.user("alice").with_email("new@example.com").login();
    assert_eq!(moved.status().await["deadEnd"], true);
    let code = before.receive_code("email").await;
    before.prove("email", &code).await.generate_recovery_codes().await;
    assert_eq!(moved.status().await.get("deadEnd"), None, "a recovery code is a way");
}

#[tokio::test]
async fn a_grace_ends_when_somebody_else_begins_an_epoch() {
    let mfa = TestApp::start().await;
    let person = mfa.user("alice");
    let (owner, thief) = (person.login(), person.login());
    let (device, second) = (owner.enrol().await, owner.enrol().await);
    owner.toggle(true).await.assert_ok();
    let codes = owner.generate_recovery_codes().await; // by the grace
    // A grace begins with every epoch whose caller was proven, and ends with the next one.
    let proven = thief.prove("totp", &device.advance_to_next_code(&mfa)).await;
    proven.remove(&second.device_id).await.assert_ok();
    owner.setup().await.assert_problem(401, "MFA_REQUIRED");
    proven.setup().await.assert_ok();
    owner.recover(&codes[0]).await.assert_ok();
    proven.setup().await.assert_problem(401, "MFA_REQUIRED");
    owner.setup().await.assert_problem(401, "MFA_REQUIRED"); // a recovery code gives none
}

#[tokio::test]
async fn a_grace_that_is_handed_on_is_never_prolonged() {
    let mfa = TestApp::start().await;
    let alice = mfa.user("alice").login();
    let devices = [alice.enrol().await, alice.enrol().await, alice.enrol().await];
    alice.toggle(true).await.assert_ok();
    mfa.advance(600);
    alice.remove(&devices[1].device_id).await.assert_ok();
    mfa.advance(299);
    alice.remove(&devices[2].device_id).await.assert_ok();
    mfa.advance(1);
    alice.setup().await.assert_problem(401, "MFA_REQUIRED");
}
