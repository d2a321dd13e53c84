//! Deleting a user, by `mfa-admin erase`.

use mfa_admin_function::{Command, Reply, User};
use mfa_tests::TestApp;
use serde_json::{Value, json};

#[tokio::test]
async fn once_the_items_of_a_user_are_deleted_nothing_is_left_and_nothing_counts() {
    let mfa = TestApp::start().await;
    let alice = mfa.user("alice").with_email("alice@example.com").with_phone("+442079460018").login();
    let device = alice.enrol().await;
    alice.toggle(true).await.assert_ok();
    let trust = alice.trust("totp", &device.advance_to_next_code(&mfa)).await;
    let answer = alice.verify("totp", &device.advance_to_next_code(&mfa)).await;
    let proven = alice.with(answer.text("accessToken"));
    let codes = proven.generate_recovery_codes().await;
    alice.verify("totp", "000000").await.assert_problem(400, "MFA_CODE_INVALID");
    let setup = proven.open_authenticator().await;
    proven.receive_code("sms").await;
    mfa.advance(30);
    let sent = proven.receive_code("email").await;
    let bob = mfa.user("bob").with_email("bob@example.com").login();
    bob.enrol().await;
    let of_others = |items: Vec<Value>| -> Vec<Value> {
        let user = format!("USER#{}", mfa.app.keys.user_id("alice"));
        items.into_iter().filter(|item| item["pk"]["S"] != user.as_str()).collect()
    };
    let before = of_others(mfa.dump().await);

    let alice_id = || User { user: "alice".to_owned() };
    let Reply::Deleted(items) = mfa.admin(Command::Erase(alice_id())).await else { panic!("nothing deleted") };
    assert!(items > 5, "{items}");
    assert_eq!(mfa.admin(Command::Sweep(alice_id())).await, Reply::Deleted(0));
    assert_eq!(mfa.admin(Command::Show(alice_id())).await, Reply::UnknownUser);
    assert_eq!(mfa.admin(Command::Erase(alice_id())).await, Reply::UnknownUser);
    let left = mfa.dump().await;
    assert_eq!(left, before, "nothing of anybody else goes");
    let now = mfa.clock.now().as_secs();
    for item in left.iter().filter(|item| item["pk"]["S"].as_str().is_some_and(|pk| pk.starts_with("LIMIT#"))) {
        let ttl: u64 = item["ttl"]["N"].as_str().and_then(|ttl| ttl.parse().ok()).expect("a time to live");
        assert!(ttl <= now + 3 * 86_400, "{item}");
        let known = ["count", "last", "pk", "sk", "ttl"];
        assert!(item.as_object().expect("an item").keys().all(|name| known.contains(&name.as_str())), "{item}");
    }
    assert!(!format!("{left:?}").contains("alice"));

    // What was handed out before, in the order in which it would do most harm.
    mfa.refresh(&answer.text("refreshToken")).await.assert_problem(401, "REFRESH_TOKEN_INVALID");
    proven.sessions().await.assert_problem(401, "MFA_REQUIRED");
    alice.verify_trusted(&trust).await.assert_problem(404, "MFA_DEVICE_NOT_FOUND");
    alice.confirm(&setup.code(&mfa), &setup.secret).await.assert_problem(400, "MFA_CODE_INVALID");
    alice.verify("email", &sent).await.assert_problem(400, "VERIFICATION_CODE_INVALID");
    alice.recover(&codes[0]).await.assert_problem(400, "MFA_RECOVERY_CODE_INVALID");
    alice.reset(&codes[1]).await.assert_problem(400, "MFA_RECOVERY_CODE_INVALID");
    let code = device.advance_to_next_code(&mfa);
    alice.verify("totp", &code).await.assert_problem(400, "MFA_METHOD_NOT_AVAILABLE");
    let status = alice.status().await;
    assert_eq!((&status["isEnabled"], &status["totpDevices"]), (&json!(false), &json!([])));

    // Whoever signs up again begins anew.
    alice.enrol().await;
    alice.toggle(true).await.assert_ok();
    proven.sessions().await.assert_problem(401, "MFA_REQUIRED");
    mfa.refresh(&answer.text("refreshToken")).await.assert_problem(401, "REFRESH_TOKEN_INVALID");
    alice.verify_trusted(&trust).await.assert_problem(404, "MFA_DEVICE_NOT_FOUND");
}
