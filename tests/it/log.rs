//! What a person learns from the log at night. No line holds a code, secret, token or address
//! (`tests/it/secrecy.rs`).

use std::sync::Arc;

use mfa_tests::{Login, TestApp, wrong_code};
use serde_json::Value;

/// The last line that was logged.
fn last_line(mfa: &Arc<TestApp>) -> Value {
    let log = mfa.log();
    serde_json::from_str(log.lines().last().expect("a line")).expect("JSON")
}

#[track_caller]
fn assert_cause(mfa: &Arc<TestApp>, expected: &str) {
    let line = last_line(mfa);
    let cause = line["cause"].as_str().unwrap_or_default();
    assert!(cause.contains(expected), "{expected}: {line}");
}

#[tokio::test]
async fn every_refusal_says_why_and_for_whom() {
    let mfa = TestApp::start().await;
    let login = mfa.user("alice").with_email("alice@example.com").login();
    let device = login.enrol().await;
    login
        .verify("totp", &wrong_code(&device.advance_to_next_code(&mfa), 0))
        .await
        .assert_problem(400, "MFA_CODE_INVALID");
    assert_cause(&mfa, "the authenticator code does not match");
    assert!(last_line(&mfa)["user"].is_string());

    login.receive_code("email").await;
    login.challenge("email").await.assert_problem(429, "RATE_LIMITED");
    assert_cause(&mfa, "limited: the codes that this user is sent");

    for n in 1..=4 {
        login.verify("totp", &format!("{n:06}")).await.assert_problem(400, "MFA_CODE_INVALID");
    }
    login.verify("totp", "000009").await.assert_problem(429, "ACCOUNT_LOCKED");
    assert_cause(&mfa, "locked after too many wrong codes, until 2030-01-01T00:1");

    let nobody = Login::with_token(&mfa, "no token");
    nobody.challenge("email").await.assert_problem(401, "INVALID_TOKEN");
    assert!(last_line(&mfa)["cause"].is_string(), "{}", last_line(&mfa));
    mfa.refresh("mfa_none").await.assert_problem(401, "REFRESH_TOKEN_INVALID");
    assert_cause(&mfa, "the refresh token is invalid, or its session has ended");
}

#[tokio::test]
async fn every_limit_is_told_by_its_name() {
    let mfa = TestApp::start_with(&[("MFA_SMS_PER_DAY", "5")]).await;
    for n in 0..5 {
        let login = mfa.user(&format!("user-{n}")).with_phone(&format!("+44207946{n:04}")).login();
        login.from(&format!("10.0.{n}.1")).challenge("sms").await;
    }
    assert_cause(&mfa, "limited: the text messages of the application today (MFA_SMS_PER_DAY)");

    let mfa = TestApp::start().await;
    for n in 0..31 {
        let login = mfa.user(&format!("user-{n}")).with_phone(&format!("+44207946{n:04}")).login();
        login.challenge("sms").await;
    }
    assert_cause(&mfa, "limited: the text messages that this network asks for");

    let mfa = TestApp::start().await;
    for n in 0..11 {
        let login = mfa.user(&format!("user-{n}")).with_email("alice@example.com").login();
        login.challenge("email").await;
    }
    assert_cause(&mfa, "limited: the codes that this address is sent");

    let login = mfa.user("alice").login();
    for _ in 0..11 {
        login.recover("0000-0000-0000-0000-0000-0000").await;
    }
    assert_cause(&mfa, "limited: the wrong recovery codes of this user");
    login.enrol().await;
    login.generate_recovery_codes().await;
    login.post("/auth/mfa/generate-recovery-code", serde_json::json!({})).await.assert_problem(429, "RATE_LIMITED");
    assert_cause(&mfa, "limited: the recovery sets of this login");
}

#[tokio::test]
async fn a_refreshed_session_is_logged_with_its_user() {
    let mfa = TestApp::start().await;
    let login = mfa.user("alice").with_email("alice@example.com").login();
    let code = login.receive_code("email").await;
    let answer = login.verify("email", &code).await;
    let user = last_line(&mfa)["user"].clone();
    mfa.refresh(&answer.text("refreshToken")).await.assert_ok();
    let line = last_line(&mfa);
    assert_eq!(line["service"], "refresh-token");
    assert_eq!(line["user"], user);
    assert_eq!(line["message"], "refresh-token answered 200");
    assert_eq!(line["timestamp"], "2030-01-01T00:00:00.000Z");
}
