use std::collections::HashSet;

use mfa_tests::TestApp;

#[tokio::test]
async fn ten_codes_are_given_and_the_first_of_them_alone_too() {
    let mfa = TestApp::start().await;
    let alice = mfa.user("alice").login();
    assert_eq!(alice.status().await["hasRecoveryCode"], false);
    let answer = alice.post("/auth/mfa/generate-recovery-code", serde_json::json!({})).await;
    let codes = answer.body["codes"].as_array().expect("codes").clone();
    assert_eq!(answer.body["code"], codes[0]);
    let different: HashSet<_> = codes.iter().map(ToString::to_string).collect();
    assert_eq!((codes.len(), different.len()), (10, 10));
    for code in codes {
        let groups: Vec<_> = code.as_str().expect("a code").split('-').map(str::len).collect();
        assert_eq!(groups, [4; 6]);
    }
    assert_eq!(alice.status().await["hasRecoveryCode"], true);
}

#[tokio::test]
async fn a_new_set_voids_the_old_one_and_leaves_no_garbage() {
    let mfa = TestApp::start().await;
    let alice = mfa.user("alice").login();
    let old = alice.generate_recovery_codes().await;
    mfa.advance(10);
    let new = alice.generate_recovery_codes().await;
    assert_eq!(mfa.items("MFA#").await.len(), 2, "one set and the ledger");
    alice.recover(&old[0]).await.assert_problem(400, "MFA_RECOVERY_CODE_INVALID");
    alice.recover(&new[0]).await.assert_ok();
}

#[tokio::test]
async fn while_mfa_is_on_a_proof_is_needed() {
    let mfa = TestApp::start().await;
    let person = mfa.user("alice").with_email("alice@example.com");
    let owner = person.login();
    let code = owner.receive_code("email").await;
    let proven = owner.prove("email", &code).await;
    proven.toggle(true).await.assert_ok();
    proven.generate_recovery_codes().await; // the login that switched MFA on has the grace
    let stranger = person.login();
    stranger.post("/auth/mfa/generate-recovery-code", serde_json::json!({})).await.assert_problem(401, "MFA_REQUIRED");
}

#[tokio::test]
async fn a_set_of_another_login_is_void_when_mfa_is_switched_on_and_that_is_said() {
    let mfa = TestApp::start().await;
    let person = mfa.user("alice").with_email("alice@example.com");
    let planted = person.login().generate_recovery_codes().await;
    let owner = person.login();
    let on = owner.toggle(true).await.assert_ok();
    assert_eq!(on["recoveryCodesVoided"], true, "{on}");
    assert_eq!(owner.status().await["hasRecoveryCode"], false);
    person.login().recover(&planted[0]).await.assert_problem(400, "MFA_RECOVERY_CODE_INVALID");

    let other = mfa.user("bob").with_email("bob@example.com").login();
    let own = other.generate_recovery_codes().await;
    mfa.advance(30 * 86_400);
    let on = other.toggle(true).await.assert_ok();
    assert_eq!(on.get("recoveryCodesVoided"), None, "{on}");
    assert_eq!(other.status().await["recoveryCodesLeft"], 10);
    other.recover(&own[0]).await.assert_ok();
    assert_eq!(other.status().await["recoveryCodesLeft"], 9);
}

#[tokio::test]
async fn a_set_that_is_renewed_every_fifty_minutes_does_not_become_the_owners() {
    let mfa = TestApp::start().await;
    let person = mfa.user("alice").with_email("alice@example.com");
    let (intruder, owner) = (person.login(), person.login());
    let mut planted = Vec::new();
    for _ in 0..30 {
        planted = intruder.generate_recovery_codes().await;
        mfa.advance(3_000);
    }
    owner.toggle(true).await.assert_ok();
    intruder.recover(&planted[0]).await.assert_problem(400, "MFA_RECOVERY_CODE_INVALID");
    // Off and on again, with another planted set between.
    let code = owner.receive_code("email").await;
    let proven = owner.prove("email", &code).await;
    proven.toggle(false).await.assert_ok();
    let planted = intruder.generate_recovery_codes().await;
    owner.toggle(true).await.assert_ok();
    intruder.recover(&planted[0]).await.assert_problem(400, "MFA_RECOVERY_CODE_INVALID");
}

#[tokio::test]
async fn a_set_that_takes_the_place_of_another_logins_says_so() {
    let mfa = TestApp::start().await;
    let person = mfa.user("alice");
    let generate = |login: mfa_tests::Login| async move {
        login.post("/auth/mfa/generate-recovery-code", serde_json::json!({})).await.assert_ok()
    };
    let (intruder, owner) = (person.login(), person.login());
    assert_eq!(generate(owner.clone()).await.get("replaced"), None);
    mfa.advance(10);
    assert_eq!(generate(owner.clone()).await.get("replaced"), None, "its own");
    mfa.advance(10);
    assert_eq!(generate(intruder).await["replaced"], true);
    assert_eq!(generate(owner).await["replaced"], true);
}

#[tokio::test]
async fn of_a_double_click_exactly_one_answer_carries_codes() {
    let mfa = TestApp::start().await;
    let alice = mfa.user("alice").login();
    let codes = alice.generate_recovery_codes().await;
    mfa.advance(9);
    let again = alice.post("/auth/mfa/generate-recovery-code", serde_json::json!({})).await;
    assert_eq!(again.assert_problem(429, "RATE_LIMITED").retry_after(), Some(1));
    alice.recover(&codes[0]).await.assert_ok();
}
