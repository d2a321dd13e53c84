use mfa_tests::{Login, TestApp};

#[tokio::test]
async fn the_list_shows_what_is_trusted_last_used_first_then_newest() {
    let mfa = TestApp::start().await;
    let person = mfa.user("alice");
    let alice = person.login();
    let device = alice.enrol().await;
    alice.toggle(true).await.assert_ok();
    let first = alice.trust("totp", &device.advance_to_next_code(&mfa)).await;
    let made = mfa.clock.now();
    alice.trust("totp", &device.advance_to_next_code(&mfa)).await;
    alice.trust("totp", &device.advance_to_next_code(&mfa)).await;
    mfa.advance(5);
    person.login().verify_trusted(&first).await.assert_ok();
    let used = mfa.clock.now();

    let proven = alice.prove("totp", &device.advance_to_next_code(&mfa)).await;
    let list = proven.trusted_devices().await.assert_ok();
    let list = list.as_array().expect("a list");
    assert_eq!(list.len(), 3);
    let entry = list[0].as_object().expect("an object");
    assert_eq!(entry["label"], "Firefox on Linux");
    assert_eq!(entry["createdAt"], made.to_rfc3339());
    assert_eq!(entry["lastUsedAt"], used.to_rfc3339());
    assert_eq!(entry["expiresAt"], made.plus(std::time::Duration::from_hours(720)).to_rfc3339());
    assert_eq!(entry["id"].as_str().map(str::len), Some(22));
    assert_eq!(entry.len(), 5);
    assert!(list[1].get("lastUsedAt").is_none());
    assert!(list[1]["createdAt"].as_str() > list[2]["createdAt"].as_str());
    // The id names the device, but does not stand in for its trust token.
    person
        .login()
        .verify_trusted(entry["id"].as_str().expect("an id"))
        .await
        .assert_problem(404, "MFA_DEVICE_NOT_FOUND");
}

#[tokio::test]
async fn nobody_sees_the_trusted_devices_of_another_and_the_list_is_behind_the_gate() {
    let mfa = TestApp::start().await;
    let person = mfa.user("alice");
    let alice = person.login();
    let device = alice.enrol().await;
    alice.toggle(true).await.assert_ok();
    alice.trust("totp", &device.advance_to_next_code(&mfa)).await;
    assert_eq!(mfa.user("bob").login().trusted_devices().await.assert_ok(), serde_json::json!([]));
    person.login().trusted_devices().await.assert_problem(401, "MFA_REQUIRED");
}

#[tokio::test]
async fn the_eleventh_makes_the_oldest_go_and_what_has_ended_with_it() {
    let mfa = TestApp::start().await;
    let person = mfa.user("alice");
    let alice = person.login();
    let device = alice.enrol().await;
    let before = alice.trust("totp", &device.advance_to_next_code(&mfa)).await; // of an epoch that ends next
    alice.toggle(true).await.assert_ok();
    let mut tokens = Vec::new();
    for _ in 0..11 {
        tokens.push(alice.trust("totp", &device.advance_to_next_code(&mfa)).await);
    }
    for ended in [&before, &tokens[0]] {
        person.login().verify_trusted(ended).await.assert_problem(404, "MFA_DEVICE_NOT_FOUND");
    }
    for token in &tokens[1..] {
        person.login().verify_trusted(token).await.assert_ok();
    }
    let proven = alice.prove("totp", &device.advance_to_next_code(&mfa)).await;
    assert_eq!(proven.trusted_devices().await.assert_ok().as_array().map(Vec::len), Some(10));
    assert_eq!(mfa.items("TRUST#").await.len(), 10, "what has ended does not stay in the table");
}

#[tokio::test]
async fn a_trusted_device_of_an_earlier_epoch_is_not_listed() {
    let mfa = TestApp::start().await;
    let person = mfa.user("alice").with_email("alice@example.com");
    let alice = person.login();
    let code = alice.receive_code("email").await;
    alice.trust("email", &code).await;
    assert_eq!(alice.trusted_devices().await.assert_ok().as_array().map(Vec::len), Some(1));
    let device = alice.enrol().await;
    alice.toggle(true).await.assert_ok();
    let proven =
        Login::with_token(&mfa, alice.verify("totp", &device.advance_to_next_code(&mfa)).await.text("accessToken"));
    assert_eq!(proven.trusted_devices().await.assert_ok(), serde_json::json!([]));
}
