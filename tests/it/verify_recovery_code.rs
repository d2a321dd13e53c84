use mfa_tests::{Login, TestApp};
use serde_json::Value;

fn claims(login: &Login) -> Value {
    let payload = login.token.split('.').nth(1).expect("a payload");
    let payload = data_encoding::BASE64URL_NOPAD.decode(payload.as_bytes()).expect("base 64");
    serde_json::from_slice(&payload).expect("claims")
}

#[tokio::test]
async fn a_recovery_code_is_a_second_factor_once() {
    let mfa = TestApp::start().await;
    let alice = mfa.user("alice").login();
    alice.enrol().await;
    let codes = alice.generate_recovery_codes().await;
    let answer = alice.recover(&codes[3]).await;
    assert_eq!(answer.body["message"], "Recovery code verification successful");
    assert_eq!(answer.body["recoveryCodesLeft"], 9);
    assert_eq!(answer.body["isRequiresMfa"], false);
    let proven = Login::with_token(&mfa, answer.text("accessToken"));
    assert_eq!(claims(&proven)["amr"], serde_json::json!(["mfa"]));
    assert_eq!(claims(&proven)["mfa"]["method"], "recovery_code");
    proven.toggle(true).await.assert_ok();

    alice.recover(&codes[3]).await.assert_problem(400, "MFA_RECOVERY_CODE_INVALID");
    assert_eq!(alice.recover(&codes[4]).await.assert_ok()["recoveryCodesLeft"], 8);
}

#[tokio::test]
async fn a_code_is_taken_as_people_type_it() {
    let mfa = TestApp::start().await;
    let alice = mfa.user("alice").login();
    let codes = alice.generate_recovery_codes().await;
    alice.recover(&codes[0].to_lowercase()).await.assert_ok();
    alice.recover(&codes[1].replace('-', "")).await.assert_ok();
    alice.recover(&codes[2].replace('-', " ").replace('0', "O").replace('1', "l")).await.assert_ok();
}

#[tokio::test]
async fn all_ten_work_and_then_there_is_none() {
    let mfa = TestApp::start().await;
    let alice = mfa.user("alice").login();
    let codes = alice.generate_recovery_codes().await;
    for (used, code) in (1..).zip(&codes) {
        assert_eq!(alice.recover(code).await.assert_ok()["recoveryCodesLeft"], 10 - used);
    }
    assert_eq!(alice.status().await["hasRecoveryCode"], false);
}

#[tokio::test]
async fn a_right_one_passes_a_lock_and_ends_it() {
    let mfa = TestApp::start().await;
    let alice = mfa.user("alice").login();
    let device = alice.enrol().await;
    let codes = alice.generate_recovery_codes().await;
    alice.toggle(true).await.assert_ok();
    for n in 0..5 {
        alice.verify("totp", &format!("{n:06}")).await;
    }
    alice.verify("totp", &device.advance_to_next_code(&mfa)).await.assert_problem(429, "ACCOUNT_LOCKED");
    alice.recover(&codes[0]).await.assert_ok();
    alice.verify("totp", &device.code(&mfa)).await.assert_ok();
    // The lock level stays: the next wrong code locks for twice as long.
    alice.verify("totp", "000000").await.assert_problem(400, "MFA_CODE_INVALID");
    let locked = alice.verify("totp", "000001").await.assert_problem(429, "ACCOUNT_LOCKED");
    assert_eq!(locked.retry_after(), Some(1800));
}

#[tokio::test]
async fn while_mfa_is_off_no_self_made_code_buys_guesses() {
    let mfa = TestApp::start().await;
    let person = mfa.user("alice");
    person.login().enrol().await;
    let (mut judged, mut serial) = (0, 0);
    for _ in 0..3 {
        let guesser = person.login();
        for code in guesser.generate_recovery_codes().await {
            for _ in 0..6 {
                serial += 1;
                let answer = guesser.verify("totp", &format!("{serial:06}")).await;
                judged += usize::from(answer.code() == Some("MFA_CODE_INVALID"));
            }
            guesser.recover(&code).await.assert_ok();
        }
    }
    assert_eq!(judged, 5, "a lock ends by time alone");
}

#[tokio::test]
async fn wrong_ones_neither_lock_nor_write_to_the_ledger_and_have_a_limit_of_their_own() {
    let mfa = TestApp::start().await;
    let alice = mfa.user("alice").login();
    let device = alice.enrol().await;
    let codes = alice.generate_recovery_codes().await;
    let ledger = |items: Vec<Value>| items.into_iter().find(|item| item["sk"]["S"] == "MFA#LEDGER");
    let before = ledger(mfa.dump().await);
    for wrong in ["0000-0000-0000-0000-0000-0000", "nonsense", "123456", "U", &"Z".repeat(64)].iter().cycle().take(10) {
        alice.recover(wrong).await.assert_problem(400, "MFA_RECOVERY_CODE_INVALID");
    }
    let full = alice.recover("nonsense").await.assert_problem(429, "RATE_LIMITED");
    assert!(full.retry_after().is_some_and(|seconds| seconds <= 3600));
    assert_eq!(ledger(mfa.dump().await), before);

    // A stranger who uses up that limit locks nobody out: a right recovery code still passes, and
    // so does a code of an authenticator.
    alice.recover(&codes[0]).await.assert_ok();
    alice.verify("totp", &device.advance_to_next_code(&mfa)).await.assert_ok();
    alice.recover(&"X".repeat(513)).await.assert_problem(400, "INVALID_INPUT");
}

#[tokio::test]
async fn a_code_of_another_user_is_wrong() {
    let mfa = TestApp::start().await;
    let codes = mfa.user("alice").login().generate_recovery_codes().await;
    let bob = mfa.user("bob").login();
    bob.generate_recovery_codes().await;
    bob.recover(&codes[0]).await.assert_problem(400, "MFA_RECOVERY_CODE_INVALID");
}

#[tokio::test]
async fn a_used_code_ends_the_proofs_from_before() {
    let mfa = TestApp::start().await;
    let person = mfa.user("alice").with_email("alice@example.com");
    let owner = person.login();
    owner.toggle(true).await.assert_ok();
    let thief = person.login();
    let code = thief.receive_code("email").await;
    let stolen = thief.prove("email", &code).await;
    let codes = stolen.generate_recovery_codes().await;
    let recovered = person.login().recover(&codes[0]).await;
    let recovered = Login::with_token(&mfa, recovered.text("accessToken"));
    stolen.setup().await.assert_problem(401, "MFA_REQUIRED");
    recovered.setup().await.assert_ok();
}

#[tokio::test]
async fn where_mfa_is_required_a_recovery_code_does_not_switch_it_on() {
    let mfa = TestApp::start().await;
    let required = mfa.redeployed_with(&[("MFA_REQUIRED", "true")]);
    let person = mfa.user("alice").with_email("alice@example.com");
    let codes = person.login().generate_recovery_codes().await;
    let recovered = person.login().at(&required).recover(&codes[0]).await;
    assert!(!mfa.ledger("alice").await.expect("a ledger").enabled);
    // It proves its login all the same, which can then enrol. The next login has only the password.
    person.login().at(&required).with(recovered.text("accessToken")).setup().await.assert_ok();
    person.login().at(&required).setup().await.assert_problem(401, "MFA_REQUIRED");
}
