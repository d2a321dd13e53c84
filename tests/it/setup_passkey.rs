use mfa_tests::{PASSKEYS, SoftKey, TestApp};
use serde_json::json;

#[tokio::test]
async fn a_setup_gives_the_options_of_a_browser_and_asks_for_user_verification() {
    let mfa = TestApp::start_with(PASSKEYS).await;
    let alice = mfa.user("alice").with_email("alice@example.com").login();
    let asked = alice.setup_passkey().await.assert_ok();
    let options = &asked["publicKey"];
    assert_eq!(asked["expiresIn"], 300);
    assert_eq!(options["rp"], json!({ "id": "example.com", "name": "Example" }));
    assert_eq!(options["user"]["name"], "alice@example.com");
    assert_eq!(options["authenticatorSelection"]["userVerification"], "required");
    assert_eq!(options["attestation"], "none");
    let algorithms: Vec<_> =
        options["pubKeyCredParams"].as_array().expect("a list").iter().map(|one| &one["alg"]).collect();
    assert_eq!(algorithms, [&json!(-7), &json!(-35), &json!(-257)], "ES256, ES384 and RS256");
    let challenge = options["challenge"].as_str().expect("a challenge");
    assert_eq!(data_encoding::BASE64URL_NOPAD.decode(challenge.as_bytes()).expect("base64url").len(), 32);
    assert_eq!(options["excludeCredentials"], json!([]));
    let again = alice.setup_passkey().await.assert_ok();
    assert_ne!(again["publicKey"]["challenge"], options["challenge"]);
    assert_eq!(again["publicKey"]["user"]["id"], options["user"]["id"], "one account of the authenticator");
    assert_eq!(mfa.items("MFA#").await.len(), 0, "a challenge makes no ledger");
}

#[tokio::test]
async fn a_key_that_is_registered_is_named_so_that_its_authenticator_makes_no_other() {
    let mfa = TestApp::start_with(PASSKEYS).await;
    let alice = mfa.user("alice").login();
    let key = alice.register().await;
    let asked = alice.setup_passkey().await.assert_ok();
    let excluded = &asked["publicKey"]["excludeCredentials"];
    assert_eq!(excluded[0]["id"], json!(data_encoding::BASE64URL_NOPAD.encode(&key.id)));
}

#[tokio::test]
async fn a_sixth_passkey_is_refused_before_and_after_the_browser_was_asked() {
    let mfa = TestApp::start_with(PASSKEYS).await;
    let alice = mfa.user("alice").login();
    for _ in 0..4 {
        alice.register().await;
    }
    let mut sixth = SoftKey::at("https://login.example.com");
    let asked = alice.setup_passkey().await.assert_ok();
    let other = mfa.user("alice").login();
    mfa.advance(1);
    other.register().await;
    alice.setup_passkey().await.assert_problem(409, "MFA_DEVICE_LIMIT_REACHED");
    alice.confirm_passkey(&sixth.create(&asked["publicKey"])).await.assert_problem(400, "MFA_PASSKEY_INVALID");
    assert_eq!(mfa.ledger("alice").await.expect("a ledger").passkeys.len(), 5);
    for _ in 0..5 {
        alice.enrol().await;
    }
    assert_eq!(alice.devices().await.as_array().map(Vec::len), Some(10), "beside five authenticators");
}

#[tokio::test]
async fn where_passkeys_are_not_offered_nobody_sees_anything_of_them() {
    let mfa = TestApp::start().await;
    let alice = mfa.user("alice").login();
    alice.setup_passkey().await.assert_problem(400, "MFA_METHOD_NOT_AVAILABLE");
    alice.challenge_passkey().await.assert_problem(400, "MFA_METHOD_NOT_AVAILABLE");
    alice.verify_passkey(&json!({})).await.assert_problem(400, "MFA_METHOD_NOT_AVAILABLE");
    alice.confirm_passkey(&json!({})).await.assert_problem(400, "MFA_METHOD_NOT_AVAILABLE");
    let status = alice.status().await;
    assert_eq!((&status["configuredMethods"], status.get("passkeys")), (&json!(["totp", "email", "sms"]), None));
}

#[tokio::test]
async fn sixty_challenges_an_hour_are_made_for_anybody_and_as_many_for_a_known_caller() {
    let mfa = TestApp::start_with(PASSKEYS).await;
    let person = mfa.user("alice");
    let owner = person.login();
    let mut key = owner.register().await;
    owner.toggle(true).await.assert_ok();
    owner.use_key(&mut key).await.assert_ok(); // from now on the network of the owner is known
    let stranger = person.login().from("198.51.100.9");
    let mut given = 0;
    while stranger.challenge_passkey().await.status == 200 {
        given += 1;
    }
    assert_eq!(given, 59, "the set-up counted too");
    stranger.challenge_passkey().await.assert_problem(429, "RATE_LIMITED");
    owner.use_key(&mut key).await.assert_ok();
    mfa.advance(3600);
    stranger.challenge_passkey().await.assert_ok();
}
