//! Addresses as people and systems hold them, and those that no provider takes (row 53 of the
//! threat model).

use mfa_tests::TestApp;
use serde_json::json;

#[tokio::test]
async fn an_address_that_ses_never_takes_is_no_method_and_holds_no_gate_shut() {
    let mfa = TestApp::start_with(&[("MFA_REQUIRED", "true"), ("MFA_METHODS", "totp,email")]).await;
    for (number, address) in [
        "müller@example.com",
        "alice@localhost",
        "alice@example..com",
        "\"alice\"@example.com",
        "alice.@example.com",
        "alice@[192.0.2.1]",
        "alice@-example.com",
        "",
    ]
    .into_iter()
    .enumerate()
    {
        let alice = mfa.user(&format!("alice-{number}")).with_email(address).login();
        assert_eq!(alice.status().await["verifiedMethods"], json!([]), "{address}");
        alice.challenge("email").await.assert_problem(400, "MFA_METHOD_NOT_AVAILABLE");
        alice.enrol().await;
        assert_eq!(alice.status().await["isEnabled"], true, "{address}");
    }
    let bob = mfa.user("bob").with_email("bob@example.com").login();
    assert_eq!(bob.setup().await.code(), Some("MFA_REQUIRED"), "his address takes codes");
}

#[tokio::test]
async fn an_address_that_the_provider_refuses_for_good_holds_no_gate_shut() {
    let mfa = TestApp::start_with(&[("MFA_REQUIRED", "true")]).await;
    let alice = mfa.user("alice").with_email("alice@rejected.example").with_phone("+15550100123").login();
    alice.setup().await.assert_problem(401, "MFA_REQUIRED");
    alice.challenge("email").await.assert_problem(422, "MFA_DELIVERY_REJECTED");
    assert_eq!(alice.status().await["verifiedMethods"], json!(["sms"]));
    alice.setup().await.assert_problem(401, "MFA_REQUIRED");
    alice.challenge("sms").await.assert_problem(422, "MFA_DELIVERY_REJECTED");
    assert_eq!(alice.status().await["verifiedMethods"], json!([]));
    alice.enrol().await;

    // Another address of the same person is another address.
    let moved = mfa.user("carol").with_email("carol@rejected.example");
    moved.login().challenge("email").await.assert_problem(422, "MFA_DELIVERY_REJECTED");
    let moved = moved.with_email("carol@example.com").login();
    moved.setup().await.assert_problem(401, "MFA_REQUIRED");
    let code = moved.receive_code("email").await;
    moved.verify("email", &code).await.assert_ok();
}

#[tokio::test]
async fn a_code_may_be_requested_for_a_refused_address_again_and_once_it_arrives_it_is_a_method() {
    let mfa = TestApp::start_with(&[("MFA_REQUIRED", "true"), ("MFA_METHODS", "email,totp")]).await;
    let alice = mfa.user("alice").with_email("alice@Rejected.example").login();
    alice.challenge("email").await.assert_problem(422, "MFA_DELIVERY_REJECTED");
    assert_eq!(alice.status().await["verifiedMethods"], json!([]));
    mfa.inbox.take_rejected(true);
    let code = alice.receive_code("email").await;
    assert_eq!(alice.status().await["verifiedMethods"], json!(["email"]));
    alice.verify("email", &code).await.assert_ok();
}

#[tokio::test]
async fn mfa_that_was_switched_on_with_an_address_that_takes_no_code_goes_off_again() {
    let mfa = TestApp::start().await;
    let alice = mfa.user("alice").with_email("alice@rejected.example").login();
    alice.toggle(true).await.assert_ok();
    alice.setup().await.assert_problem(401, "MFA_REQUIRED");
    let refused = alice.challenge("email").await.assert_problem(422, "MFA_DELIVERY_REJECTED");
    assert!(refused.text("message").contains("MFA is off again"), "{}", refused.body);
    assert_eq!(alice.status().await["isEnabled"], false);
    alice.toggle(true).await.assert_problem(403, "MFA_CANNOT_ENABLE_WITHOUT_METHOD");
    alice.enrol().await;
    alice.toggle(true).await.assert_ok();

    // Whoever entered a code once keeps MFA, whatever the provider says later.
    let bob = mfa.user("bob").with_email("bob@rejected.example").login();
    mfa.inbox.take_rejected(true);
    bob.toggle(true).await.assert_ok();
    let code = bob.receive_code("email").await;
    bob.verify("email", &code).await.assert_ok();
    mfa.inbox.take_rejected(false);
    mfa.advance(60);
    let refused = bob.challenge("email").await.assert_problem(422, "MFA_DELIVERY_REJECTED");
    assert!(!refused.text("message").contains("off"), "{}", refused.body);
    let status = bob.status().await;
    assert_eq!((&status["isEnabled"], &status["deadEnd"]), (&json!(true), &json!(true)));
}

#[tokio::test]
async fn an_address_has_one_form_and_its_local_part_is_kept() {
    let mfa = TestApp::start().await;
    for (number, (written, sent_to)) in [
        ("Alice@Example.COM", "Alice@example.com"),
        ("alice@Bücher.example", "alice@xn--bcher-kva.example"),
        ("o'neil+x@example.com", "o'neil+x@example.com"),
    ]
    .into_iter()
    .enumerate()
    {
        let alice = mfa.user(&format!("alice-{number}")).with_email(written).login();
        let code = alice.receive_code("email").await;
        assert_eq!(mfa.inbox.messages().pop().map(|message| message.to).as_deref(), Some(sent_to));
        alice.verify("email", &code).await.assert_ok();
    }
    for (number, written) in ["+1 (202) 555-0123", "tel:+1-202-555-0123", "\u{202a}+1 202\u{2011}555\u{a0}0123\u{202c}"]
        .into_iter()
        .enumerate()
    {
        let bob = mfa.user(&format!("bob-{number}")).with_phone(written).login();
        let code = bob.receive_code("sms").await;
        assert_eq!(mfa.inbox.messages().pop().map(|message| message.to).as_deref(), Some("+12025550123"));
        bob.verify("sms", &code).await.assert_ok();
    }
    let at_home = mfa.user("carol").with_phone("+44 (0)20 7946 0018").login();
    at_home.challenge("sms").await.assert_problem(400, "MFA_METHOD_NOT_AVAILABLE");
    assert_eq!(at_home.status().await["verifiedMethods"], json!([]));
}

#[tokio::test]
async fn a_bound_address_is_the_same_in_another_case_of_its_domain_and_another_in_one_of_its_local_part() {
    let mfa = TestApp::start().await;
    let person = |address: &str| mfa.user("alice").with_email(address).login();
    let alice = person("alice@bücher.example");
    let code = alice.receive_code("email").await;
    let proven = alice.prove("email", &code).await;
    proven.toggle(true).await.assert_ok();
    mfa.advance(3600);
    person("alice@XN--BCHER-KVA.Example").challenge("email").await.assert_ok();
    mfa.advance(60);
    person("Alice@bücher.example").challenge("email").await.assert_problem(400, "MFA_METHOD_NOT_AVAILABLE");
}

#[tokio::test]
async fn a_request_that_never_reached_the_provider_leaves_the_refusal_as_it_was() {
    let settings = [("MFA_REQUIRED", "true"), ("MFA_METHODS", "totp,sms"), ("MFA_SMS_PER_DAY", "1")];
    let mfa = TestApp::start_with(&settings).await;
    let alice = mfa.user("alice").with_phone("+15550100123").login();
    alice.challenge("sms").await.assert_problem(422, "MFA_DELIVERY_REJECTED");
    alice.setup().await.assert_ok();
    mfa.advance(61);
    alice.challenge("sms").await.assert_problem(429, "RATE_LIMITED");
    alice.setup().await.assert_ok();
}

#[tokio::test]
async fn a_fault_of_the_account_is_no_refusal_of_the_address() {
    let mfa = TestApp::start().await;
    mfa.inbox.verify_sender(false);
    let alice = mfa.user("alice").with_email("alice@example.com").login();
    alice.toggle(true).await.assert_ok();
    alice.challenge("email").await.assert_problem(503, "MFA_DELIVERY_FAILED");
    let status = alice.status().await;
    assert_eq!((&status["isEnabled"], &status["verifiedMethods"]), (&json!(true), &json!(["email"])));
    alice.setup().await.assert_problem(401, "MFA_REQUIRED");
}
