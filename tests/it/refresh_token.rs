//! Sessions: row 23 of the threat model.

use std::sync::Arc;

use mfa_tests::{Authenticator, InjectedFault, Login, Person, Response, TestApp, claims_of};
use serde_json::json;

/// A user with MFA on, an authenticator, and the answer to a right code of it.
async fn signed_in(mfa: &Arc<TestApp>) -> (Person, Authenticator, Response) {
    let person = mfa.user("alice").with("role", "admin").with_email("alice@example.com");
    let alice = person.login();
    let device = alice.enrol().await;
    alice.toggle(true).await.assert_ok();
    let answer = alice.verify("totp", &device.advance_to_next_code(mfa)).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    (person, device, answer)
}

#[tokio::test]
async fn a_session_gives_new_tokens_whose_proof_is_as_old_as_its_code() {
    let mfa = TestApp::start().await;
    let (_, _, first) = signed_in(&mfa).await;
    let judged_at = mfa.clock.now().as_secs();
    mfa.advance(600);
    let second = mfa.refresh(&first.text("refreshToken")).await;
    assert_eq!(second.status, 200, "{}", second.body);
    assert_eq!(second.body.as_object().map(serde_json::Map::len), Some(2), "{}", second.body);
    assert_ne!(second.text("refreshToken"), first.text("refreshToken"));

    let (old, new) = (claims_of(&first.text("accessToken")), claims_of(&second.text("accessToken")));
    for kept in ["sub", "role", "email", "sessionId", "amr", "isMfaVerified", "isMfaEnabled", "type", "auth_time"] {
        assert_eq!(new[kept], old[kept], "{kept}");
    }
    assert_eq!((new["auth_time"].as_u64(), new["mfa"]["auth_time"].as_u64()), (Some(judged_at), Some(judged_at)));
    assert_eq!(new["exp"], mfa.clock.now().as_secs() + 900);
    assert_ne!(new["jti"], old["jti"]);

    // The proof is fresh enough for the gate for a quarter of an hour, and not a second longer.
    let login = Login::with_token(&mfa, second.text("accessToken"));
    mfa.advance(300);
    login.setup().await.assert_ok();
    mfa.advance(1);
    let third = mfa.refresh(&second.text("refreshToken")).await;
    let login = Login::with_token(&mfa, third.text("accessToken"));
    login.status().await;
    login.setup().await.assert_problem(401, "MFA_REQUIRED");
}

#[tokio::test]
async fn a_refreshed_token_may_outlive_the_login_token_but_not_the_session() {
    let mfa = TestApp::start_with(&[("MFA_SESSION_LIFETIME", "1000")]).await;
    let now = mfa.clock.now().as_secs();
    let alice = mfa.user("alice").with_email("alice@example.com").with("exp", now + 300).login();
    let code = alice.receive_code("email").await;
    let first = alice.verify("email", &code).await;
    assert_eq!(claims_of(&first.text("accessToken"))["exp"], now + 300);
    mfa.advance(400);
    let second = mfa.refresh(&first.text("refreshToken")).await;
    assert_eq!(claims_of(&second.text("accessToken"))["exp"], now + 1000);
    mfa.advance(599);
    let third = mfa.refresh(&second.text("refreshToken")).await;
    assert_eq!(claims_of(&third.text("accessToken"))["exp"], now + 1000);
    mfa.advance(1);
    mfa.refresh(&third.text("refreshToken")).await.assert_problem(401, "REFRESH_TOKEN_EXPIRED");
}

#[tokio::test]
async fn a_used_token_gives_the_same_successor_for_ten_seconds_and_then_ends_the_session() {
    let mfa = TestApp::start().await;
    let (_, _, first) = signed_in(&mfa).await;
    let first = first.text("refreshToken");
    let second = mfa.refresh(&first).await.text("refreshToken");
    mfa.advance(10);
    assert_eq!(mfa.refresh(&first).await.text("refreshToken"), second, "the answer may have been lost");
    mfa.advance(1);
    mfa.refresh(&first).await.assert_problem(401, "REFRESH_TOKEN_INVALID");
    mfa.refresh(&second).await.assert_problem(401, "REFRESH_TOKEN_INVALID");
}

#[tokio::test]
async fn once_the_successor_was_used_its_predecessor_ends_the_session_at_once() {
    let mfa = TestApp::start().await;
    let (_, _, first) = signed_in(&mfa).await;
    let first = first.text("refreshToken");
    let second = mfa.refresh(&first).await.text("refreshToken");
    let third = mfa.refresh(&second).await.text("refreshToken");
    mfa.refresh(&first).await.assert_problem(401, "REFRESH_TOKEN_INVALID");
    mfa.refresh(&third).await.assert_problem(401, "REFRESH_TOKEN_INVALID");
}

#[tokio::test]
async fn a_rotation_that_comes_late_turns_no_session_back() {
    let mfa = TestApp::start().await;
    let (_, _, first) = signed_in(&mfa).await;
    let first = first.text("refreshToken");
    // This request has read the session. Others overtake it before it writes.
    mfa.fault_proxy.break_call("UpdateItem SESSION", 0, InjectedFault::Hold);
    let late = tokio::spawn({
        let (mfa, first) = (Arc::clone(&mfa), first.clone());
        async move { mfa.refresh(&first).await }
    });
    mfa.fault_proxy.hung().await;
    let second = mfa.refresh(&first).await.text("refreshToken");
    let third = mfa.refresh(&second).await.text("refreshToken");
    mfa.fault_proxy.release();
    late.await.expect("an answer").assert_problem(401, "REFRESH_TOKEN_INVALID");
    mfa.refresh(&third).await.assert_problem(401, "REFRESH_TOKEN_INVALID"); // two parties held its tokens
}

#[tokio::test]
async fn a_token_that_was_not_made_here_is_refused_before_the_table_is_read() {
    let mfa = TestApp::start().await;
    let (_, _, first) = signed_in(&mfa).await;
    let token = first.text("refreshToken");
    let (head, mac) = token.rsplit_once('.').expect("three parts");
    let (id, _) = head.split_once('.').expect("three parts");
    mfa.fault_proxy.take_calls();
    let forged = [
        format!("{id}.1.{mac}"),
        format!("{id}.00.{mac}"),
        format!("{head}.{}", "A".repeat(43)),
        format!("{head}."),
        format!("{token}="),
        token.replacen("mfa_", "MFA_", 1),
        "mfa_no-session".to_owned(),
        "x".to_owned(),
        first.text("accessToken").chars().take(400).collect(),
    ];
    for forged in forged {
        mfa.refresh(&forged).await.assert_problem(401, "REFRESH_TOKEN_INVALID");
    }
    assert!(mfa.fault_proxy.take_calls().is_empty());
    mfa.refresh(&token).await.assert_ok();
}

#[tokio::test]
async fn a_refresh_token_is_no_bearer_token_and_an_access_token_no_refresh_token() {
    let mfa = TestApp::start().await;
    let (_, _, first) = signed_in(&mfa).await;
    let status = |token: String| {
        let login = Login::with_token(&mfa, token);
        async move { login.call(lambda_http::http::Method::GET, "/auth/mfa/status", Vec::new()).await }
    };
    status(first.text("refreshToken")).await.assert_problem(401, "INVALID_TOKEN");
    status(first.text("accessToken")).await.assert_ok();
    // An access token is longer than any refresh token.
    mfa.refresh(&first.text("accessToken")).await.assert_problem(400, "INVALID_INPUT");
}

#[tokio::test]
async fn every_event_that_raises_the_epoch_ends_the_sessions_before_it() {
    for event in ["toggle", "recovery", "reset"] {
        let mfa = TestApp::start().await;
        let (person, device, answer) = signed_in(&mfa).await;
        let proven = Login::with_token(&mfa, answer.text("accessToken"));
        let codes = proven.generate_recovery_codes().await;
        let other = person.login();
        match event {
            // The session of whoever switches MFA off goes on, and all others end.
            "toggle" => {
                let code = device.advance_to_next_code(&mfa);
                other.prove("totp", &code).await.toggle(false).await.assert_ok();
            }
            "recovery" => drop(person.login().recover(&codes[0]).await.assert_ok()),
            _ => drop(person.login().reset(&codes[0]).await.assert_ok()),
        }
        mfa.refresh(&answer.text("refreshToken")).await.assert_problem(401, "REFRESH_TOKEN_INVALID");
    }
}

#[tokio::test]
async fn a_planted_session_ends_when_the_owner_switches_mfa_on() {
    let mfa = TestApp::start().await;
    let person = mfa.user("alice").with_email("alice@example.com");
    let intruder = person.login();
    let code = intruder.receive_code("email").await;
    let planted = intruder.verify("email", &code).await.text("refreshToken");
    mfa.refresh(&planted).await.assert_ok();
    let owner = person.login();
    owner.enrol().await;
    owner.toggle(true).await.assert_ok();
    mfa.refresh(&planted).await.assert_problem(401, "REFRESH_TOKEN_INVALID");
}

#[tokio::test]
async fn a_session_that_a_recovery_code_opened_goes_on() {
    let mfa = TestApp::start().await;
    let (person, _, answer) = signed_in(&mfa).await;
    let codes = Login::with_token(&mfa, answer.text("accessToken")).generate_recovery_codes().await;
    let recovered = person.login().recover(&codes[0]).await;
    let refreshed = mfa.refresh(&recovered.text("refreshToken")).await;
    let login = Login::with_token(&mfa, refreshed.text("accessToken"));
    login.setup().await.assert_ok(); // the proof is of the new epoch
}

#[tokio::test]
async fn a_session_passes_a_lock_and_does_not_end_it() {
    let mfa = TestApp::start().await;
    let (person, device, answer) = signed_in(&mfa).await;
    let stranger = person.login();
    for wrong in ["111111", "222222", "333333", "444444", "555555"] {
        stranger.verify("totp", wrong).await;
    }
    mfa.refresh(&answer.text("refreshToken")).await.assert_ok();
    stranger.verify("totp", &device.advance_to_next_code(&mfa)).await.assert_problem(429, "ACCOUNT_LOCKED");
}

#[tokio::test]
async fn where_sessions_are_off_the_refresh_token_is_there_and_always_refused() {
    let mfa = TestApp::start_with(&[("MFA_SESSIONS", "false")]).await;
    let (_, _, answer) = signed_in(&mfa).await;
    assert!(!answer.text("refreshToken").is_empty());
    mfa.refresh(&answer.text("refreshToken")).await.assert_problem(401, "REFRESH_TOKEN_INVALID");
    assert!(mfa.items("SESSION").await.is_empty());
}

#[tokio::test]
async fn sessions_of_before_are_refused_once_they_are_switched_off() {
    let mfa = TestApp::start().await;
    let (_, _, answer) = signed_in(&mfa).await;
    let off = mfa.redeployed_with(&[("MFA_SESSIONS", "false")]);
    off.refresh(&answer.text("refreshToken")).await.assert_problem(401, "REFRESH_TOKEN_INVALID");
}

#[tokio::test]
async fn where_only_the_session_cannot_be_written_the_answer_is_200_with_a_token_that_is_refused() {
    let mfa = TestApp::start().await;
    let alice = mfa.user("alice").with_email("alice@example.com").login();
    let code = alice.receive_code("email").await;
    mfa.fault_proxy.break_calls("PutItem SESSION", InjectedFault::Error);
    let answer = alice.verify("email", &code).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    mfa.fault_proxy.heal();
    mfa.refresh(&answer.text("refreshToken")).await.assert_problem(401, "REFRESH_TOKEN_INVALID");
}

#[tokio::test]
async fn a_wrong_code_opens_no_session_and_trusts_no_device() {
    let mfa = TestApp::start().await;
    let alice = mfa.user("alice").with_email("alice@example.com").login();
    alice.receive_code("email").await;
    let body = json!({ "method": "email", "otp": "000000", "trustDevice": true });
    alice.post("/auth/mfa/verify", body).await.assert_problem(400, "VERIFICATION_CODE_INVALID");
    assert!(mfa.items("SESSION").await.is_empty() && mfa.items("TRUST#").await.is_empty());
}

#[tokio::test]
async fn a_rotation_whose_answer_was_lost_is_answered_with_the_one_successor() {
    for fault in [InjectedFault::LoseAnswer, InjectedFault::LoseOneAnswer] {
        let mfa = TestApp::start().await;
        let (_, _, answer) = signed_in(&mfa).await;
        let token = answer.text("refreshToken");
        mfa.fault_proxy.break_calls("UpdateItem SESSION", fault);
        let during = mfa.refresh(&token).await;
        mfa.fault_proxy.heal();
        let successor = if during.status == 200 {
            during.text("refreshToken")
        } else {
            during.assert_problem(503, "SERVICE_UNAVAILABLE");
            mfa.refresh(&token).await.text("refreshToken")
        };
        assert_eq!(mfa.refresh(&token).await.text("refreshToken"), successor);
        mfa.refresh(&successor).await.assert_ok();
    }
}

#[tokio::test]
async fn a_table_that_is_down_is_a_503_that_spends_nothing() {
    let mfa = TestApp::start().await;
    let (_, _, answer) = signed_in(&mfa).await;
    let token = answer.text("refreshToken");
    for call in ["GetItem SESSION", "Query", "UpdateItem SESSION"] {
        for fault in [InjectedFault::Error, InjectedFault::Throttle] {
            mfa.fault_proxy.break_calls(call, fault);
            mfa.refresh(&token).await.assert_problem(503, "SERVICE_UNAVAILABLE");
            mfa.fault_proxy.heal();
        }
    }
    let second = mfa.refresh(&token).await.text("refreshToken");
    mfa.advance(11);
    mfa.fault_proxy.break_calls("UpdateItem SESSION", InjectedFault::Error);
    mfa.refresh(&token).await.assert_problem(503, "SERVICE_UNAVAILABLE");
    mfa.fault_proxy.heal();
    mfa.refresh(&token).await.assert_problem(401, "REFRESH_TOKEN_INVALID");
    mfa.refresh(&second).await.assert_problem(401, "REFRESH_TOKEN_INVALID");
}

#[tokio::test]
async fn a_session_whose_sealing_key_is_not_known_here_is_an_error_and_keeps_its_token() {
    let mfa = TestApp::start().await;
    let alice = mfa.user("alice").with_email("alice@example.com").login();
    let code = alice.receive_code("email").await;
    let token = alice.verify("email", &code).await.text("refreshToken");
    let key = data_encoding::BASE64.encode(&[7; 32]);
    let rotated = mfa.redeployed_with(&[("MFA_SEALING_KEYS", &format!("k2:{key}"))]);
    rotated.refresh(&token).await.assert_problem(500, "INTERNAL_ERROR");
    assert!(rotated.log().contains("do not open with the configured sealing keys"), "{}", rotated.log());
    // A function that knows the key goes on, however long it took: the token was not used up.
    mfa.advance(60);
    mfa.refresh(&token).await.assert_ok();
}

#[tokio::test]
async fn no_chain_of_routes_outlives_the_last_token_of_the_application_by_more_than_one_session() {
    let sessions = try_to_outlive(&[("MFA_SESSION_LIFETIME", "3600")], 3600).await;
    assert!(sessions > 12, "{sessions}");
}

#[tokio::test]
async fn with_sessions_off_no_chain_of_routes_outlives_the_last_token_of_the_application() {
    let answers = try_to_outlive(&[("MFA_SESSIONS", "false")], 0).await;
    assert!(answers > 2, "{answers}");
}

/// Whoever has a token tries for a month, with every route that answers with tokens, to get one
/// that ends later than `lifetime` after the last token of the application. Returns how many
/// answers carried tokens.
async fn try_to_outlive(settings: &[(&str, &str)], lifetime: u64) -> usize {
    let mfa = TestApp::start_with(settings).await;
    let started = mfa.clock.now().as_secs();
    let person = mfa.user("alice").with_email("alice@example.com").with("exp", started + 600);
    let login = person.login();
    let device = login.enrol().await;
    login.toggle(true).await.assert_ok();
    let codes = login.generate_recovery_codes().await;
    let trust = login.trust("totp", &device.advance_to_next_code(&mfa)).await;
    let last = started + 600 + lifetime;

    // Everybody who has a token tries, with each route that opens a session, to get a later end.
    let (mut bearers, mut refresh_tokens, mut codes) = (vec![login], Vec::<String>::new(), codes.into_iter());
    let mut sessions = 0;
    while mfa.clock.now().as_secs() < started + 30 * 86_400 {
        let mut answers = Vec::new();
        for bearer in &bearers {
            answers.push(bearer.verify("totp", &device.advance_to_next_code(&mfa)).await);
            answers.push(bearer.verify_trusted(&trust).await);
        }
        // It ends all other sessions, so that it is used only now and then.
        if answers.len() == 4 && mfa.clock.now().as_secs() % 7 == 0 {
            answers.push(bearers[0].recover(&codes.next().unwrap_or_default()).await);
        }
        for token in refresh_tokens.drain(..) {
            answers.push(mfa.refresh(&token).await);
        }
        answers.retain(|answer| answer.status == 200);
        sessions += answers.len();
        for answer in &answers {
            assert!(claims_of(&answer.text("accessToken"))["exp"].as_u64().is_some_and(|exp| exp <= last));
            assert!(claims_of(&answer.text("accessToken"))["mfa"]["ends"].as_u64().is_some_and(|ends| ends <= last));
        }
        bearers.extend(answers.iter().map(|answer| Login::with_token(&mfa, answer.text("accessToken"))));
        refresh_tokens.extend(answers.iter().map(|answer| answer.text("refreshToken")));
        // Two are enough to go on with.
        bearers.drain(..bearers.len().saturating_sub(2));
        refresh_tokens.drain(..refresh_tokens.len().saturating_sub(2));
        let is_over = mfa.clock.now().as_secs() > last;
        assert!(!is_over || answers.is_empty(), "a session outlives the login");
        mfa.advance(if is_over { 86_400 } else { 300 });
    }
    sessions
}

#[tokio::test]
async fn a_session_opened_with_our_own_token_ends_with_the_session_of_that_token() {
    let mfa = TestApp::start_with(&[("MFA_SESSION_LIFETIME", "1000")]).await;
    let (person, device, first) = signed_in(&mfa).await;
    let ends = mfa.clock.now().as_secs() + 1000;
    let of = |answer: &Response| claims_of(&answer.text("accessToken"))["mfa"]["ends"].clone();
    assert_eq!(of(&first), ends);
    mfa.advance(500);
    let proven = Login::with_token(&mfa, first.text("accessToken"));
    let again = proven.verify("totp", &device.advance_to_next_code(&mfa)).await;
    assert_eq!((of(&again), again.status), (ends.into(), 200));
    // A token of the application begins anew.
    let anew = person.login().verify("totp", &device.advance_to_next_code(&mfa)).await;
    assert!(of(&anew).as_u64() > Some(ends), "{}", anew.body);
}
