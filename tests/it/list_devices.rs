use mfa_tests::TestApp;
use serde_json::json;

#[tokio::test]
async fn devices_are_listed_last_used_first_then_newest_and_never_used_last() {
    let mfa = TestApp::start().await;
    let alice = mfa.user("alice").login();
    let mut authenticators = Vec::new();
    for name in ["first", "second", "third"] {
        let answer = alice.post("/auth/mfa/setup-totp", json!({ "deviceName": name })).await.assert_ok();
        let secret = answer["secret"].as_str().expect("a secret").to_owned();
        let code = mfa_tests::totp_code(&secret, mfa.clock.now().as_secs());
        alice.confirm(&code, &secret).await.assert_ok();
        authenticators.push(secret);
        mfa.advance(60);
    }
    let names = |list: &serde_json::Value| -> Vec<String> {
        let list = list.as_array().expect("a list");
        list.iter().map(|device| device["deviceName"].as_str().expect("a name").to_owned()).collect()
    };
    assert_eq!(names(&alice.devices().await), ["third", "second", "first"]);

    alice.verify("totp", &mfa_tests::totp_code(&authenticators[0], mfa.clock.now().as_secs())).await.assert_ok();
    let list = alice.devices().await;
    assert_eq!(names(&list), ["first", "third", "second"]);
    assert_eq!(list[0]["lastUsedAt"], mfa.clock.now().to_rfc3339());
    assert!(list[1].get("lastUsedAt").is_none(), "left out if the device was never used");
}

#[tokio::test]
async fn a_device_is_shown_as_the_contract_says() {
    let mfa = TestApp::start().await;
    let alice = mfa.user("alice").login();
    assert_eq!(alice.devices().await, json!([]));
    let authenticator = alice.enrol().await;
    assert_eq!(
        alice.devices().await,
        json!([{
            "id": authenticator.device_id,
            "deviceName": "Authenticator",
            "method": "totp",
            "verified": true,
            "createdAt": "2030-01-01T00:00:00.000Z",
        }])
    );
}

#[tokio::test]
async fn an_open_setup_is_listed_until_it_expires() {
    let mfa = TestApp::start().await;
    let alice = mfa.user("alice").login();
    alice.open_authenticator().await;
    mfa.advance(599);
    assert_eq!(alice.devices().await[0]["verified"], false);
    mfa.advance(1);
    assert_eq!(alice.devices().await, json!([]));
    assert_eq!(alice.status().await["totpDevices"], json!([]));
}

#[tokio::test]
async fn nobody_sees_the_devices_of_another() {
    let mfa = TestApp::start().await;
    mfa.user("alice").login().enrol().await;
    assert_eq!(mfa.user("bob").login().devices().await, json!([]));
}
