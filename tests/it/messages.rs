//! Messages as they arrive: in which language, from whom, and whether at all.

use std::sync::Arc;

use mfa_local::InboxMessage;
use mfa_tests::{InjectedFault, TestApp};
use serde_json::json;

const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0 <b>";

fn last(mfa: &Arc<TestApp>) -> InboxMessage {
    mfa.inbox.messages().pop().expect("a message")
}

fn subject(mfa: &Arc<TestApp>) -> String {
    last(mfa).subject.expect("a subject")
}

#[tokio::test]
async fn the_language_is_that_of_the_token_or_else_of_the_browser_or_else_the_default() {
    let mfa = TestApp::start_with(&[("MFA_DEFAULT_LOCALE", "nl")]).await;
    for (number, (claim, header, expected)) in [
        ("fr-CA", "de", "Votre code Example"),
        ("pt_BR", "", "Seu código Example"),
        ("sv", "da, de-AT;q=0.5", "Ihr Code für Example"),
        ("", "ja", "Exampleの認証コード"),
        ("", "*", "Je Example-code"),
        ("", "é", "Je Example-code"),
    ]
    .into_iter()
    .enumerate()
    {
        let person = mfa.user(&format!("alice-{number}")).with_email("alice@example.com").with("locale", claim);
        person.login().challenge_with("email", "accept-language", header).await.assert_ok();
        assert_eq!(subject(&mfa), expected, "{claim} {header}");
    }
}

#[tokio::test]
async fn the_claim_of_the_language_can_be_named_and_a_token_of_ours_keeps_it() {
    let mfa = TestApp::start_with(&[("MFA_JWT_LOCALE_CLAIM", "profile/language,locale")]).await;
    let person = mfa.user("alice").with_email("alice@example.com").with("locale", "de");
    let alice = person.clone().with("profile", json!({ "language": "it" })).login();
    let code = alice.receive_code("email").await;
    assert_eq!(subject(&mfa), "Il tuo codice Example");
    let proven = alice.prove("email", &code).await;
    mfa.advance(60);
    proven.challenge("email").await.assert_ok();
    assert_eq!(subject(&mfa), "Il tuo codice Example");
    mfa.advance(60);
    person.with("profile", json!({ "language": 7 })).login().challenge("email").await.assert_ok();
    assert_eq!(subject(&mfa), "Ihr Code für Example");
}

#[tokio::test]
async fn a_text_message_is_in_the_language_of_the_person_unless_it_would_be_two() {
    let name = "A rather long name of a bank";
    let mfa = TestApp::start_with(&[("MFA_APP_NAME", name)]).await;
    for (number, locale, begin) in [
        ("+442079460018", "de", "ist Ihr Code für"),
        ("+442079460019", "zh-CN", "is your"),
        ("+442079460020", "tr", "kodunuz"),
    ] {
        let person = mfa.user(number).with_phone(number).with("locale", locale);
        let code = person.login().receive_code("sms").await;
        let text = last(&mfa).text;
        assert!(text.contains(begin) && text.ends_with(&format!("\n\n@example.com #{code}")), "{text}");
    }
}

#[tokio::test]
async fn an_email_names_who_asked_in_words_of_ours() {
    let mfa = TestApp::start().await;
    let alice = mfa.user("alice").with_email("alice@example.com").login().from("198.51.100.77");
    alice.challenge_with("email", "user-agent", FIREFOX).await.assert_ok();
    let InboxMessage { text, html, .. } = last(&mfa);
    let html = html.expect("HTML");
    for part in [&text, &html] {
        assert!(part.contains("Firefox, Linux") && part.contains("198.51.100.0/24"), "{part}");
        assert!(!part.contains("198.51.100.77") && !part.contains("rv:140") && !part.contains("<b>"), "{part}");
    }
    assert!(text.contains(" UTC\n"), "{text}");
    // Nothing is known of a program behind a proxy that nobody counts.
    let bob = mfa.user("bob").with_email("bob@example.com").login().from("unreadable");
    bob.challenge_with("email", "user-agent", "curl/8").await.assert_ok();
    let text = last(&mfa).text;
    assert!(!text.contains("Browser") && !text.contains("network") && text.contains("Time: "), "{text}");
}

#[tokio::test]
async fn an_email_looks_as_the_operator_chose_and_says_that_a_program_sent_it() {
    let plain = TestApp::start().await;
    plain.user("alice").with_email("alice@example.com").login().challenge("email").await.assert_ok();
    let mail = last(&plain);
    assert_eq!((mail.headers, mail.configuration_set), (vec!["Auto-Submitted: auto-generated".to_owned()], None));

    let mfa = TestApp::start_with(&[
        ("MFA_EMAIL_LOGO_URL", "https://example.com/logo.png?a=1&b=2"),
        ("MFA_EMAIL_SUPPORT", "help@Example.com"),
        ("MFA_EMAIL_COLOR", "#FFDD00"),
        ("MFA_EMAIL_CONFIGURATION_SET", "codes"),
        ("MFA_MESSAGES", r#"{"en": {"advice": "Call us: 1234."}}"#),
    ])
    .await;
    mfa.user("alice").with_email("alice@example.com").login().challenge("email").await.assert_ok();
    let mail = last(&mfa);
    assert_eq!(mail.headers, ["Reply-To: help@example.com", "Auto-Submitted: auto-generated"]);
    assert_eq!(mail.configuration_set.as_deref(), Some("codes"));
    let html = mail.html.expect("HTML");
    for part in ["src=\"https://example.com/logo.png?a=1&amp;b=2\"", "mailto:help@example.com", "#ffdd00", "#000000"] {
        assert!(html.contains(part), "{part}: {html}");
    }
    assert!(mail.text.contains("Call us: 1234.") && !mail.text.contains("know your password"), "{}", mail.text);
}

#[tokio::test]
async fn mail_that_ses_drops_is_told_at_the_second_request() {
    let mfa = TestApp::start().await;
    let alice = mfa.user("alice").with_email("alice@suppressed.example").login();
    let asked = || mfa.fault_proxy.take_calls().iter().filter(|call| call.what == "GetSuppressedDestination").count();
    alice.challenge("email").await.assert_ok();
    assert_eq!(asked(), 0, "nobody is asked as long as the code may arrive");
    mfa.advance(30);
    alice.challenge("email").await.assert_problem(422, "MFA_DELIVERY_REJECTED");
    assert_eq!(asked(), 1);
    assert_eq!(alice.status().await["verifiedMethods"], json!([]), "the address is no method");
    // It is marked, so SES is asked again before it may drop the next one.
    alice.challenge("email").await.assert_problem(422, "MFA_DELIVERY_REJECTED");
    assert_eq!((asked(), mfa.inbox.received()), (1, 0));
}

#[tokio::test]
async fn a_second_code_is_sent_if_ses_does_not_drop_it_or_cannot_say() {
    let mfa = TestApp::start().await;
    let alice = mfa.user("alice").with_email("alice@example.com").login();
    alice.challenge("email").await.assert_ok();
    mfa.advance(30);
    alice.challenge("email").await.assert_ok();
    for fault in [InjectedFault::Error, InjectedFault::Throttle, InjectedFault::LoseAnswer] {
        mfa.fault_proxy.take_calls();
        mfa.fault_proxy.break_calls("GetSuppressedDestination", fault);
        mfa.advance(600);
        alice.challenge("email").await.assert_ok();
        let calls = mfa.fault_proxy.take_calls();
        let asked = calls.iter().filter(|call| call.what == "GetSuppressedDestination").count();
        assert!(asked <= 1, "{fault:?}: {calls:?}");
    }
    assert_eq!(mfa.inbox.received(), 5);
}

#[tokio::test]
async fn before_a_text_message_no_list_of_email_is_asked() {
    let mfa = TestApp::start().await;
    let alice = mfa.user("alice").with_email("alice@suppressed.example").with_phone("+442079460018").login();
    alice.challenge("email").await.assert_ok();
    mfa.advance(30);
    alice.challenge("sms").await.assert_ok();
    assert!(mfa.fault_proxy.take_calls().iter().all(|call| call.what != "GetSuppressedDestination"));
}
