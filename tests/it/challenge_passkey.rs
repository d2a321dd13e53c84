use mfa_tests::{PASSKEYS, TestApp};
use serde_json::json;

#[tokio::test]
async fn a_challenge_names_the_credentials_and_the_relying_party() {
    let mfa = TestApp::start_with(PASSKEYS).await;
    let alice = mfa.user("alice").login();
    alice.challenge_passkey().await.assert_problem(400, "MFA_METHOD_NOT_AVAILABLE");
    let keys = [alice.register().await, alice.register().await];
    let asked = alice.challenge_passkey().await.assert_ok();
    let options = &asked["publicKey"];
    assert_eq!((&asked["expiresIn"], &options["rpId"]), (&json!(300), &json!("example.com")));
    assert_eq!(options["userVerification"], "required");
    let named: Vec<_> = options["allowCredentials"].as_array().expect("a list").iter().map(|one| &one["id"]).collect();
    for key in keys {
        assert!(named.contains(&&json!(data_encoding::BASE64URL_NOPAD.encode(&key.id))));
    }
}

#[tokio::test]
async fn a_challenge_writes_nothing_to_the_ledger_and_keeps_no_code_from_counting() {
    let mfa = TestApp::start_with(PASSKEYS).await;
    let alice = mfa.user("alice").with_email("alice@example.com").login();
    alice.register().await;
    let code = alice.receive_code("email").await;
    let before = mfa.ledger("alice").await;
    for _ in 0..5 {
        alice.challenge_passkey().await.assert_ok();
    }
    assert_eq!(mfa.ledger("alice").await, before);
    assert_eq!(mfa.items("CHALLENGE#").await.len(), 2, "one for the set-up and one for the use");
    alice.verify("email", &code).await.assert_ok();
}

#[tokio::test]
async fn codes_and_passkeys_have_routes_of_their_own() {
    let mfa = TestApp::start_with(PASSKEYS).await;
    let alice = mfa.user("alice").login();
    let answer = alice.challenge("passkey").await;
    assert_eq!((answer.status, &answer.body["code"]), (400, &json!("INVALID_INPUT")));
    assert!(answer.text("message").contains("/auth/mfa/challenge-passkey"), "{}", answer.body);
    let answer = alice.verify("passkey", "000000").await;
    assert_eq!((answer.status, &answer.body["code"]), (400, &json!("INVALID_INPUT")));
    assert!(answer.text("message").contains("/auth/mfa/verify-passkey"), "{}", answer.body);
}

#[tokio::test]
async fn a_stranger_who_asks_all_day_neither_replaces_nor_uses_up_the_owners_challenges() {
    // The harder case: the stranger is in a login of the same name.
    let settings = [PASSKEYS, &[("MFA_JWT_LOGIN_CLAIM", "sub")]].concat();
    let mfa = TestApp::start_with(&settings).await;
    let person = mfa.user("alice");
    let begin = person.login();
    let mut key = begin.register().await;
    begin.toggle(true).await.assert_problem(403, "MFA_CANNOT_ENABLE_WITHOUT_METHOD");
    let owner = begin.with(begin.use_key(&mut key).await.text("accessToken"));
    owner.toggle(true).await.assert_ok();
    let owner = person.login();
    owner.use_key(&mut key).await.assert_ok(); // its network is known from now on
    let stranger = person.login().from("198.51.100.9");
    for _ in 0..4 {
        let answer = owner.answer_with(&mut key).await;
        for _ in 0..61 {
            stranger.challenge_passkey().await;
        }
        owner.verify_passkey(&answer).await.assert_ok();
        mfa.advance(3600);
    }
}
