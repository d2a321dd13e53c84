use mfa_tests::TestApp;
use serde_json::json;

#[tokio::test]
async fn a_new_user_has_nothing_on_and_can_use_the_addresses_of_the_token() {
    let mfa = TestApp::start().await;
    let alice = mfa.user("alice").with_email("alice@example.com").with_phone("+442079460018").login();
    assert_eq!(
        alice.status().await,
        json!({
            "isEnabled": false,
            "verifiedMethods": ["email", "sms"],
            "configuredMethods": ["totp", "email", "sms"],
            "allowUserToggle": true,
            "allowMethodSelection": true,
            "totpDevices": [],
            "hasRecoveryCode": false,
            "required": false,
            "canToggle": true,
        })
    );
}

#[tokio::test]
async fn totp_is_usable_from_the_moment_a_device_is_verified() {
    let mfa = TestApp::start().await;
    let alice = mfa.user("alice").login();
    let authenticator = alice.open_authenticator().await;
    assert_eq!(alice.status().await["verifiedMethods"], json!([]));
    assert_eq!(alice.status().await["totpDevices"][0]["verified"], false);

    alice.confirm(&authenticator.code(&mfa), &authenticator.secret).await.assert_ok();
    let status = alice.status().await;
    assert_eq!(status["verifiedMethods"], json!(["totp"]));
    assert_eq!(status["totpDevices"], alice.devices().await);
}

#[tokio::test]
async fn an_address_that_the_token_marks_as_unverified_is_not_used() {
    let mfa = TestApp::start().await;
    let person = mfa.user("alice").with_email("alice@example.com").with_phone("+442079460018");
    for (name, value, left) in [
        ("email_verified", json!(false), json!(["sms"])),
        ("email_verified", json!("false"), json!(["sms"])),
        ("emailVerifiedAt", json!(null), json!(["sms"])),
        ("phone_number_verified", json!(false), json!(["email"])),
        ("phoneVerifiedAt", json!(null), json!(["email"])),
        ("email_verified", json!(true), json!(["email", "sms"])),
        ("emailVerifiedAt", json!("2024-01-01"), json!(["email", "sms"])),
    ] {
        let status = person.clone().with(name, value.clone()).login().status().await;
        assert_eq!(status["verifiedMethods"], left, "{name}: {value}");
    }
    let unverified = person.with("email_verified", false);
    unverified.login().challenge("email").await.assert_problem(400, "MFA_METHOD_NOT_AVAILABLE");

    let lenient = mfa.redeployed_with(&[("MFA_REQUIRE_VERIFIED_CONTACT", "false")]);
    assert_eq!(unverified.login().at(&lenient).status().await["verifiedMethods"], json!(["email", "sms"]));
}

#[tokio::test]
async fn where_mfa_is_off_for_the_application_status_says_nothing_of_the_user() {
    let mfa = TestApp::start().await;
    let alice = mfa.user("alice").with_email("alice@example.com").login();
    alice.enrol().await;
    let off = mfa.redeployed_with(&[("MFA_ENABLED", "false"), ("MFA_REQUIRED", "true")]);
    assert_eq!(
        alice.at(&off).status().await,
        json!({
            "isEnabled": false,
            "verifiedMethods": [],
            "configuredMethods": [],
            "allowUserToggle": false,
            "allowMethodSelection": true,
            "totpDevices": [],
            "hasRecoveryCode": false,
            "required": false,
            "canToggle": false,
        })
    );
}

#[tokio::test]
async fn where_mfa_is_required_everybody_has_it_on_and_nobody_can_toggle() {
    let mfa = TestApp::start_with(&[("MFA_REQUIRED", "true")]).await;
    let status = mfa.user("alice").login().status().await;
    assert_eq!(status["isEnabled"], true);
    assert_eq!(status["required"], true);
    assert_eq!(status["allowUserToggle"], true);
    assert_eq!(status["canToggle"], false);
}

#[tokio::test]
async fn status_reads_what_was_just_committed() {
    let mfa = TestApp::start().await;
    let alice = mfa.user("alice").login();
    alice.status().await;
    mfa.fault_proxy.remember();
    mfa.fault_proxy.break_calls("Query", mfa_tests::InjectedFault::Stale);
    alice.enrol().await;
    alice.toggle(true).await.assert_ok();
    assert_eq!(alice.status().await["isEnabled"], true);
}
