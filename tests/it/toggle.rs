use mfa_tests::TestApp;
use serde_json::json;

#[tokio::test]
async fn mfa_is_switched_on_and_off_again() {
    let mfa = TestApp::start().await;
    let alice = mfa.user("alice").login();
    let authenticator = alice.enrol().await;
    assert_eq!(alice.toggle(true).await.text("message"), "MFA enabled successfully");
    assert_eq!(alice.status().await["isEnabled"], true);

    let proven = alice.prove("totp", &authenticator.advance_to_next_code(&mfa)).await;
    assert_eq!(proven.toggle(false).await.assert_ok(), json!({ "message": "MFA disabled successfully" }));
    assert_eq!(proven.status().await["isEnabled"], false);
}

#[tokio::test]
async fn asking_for_the_current_state_changes_nothing_and_raises_no_epoch() {
    let mfa = TestApp::start().await;
    let alice = mfa.user("alice").with_email("alice@example.com").login();
    alice.toggle(false).await.assert_ok();
    assert!(mfa.items("MFA#").await.is_empty(), "nothing was written");

    let code = alice.receive_code("email").await;
    alice.verify("email", &code).await.assert_ok();
    alice.toggle(true).await.assert_ok();
    mfa.advance(60);
    let code = alice.receive_code("email").await;
    let proven = alice.prove("email", &code).await;
    proven.toggle(true).await.assert_ok();
    proven.toggle(false).await.assert_ok(); // the proof still counts: the epoch is the same
}

#[tokio::test]
async fn without_a_usable_method_mfa_cannot_be_switched_on() {
    let mfa = TestApp::start().await;
    let alice = mfa.user("alice").login();
    alice.open_authenticator().await; // not confirmed, so not usable
    alice.toggle(true).await.assert_problem(403, "MFA_CANNOT_ENABLE_WITHOUT_METHOD");
}

#[tokio::test]
async fn toggling_can_be_off_and_a_required_mfa_cannot_be_switched_off() {
    let mfa = TestApp::start_with(&[("MFA_ALLOW_USER_TOGGLE", "false")]).await;
    let alice = mfa.user("alice").with_email("alice@example.com").login();
    for enabled in [true, false] {
        alice.toggle(enabled).await.assert_problem(403, "MFA_TOGGLING_NOT_ALLOWED");
    }

    let mfa = TestApp::start_with(&[("MFA_REQUIRED", "true")]).await;
    let alice = mfa.user("alice").with_email("alice@example.com").login();
    let code = alice.receive_code("email").await;
    let proven = alice.prove("email", &code).await;
    proven.toggle(false).await.assert_problem(403, "MFA_TOGGLING_NOT_ALLOWED");
    proven.toggle(true).await.assert_ok();
}

#[tokio::test]
async fn the_login_that_switches_on_after_its_own_setup_is_proven_for_a_quarter_of_an_hour() {
    let mfa = TestApp::start().await;
    let alice = mfa.user("alice").login();
    alice.enrol().await;
    mfa.advance(600);
    alice.toggle(true).await.assert_ok();
    alice.setup().await.assert_ok();
    mfa.advance(299);
    alice.setup().await.assert_ok();
    mfa.advance(1);
    alice.setup().await.assert_problem(401, "MFA_REQUIRED");
}

#[tokio::test]
async fn the_grace_is_for_that_login_alone_and_only_for_a_recent_code() {
    let mfa = TestApp::start().await;
    let person = mfa.user("alice");
    let alice = person.login();
    alice.enrol().await;
    alice.toggle(true).await.assert_ok();
    person.login().setup().await.assert_problem(401, "MFA_REQUIRED");

    let bob = mfa.user("bob").with_email("bob@example.com").login();
    bob.toggle(true).await.assert_ok(); // an address is a usable method, but nothing was proven
    bob.toggle(false).await.assert_problem(401, "MFA_REQUIRED");

    let carol = mfa.user("carol").login();
    carol.enrol().await;
    mfa.advance(900);
    carol.toggle(true).await.assert_ok();
    carol.setup().await.assert_problem(401, "MFA_REQUIRED");
}

#[tokio::test]
async fn a_proof_ends_with_its_epoch() {
    let mfa = TestApp::start().await;
    let alice = mfa.user("alice").with_email("alice@example.com").login();
    let code = alice.receive_code("email").await;
    let before = alice.prove("email", &code).await;
    let stranger = mfa.user("alice").with_email("alice@example.com").login();
    stranger.toggle(true).await.assert_ok();
    // This proof is from before MFA was on. Only a proof of the new epoch counts, and the grace
    // belongs to the other login.
    before.toggle(false).await.assert_problem(401, "MFA_REQUIRED");
}

#[tokio::test]
async fn switching_on_after_a_code_answers_with_tokens_that_prove_it() {
    let mfa = TestApp::start().await;
    let alice = mfa.user("alice").login();
    alice.enrol().await;
    let confirmed_at = mfa.clock.now().as_secs();
    mfa.advance(600);
    let answer = alice.toggle(true).await;
    let proven = alice.with(answer.text("accessToken"));
    let claims = mfa_tests::claims_of(&proven.token);
    assert_eq!((&claims["isMfaVerified"], &claims["isMfaEnabled"]), (&json!(true), &json!(true)));
    assert_eq!(claims["auth_time"], confirmed_at, "switching on is no code");
    proven.setup().await.assert_ok();
    let refreshed = mfa.refresh(&answer.text("refreshToken")).await;
    mfa.advance(301);
    alice.with(refreshed.text("accessToken")).setup().await.assert_problem(401, "MFA_REQUIRED");

    // Nobody else gets tokens, and nobody gets them for a code of long ago.
    let bob = mfa.user("bob").with_email("bob@example.com").login();
    assert_eq!(bob.toggle(true).await.assert_ok(), json!({ "message": "MFA enabled successfully" }));
    let carol = mfa.user("carol").login();
    carol.enrol().await;
    mfa.advance(900);
    assert_eq!(carol.toggle(true).await.assert_ok(), json!({ "message": "MFA enabled successfully" }));
}

#[tokio::test]
async fn a_planted_device_is_inactive_when_the_owner_switches_mfa_on_and_that_is_said() {
    let mfa = TestApp::start().await;
    let person = mfa.user("alice").with_email("alice@example.com");
    let planted = person.login().enrol().await;
    mfa.advance(30);
    // The planted device is in use and only a minute old. Nevertheless it is not the owner's.
    person.login().verify("totp", &planted.code(&mfa)).await.assert_ok();
    mfa.advance(30);
    let owner = person.login();
    let own = owner.enrol().await;
    let answer = owner.toggle(true).await;
    let named = json!([{ "id": planted.device_id, "deviceName": "Authenticator" }]);
    assert_eq!(answer.body["inactiveDevices"], named, "{}", answer.body);

    let device = |list: &serde_json::Value, id: &str| {
        list.as_array().expect("a list").iter().find(|device| device["id"] == *id).cloned().expect("a device")
    };
    let list = owner.devices().await;
    let listed = device(&list, &planted.device_id);
    assert_eq!((&listed["verified"], &listed["inactive"]), (&json!(false), &json!(true)));
    let listed = device(&list, &own.device_id);
    assert_eq!((&listed["verified"], listed.get("inactive")), (&json!(true), None));

    let named = json!({ "method": "totp", "otp": planted.code(&mfa), "deviceId": planted.device_id });
    let refused = person.login().post("/auth/mfa/verify", named.clone()).await;
    refused.assert_problem(400, "MFA_METHOD_NOT_AVAILABLE");
    person.login().verify("totp", &planted.code(&mfa)).await.assert_problem(400, "MFA_CODE_INVALID");

    // Under a fresh proof its owner makes it active again.
    let proven = owner.with(answer.text("accessToken"));
    proven.post("/auth/mfa/verify", named).await.assert_ok();
    assert_eq!(device(&owner.devices().await, &planted.device_id)["verified"], true);
}

#[tokio::test]
async fn a_device_counts_by_the_login_that_last_used_it_however_often_mfa_goes_off_and_on() {
    let mfa = TestApp::start().await;
    let device = mfa.user("alice").login().enrol().await;
    mfa.advance(86_400);
    // Another login confirmed the device, so it may be planted. There is no other method.
    let alice = mfa.user("alice").login();
    alice.toggle(true).await.assert_problem(403, "MFA_CANNOT_ENABLE_WITHOUT_METHOD");
    alice.verify("totp", &device.code(&mfa)).await.assert_ok();
    alice.toggle(true).await.assert_ok();

    // That the device guarded MFA once proves nothing: an intruder may have planted it since.
    let proven = alice.prove("totp", &device.advance_to_next_code(&mfa)).await;
    proven.toggle(false).await.assert_ok();
    mfa.advance(30 * 86_400);
    let later = mfa.user("alice").login();
    later.toggle(true).await.assert_problem(403, "MFA_CANNOT_ENABLE_WITHOUT_METHOD");
    later.verify("totp", &device.code(&mfa)).await.assert_ok();
    later.toggle(true).await.assert_ok();
}

#[tokio::test]
async fn an_intruders_device_does_not_become_the_owners_by_mfa_going_on_off_and_on() {
    let mfa = TestApp::start().await;
    let person = mfa.user("alice").with_email("alice@example.com");
    let planted = person.login().enrol().await;
    let owner = person.login();
    let own = owner.enrol().await;
    let proven = owner.with(owner.toggle(true).await.text("accessToken"));
    proven.toggle(false).await.assert_ok();
    // MFA is off. The mark stays, and the intruder's login does not move it without a proof.
    let named = json!({ "method": "totp", "otp": planted.advance_to_next_code(&mfa), "deviceId": planted.device_id });
    person.login().post("/auth/mfa/verify", named).await.assert_problem(400, "MFA_METHOD_NOT_AVAILABLE");
    owner.verify("totp", &own.code(&mfa)).await.assert_ok();
    let again = owner.toggle(true).await.assert_ok();
    assert_eq!(again["inactiveDevices"][0]["id"], planted.device_id, "{again}");
}

#[tokio::test]
async fn switching_on_proves_no_address_of_who_has_an_authenticator_and_one_of_who_has_none() {
    let mfa = TestApp::start().await;
    let person = mfa.user("alice").with_email("alice@example.com").with_phone("+442079460018");
    person.login().enrol().await; // of another login: inactive, and no method
    person.login().toggle(true).await.assert_problem(403, "MFA_CANNOT_ENABLE_WITHOUT_METHOD");

    let bob = mfa.user("bob").with_email("bob@example.com").with_phone("+442079460019").login();
    bob.toggle(true).await.assert_ok();
    let next = mfa.user("bob").with_email("bob@example.com").with_phone("+442079460019").login();
    assert_eq!(next.status().await["verifiedMethods"], json!(["email"]), "the first method that is offered");
    next.challenge("sms").await.assert_problem(400, "MFA_METHOD_NOT_AVAILABLE");
}

#[tokio::test]
async fn an_address_that_another_login_proved_is_unproven_and_that_is_said_masked() {
    let mfa = TestApp::start().await;
    let intruder = mfa.user("alice").with_email("intruder@example.net").with_phone("+442079460018").login();
    for method in ["email", "sms"] {
        let code = intruder.receive_code(method).await;
        intruder.verify(method, &code).await.assert_ok();
        mfa.advance(120);
    }
    let owner = mfa.user("alice").with_email("alice@example.com").with_phone("+442079460018").login();
    owner.enrol().await;
    let answer = owner.toggle(true).await.assert_ok();
    // The token does not carry the intruder's mailbox, and the ledger knows only its hash.
    assert_eq!(answer["addressesUnproven"], json!(["***@***", "+44*******018"]), "{answer}");
    intruder.challenge("email").await.assert_problem(400, "MFA_METHOD_NOT_AVAILABLE");
}

#[tokio::test]
async fn with_enrol_with_code_a_password_alone_enrols_nothing() {
    let mfa = TestApp::start_with(&[("MFA_ENROL_WITH_CODE", "true")]).await;
    let alice = mfa.user("alice").with_email("alice@example.com").login();
    alice.setup().await.assert_problem(401, "MFA_REQUIRED");
    alice.toggle(true).await.assert_problem(401, "MFA_REQUIRED");
    alice.post("/auth/mfa/generate-recovery-code", json!({})).await.assert_problem(401, "MFA_REQUIRED");
    let code = alice.receive_code("email").await;
    let proven = alice.prove("email", &code).await;
    proven.enrol().await;
    proven.toggle(true).await.assert_ok();

    // Who has no address has nothing else to prove.
    let bob = mfa.user("bob").login();
    bob.enrol().await;
    bob.toggle(true).await.assert_ok();
}

#[tokio::test]
async fn with_enrol_with_code_a_token_without_the_address_opens_nothing_for_who_has_an_authenticator() {
    let mfa = TestApp::start_with(&[("MFA_ENROL_WITH_CODE", "true")]).await;
    let person = mfa.user("alice").with_email("alice@example.com");
    let owner = person.login();
    let code = owner.receive_code("email").await;
    let device = owner.prove("email", &code).await.enrol().await;
    for intruder in [person.clone().with("email_verified", false), person.clone().without("email")] {
        let intruder = intruder.login();
        intruder.setup().await.assert_problem(401, "MFA_REQUIRED");
        intruder.remove(&device.device_id).await.assert_problem(401, "MFA_REQUIRED");
        intruder.toggle(true).await.assert_problem(401, "MFA_REQUIRED");
    }
}

#[tokio::test]
async fn whoever_switches_mfa_off_stays_signed_in_and_proven_and_nobody_else_does() {
    let mfa = TestApp::start().await;
    let person = mfa.user("alice");
    let (owner, thief) = (person.login(), person.login());
    let device = owner.enrol().await;
    owner.toggle(true).await.assert_ok();
    let stolen = thief.verify("totp", &device.advance_to_next_code(&mfa)).await.text("refreshToken");
    let answer = owner.verify("totp", &device.advance_to_next_code(&mfa)).await;
    let proven = owner.with(answer.text("accessToken"));
    proven.toggle(false).await.assert_ok();
    mfa.refresh(&stolen).await.assert_problem(401, "REFRESH_TOKEN_INVALID");
    let renewed = mfa.refresh(&answer.text("refreshToken")).await;
    // On again: the session goes on, and its token proves the code that it always proved.
    let renewed = owner.with(renewed.text("accessToken"));
    renewed.toggle(true).await.assert_ok();
    renewed.setup().await.assert_ok();
}

#[tokio::test]
async fn codes_sent_before_mfa_was_on_are_void_after() {
    let mfa = TestApp::start().await;
    let person = mfa.user("alice").with_email("alice@example.com");
    let intruder = person.clone().with_email("intruder@example.net").login();
    let code = intruder.receive_code("email").await;
    person.login().toggle(true).await.assert_ok();
    intruder.verify("email", &code).await.assert_problem(400, "VERIFICATION_CODE_INVALID");
}

#[tokio::test]
async fn codes_sent_while_mfa_was_on_are_void_after_it_is_off() {
    let mfa = TestApp::start().await;
    let person = mfa.user("alice").with_email("alice@example.com");
    let owner = person.login();
    owner.toggle(true).await.assert_ok();
    let stranger = person.login();
    let outstanding = stranger.receive_code("email").await;
    mfa.advance(30);
    let code = owner.receive_code("email").await;
    owner.prove("email", &code).await.toggle(false).await.assert_ok();
    stranger.verify("email", &outstanding).await.assert_problem(400, "VERIFICATION_CODE_INVALID");
}
