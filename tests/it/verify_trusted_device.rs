//! Trusted devices: row 24 of the threat model.

use std::sync::Arc;

use lambda_http::http::Method;
use mfa_tests::{Authenticator, InjectedFault, Login, Person, TestApp, claims_of};
use serde_json::{Value, json};

const PATH: &str = "/auth/mfa/verify-trusted-device";

/// A user with MFA on, an authenticator, and the trust token of one browser.
async fn trusted(mfa: &Arc<TestApp>) -> (Person, Authenticator, String) {
    let person = mfa.user("alice").with_email("alice@example.com");
    let alice = person.login();
    let device = alice.enrol().await;
    alice.toggle(true).await.assert_ok();
    let token = alice.trust("totp", &device.advance_to_next_code(mfa)).await;
    (person, device, token)
}

#[tokio::test]
async fn a_trusted_device_stands_in_for_a_code_in_a_later_login() {
    let mfa = TestApp::start().await;
    let (person, _, token) = trusted(&mfa).await;
    let judged_at = mfa.clock.now().as_secs();
    mfa.advance(86_400);
    let answer = person.login().verify_trusted(&token).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.body["message"], "2FA verification successful");
    assert_eq!(answer.body["isRequiresMfa"], false);
    assert!(answer.body.get("trustToken").is_none(), "trust tokens are fixed");
    let new = claims_of(&answer.text("accessToken"));
    assert_eq!((&new["amr"], &new["isMfaVerified"]), (&json!(["mfa"]), &json!(true)));
    assert_eq!((&new["mfa"]["method"], &new["auth_time"]), (&json!("trusted_device"), &json!(judged_at)));

    // It proves a second factor to the application, but is not fresh enough for the gate.
    let login = Login::with_token(&mfa, answer.text("accessToken"));
    login.setup().await.assert_problem(401, "MFA_REQUIRED");
    let refreshed = mfa.refresh(&answer.text("refreshToken")).await;
    assert_eq!(claims_of(&refreshed.text("accessToken"))["auth_time"], judged_at);
}

#[tokio::test]
async fn trust_comes_from_any_verify_route_by_both_names_and_only_when_asked_for() {
    let mfa = TestApp::start().await;
    let (person, device, _) = trusted(&mfa).await;
    let alice = person.login();
    let verify = |device: &Authenticator, more: Value| {
        let mut body = json!({ "method": "totp", "otp": device.advance_to_next_code(&mfa) });
        body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        let alice = alice.clone();
        async move { alice.post("/auth/mfa/verify", body).await }
    };
    for more in [json!({}), json!({ "trustDevice": false }), json!({ "trustDevice": null, "rememberDevice": false })] {
        assert!(verify(&device, more).await.assert_ok().get("trustToken").is_none());
    }
    for more in [json!({ "rememberDevice": true }), json!({ "trustDevice": true })] {
        let token = verify(&device, more).await.text("trustToken");
        person.login().verify_trusted(&token).await.assert_ok();
    }
    let proven = alice.prove("totp", &device.advance_to_next_code(&mfa)).await;
    let codes = proven.generate_recovery_codes().await;
    let body = json!({ "code": codes[0], "trustDevice": true });
    let token = alice.post("/auth/mfa/verify-recovery-code", body).await.text("trustToken");
    person.login().verify_trusted(&token).await.assert_ok();
}

#[tokio::test]
async fn both_spellings_of_the_header_are_read() {
    let mfa = TestApp::start().await;
    let (person, _, token) = trusted(&mfa).await;
    for name in ["nest_auth_device_trust", "nest-auth-device-trust"] {
        person.login().call_with(Method::POST, PATH, name, &token).await.assert_ok();
        let blank = person.login().call_with(Method::POST, PATH, name, "  ").await;
        blank.assert_problem(400, "MISSING_REQUIRED_FIELD");
    }
    let without = person.login().call(Method::POST, PATH, Vec::new()).await;
    without.assert_problem(400, "MISSING_REQUIRED_FIELD");
}

#[tokio::test]
async fn a_token_that_is_unknown_foreign_or_malformed_is_answered_alike() {
    let mfa = TestApp::start().await;
    let (person, _, token) = trusted(&mfa).await;
    let mallory = mfa.user("mallory").login();
    let mut bodies = vec![mallory.verify_trusted(&token).await.assert_problem(404, "MFA_DEVICE_NOT_FOUND").body];
    let unknown = format!("mfat_{}", "A".repeat(43));
    for bad in [unknown.as_str(), &token[..token.len() - 1], &token.to_uppercase(), "x", "\u{7f}", "mfat_"] {
        if let Ok(header) = lambda_http::http::HeaderValue::from_str(bad) {
            let text = header.to_str().unwrap_or("x").to_owned();
            let answer = person.login().verify_trusted(&text).await;
            bodies.push(answer.assert_problem(404, "MFA_DEVICE_NOT_FOUND").body);
        }
    }
    assert!(bodies.len() > 5 && bodies.iter().all(|body| *body == bodies[0]), "{bodies:?}");
    person.login().verify_trusted(&token).await.assert_ok();
}

#[tokio::test]
async fn trust_ends_after_thirty_days_to_the_second_with_its_item_still_there() {
    let mfa = TestApp::start().await;
    let (person, _, token) = trusted(&mfa).await;
    mfa.advance(30 * 86_400 - 1);
    person.login().verify_trusted(&token).await.assert_ok();
    mfa.advance(1);
    person.login().verify_trusted(&token).await.assert_problem(404, "MFA_DEVICE_NOT_FOUND");
    assert_eq!(mfa.items("TRUST#").await.len(), 1);
}

#[tokio::test]
async fn every_event_that_raises_the_epoch_ends_the_trust_before_it() {
    for event in ["off", "recovery", "reset"] {
        let mfa = TestApp::start().await;
        let (person, device, token) = trusted(&mfa).await;
        let proven = person.login().prove("totp", &device.advance_to_next_code(&mfa)).await;
        let codes = proven.generate_recovery_codes().await;
        match event {
            "off" => drop(proven.toggle(false).await.assert_ok()),
            "recovery" => drop(person.login().recover(&codes[0]).await.assert_ok()),
            _ => drop(person.login().reset(&codes[0]).await.assert_ok()),
        }
        person.login().verify_trusted(&token).await.assert_problem(404, "MFA_DEVICE_NOT_FOUND");
    }
}

#[tokio::test]
async fn planted_trust_ends_when_the_owner_switches_mfa_on() {
    let mfa = TestApp::start().await;
    let person = mfa.user("alice").with_email("alice@example.com");
    let intruder = person.login();
    let code = intruder.receive_code("email").await;
    let planted = intruder.trust("email", &code).await;
    person.login().verify_trusted(&planted).await.assert_ok();
    let owner = person.login();
    owner.enrol().await;
    owner.toggle(true).await.assert_ok();
    person.login().verify_trusted(&planted).await.assert_problem(404, "MFA_DEVICE_NOT_FOUND");
}

#[tokio::test]
async fn a_trusted_device_passes_a_lock_and_does_not_end_it() {
    let mfa = TestApp::start().await;
    let (person, device, token) = trusted(&mfa).await;
    let stranger = person.login();
    for wrong in ["111111", "222222", "333333", "444444", "555555"] {
        stranger.verify("totp", wrong).await;
    }
    person.login().verify_trusted(&token).await.assert_ok();
    stranger.verify("totp", &device.advance_to_next_code(&mfa)).await.assert_problem(429, "ACCOUNT_LOCKED");
}

#[tokio::test]
async fn where_trusted_devices_are_off_none_is_trusted() {
    let mfa = TestApp::start().await;
    let (person, device, token) = trusted(&mfa).await;
    let off = mfa.redeployed_with(&[("MFA_TRUSTED_DEVICES", "false")]);
    let login = person.login().at(&off);
    login.verify_trusted(&token).await.assert_problem(404, "MFA_DEVICE_NOT_FOUND");
    let body = json!({ "method": "totp", "otp": device.advance_to_next_code(&mfa), "trustDevice": true });
    let answer = login.post("/auth/mfa/verify", body).await;
    assert!(answer.body.get("trustToken").is_none(), "{}", answer.body);
    let proven = Login::with_token(&off, answer.text("accessToken"));
    assert_eq!(proven.trusted_devices().await.assert_ok(), json!([]));
}

#[tokio::test]
async fn a_lost_race_costs_no_trusted_device() {
    let mfa = TestApp::start().await;
    let person = mfa.user("alice");
    let alice = person.login();
    let device = alice.enrol().await;
    alice.toggle(true).await.assert_ok();
    let mut tokens = Vec::new();
    for _ in 0..9 {
        tokens.push(alice.trust("totp", &device.advance_to_next_code(&mfa)).await);
    }
    mfa.fault_proxy.break_calls("UpdateItem MFA#LEDGER", InjectedFault::LoseRace);
    tokens.push(alice.trust("totp", &device.advance_to_next_code(&mfa)).await);
    assert_eq!(mfa.items("TRUST#").await.len(), 10);
    for token in &tokens {
        person.login().verify_trusted(token).await.assert_ok();
    }
}

#[tokio::test]
async fn trust_given_in_an_epoch_that_another_request_has_just_begun_counts() {
    let mfa = TestApp::start().await;
    let (person, device, _) = trusted(&mfa).await;
    let proven = person.login().prove("totp", &device.advance_to_next_code(&mfa)).await;
    let codes = proven.generate_recovery_codes().await;
    // Both requests read the same ledger. The one that commits second decides again, in the epoch
    // that the first one began.
    let recover = |code: &str| {
        let (login, body) = (person.login(), json!({ "code": code, "trustDevice": true }));
        async move { login.post("/auth/mfa/verify-recovery-code", body).await.text("trustToken") }
    };
    let (one, two) = tokio::join!(recover(&codes[0]), recover(&codes[1]));
    let mut counting = 0;
    for token in [one, two] {
        counting += usize::from(person.login().verify_trusted(&token).await.status == 200);
    }
    assert_eq!(counting, 1, "only the one of the last epoch");
}

#[tokio::test]
async fn what_was_written_along_with_a_lost_race_is_deleted() {
    let mfa = TestApp::start().await;
    let alice = mfa.user("alice").with_email("alice@example.com").login();
    let code = alice.receive_code("email").await;
    // The commit loses its race, and the second read of the user fails.
    mfa.fault_proxy.break_call("Query", 1, InjectedFault::Error);
    mfa.fault_proxy.break_calls("UpdateItem MFA#LEDGER", InjectedFault::LoseRace);
    let body = json!({ "method": "email", "otp": code, "trustDevice": true });
    alice.post("/auth/mfa/verify", body).await.assert_problem(503, "SERVICE_UNAVAILABLE");
    mfa.fault_proxy.heal();
    assert!(mfa.items("TRUST#").await.is_empty() && mfa.items("SESSION").await.is_empty());
}

#[tokio::test]
async fn a_code_that_turns_out_wrong_after_a_lost_race_costs_no_trusted_device() {
    let mfa = TestApp::start().await;
    let person = mfa.user("alice").with_email("alice@example.com");
    let alice = person.login();
    let device = alice.enrol().await;
    let mut tokens = Vec::new();
    for _ in 0..10 {
        tokens.push(alice.trust("totp", &device.advance_to_next_code(&mfa)).await);
    }
    let old = alice.receive_code("email").await;
    let trusting = |otp: &str| {
        let (alice, body) = (alice.clone(), json!({ "method": "email", "otp": otp, "trustDevice": true }));
        async move { alice.post("/auth/mfa/verify", body).await }
    };
    // Later, stale reads return what this request reads: the old code is the one that counts.
    mfa.fault_proxy.remember();
    trusting("000000").await.assert_problem(400, "VERIFICATION_CODE_INVALID");
    mfa.advance(30);
    alice.receive_code("email").await;
    mfa.fault_proxy.break_calls("Query", InjectedFault::Stale);
    mfa.fault_proxy.break_calls("GetItem", InjectedFault::Stale);
    trusting(&old).await.assert_problem(400, "VERIFICATION_CODE_EXPIRED");
    mfa.fault_proxy.heal();
    assert_eq!(mfa.items("TRUST#").await.len(), 10);
    for token in &tokens {
        person.login().verify_trusted(token).await.assert_ok();
    }
}
