//! What the owner and the application are told, from the stream of the table.
#![expect(clippy::print_stdout, reason = "the table is printed")]

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use futures_util::{StreamExt, future::BoxFuture, stream};
use mfa_local::FeedEvent;
use mfa_tests::{Call, InjectedFault, Login, PASSKEYS, Response, SoftKey, TestApp, claims_of, wrong_code};
use serde_json::Value;

fn alice(mfa: &Arc<TestApp>) -> Login {
    mfa.user("alice").with_email("alice@example.com").with_phone("+442079460018").login()
}

/// The notices in the inbox: to whom, and the subject.
fn notices(mfa: &TestApp) -> Vec<(String, String)> {
    let mails = mfa.inbox.messages().into_iter().filter(|message| message.code.is_none());
    mails.map(|mail| (mail.to, mail.subject.expect("a subject"))).collect()
}

fn subjects(mfa: &TestApp) -> Vec<String> {
    notices(mfa).into_iter().map(|(_, subject)| subject).collect()
}

fn types(mfa: &TestApp) -> Vec<String> {
    mfa.inbox.events().into_iter().map(|event| event.detail_type).collect()
}

/// Tells of everything, and forgets it.
async fn settle(mfa: &TestApp) {
    assert_eq!(mfa.notify().await, 0);
    mfa.inbox.clear();
    mfa.fault_proxy.take_calls();
}

#[tokio::test]
async fn the_owner_and_the_application_are_told_of_each_change_once() {
    let mfa = TestApp::start_telling(&[]).await;
    let alice = alice(&mfa);
    alice.enrol().await;
    alice.toggle(true).await.assert_ok();
    assert_eq!(mfa.notify().await, 0);
    let told = ["Example: An authenticator app was added", "Example: Two-step verification is on"];
    assert_eq!(notices(&mfa), told.map(|subject| ("alice@example.com".to_owned(), subject.to_owned())));
    assert_eq!(types(&mfa), ["authenticator.added", "mfa.on"]);
    assert_eq!(mfa.notify().await, 0);
    assert_eq!(notices(&mfa).len(), 2, "nothing is sent twice");
}

#[tokio::test]
async fn records_that_come_again_are_told_of_once() {
    let mfa = TestApp::start_telling(&[]).await;
    let alice = alice(&mfa);
    mfa.inbox.trouble(mfa_local::Troubles { ses_is_down: Some(true), sns_throttles: None });
    alice.enrol().await;
    assert_eq!(mfa.notify().await, 1, "the mail is not sent, and the record comes again");
    assert_eq!(types(&mfa), ["authenticator.added"]);
    assert_eq!(mfa.notify().await, 1);
    mfa.inbox.trouble(mfa_local::Troubles { ses_is_down: Some(false), sns_throttles: None });
    assert_eq!(mfa.notify().await, 0);
    assert_eq!(subjects(&mfa), ["Example: An authenticator app was added"]);
    assert_eq!(types(&mfa), ["authenticator.added"], "the feed has it once");
}

#[tokio::test]
async fn an_address_that_is_refused_for_good_does_not_hold_up_the_others() {
    let mfa = TestApp::start_telling(&[]).await;
    let person = mfa.user("alice").with_email("alice@rejected.example");
    person.login().enrol().await;
    mfa.advance(60);
    let moved = person.with_email("alice@example.com").login();
    moved.enrol().await;
    assert_eq!(mfa.notify().await, 0);
    let to: Vec<_> = notices(&mfa).into_iter().map(|(to, _)| to).collect();
    assert_eq!(to, ["alice@example.com"; 2], "what reached the first address too was refused");
    mfa.inbox.take_rejected(true);
    moved.toggle(true).await.assert_ok();
    assert_eq!(mfa.notify().await, 0);
    let to: BTreeSet<_> = notices(&mfa).into_iter().map(|(to, _)| to).collect();
    assert!(to.contains("alice@rejected.example"), "the earlier address is told as well");
}

#[tokio::test]
async fn a_guesser_has_the_owner_written_to_once_a_day() {
    let mfa = TestApp::start_telling(&[]).await;
    let alice = alice(&mfa);
    let device = alice.enrol().await;
    alice.toggle(true).await.assert_ok();
    settle(&mfa).await;
    let mut locks = 0;
    for n in 0..8 {
        let answer = alice.verify("totp", &wrong_code(&device.code(&mfa), n)).await;
        locks += usize::from(answer.status == 400 && n >= 4);
        mfa.advance(3700);
    }
    assert!(locks >= 3, "{locks}");
    assert_eq!(mfa.notify().await, 0);
    assert_eq!(subjects(&mfa), ["Example: Codes are locked after too many wrong ones"]);
    let locked = types(&mfa);
    assert!(locked.len() >= 3 && locked.iter().all(|name| name == "codes.locked"), "the feed has each: {locked:?}");
    mfa.advance(86_400);
    alice.verify("totp", &wrong_code(&device.code(&mfa), 20)).await;
    assert_eq!(mfa.notify().await, 0);
    assert_eq!(subjects(&mfa).len(), 2, "another day");
}

#[tokio::test]
async fn a_refresh_token_that_comes_back_and_a_session_that_is_ended_are_told_and_signing_out_is_not() {
    let mfa = TestApp::start_telling(&[("MFA_NOTICES", "all")]).await;
    let alice = alice(&mfa);
    let device = alice.enrol().await;
    alice.toggle(true).await.assert_ok();
    let first = alice.verify("totp", &device.advance_to_next_code(&mfa)).await;
    let second = alice.verify("totp", &device.advance_to_next_code(&mfa)).await;
    let third = alice.verify("totp", &device.advance_to_next_code(&mfa)).await;
    settle(&mfa).await;
    mfa.refresh(&first.text("refreshToken")).await.assert_ok();
    mfa.advance(11);
    mfa.refresh(&first.text("refreshToken")).await.assert_problem(401, "REFRESH_TOKEN_INVALID");
    mfa.refresh(&first.text("refreshToken")).await.assert_problem(401, "REFRESH_TOKEN_INVALID");
    assert_eq!(mfa.notify().await, 0);
    assert_eq!(types(&mfa), ["refresh_token.reused"]);
    let proven = Login::with_token(&mfa, third.text("accessToken"));
    let id = claims_of(&second.text("accessToken"))["mfa"]["session"].as_str().expect("an id").to_owned();
    let listed = proven.sessions().await.assert_ok();
    assert_eq!(listed.as_array().map(Vec::len), Some(3), "the ended one is not listed: {listed}");
    proven.end_session(&id).await.assert_ok();
    proven.end_session("others").await.assert_ok();
    proven.end_session("current").await.assert_ok();
    assert_eq!(mfa.notify().await, 0);
    assert_eq!(types(&mfa), ["refresh_token.reused", "sessions.ended", "sessions.ended"]);
    assert_eq!(subjects(&mfa)[1..], ["Example: Sessions were ended", "Example: Sessions were ended"]);
    // The marked session goes in an hour. That it is deleted is nothing that happened.
    let items = mfa.table.dump().await.expect("items");
    let ended: Vec<_> = items.iter().filter(|item| item["ended"]["S"] == "reused").collect();
    assert_eq!(ended.len(), 1);
    let (pk, sk) = (ended[0]["pk"]["S"].as_str().expect("a key"), ended[0]["sk"]["S"].as_str().expect("a key"));
    mfa.table.delete(pk, sk).await.expect("deleted");
    assert_eq!(mfa.notify().await, 0);
    assert_eq!(types(&mfa).len(), 3);
}

#[tokio::test]
async fn without_notices_and_feed_nothing_is_written_of_the_owner() {
    let mfa = TestApp::start_telling(&[("MFA_NOTICES", "off"), ("MFA_EVENT_BUS", "")]).await;
    let alice = alice(&mfa);
    alice.enrol().await;
    alice.toggle(true).await.assert_ok();
    assert_eq!(mfa.notify().await, 0);
    assert_eq!((notices(&mfa).len(), mfa.inbox.events().len()), (0, 0));
    let items = mfa.table.dump().await.expect("items");
    assert!(items.iter().all(|item| item["sk"]["S"] != "NOTICE#TO"));
}

#[tokio::test]
async fn an_operators_change_is_told_as_that() {
    use mfa_admin_function::{Command, User};
    let mfa = TestApp::start_telling(&[]).await;
    alice(&mfa).enrol().await;
    settle(&mfa).await;
    let user = || User { user: "alice".to_owned() };
    mfa.admin(Command::EndSessions(user())).await;
    mfa.admin(Command::Reset(user())).await;
    assert_eq!(mfa.notify().await, 0);
    assert_eq!(subjects(&mfa), ["Example: Support changed your two-step verification"; 2]);
    let changes: Vec<_> = mfa.inbox.events().iter().map(|event| event.detail["change"].clone()).collect();
    assert_eq!(changes, ["sessions_ended", "reset"]);
}

/// Somebody who knows the password prepares for the day on which the owner switches MFA on.
#[tokio::test]
async fn a_takeover_attempt_is_told_to_the_owner_step_by_step() {
    let mfa = TestApp::start_telling(&[]).await;
    let owner = mfa.user("alice").with_email("alice@example.com");
    owner.login().enrol().await;
    mfa.notify().await;
    mfa.advance(3600);
    // The intruder signs in with the password, from an account page where the address was changed.
    let intruder = owner.clone().with_email("mallory@example.org").with_phone("+442079460018").login();
    let planted = intruder.open_authenticator().await;
    intruder.confirm(&planted.code(&mfa), &planted.secret).await.assert_ok();
    intruder.generate_recovery_codes().await;
    let code = intruder.receive_code("sms").await;
    intruder.verify("sms", &code).await.assert_ok();
    mfa.notify().await;
    mfa.advance(3600);
    // The owner enrols another authenticator, and switches MFA on.
    let alice = owner.login();
    let device = alice.enrol().await;
    alice.toggle(true).await.assert_ok();
    mfa.notify().await;
    // The intruder's codes do not count any more, and they guess until codes are locked.
    for n in 0..5 {
        intruder.verify("totp", &wrong_code(&device.code(&mfa), n)).await;
        mfa.advance(31);
    }
    assert_eq!(mfa.notify().await, 0);
    let mails = mfa.inbox.messages().into_iter().filter(|message| message.to == "alice@example.com");
    let mails: Vec<_> = mails
        .map(|mail| format!("To: {}\nSubject: {}\n\n{}", mail.to, mail.subject.unwrap_or_default(), mail.text))
        .collect();
    // The engine's own clock may be another.
    let times = |line: &str| if line.starts_with("Time: ") { "Time: (time)".to_owned() } else { line.to_owned() };
    let mails = mails.join("\n====\n\n").lines().map(times).collect::<Vec<_>>().join("\n");
    insta::assert_snapshot!("takeover", mails);
}

/// The fields that the schema of a type wants, and those that it allows, each with its type.
fn schema(name: &str) -> Value {
    let path = format!("{}/../docs/events/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    serde_json::from_str(&text).expect("JSON")
}

/// Fails unless the event is as its schema says it: JSON Schema, as far as these schemas use it.
#[track_caller]
fn assert_as_described(event: &FeedEvent) {
    let schema = schema(&event.detail_type);
    let properties = schema["properties"].as_object().expect("properties");
    let detail = event.detail.as_object().expect("an object");
    for name in schema["required"].as_array().expect("a list") {
        assert!(detail.contains_key(name.as_str().expect("a name")), "{} lacks {name}", event.detail_type);
    }
    assert_eq!(schema["additionalProperties"], false);
    for (name, value) in detail {
        let wanted = properties.get(name).unwrap_or_else(|| panic!("{}: {name}", event.detail_type));
        let has_type = match wanted["type"].as_str() {
            Some("string") => value.is_string(),
            Some("integer") => value.is_u64(),
            other => panic!("{other:?}"),
        };
        let is_one = wanted["enum"].as_array().is_none_or(|all| all.contains(value));
        let is_it = wanted.get("const").is_none_or(|only| only == value);
        assert!(has_type && is_one && is_it, "{}: {name} is {value}", event.detail_type);
    }
}

#[tokio::test]
async fn every_type_of_event_is_as_its_schema_says() {
    use mfa_admin_function::{Command, User};
    let mfa = TestApp::start_telling(&[PASSKEYS, &[("MFA_NOTICES", "all")]].concat()).await;
    // An app that another login set up becomes active again.
    let planted = alice(&mfa).enrol().await;
    let alice = alice(&mfa);
    let device = alice.enrol().await;
    alice.toggle(true).await.assert_ok();
    let answer = alice.verify("totp", &device.advance_to_next_code(&mfa)).await;
    let proven = Login::with_token(&mfa, answer.text("accessToken"));
    proven.verify("totp", &planted.advance_to_next_code(&mfa)).await.assert_ok();
    let code = proven.receive_code("email").await;
    proven.verify("email", &code).await.assert_ok();
    let codes = proven.generate_recovery_codes().await;
    proven.end_session("others").await.assert_ok();
    proven.remove(&planted.device_id).await.assert_ok();
    mfa.refresh(&answer.text("refreshToken")).await.assert_ok();
    mfa.advance(11);
    mfa.refresh(&answer.text("refreshToken")).await.assert_problem(401, "REFRESH_TOKEN_INVALID");
    for code in &codes[..7] {
        alice.recover(code).await.assert_ok();
    }
    for n in 0..200 {
        alice.verify("totp", &wrong_code(&device.code(&mfa), n)).await;
        mfa.advance(90_000);
        if mfa.ledger("alice").await.expect("a ledger").failures.are_codes_off() {
            break;
        }
    }
    mfa.admin(Command::Unlock(User { user: "alice".to_owned() })).await;
    let otp = device.advance_to_next_code(&mfa);
    let proven = alice.prove("totp", &otp).await;
    proven.toggle(false).await.assert_ok();
    alice.reset(&codes[8]).await.assert_ok();
    suspect_a_key(&mfa, &alice).await;
    assert_eq!(mfa.notify().await, 0);
    let events = mfa.inbox.events();
    events.iter().for_each(assert_as_described);
    let text = serde_json::to_string(&events).expect("JSON");
    for secret in ["example.com", "+44", &codes[0], &otp, &device.secret] {
        assert!(!text.contains(secret), "{secret}");
    }
    assert!(events.iter().all(|event| event.detail["userId"] == "alice" && event.bus.ends_with(":event-bus/local")));
    let seen: BTreeSet<_> = events.into_iter().map(|event| event.detail_type).collect();
    let folder = format!("{}/../docs/events", env!("CARGO_MANIFEST_DIR"));
    let files = std::fs::read_dir(folder).expect("a folder").map(|file| file.expect("a file").file_name());
    let files = files.filter_map(|name| name.to_string_lossy().strip_suffix(".json").map(ToOwned::to_owned));
    assert_eq!(seen, files.collect::<BTreeSet<_>>());
}

/// Registers a key, and answers by a copy of it.
async fn suspect_a_key(mfa: &TestApp, alice: &Login) -> SoftKey {
    let mut key = SoftKey::at("https://login.example.com");
    let asked = alice.setup_passkey().await.assert_ok();
    alice.confirm_passkey(&key.create(&asked["publicKey"])).await.assert_ok();
    mfa.advance(1);
    key.counter = 5;
    alice.use_key(&mut key).await.assert_ok();
    mfa.advance(1);
    key.counter = 2;
    alice.use_key(&mut key).await.assert_problem(400, "MFA_PASSKEY_INVALID");
    key
}

#[tokio::test]
async fn a_passkey_is_told_of_as_an_app_is_and_a_possible_copy_of_it_once() {
    let mfa = TestApp::start_telling(PASSKEYS).await;
    let alice = alice(&mfa);
    let mut key = suspect_a_key(&mfa, &alice).await;
    alice.use_key(&mut key).await.assert_problem(400, "MFA_PASSKEY_INVALID");
    assert_eq!(mfa.notify().await, 0);
    assert_eq!(types(&mfa), ["authenticator.added", "passkey.suspected"]);
    assert!(subjects(&mfa).iter().any(|subject| subject.contains("A passkey was added")), "{:?}", subjects(&mfa));
    assert!(subjects(&mfa).iter().any(|subject| subject.contains("a copy of your passkey")), "{:?}", subjects(&mfa));
    let events = mfa.inbox.events();
    assert!(events.iter().all(|event| event.detail["method"] == "passkey"), "{events:?}");
    let listed = alice.devices().await;
    assert_eq!(listed[0]["id"], events[0].detail["deviceId"]);
}

/// A request.
type Request = Box<dyn Fn() -> BoxFuture<'static, Response> + Send + Sync>;

/// Prepares a user for a request.
type Change = fn(Arc<TestApp>) -> BoxFuture<'static, Request>;

macro_rules! change {
    (|$mfa:ident| $prepare:block, |$with:ident| $request:expr) => {
        |$mfa| {
            Box::pin(async move {
                let with = Arc::new($prepare);
                Box::new(move || {
                    let $with = Arc::clone(&with);
                    Box::pin(async move { $request.await }) as BoxFuture<'static, Response>
                }) as Request
            })
        }
    };
}

/// A request for each event, and what is told of it.
#[expect(clippy::too_many_lines, reason = "one list, an event after the other")]
fn changes() -> Vec<(&'static str, &'static str, Change)> {
    vec![
        (
            "verify-totp-setup",
            "authenticator.added",
            change!(
                |mfa| {
                    let alice = alice(&mfa);
                    let open = alice.open_authenticator().await;
                    (alice, open.code(&mfa), open.secret)
                },
                |with| with.0.confirm(&with.1, &with.2)
            ),
        ),
        (
            "toggle",
            "mfa.on",
            change!(
                |mfa| {
                    let alice = alice(&mfa);
                    alice.enrol().await;
                    alice
                },
                |with| with.toggle(true)
            ),
        ),
        (
            "toggle",
            "mfa.off",
            change!(
                |mfa| {
                    let alice = alice(&mfa);
                    alice.enrol().await;
                    alice.toggle(true).await.assert_ok();
                    alice
                },
                |with| with.toggle(false)
            ),
        ),
        (
            "verify",
            "address.proven",
            change!(
                |mfa| {
                    let alice = alice(&mfa);
                    let code = alice.receive_code("email").await;
                    (alice, code)
                },
                |with| with.0.verify("email", &with.1)
            ),
        ),
        (
            "remove-device",
            "authenticator.removed",
            change!(
                |mfa| {
                    let alice = alice(&mfa);
                    let device = alice.enrol().await;
                    (alice, device.device_id)
                },
                |with| with.0.remove(&with.1)
            ),
        ),
        (
            "verify-recovery-code",
            "recovery_code.used",
            change!(
                |mfa| {
                    let alice = alice(&mfa);
                    alice.enrol().await;
                    let codes = alice.generate_recovery_codes().await;
                    (alice, codes)
                },
                |with| with.0.recover(&with.1[0])
            ),
        ),
        (
            "reset-totp",
            "mfa.reset",
            change!(
                |mfa| {
                    let alice = alice(&mfa);
                    alice.enrol().await;
                    let codes = alice.generate_recovery_codes().await;
                    (alice, codes)
                },
                |with| with.0.reset(&with.1[0])
            ),
        ),
        (
            "refresh-token",
            "refresh_token.reused",
            change!(
                |mfa| {
                    let alice = alice(&mfa);
                    alice.enrol().await;
                    let code = alice.receive_code("email").await;
                    let token = alice.verify("email", &code).await.text("refreshToken");
                    mfa.refresh(&token).await.assert_ok();
                    mfa.advance(11);
                    (mfa, token)
                },
                |with| with.0.refresh(&with.1)
            ),
        ),
    ]
}

/// One run: the change with a fault of one of its writes, or of one call of `notify`.
async fn told_after(change: Change, fault: Option<(&str, InjectedFault, bool)>) -> (usize, usize, bool) {
    let mfa = TestApp::start_telling(&[("MFA_NOTICES", "all")]).await;
    let request = change(Arc::clone(&mfa)).await;
    settle(&mfa).await;
    let before = mfa.table.dump().await.expect("items");
    if let Some((call, fault, false)) = fault {
        mfa.fault_proxy.break_call(call, 0, fault);
    }
    request().await;
    mfa.fault_proxy.heal();
    if let Some((call, fault, true)) = fault {
        mfa.fault_proxy.break_call(call, 0, fault);
        mfa.notify().await;
        mfa.fault_proxy.heal();
    }
    for _ in 0..3 {
        mfa.notify().await;
    }
    assert_eq!(mfa.unfinished().len(), 0, "nothing is lost");
    let state = |items: &[Value]| {
        let told = items.iter().filter(|item| item["sk"]["S"] == "MFA#LEDGER" || item["ended"].is_object());
        told.map(|item| (item["sk"]["S"].to_string(), item["v"].to_string())).collect::<BTreeSet<_>>()
    };
    let is_committed = state(&before) != state(&mfa.table.dump().await.expect("items"));
    (notices(&mfa).len(), mfa.inbox.events().len(), is_committed)
}

#[tokio::test]
async fn none_is_told_of_a_lost_commit_and_each_is_told_of_after_any_fault() {
    const OF_WRITES: [InjectedFault; 4] =
        [InjectedFault::Error, InjectedFault::Throttle, InjectedFault::LoseAnswer, InjectedFault::LoseOneAnswer];
    let mut cases = Vec::new();
    for (route, event, change) in changes() {
        cases.push((event, change, None));
        let write = if route == "refresh-token" { "UpdateItem SESSION" } else { "UpdateItem MFA#LEDGER" };
        cases.extend(OF_WRITES.map(|fault| (event, change, Some((write, fault, false)))));
        for call in ["SendEmail", "PutEvents", "GetItem NOTICE", "UpdateItem NOTICE"] {
            cases.extend(OF_WRITES.map(|fault| (event, change, Some((call, fault, true)))));
        }
    }
    let runs = cases.into_iter().map(|(event, change, fault)| async move {
        let told = told_after(change, fault).await;
        let (call, kind, is_of_notify) = match fault {
            Some((call, fault, is_of_notify)) => (call, format!("{fault:?}"), is_of_notify),
            None => ("-", "-".to_owned(), false),
        };
        (format!("{event:<24} {call:<24} {kind:<16}"), told, is_of_notify)
    });
    let rows: BTreeMap<_, _> =
        stream::iter(runs).buffer_unordered(16).map(|(row, told, of_notify)| (row, (told, of_notify))).collect().await;
    for (row, ((mails, events, committed), is_of_notify)) in &rows {
        println!("{row} {mails} mails, {events} events{}", if *committed { "" } else { ", not committed" });
        match (committed, is_of_notify) {
            (false, _) => assert_eq!((*mails, *events), (0, 0), "{row}: nothing happened"),
            (true, false) => assert_eq!((*mails, *events), (1, 1), "{row}: once, however the answer was lost"),
            // What was taken without an answer is sent again: by the SDK, and when the record comes again.
            (true, true) => assert!((1..=6).contains(mails) && (1..=6).contains(events), "{row}"),
        }
        assert!(row.contains(" - ") <= *committed, "{row}");
    }
    assert_eq!(rows.len(), changes().len() * 21);
}

#[tokio::test]
async fn an_enrolment_writes_one_item_more_once() {
    let mfa = TestApp::start_telling(&[]).await;
    let alice = alice(&mfa);
    let writes = |mfa: &TestApp| {
        let calls = mfa.fault_proxy.take_calls();
        let is_write = |call: &&Call| !call.what.starts_with("Query") && !call.what.starts_with("GetItem");
        calls.iter().filter(is_write).map(|call| call.what.clone()).collect::<Vec<_>>()
    };
    let mut of_enrolments = Vec::new();
    for _ in 0..2 {
        let open = alice.open_authenticator().await;
        writes(&mfa);
        alice.confirm(&open.code(&mfa), &open.secret).await.assert_ok();
        of_enrolments.push(writes(&mfa));
    }
    assert_eq!(of_enrolments[0], ["UpdateItem MFA#DEVICE", "UpdateItem NOTICE", "UpdateItem MFA#LEDGER"]);
    assert_eq!(of_enrolments[1], ["UpdateItem MFA#DEVICE", "UpdateItem MFA#LEDGER"]);
    alice.toggle(true).await.assert_ok();
    assert!(writes(&mfa).iter().all(|call| !call.contains("NOTICE")));
}
