use mfa_tests::{InjectedFault, TestApp};

#[tokio::test]
async fn the_same_secret_and_code_once_more_are_right_again() {
    let mfa = TestApp::start().await;
    let alice = mfa.user("alice").login();
    let authenticator = alice.open_authenticator().await;
    let code = authenticator.code(&mfa);
    for _ in 0..3 {
        let reply = alice.confirm(&code, &authenticator.secret).await.assert_ok();
        assert_eq!(reply["message"], "Device setup successfully");
    }
    assert_eq!(alice.devices().await.as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn on_a_verified_secret_the_code_is_still_checked() {
    let mfa = TestApp::start().await;
    let alice = mfa.user("alice").login();
    let authenticator = alice.enrol().await;
    alice.confirm("000000", &authenticator.secret).await.assert_problem(400, "MFA_CODE_INVALID");
    let next = authenticator.advance_to_next_code(&mfa);
    alice.confirm(&next, &authenticator.secret).await.assert_problem(400, "MFA_CODE_INVALID");
}

#[tokio::test]
async fn the_setup_code_is_not_the_first_login_code() {
    let mfa = TestApp::start().await;
    let alice = mfa.user("alice").login();
    let authenticator = alice.enrol().await;
    alice.verify("totp", &authenticator.code(&mfa)).await.assert_problem(400, "MFA_CODE_INVALID");
    alice.verify("totp", &authenticator.advance_to_next_code(&mfa)).await.assert_ok();
}

#[tokio::test]
async fn unknown_foreign_and_expired_secrets_and_wrong_codes_are_answered_alike() {
    let mfa = TestApp::start().await;
    let alice = mfa.user("alice").login();
    let bob = mfa.user("bob").login();
    let open = alice.open_authenticator().await;
    let foreign = bob.open_authenticator().await;
    let code = foreign.code(&mfa);

    let wrong = alice.confirm("000000", &open.secret).await.assert_problem(400, "MFA_CODE_INVALID");
    let unknown = alice.confirm("123456", "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP").await;
    let malformed = alice.confirm("123456", "not base 32!").await;
    let foreign = alice.confirm(&code, &foreign.secret).await;
    mfa.advance(600);
    let expired = alice.confirm(&open.code(&mfa), &open.secret).await;
    for answer in [unknown, malformed, foreign, expired] {
        assert_eq!((answer.status, &answer.body), (400, &wrong.body));
    }
}

#[tokio::test]
async fn a_wrong_setup_code_spends_from_the_same_budget() {
    let mfa = TestApp::start().await;
    let alice = mfa.user("alice").login();
    let verified = alice.enrol().await;
    let open = alice.open_authenticator().await;
    for code in ["000001", "000002", "000003"] {
        alice.confirm(code, &open.secret).await.assert_problem(400, "MFA_CODE_INVALID");
    }
    for code in ["000004", "000005"] {
        alice.verify("totp", code).await.assert_problem(400, "MFA_CODE_INVALID");
    }
    alice.confirm(&open.code(&mfa), &open.secret).await.assert_problem(429, "ACCOUNT_LOCKED");
    alice.verify("totp", &verified.advance_to_next_code(&mfa)).await.assert_problem(429, "ACCOUNT_LOCKED");
}

#[tokio::test]
async fn secrets_are_taken_as_people_copy_them() {
    let mfa = TestApp::start().await;
    let alice = mfa.user("alice").login();
    let open = alice.open_authenticator().await;
    let grouped: Vec<String> = open
        .secret
        .to_lowercase()
        .as_bytes()
        .chunks(4)
        .map(|group| String::from_utf8_lossy(group).into_owned())
        .collect();
    let code = open.code(&mfa);
    let spaced = format!("{} {}", &code[..3], &code[3..]);
    alice.confirm(&spaced, &grouped.join(" ")).await.assert_ok();
}

#[tokio::test]
async fn a_confirmed_device_has_no_ttl_and_an_open_one_has() {
    let mfa = TestApp::start().await;
    let alice = mfa.user("alice").login();
    alice.enrol().await;
    alice.open_authenticator().await;
    let items = mfa.dump().await;
    let with_ttl = |ttl: bool| {
        let is_device =
            |item: &&serde_json::Value| item["sk"]["S"].as_str().is_some_and(|sk| sk.starts_with("MFA#DEVICE#"));
        items.iter().filter(is_device).filter(|item| item.get("ttl").is_some() == ttl).count()
    };
    assert_eq!((with_ttl(false), with_ttl(true)), (1, 1));
}

#[tokio::test]
async fn a_setup_that_only_an_item_speaks_of_does_not_exist() {
    // A set-up whose commit failed leaves its item behind. The ledger never named it.
    let mfa = TestApp::start().await;
    let alice = mfa.user("alice").login();
    mfa.fault_proxy.break_calls("UpdateItem MFA#LEDGER", InjectedFault::Error);
    mfa.fault_proxy.break_calls("DeleteItem", InjectedFault::Error);
    alice.setup().await.assert_problem(503, "SERVICE_UNAVAILABLE");
    mfa.fault_proxy.heal();
    assert_eq!(mfa.items("MFA#").await.len(), 1, "the item is there");
    assert_eq!(alice.devices().await, serde_json::json!([]));
}
