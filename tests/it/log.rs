//! What a person learns from the log at night. No line holds a code, secret, token or address
//! (`tests/it/secrecy.rs`).

use std::sync::Arc;

use lambda_http::http::Method;
use mfa::domain::{SessionId, session::RefreshToken};
use mfa_tests::{InjectedFault, Login, TestApp, totp_code, wrong_code};
use serde_json::{Value, json};

use crate::contract::yaml;

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
        let locks = last_line(&mfa)["cause"].as_str().is_some_and(|cause| cause.ends_with("and this guess locks"));
        assert_eq!(locks, n == 4);
    }
    login.verify("totp", "000009").await.assert_problem(429, "ACCOUNT_LOCKED");
    assert_cause(&mfa, "locked after too many wrong codes, until 2030-01-01T00:1");
    assert_cause(&mfa, ", by the guess in the half minute from 2030-01-01T00:0");

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
    login.post("/auth/mfa/generate-recovery-code", json!({})).await.assert_problem(429, "RATE_LIMITED");
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

#[tokio::test]
async fn a_line_says_the_method_the_message_the_network_and_the_browser() {
    let mfa = TestApp::start().await;
    let login = mfa.user("alice").with_email("alice@example.com").login();
    let browser = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
    login.call_with(Method::GET, "/auth/mfa/status", "user-agent", browser).await.assert_ok();
    assert_eq!(last_line(&mfa)["browser"], "Firefox on Linux");
    login.challenge("email").await.assert_ok();
    let sent = last_line(&mfa);
    assert_eq!(sent["method"], "email");
    assert!(sent["message_id"].is_string(), "{sent}");
    let network = sent["network"].as_str().expect("a network");
    assert!(network.len() > 15 && !network.contains('.'), "a keyed hash: {network}");

    login.recover("0000-0000-0000-0000-0000-0000").await;
    assert_eq!(last_line(&mfa)["method"], "recovery_code");
    assert_eq!(last_line(&mfa)["network"], network);
    login.from("198.51.100.7").status().await;
    assert_ne!(last_line(&mfa)["network"], network);
    mfa.refresh("mfa_none").await.assert_problem(401, "REFRESH_TOKEN_INVALID");
    assert_eq!(last_line(&mfa)["network"], network, "a call without a bearer token has one too");
}

/// The lines that the saved query finds for a user, by its own text in the template.
fn lines_of(mfa: &TestApp, user: &str) -> Vec<Value> {
    let template = yaml("template.yaml");
    let query = template["Resources"]["UserQuery"]["Properties"]["QueryString"].as_str().expect("a query").to_owned();
    let filters = query.lines().filter_map(|line| line.strip_prefix("| filter ")).collect::<Vec<_>>();
    let [filter] = filters.as_slice() else { panic!("one filter: {query}") };
    let (field, value) = filter.split_once(" = ").expect("a comparison");
    assert_eq!(value, "\"USER\"", "what a person replaces");
    let fields = query.lines().next().expect("fields").trim_start_matches("fields ").split(", ").collect::<Vec<_>>();
    let found = mfa.take_log().into_iter().filter(|line| line[field] == user);
    let shown = found.map(|line| {
        let shown = fields.iter().filter(|field| !field.starts_with('@'));
        shown.map(|field| ((*field).to_owned(), line[field].clone())).collect()
    });
    shown.collect()
}

#[tokio::test]
async fn the_saved_query_says_why_alice_could_not_sign_in() {
    let mfa = TestApp::start_with(&[
        ("MFA_SMS_SERVICE", "end-user-messaging"),
        ("MFA_SMS_ORIGINATION_IDENTITY", "arn:aws:sms-voice:us-east-1:123456789012:pool/pool-1"),
    ])
    .await;
    let key = mfa.app.keys.user_id("alice").to_string();
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/operations.md")).expect("a page");
    let (_, table) = page.split_once("| What happened | What the line says |\n|---|---|\n").expect("the table");
    let (table, _) = table.split_once("\n\n").expect("its end");
    let told = table.split('`').skip(1).step_by(2);
    let told = told.filter_map(|text| text.split(['…']).next().map(|text| text.trim_end_matches([' ', ','])));
    let told: Vec<_> = told.filter(|text| !["challenge", "browser"].contains(text)).collect();

    let person = mfa.user("alice").with_email("alice@example.com");
    let login = person.login();
    let device = login.enrol().await;
    let wrong = wrong_code(&device.advance_to_next_code(&mfa), 0);
    login.verify("totp", &wrong).await.assert_problem(400, "MFA_CODE_INVALID");
    // The clock of her phone is eight minutes slow.
    let slow = totp_code(&device.secret, mfa.clock.now().as_secs() - 480);
    login.verify("totp", &slow).await.assert_problem(400, "MFA_CODE_INVALID");
    let right = device.advance_to_next_code(&mfa);
    login.verify("totp", &right).await.assert_ok();
    login.verify("totp", &right).await.assert_problem(400, "MFA_CODE_INVALID");
    let first = login.receive_code("email").await;
    // Another browser of hers, which did not ask for the code.
    person.login().verify("email", &first).await.assert_problem(400, "VERIFICATION_CODE_INVALID");
    login.challenge("email").await.assert_problem(429, "RATE_LIMITED");
    mfa.advance(60);
    let second = login.receive_code("email").await;
    login.verify("email", &first).await.assert_problem(400, "VERIFICATION_CODE_EXPIRED");
    mfa.advance(301);
    login.verify("email", &second).await.assert_problem(400, "VERIFICATION_CODE_EXPIRED");
    login.challenge("sms").await.assert_problem(400, "MFA_METHOD_NOT_AVAILABLE");
    mfa.advance(3600);
    mfa.fault_proxy.break_calls("SendEmail", InjectedFault::Throttle);
    login.challenge("email").await.assert_problem(503, "MFA_DELIVERY_FAILED");
    mfa.fault_proxy.heal();
    person
        .clone()
        .with_phone("+15550101123")
        .login()
        .challenge("sms")
        .await
        .assert_problem(422, "MFA_DELIVERY_REJECTED");
    login.toggle(true).await.assert_ok();
    person.login().toggle(false).await.assert_problem(401, "MFA_REQUIRED");
    for n in 0..6 {
        login.verify("totp", &wrong_code(&device.code(&mfa), n)).await;
    }
    mfa.user("bob").login().verify("totp", "000000").await;

    let lines = lines_of(&mfa, &key);
    assert!(lines.len() > 20, "{lines:#?}");
    for text in told {
        let says = |line: &&Value| line["cause"].as_str().is_some_and(|cause| cause.starts_with(text));
        assert!(lines.iter().any(|line| says(&line)), "no line says `{text}`: {lines:#?}");
    }
}

/// What the last line counts, without the units and the lost races.
fn counted(mfa: &Arc<TestApp>) -> Vec<String> {
    let line = last_line(mfa);
    let names = line["_aws"]["CloudWatchMetrics"][0]["Metrics"].as_array().cloned().unwrap_or_default();
    let names = names.iter().filter_map(|metric| metric["Name"].as_str());
    // A value of 0 stands beside another, so that the mean is a share.
    let counted = names.filter(|name| line[name].as_f64().expect("a value") > 0.0);
    counted.filter(|name| !name.ends_with("Units")).map(ToOwned::to_owned).collect()
}

#[track_caller]
fn assert_counted(mfa: &Arc<TestApp>, expected: &[&str]) {
    assert_eq!(counted(mfa), expected, "{}", last_line(mfa));
}

#[tokio::test]
async fn every_decision_is_counted_once() {
    let mfa = TestApp::start().await;
    let person = mfa.user("alice").with_email("alice@example.com").with_phone("+442079460018");
    let login = person.login();
    login.status().await;
    assert_counted(&mfa, &[]);
    let device = login.enrol().await;
    assert_counted(&mfa, &[]);
    let code = device.advance_to_next_code(&mfa);
    let proven = login.prove("totp", &code).await;
    assert_counted(&mfa, &["VerifiedByTotp"]);
    login.verify("totp", &code).await.assert_problem(400, "MFA_CODE_INVALID");
    assert_counted(&mfa, &["UsedCodes"]);
    let wrong = wrong_code(&device.code(&mfa), 0);
    login.verify("totp", &wrong).await.assert_problem(400, "MFA_CODE_INVALID");
    assert_counted(&mfa, &["WrongCodes"]);
    login.verify("totp", &wrong).await.assert_problem(400, "MFA_CODE_INVALID");
    assert_counted(&mfa, &[]);
    login.verify("email", "000000").await.assert_problem(400, "VERIFICATION_CODE_INVALID");
    assert_counted(&mfa, &[]);

    let code = login.receive_code("email").await;
    assert_counted(&mfa, &["EmailsSent"]);
    login.verify("email", &code).await.assert_ok();
    assert_counted(&mfa, &["VerifiedByEmail"]);
    mfa.advance(60);
    let code = login.receive_code("sms").await;
    assert_counted(&mfa, &["SmsOfDayPercent", "SmsSent"]);
    let trust_token = login.trust("sms", &code).await;
    assert_counted(&mfa, &["VerifiedBySms"]);
    person.login().verify_trusted(&trust_token).await.assert_ok();
    assert_counted(&mfa, &["VerifiedByTrustedDevice"]);
    login.challenge("sms").await.assert_problem(429, "RATE_LIMITED");
    assert_counted(&mfa, &["LimitedUsers"]);

    let codes = proven.generate_recovery_codes().await;
    login.recover("0000-0000-0000-0000-0000-0000").await.assert_problem(400, "MFA_RECOVERY_CODE_INVALID");
    assert_counted(&mfa, &["WrongCodes"]);
    login.recover(&codes[0]).await.assert_ok();
    assert_counted(&mfa, &["VerifiedByRecoveryCode"]);
    mfa.refresh("mfa_none").await.assert_problem(401, "REFRESH_TOKEN_INVALID");
    assert_counted(&mfa, &["InvalidTokens"]);
    let (id, refused) = (SessionId([7; 16]), mfa.app.keys.user_id("alice"));
    let ended = RefreshToken { user: refused, session: id, generation: 0 }.to_text(&mfa.app.keys);
    mfa.refresh(&ended).await.assert_problem(401, "REFRESH_TOKEN_INVALID");
    assert_counted(&mfa, &["RefreshTokensRefused"]);
    Login::with_token(&mfa, "no token").challenge("totp").await.assert_problem(401, "INVALID_TOKEN");
    assert_counted(&mfa, &["InvalidTokens"]);

    mfa.advance(3600);
    let code = login.receive_code("email").await;
    mfa.advance(301);
    login.verify("email", &code).await.assert_problem(400, "VERIFICATION_CODE_EXPIRED");
    assert_counted(&mfa, &["ExpiredCodes"]);
    login.toggle(true).await.assert_ok();
    person.login().toggle(false).await.assert_problem(401, "MFA_REQUIRED");
    assert_counted(&mfa, &["FreshFactorsDemanded"]);

    let other = mfa.user("bob").with_email("bob@rejected.example").with_phone("+15550100123").login();
    other.challenge("email").await.assert_problem(422, "MFA_DELIVERY_REJECTED");
    assert_counted(&mfa, &["EmailsRejected"]);
    other.challenge("sms").await.assert_problem(422, "MFA_DELIVERY_REJECTED");
    assert_counted(&mfa, &["SmsOfDayPercent", "SmsRejected"]);
    let carol = mfa.user("carol").with_email("carol@example.com").with_phone("+442079460019").login();
    mfa.fault_proxy.break_calls("SendEmail", InjectedFault::Error);
    mfa.fault_proxy.break_calls("Publish", InjectedFault::Error);
    carol.challenge("email").await.assert_problem(503, "MFA_DELIVERY_FAILED");
    assert_counted(&mfa, &["EmailsFailed", "ServerErrors"]);
    carol.challenge("sms").await.assert_problem(429, "RATE_LIMITED");
    mfa.advance(60);
    carol.challenge("sms").await.assert_problem(503, "MFA_DELIVERY_FAILED");
    assert_counted(&mfa, &["SmsOfDayPercent", "SmsFailed", "ServerErrors"]);
    mfa.fault_proxy.heal();

    mfa.fault_proxy.break_call("UpdateItem MFA#LEDGER", 0, InjectedFault::LoseRace);
    carol.setup().await.assert_ok();
    assert_counted(&mfa, &["LostRaces"]);
    mfa.fault_proxy.break_calls("Query", InjectedFault::Error);
    carol.setup().await.assert_problem(503, "SERVICE_UNAVAILABLE");
    assert_counted(&mfa, &["ServerErrors"]);
}
