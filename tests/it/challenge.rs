use std::sync::Arc;

use mfa_local::InboxMessage;
use mfa_tests::{InjectedFault, Login, TestApp};
use serde_json::json;

fn alice(mfa: &Arc<TestApp>) -> Login {
    mfa.user("alice").with_email("alice@example.com").with_phone("+442079460018").login()
}

/// A message as the person gets it, but with a fixed code, so that every run gives the same text.
fn whole(message: &InboxMessage) -> String {
    let InboxMessage { to, subject, text, html, code, .. } = message;
    let parts = [Some(format!("To: {to}")), subject.as_ref().map(|subject| format!("Subject: {subject}"))];
    let parts = parts.into_iter().flatten().chain([String::new(), text.clone()]).chain(html.clone());
    parts.collect::<Vec<_>>().join("\n").replace(code.as_deref().expect("a code"), "012345")
}

#[tokio::test]
async fn an_email_says_the_code_the_name_the_lifetime_and_what_if_it_was_not_you() {
    let mfa = TestApp::start().await;
    let reply = alice(&mfa).challenge("email").await.assert_ok();
    assert_eq!(
        reply,
        json!({
            "message": "MFA code sent successfully",
            "expiresIn": 300,
            "resendAfter": 30,
            "destination": "a***@example.com",
        })
    );
    let messages = mfa.inbox.messages();
    let [mail] = messages.as_slice() else { panic!("{} messages", messages.len()) };
    assert_eq!((mail.channel, mail.to.as_str()), ("email", "alice@example.com"));
    let code = mail.code.as_deref().expect("a code");
    insta::assert_snapshot!("email", whole(mail));
    assert!(!mail.subject.as_ref().expect("a subject").contains(code));
}

#[tokio::test]
async fn a_text_message_is_one_segment_and_ends_origin_bound() {
    let mfa = TestApp::start().await;
    let reply = alice(&mfa).challenge("sms").await.assert_ok();
    assert_eq!(reply["destination"], "+44*******018");
    let messages = mfa.inbox.messages();
    let [sms] = messages.as_slice() else { panic!("{} messages", messages.len()) };
    let code = sms.code.as_deref().expect("a code");
    assert_eq!((sms.channel, sms.to.as_str()), ("sms", "+442079460018"));
    insta::assert_snapshot!("text_message", whole(sms));
    assert_eq!(sms.text.lines().last(), Some(format!("@example.com #{code}").as_str()));
    assert!(sms.text.len() <= 160);
}

#[tokio::test]
async fn phone_is_another_word_for_sms() {
    let mfa = TestApp::start().await;
    alice(&mfa).challenge("phone").await.assert_ok();
    assert_eq!(mfa.inbox.messages()[0].channel, "sms");
}

#[tokio::test]
async fn for_an_authenticator_nothing_is_sent_written_or_counted() {
    let mfa = TestApp::start().await;
    let alice = alice(&mfa);
    alice.challenge("totp").await.assert_problem(400, "MFA_METHOD_NOT_AVAILABLE");
    alice.enrol().await;
    let before = mfa.dump().await;
    for _ in 0..20 {
        assert_eq!(alice.challenge("totp").await.assert_ok(), json!({ "message": "MFA code sent successfully" }));
    }
    assert_eq!(mfa.dump().await, before);
    assert_eq!(mfa.inbox.received(), 0);
}

#[tokio::test]
async fn a_method_that_is_not_offered_or_has_no_address_is_not_available() {
    let mfa = TestApp::start_with(&[("MFA_METHODS", "totp,email")]).await;
    alice(&mfa).challenge("sms").await.assert_problem(400, "MFA_METHOD_NOT_AVAILABLE");
    mfa.user("bob").login().challenge("email").await.assert_problem(400, "MFA_METHOD_NOT_AVAILABLE");
    assert_eq!(mfa.inbox.received(), 0);
}

#[tokio::test]
async fn text_messages_go_only_to_the_countries_of_the_list() {
    let mfa = TestApp::start_with(&[("MFA_SMS_COUNTRIES", "+44,!+4420,+1")]).await;
    alice(&mfa).challenge("sms").await.assert_problem(400, "MFA_METHOD_NOT_AVAILABLE");
    mfa.user("bob").with("phone_number", "+447700900123").login().challenge("sms").await.assert_ok();

    let off = TestApp::start_with(&[("MFA_SMS_COUNTRIES", "")]).await;
    let status = alice(&off).status().await;
    assert_eq!(status["configuredMethods"], json!(["totp", "email"]));
    alice(&off).challenge("sms").await.assert_problem(400, "MFA_METHOD_NOT_AVAILABLE");
}

#[tokio::test]
async fn sends_are_spaced_and_retry_after_says_for_how_long() {
    let mfa = TestApp::start().await;
    let alice = alice(&mfa);
    alice.challenge("email").await.assert_ok();
    mfa.advance(10);
    let answer = alice.challenge("sms").await.assert_problem(429, "RATE_LIMITED");
    assert_eq!(answer.retry_after(), Some(20));
    mfa.advance(20);
    let reply = alice.challenge("email").await.assert_ok();
    assert_eq!(reply["resendAfter"], 60);
    assert_eq!(mfa.inbox.received(), 2);
}

#[tokio::test]
async fn a_user_is_sent_five_codes_an_hour_at_most_over_all_logins() {
    let mfa = TestApp::start().await;
    let mut sent = 0;
    for _ in 0..119 {
        sent += u64::from(alice(&mfa).challenge("email").await.status == 200);
        mfa.advance(30);
    }
    assert_eq!((sent, mfa.inbox.received()), (5, 5));
}

#[tokio::test]
async fn one_destination_is_sent_ten_codes_an_hour_over_all_users_who_have_not_proven_it() {
    let mfa = TestApp::start().await;
    let owner = alice(&mfa);
    let code = owner.receive_code("email").await;
    owner.verify("email", &code).await.assert_ok();
    for n in 0..9 {
        mfa.user(&format!("flooder-{n}")).with_email("Alice@Example.COM").login().challenge("email").await.assert_ok();
    }
    let flooder = mfa.user("flooder-9").with_email("alice@example.com").login();
    let answer = flooder.challenge("email").await.assert_problem(429, "RATE_LIMITED");
    assert!(answer.retry_after().is_some_and(|seconds| seconds <= 3600));

    mfa.advance(30);
    owner.challenge("email").await.assert_ok();
    mfa.advance(3600);
    flooder.challenge("email").await.assert_ok();
}

#[tokio::test]
async fn a_resend_that_a_limit_refuses_leaves_the_code_from_before() {
    let mfa = TestApp::start().await;
    let alice = mfa.user("alice").with_email("alice@example.com").login();
    let code = alice.receive_code("email").await;
    for n in 0..9 {
        mfa.user(&format!("flooder-{n}")).with_email("alice@example.com").login().challenge("email").await.assert_ok();
    }
    mfa.advance(30);
    alice.challenge("email").await.assert_problem(429, "RATE_LIMITED");
    alice.verify("email", &code).await.assert_ok();
}

#[tokio::test]
async fn one_source_asks_for_thirty_text_messages_an_hour() {
    let mfa = TestApp::start().await;
    let ask = |n: u32| {
        let phone = format!("+4477009{n:05}");
        let person = mfa.user(&format!("user-{n}")).with_phone(&phone);
        async move { person.login().challenge("sms").await.status }
    };
    for n in 0..30 {
        assert_eq!(ask(n).await, 200, "number {n}");
    }
    assert_eq!(ask(30).await, 429);
}

#[tokio::test]
async fn the_application_sends_so_many_text_messages_a_day() {
    let mfa = TestApp::start_with(&[("MFA_SMS_PER_DAY", "2")]).await;
    for (n, status) in [(1, 200), (2, 200), (3, 429)] {
        let person = mfa.user(&format!("user-{n}")).with_phone(&format!("+44770090012{n}"));
        assert_eq!(person.login().challenge("sms").await.status, status, "message {n}");
    }
    mfa.user("user-4").with_email("a@x.example").login().challenge("email").await.assert_ok();
    mfa.advance(86_400);
    mfa.user("user-3").with_phone("+447700900123").login().challenge("sms").await.assert_ok();
}

#[tokio::test]
async fn nobody_uses_up_the_applications_text_messages_by_being_refused() {
    let mfa = TestApp::start_with(&[("MFA_SMS_PER_DAY", "60")]).await;
    // One account asks for codes to one number again and again for an hour. The limits of the user
    // and of the destination refuse most of them.
    for _ in 0..200 {
        alice(&mfa).challenge("sms").await;
        mfa.advance(18);
    }
    let count = |items: Vec<serde_json::Value>| {
        let day = items.into_iter().filter(|item| item["pk"]["S"].as_str().is_some_and(|pk| pk.contains("SMSDAY")));
        day.map(|item| item["count"]["N"].as_str().and_then(|n| n.parse().ok()).unwrap_or(0)).sum::<u32>()
    };
    let counted = count(mfa.dump().await);
    assert!(counted <= 12, "{counted} of 60 text messages, for {} that went out", mfa.inbox.received());
}

#[tokio::test]
async fn a_refused_send_writes_no_counter() {
    let mfa = TestApp::start().await;
    let alice = alice(&mfa);
    alice.challenge("email").await.assert_ok();
    let before = mfa.dump().await;
    alice.challenge("sms").await.assert_problem(429, "RATE_LIMITED");
    assert_eq!(mfa.dump().await, before);
}

#[tokio::test]
async fn an_address_that_the_provider_refuses_is_said_and_the_send_given_back_twice() {
    let mfa = TestApp::start().await;
    let bounced = mfa.user("bob").with_email("bob@rejected.example").with_phone("+15550100123").login();
    bounced.challenge("email").await.assert_problem(422, "MFA_DELIVERY_REJECTED");
    bounced.challenge("sms").await.assert_problem(422, "MFA_DELIVERY_REJECTED");
    bounced.challenge("email").await.assert_problem(422, "MFA_DELIVERY_REJECTED");
    bounced.challenge("email").await.assert_problem(429, "RATE_LIMITED");
    assert_eq!(mfa.inbox.received(), 0);
    // None of those codes is valid. There is nothing to guess, so no guess is judged or counted.
    for n in 0..20 {
        let guess = bounced.verify("email", &format!("{n:06}")).await;
        guess.assert_problem(400, "VERIFICATION_CODE_INVALID");
    }
}

#[tokio::test]
async fn a_throttling_provider_is_a_503_that_costs_no_send() {
    let mfa = TestApp::start().await;
    let person = mfa.user("bob").with_email("bob@throttled.example").with_phone("+442079460018").login();
    person.challenge("email").await.assert_problem(503, "MFA_DELIVERY_FAILED");
    person.challenge("sms").await.assert_ok();
}

#[tokio::test]
async fn a_provider_that_throttles_once_is_asked_again_and_one_that_breaks_is_not() {
    let mfa = TestApp::start().await;
    for (method, call) in [("email", "SendEmail"), ("sms", "Publish")] {
        let person = mfa.user(method).with_email("bob@example.com").with_phone("+442079460018").login();
        mfa.fault_proxy.take_calls();
        mfa.fault_proxy.break_calls(call, InjectedFault::ThrottleOnce);
        person.challenge(method).await.assert_ok();
        mfa.advance(60);
        mfa.fault_proxy.break_calls(call, InjectedFault::LoseOneAnswer);
        person.challenge(method).await.assert_problem(503, "MFA_DELIVERY_FAILED");
        let sent = mfa.fault_proxy.take_calls().iter().filter(|sent| sent.what == call).count();
        assert_eq!(sent, 2, "one that was throttled before, and one whose answer was lost");
    }
    assert_eq!(mfa.inbox.received(), 4);
}

#[tokio::test]
async fn while_locked_no_code_is_sent() {
    let mfa = TestApp::start().await;
    let alice = alice(&mfa);
    alice.enrol().await;
    for n in 1..=5 {
        alice.verify("totp", &format!("{n:06}")).await.assert_problem(400, "MFA_CODE_INVALID");
    }
    let answer = alice.challenge("email").await.assert_problem(429, "ACCOUNT_LOCKED");
    assert_eq!(answer.retry_after(), Some(900));
    assert_eq!(mfa.inbox.received(), 0);
}

#[tokio::test]
async fn while_mfa_is_on_a_new_address_gets_a_code_only_under_a_proof() {
    let mfa = TestApp::start().await;
    let person = mfa.user("alice").with_email("alice@example.com");
    person.login().toggle(true).await.assert_ok();
    let moved = person.clone().with_email("mallory@example.net").login();
    assert_eq!(moved.status().await["verifiedMethods"], json!([]), "it cannot be used yet");
    moved.challenge("email").await.assert_problem(400, "MFA_METHOD_NOT_AVAILABLE");
    assert_eq!(mfa.inbox.received(), 0);

    // The owner changes the address in the application and signs in again: first a factor that does
    // not go to it, then a code to the new address. From then on the new address is proven.
    let old = person.login();
    let code = old.receive_code("email").await;
    let codes = old.prove("email", &code).await.generate_recovery_codes().await;
    mfa.advance(30);
    let changed = person.clone().with_email("alice@new.example").login();
    changed.challenge("email").await.assert_problem(400, "MFA_METHOD_NOT_AVAILABLE");
    let moving = changed.with(changed.recover(&codes[0]).await.text("accessToken"));
    let code = moving.receive_code("email").await;
    assert_eq!(mfa.inbox.messages()[1].to, "alice@new.example");
    moving.verify("email", &code).await.assert_ok();
    mfa.advance(3600);
    person.clone().with_email("alice@new.example").login().challenge("email").await.assert_ok();

    let unbound = mfa.redeployed_with(&[("MFA_BIND_ADDRESSES", "false")]);
    mfa.advance(3600);
    moved.at(&unbound).challenge("email").await.assert_ok();
}
