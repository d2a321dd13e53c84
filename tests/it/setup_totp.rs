use mfa_tests::TestApp;
use serde_json::{Value, json};

async fn setup(mfa: &std::sync::Arc<TestApp>, sub: &str, body: Value) -> Value {
    mfa.user(sub).with_email("alice@example.com").login().post("/auth/mfa/setup-totp", body).await.assert_ok()
}

#[tokio::test]
async fn a_setup_gives_a_160_bit_secret_its_address_and_a_qr_code() {
    let mfa = TestApp::start().await;
    let reply = setup(&mfa, "alice", json!({})).await;
    let secret = reply["secret"].as_str().expect("a secret");
    assert_eq!(data_encoding::BASE32_NOPAD.decode(secret.as_bytes()).expect("base 32").len(), 20);
    assert_eq!(reply["issuer"], "Example");
    assert_eq!(reply["account"], "alice@example.com");
    assert_eq!(
        reply["otpAuthUrl"],
        format!("otpauth://totp/Example:alice%40example.com?secret={secret}&issuer=Example")
    );
    assert_eq!(reply["expiresIn"], 600);
    let picture = reply["qrCode"].as_str().and_then(|url| url.strip_prefix("data:image/png;base64,"));
    let picture = data_encoding::BASE64.decode(picture.expect("a data URL").as_bytes()).expect("base 64");
    assert!(picture.starts_with(b"\x89PNG\r\n\x1a\n"));
}

#[tokio::test]
async fn label_and_device_name_are_taken_and_colons_replaced() {
    let mfa = TestApp::start().await;
    let reply = setup(&mfa, "alice", json!({ "label": "a:b", "deviceName": "Work: phone" })).await;
    assert_eq!(reply["account"], "a b");
    let list = mfa.user("alice").login().devices().await;
    assert_eq!(list[0]["deviceName"], "Work  phone");
}

#[tokio::test]
async fn the_account_is_email_then_phone_then_user_id() {
    let mfa = TestApp::start().await;
    let account = |person: mfa_tests::Person| async move { person.login().setup().await.text("account") };
    assert_eq!(account(mfa.user("user:1")).await, "user 1");
    let bob = mfa.user("user:2").with_phone("+442079460018");
    assert_eq!(account(bob).await, "+442079460018");
    let carol = mfa.user("user:3").with_phone("+442079460018").with_email("a@x.example");
    assert_eq!(account(carol).await, "a@x.example");
}

#[tokio::test]
async fn the_account_of_a_further_setup_differs_from_that_of_each_other_one() {
    let mfa = TestApp::start().await;
    let alice = mfa.user("alice").with_email("alice@example.com").login();
    let mut accounts = std::collections::BTreeSet::new();
    for n in 0..5 {
        // One is given up, and the next one must not get the account of one that is left.
        if n == 3 {
            let list = alice.devices().await;
            alice.remove(list[2]["id"].as_str().expect("an id")).await.assert_ok();
        }
        let answer = alice.setup().await;
        let (account, secret) = (answer.text("account"), answer.text("secret"));
        assert_eq!(account == "alice@example.com", n == 0, "{account}");
        assert!(account.starts_with("alice@example.com"), "{account}");
        let encoded = account.replace('@', "%40").replace(' ', "%20").replace('(', "%28").replace(')', "%29");
        let url = answer.text("otpAuthUrl");
        assert!(url.starts_with(&format!("otpauth://totp/Example:{encoded}?secret={secret}")), "{url}");
        assert!(accounts.insert(account), "{accounts:?}");
        let code = mfa_tests::totp_code(&secret, mfa.clock.now().as_secs());
        if n < 3 {
            alice.confirm(&code, &secret).await.assert_ok();
        }
    }
    for label in ["日本語".repeat(42), "👩‍👩‍👧‍👦".repeat(18), "%&?=#+/\\\"'<>".repeat(10)] {
        let answer = alice.post("/auth/mfa/setup-totp", json!({ "label": label })).await;
        assert!(answer.text("qrCode").len() > 500, "{label}");
        assert!(answer.text("account").chars().count() <= 128);
    }
}

#[tokio::test]
async fn where_nothing_is_left_of_a_name_the_next_one_is_taken() {
    let mfa = TestApp::start().await;
    let alice = mfa.user("\u{1}").login();
    assert!(!alice.setup().await.text("account").is_empty());
    let answer = alice.post("/auth/mfa/setup-totp", json!({ "label": " : ", "deviceName": ":" })).await;
    assert!(!answer.text("account").trim().is_empty());
    assert_eq!(alice.devices().await[0]["deviceName"], "Authenticator");
}

#[tokio::test]
async fn any_text_that_people_use_for_names_gives_a_qr_code() {
    let mfa = TestApp::start().await;
    for label in ["日本語".repeat(42), "👩‍👩‍👧‍👦".repeat(18), "%&?=#+/\\\"'<>".repeat(10), " x ".to_owned()]
    {
        let reply = setup(&mfa, "alice", json!({ "label": label })).await;
        assert!(reply["qrCode"].as_str().is_some_and(|url| url.len() > 500), "{label}");
    }
}

#[tokio::test]
async fn names_that_are_too_long_or_no_strings_are_refused() {
    let mfa = TestApp::start().await;
    let alice = mfa.user("alice").login();
    for body in [
        json!({ "label": "x".repeat(129) }),
        json!({ "deviceName": "x".repeat(129) }),
        json!({ "label": 1 }),
        json!({ "deviceName": ["x"] }),
        json!({ "deviceName": "a\u{0}b" }),
    ] {
        alice.post("/auth/mfa/setup-totp", body).await.assert_problem(400, "INVALID_INPUT");
    }
    alice.post("/auth/mfa/setup-totp", json!({ "label": "x".repeat(128), "deviceName": null })).await.assert_ok();
}

#[tokio::test]
async fn a_fourth_open_setup_replaces_the_oldest_and_leaves_no_garbage() {
    let mfa = TestApp::start().await;
    let alice = mfa.user("alice").login();
    let oldest = alice.open_authenticator().await;
    for _ in 0..3 {
        mfa.advance(1);
        alice.open_authenticator().await;
    }
    let list = alice.devices().await;
    assert_eq!(list.as_array().map(Vec::len), Some(3));
    assert!(!list.to_string().contains(&oldest.device_id));
    alice.confirm(&oldest.code(&mfa), &oldest.secret).await.assert_problem(400, "MFA_CODE_INVALID");
    let items = mfa.items("MFA#").await;
    assert_eq!(items.len(), 4, "three set-ups and the ledger");
}

#[tokio::test]
async fn a_sixth_device_is_refused() {
    let mfa = TestApp::start().await;
    let alice = mfa.user("alice").login();
    for _ in 0..5 {
        alice.enrol().await;
    }
    alice.setup().await.assert_problem(409, "MFA_DEVICE_LIMIT_REACHED");
}

#[tokio::test]
async fn a_setup_from_before_the_fifth_device_is_not_confirmed_either() {
    let mfa = TestApp::start().await;
    let alice = mfa.user("alice").login();
    for _ in 0..4 {
        alice.enrol().await;
    }
    let (fifth, sixth) = (alice.open_authenticator().await, alice.open_authenticator().await);
    alice.confirm(&fifth.code(&mfa), &fifth.secret).await.assert_ok();
    alice.confirm(&sixth.code(&mfa), &sixth.secret).await.assert_problem(409, "MFA_DEVICE_LIMIT_REACHED");
    let devices = alice.devices().await;
    assert_eq!(devices.as_array().expect("devices").iter().filter(|device| device["verified"] == true).count(), 5);
}

#[tokio::test]
async fn where_totp_is_not_offered_there_is_no_setup() {
    let mfa = TestApp::start_with(&[("MFA_METHODS", "email")]).await;
    let alice = mfa.user("alice").login();
    alice.setup().await.assert_problem(400, "MFA_METHOD_NOT_AVAILABLE");
    alice.confirm("123456", "JBSWY3DPEHPK3PXP").await.assert_problem(400, "MFA_METHOD_NOT_AVAILABLE");
}
