//! Row 9 of the threat model: what each route answers to each kind of caller.

use mfa::http::ErrorCode;
use mfa_tests::TestApp;

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
