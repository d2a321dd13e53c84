use std::sync::Arc;

use mfa_tests::{Authenticator, Login, Person, Response, TestApp, claims_of};
use serde_json::json;

/// An owner with MFA on, and the answer to a right code.
async fn signed_in(mfa: &Arc<TestApp>) -> (Person, Authenticator, Response) {
    let person = mfa.user("alice");
    let owner = person.login();
    let device = owner.enrol().await;
    owner.toggle(true).await.assert_ok();
    let answer = person.login().verify("totp", &device.advance_to_next_code(mfa)).await;
    (person, device, answer)
}

fn proven(person: &Person, answer: &Response) -> Login {
    person.login().with(answer.text("accessToken"))
}

#[tokio::test]
async fn signing_out_ends_the_session_of_the_token_and_no_other() {
    let mfa = TestApp::start().await;
    let (person, device, answer) = signed_in(&mfa).await;
    let other = person.login().verify("totp", &device.advance_to_next_code(&mfa)).await;
    let out = proven(&person, &answer).end_session("current").await.assert_ok();
    assert_eq!(out, json!({ "message": "Session ended successfully" }));
    mfa.refresh(&answer.text("refreshToken")).await.assert_problem(401, "REFRESH_TOKEN_INVALID");
    mfa.refresh(&other.text("refreshToken")).await.assert_ok();
    proven(&person, &answer).end_session("current").await.assert_ok(); // a client may repeat it
}

#[tokio::test]
async fn anybody_may_sign_out_whatever_became_of_the_proof() {
    let mfa = TestApp::start().await;
    let (person, _, answer) = signed_in(&mfa).await;
    mfa.advance(899);
    let renewed = mfa.refresh(&answer.text("refreshToken")).await;
    mfa.advance(500); // the code is too old for the gate, the token counts
    let stale = proven(&person, &renewed);
    stale.end_session("others").await.assert_problem(401, "MFA_REQUIRED");
    stale.end_session("current").await.assert_ok();
    mfa.refresh(&renewed.text("refreshToken")).await.assert_problem(401, "REFRESH_TOKEN_INVALID");
    // A token of the application belongs to no session of ours.
    person.login().end_session("current").await.assert_problem(404, "SESSION_NOT_FOUND");
}

#[tokio::test]
async fn one_session_is_ended_by_its_id_behind_the_gate() {
    let mfa = TestApp::start().await;
    let (person, device, stolen) = signed_in(&mfa).await;
    let owner = proven(&person, &person.login().verify("totp", &device.advance_to_next_code(&mfa)).await);
    let id = claims_of(&stolen.text("accessToken"))["mfa"]["session"].as_str().expect("an id").to_owned();
    person.login().end_session(&id).await.assert_problem(401, "MFA_REQUIRED");
    owner.end_session(&id).await.assert_ok();
    mfa.refresh(&stolen.text("refreshToken")).await.assert_problem(401, "REFRESH_TOKEN_INVALID");
    owner.setup().await.assert_ok(); // the epoch is the same

    // Ended, unknown, malformed and somebody else's ids are answered alike.
    let bob = mfa.user("bob").with_email("bob@example.com").login();
    let code = bob.receive_code("email").await;
    let of_bob = bob.verify("email", &code).await;
    let foreign = claims_of(&of_bob.text("accessToken"))["mfa"]["session"].as_str().expect("an id").to_owned();
    let mut bodies = Vec::new();
    for wrong in [id.as_str(), "AAAAAAAAAAAAAAAAAAAAAA", "x", "Current", foreign.as_str()] {
        bodies.push(owner.end_session(wrong).await.assert_problem(404, "SESSION_NOT_FOUND").body);
    }
    bodies.dedup();
    assert_eq!(bodies.len(), 1, "{bodies:?}");
    mfa.refresh(&of_bob.text("refreshToken")).await.assert_ok();
}

#[tokio::test]
async fn ending_all_others_ends_them_at_once_and_leaves_the_callers_own() {
    let mfa = TestApp::start().await;
    let (person, device, stolen) = signed_in(&mfa).await;
    let thief = proven(&person, &stolen);
    let trusted = person.login().trust("totp", &device.advance_to_next_code(&mfa)).await;
    let answer = person.login().verify("totp", &device.advance_to_next_code(&mfa)).await;
    let owner = proven(&person, &answer);
    owner.end_session("others").await.assert_ok();

    mfa.refresh(&stolen.text("refreshToken")).await.assert_problem(401, "REFRESH_TOKEN_INVALID");
    thief.setup().await.assert_problem(401, "MFA_REQUIRED");
    person.login().verify_trusted(&trusted).await.assert_problem(404, "MFA_DEVICE_NOT_FOUND");
    owner.setup().await.assert_ok(); // for the rest of the quarter of an hour
    owner.end_session("others").await.assert_ok(); // and again: the caller is not signed out at the second call
    let renewed = mfa.refresh(&answer.text("refreshToken")).await;
    proven(&person, &renewed).setup().await.assert_ok();
}

#[tokio::test]
async fn a_trusted_device_keeps_its_last_two_sessions_and_ends_nobody_elses() {
    let mfa = TestApp::start().await;
    let (person, device, of_a_code) = signed_in(&mfa).await;
    let trusted = person.login().trust("totp", &device.advance_to_next_code(&mfa)).await;
    let before = mfa.items("SESSION#").await.len();
    let mut opened = Vec::new();
    for _ in 0..5 {
        opened.push(person.login().verify_trusted(&trusted).await.text("refreshToken"));
    }
    assert_eq!(mfa.items("SESSION#").await.len(), before + 2);
    for (n, token) in opened.iter().enumerate() {
        assert_eq!(mfa.refresh(token).await.status, if n < 3 { 401 } else { 200 }, "session {n}");
    }
    mfa.refresh(&of_a_code.text("refreshToken")).await.assert_ok();
}

#[tokio::test]
async fn no_session_of_another_user_can_be_named_by_a_forged_refresh_token() {
    let mfa = TestApp::start().await;
    let (_, _, answer) = signed_in(&mfa).await;
    let token = answer.text("refreshToken");
    // The token names user and session, under one MAC.
    let names = data_encoding::BASE64URL_NOPAD.decode(&token.as_bytes()[4..47]).expect("32 bytes");
    let other = mfa.app.keys.user_id("bob");
    let forged = data_encoding::BASE64URL_NOPAD.encode(&[&other.0[..], &names[16..]].concat());
    let forged = token.replace(&token[4..47], &forged);
    mfa.refresh(&forged).await.assert_problem(401, "REFRESH_TOKEN_INVALID");
    mfa.refresh(&token).await.assert_ok();
}

#[tokio::test]
async fn a_token_of_an_ended_session_plants_nothing_although_mfa_is_off() {
    let mfa = TestApp::start().await;
    let person = mfa.user("alice").with_email("alice@example.com");
    let owner = person.login();
    let code = owner.receive_code("email").await;
    let opened = owner.verify("email", &code).await.text("refreshToken");
    let stolen = mfa.refresh(&opened).await;
    let thief = owner.with(stolen.text("accessToken"));
    owner.end_session("others").await.assert_ok();

    mfa.refresh(&stolen.text("refreshToken")).await.assert_problem(401, "REFRESH_TOKEN_INVALID");
    thief.setup().await.assert_problem(401, "MFA_REQUIRED");
    thief.post("/auth/mfa/generate-recovery-code", json!({})).await.assert_problem(401, "MFA_REQUIRED");
    thief.toggle(true).await.assert_problem(401, "MFA_REQUIRED");
    // The owner's own token goes on.
    owner.setup().await.assert_ok();
}
