use mfa_tests::{PASSKEYS, SoftKey, TestApp};
use serde_json::json;

const PAGE: &str = "https://login.example.com";

/// What makes a key misbehave.
type Changed = fn(&mut SoftKey);

#[tokio::test]
async fn a_passkey_is_registered_listed_renamed_and_removed() {
    let mfa = TestApp::start_with(PASSKEYS).await;
    let alice = mfa.user("alice").login();
    let mut key = SoftKey::at(PAGE);
    let asked = alice.post("/auth/mfa/setup-passkey", json!({ "deviceName": "Blue key" })).await.assert_ok();
    let reply = alice.confirm_passkey(&key.create(&asked["publicKey"])).await.assert_ok();
    assert_eq!(reply, json!({ "message": "Device setup successfully" }));

    let list = alice.devices().await;
    assert_eq!(list.as_array().map(Vec::len), Some(1));
    let listed = &list[0];
    assert_eq!((&listed["deviceName"], &listed["method"]), (&json!("Blue key"), &json!("passkey")));
    assert_eq!((&listed["verified"], &listed["synced"]), (&json!(true), &json!(false)));
    assert_eq!(listed.get("lastUsedAt"), None);
    let status = alice.status().await;
    assert_eq!(status["verifiedMethods"], json!(["passkey"]));
    assert_eq!(status["configuredMethods"], json!(["totp", "email", "sms", "passkey"]));
    assert_eq!((&status["passkeys"], &status["totpDevices"]), (&list, &json!([])));

    let id = listed["id"].as_str().expect("an id");
    alice.rename(id, "Red key").await.assert_ok();
    assert_eq!(alice.devices().await[0]["deviceName"], "Red key");
    alice.remove(id).await.assert_ok();
    assert_eq!(alice.devices().await, json!([]));
    for gone in ["MFA#PASSKEY", "PASSKEY#"] {
        assert_eq!(mfa.items(gone).await.len(), 0, "{gone}");
    }
    assert_eq!(mfa.ledger("alice").await.expect("a ledger").passkeys, []);
}

#[tokio::test]
async fn the_same_answer_again_succeeds_again_and_registers_nothing_more() {
    let mfa = TestApp::start_with(PASSKEYS).await;
    let alice = mfa.user("alice").login();
    let mut key = SoftKey::at(PAGE);
    let asked = alice.setup_passkey().await.assert_ok();
    let answer = key.create(&asked["publicKey"]);
    alice.confirm_passkey(&answer).await.assert_ok();
    let before = mfa.dump().await;
    alice.confirm_passkey(&answer).await.assert_ok();
    assert_eq!(mfa.dump().await, before);
    // The challenge registers no second key.
    let another = SoftKey::at(PAGE).create(&asked["publicKey"]);
    alice.confirm_passkey(&another).await.assert_problem(400, "MFA_PASSKEY_INVALID");
    // Nor does another challenge register the same key.
    mfa.advance(1);
    let asked = alice.setup_passkey().await.assert_ok();
    alice.use_key(&mut key).await.assert_ok();
    let asked_later = alice.setup_passkey().await.assert_ok();
    for asked in [asked, asked_later] {
        let answer = key.create(&asked["publicKey"]);
        alice.confirm_passkey(&answer).await.assert_problem(400, "MFA_PASSKEY_INVALID");
    }
    assert_eq!(mfa.ledger("alice").await.expect("a ledger").passkeys.len(), 1);
}

#[tokio::test]
async fn a_setup_ends_after_five_minutes_and_with_its_epoch() {
    let mfa = TestApp::start_with(PASSKEYS).await;
    let alice = mfa.user("alice").with_email("alice@example.com").login();
    let asked = alice.setup_passkey().await.assert_ok();
    mfa.advance(299);
    let mut key = SoftKey::at(PAGE);
    alice.confirm_passkey(&key.create(&asked["publicKey"])).await.assert_ok();
    mfa.advance(1);
    let answer = SoftKey::at(PAGE).create(&asked["publicKey"]);
    alice.confirm_passkey(&answer).await.assert_problem(400, "MFA_PASSKEY_EXPIRED");

    let asked = alice.setup_passkey().await.assert_ok();
    let answer = SoftKey::at(PAGE).create(&asked["publicKey"]);
    alice.toggle(true).await.assert_ok();
    alice.confirm_passkey(&answer).await.assert_problem(400, "MFA_PASSKEY_EXPIRED");
}

#[tokio::test]
async fn a_registration_of_another_origin_party_kind_or_algorithm_or_without_a_pin_is_refused_alike() {
    let mfa = TestApp::start_with(PASSKEYS).await;
    let alice = mfa.user("alice").login();
    let cases: [(&str, Changed); 8] = [
        ("another origin", |key| key.origin = "https://login.example.net".to_owned()),
        ("a page without TLS", |key| key.origin = "http://login.example.com".to_owned()),
        ("another relying party", |key| key.rp_id = Some("example.net".to_owned())),
        ("the answer of a login", |key| key.client_type = Some("webauthn.get")),
        ("an algorithm that was not asked for", |key| key.algorithm = -8),
        ("no algorithm at all", |key| key.algorithm = -100),
        ("without user verification", |key| key.verifies = false),
        ("a credential id of 1,023 bytes", |key| key.id = vec![7; 1023]),
    ];
    for (what, change) in cases {
        let asked = alice.setup_passkey().await.assert_ok();
        let mut key = SoftKey::at(PAGE);
        change(&mut key);
        let answer = alice.confirm_passkey(&key.create(&asked["publicKey"])).await;
        assert_eq!((answer.status, &answer.body["code"]), (400, &json!("MFA_PASSKEY_INVALID")), "{what}");
        assert_eq!(answer.body["message"], "The answer of the passkey is invalid. Try again", "{what}");
    }
    assert_eq!(mfa.items("MFA#").await.len(), 0, "nothing was registered");
}

#[tokio::test]
async fn a_credential_id_of_1_and_of_255_bytes_is_taken() {
    let mfa = TestApp::start_with(PASSKEYS).await;
    let alice = mfa.user("alice").login();
    for length in [1, 255] {
        let asked = alice.setup_passkey().await.assert_ok();
        let mut key = SoftKey::at(PAGE);
        key.id = vec![7; length];
        alice.confirm_passkey(&key.create(&asked["publicKey"])).await.assert_ok();
        mfa.advance(1);
        alice.use_key(&mut key).await.assert_ok();
    }
}

#[tokio::test]
async fn with_security_keys_one_without_a_pin_is_taken_until_the_setting_goes() {
    let mfa = TestApp::start_with(PASSKEYS).await;
    let with_keys = mfa.redeployed_with(&[("MFA_PASSKEY_SECURITY_KEYS", "true")]);
    let alice = mfa.user("alice").login();
    let at_keys = alice.at(&with_keys);
    let mut key = SoftKey::at(PAGE);
    key.verifies = false;
    let asked = at_keys.setup_passkey().await.assert_ok();
    assert_eq!(asked["publicKey"]["authenticatorSelection"]["userVerification"], "preferred");
    at_keys.confirm_passkey(&key.create(&asked["publicKey"])).await.assert_ok();
    mfa.advance(1);
    at_keys.use_key(&mut key).await.assert_ok();
    alice.use_key(&mut key).await.assert_problem(400, "MFA_PASSKEY_INVALID");

    // A key that was registered with a PIN must show it again.
    let mut verified = alice.register().await;
    at_keys.use_key(&mut verified).await.assert_ok();
    verified.verifies = false;
    at_keys.use_key(&mut verified).await.assert_problem(400, "MFA_PASSKEY_INVALID");
}

#[tokio::test]
async fn an_android_app_and_a_related_origin_are_taken_only_if_they_are_configured() {
    let app = format!("android:apk-key-hash:{}", data_encoding::BASE64URL_NOPAD.encode(&[7; 32]));
    let origins = format!("{app}, https://example.org, https://login.example.com");
    let mfa = TestApp::start_with(PASSKEYS).await;
    let with_app = mfa.redeployed_with(&[("MFA_PASSKEY_ORIGINS", &origins)]);
    let alice = mfa.user("alice").login();
    for origin in [&app, "https://example.org"] {
        let mut key = SoftKey::at(origin);
        let asked = alice.setup_passkey().await.assert_ok();
        let answer = key.create(&asked["publicKey"]);
        alice.confirm_passkey(&answer).await.assert_problem(400, "MFA_PASSKEY_INVALID");
        alice.at(&with_app).confirm_passkey(&answer).await.assert_ok();
        mfa.advance(1);
        alice.at(&with_app).use_key(&mut key).await.assert_ok();
    }
}

#[tokio::test]
async fn a_login_that_others_share_gets_tokens_with_its_passkey() {
    let settings = [PASSKEYS, &[("MFA_JWT_LOGIN_CLAIM", "sub")]].concat();
    let mfa = TestApp::start_with(&settings).await;
    let alice = mfa.user("alice").login();
    let asked = alice.setup_passkey().await.assert_ok();
    let answer = alice.confirm_passkey(&SoftKey::at(PAGE).create(&asked["publicKey"])).await;
    let proven = alice.with(answer.text("accessToken"));
    proven.toggle(true).await.assert_ok();
    assert_eq!(proven.status().await["verifiedMethods"], json!(["passkey"]), "it is the session's own");
}
