//! Rows 28 and 29 of the threat model: calls that fail, lose their answer, or read outdated data.

use std::sync::Arc;

use mfa_admin_function::Command;
use mfa_tests::{InjectedFault, Login, TestApp};

fn alice(mfa: &Arc<TestApp>) -> Login {
    mfa.user("alice").with_email("alice@example.com").with_phone("+442079460018").login()
}

#[tokio::test]
async fn a_commit_whose_answer_was_lost_counts_once() {
    // If one answer is lost, the SDK tries again, and the condition fails. If every answer is lost,
    // the bundle reads the ledger to find out.
    for fault in [InjectedFault::LoseOneAnswer, InjectedFault::LoseAnswer] {
        let mfa = TestApp::start().await;
        let alice = alice(&mfa);
        let device = alice.enrol().await;
        let code = device.advance_to_next_code(&mfa);

        mfa.fault_proxy.break_calls("UpdateItem MFA#LEDGER", fault);
        alice.verify("totp", "000000").await.assert_problem(400, "MFA_CODE_INVALID");
        mfa.fault_proxy.heal();
        for n in 1..=3 {
            alice.verify("totp", &format!("{n:06}")).await.assert_problem(400, "MFA_CODE_INVALID");
        }
        mfa.fault_proxy.break_calls("UpdateItem MFA#LEDGER", fault);
        alice.verify("totp", &code).await.assert_ok(); // four wrong codes were counted, not five
        mfa.fault_proxy.heal();
        alice.verify("totp", &code).await.assert_problem(400, "MFA_CODE_INVALID");
    }
}

#[tokio::test]
async fn every_write_of_every_route_may_lose_its_answer() {
    for fault in [InjectedFault::LoseOneAnswer, InjectedFault::LoseAnswer] {
        let mfa = TestApp::start().await;
        let alice = alice(&mfa);
        mfa.fault_proxy.break_calls("UpdateItem MFA#LEDGER", fault);
        let open = alice.open_authenticator().await;
        alice.confirm(&open.code(&mfa), &open.secret).await.assert_ok();
        alice.toggle(true).await.assert_ok();
        let code = alice.receive_code("email").await;
        alice.verify("email", &code).await.assert_ok();
        assert_eq!(mfa.inbox.received(), 1);
    }
}

#[tokio::test]
async fn a_commit_that_did_not_happen_leaves_all_as_it_was() {
    for fault in [InjectedFault::Error, InjectedFault::Throttle] {
        let mfa = TestApp::start().await;
        let alice = alice(&mfa);
        let device = alice.enrol().await;
        let emailed = alice.receive_code("email").await;
        let before = mfa.dump().await;

        mfa.fault_proxy.break_calls("UpdateItem MFA#LEDGER", fault);
        alice.verify("totp", &device.advance_to_next_code(&mfa)).await.assert_problem(503, "SERVICE_UNAVAILABLE");
        alice.verify("totp", "000000").await.assert_problem(503, "SERVICE_UNAVAILABLE");
        alice.verify("email", &emailed).await.assert_problem(503, "SERVICE_UNAVAILABLE");
        alice.toggle(true).await.assert_problem(503, "SERVICE_UNAVAILABLE");
        assert_eq!(mfa.dump().await, before);

        mfa.fault_proxy.heal();
        alice.verify("totp", &device.code(&mfa)).await.assert_ok();
        alice.verify("email", &emailed).await.assert_ok();
    }
}

#[tokio::test]
async fn where_the_code_cannot_be_written_nothing_is_sent_and_the_send_is_given_back() {
    let mfa = TestApp::start().await;
    let alice = alice(&mfa);
    for fault in [InjectedFault::Error, InjectedFault::Throttle] {
        mfa.fault_proxy.break_calls("UpdateItem CODE", fault);
        alice.challenge("email").await.assert_problem(503, "SERVICE_UNAVAILABLE");
        mfa.fault_proxy.heal();
        assert_eq!(mfa.inbox.received(), 0);
    }
    alice.challenge("email").await.assert_ok();
}

#[tokio::test]
async fn a_code_item_whose_answer_was_lost_is_sent_all_the_same() {
    let mfa = TestApp::start().await;
    let alice = alice(&mfa);
    mfa.fault_proxy.break_calls("UpdateItem CODE", InjectedFault::LoseOneAnswer);
    let code = alice.receive_code("email").await;
    alice.verify("email", &code).await.assert_ok();
}

#[tokio::test]
async fn a_counter_whose_answer_was_lost_counts_once() {
    for n in 0..3 {
        let mfa = TestApp::start_with(&[("MFA_SMS_PER_DAY", "1")]).await;
        mfa.fault_proxy.break_call("UpdateItem LIMIT", n, InjectedFault::LoseOneAnswer);
        alice(&mfa).challenge("sms").await.assert_ok();
        let counters = mfa.items("LIMIT").await;
        assert_eq!(counters.len(), 3, "for the number, the network and the day");
        for item in counters {
            assert_eq!(item["count"]["N"], "1", "call {n}: {item}");
        }
    }
}

#[tokio::test]
async fn a_recovery_code_whose_answer_was_lost_is_known_after_all_that_a_stranger_can_commit() {
    let mfa = TestApp::start().await;
    // The provider refuses this address, so each code request of the stranger is two commits.
    let person = mfa.user("alice").with_email("alice@throttled.example");
    let owner = person.login();
    owner.enrol().await;
    owner.toggle(true).await.assert_ok();
    let codes = owner.generate_recovery_codes().await;
    let commits = || async { mfa.items("MFA#LEDGER").await[0]["v"]["N"].as_str().and_then(|v| v.parse::<u64>().ok()) };
    let before = commits().await.expect("a version");

    mfa.fault_proxy.break_calls("UpdateItem MFA#LEDGER", InjectedFault::LoseOneAnswer);
    mfa.fault_proxy.break_calls("UpdateItem MFA#LEDGER", InjectedFault::Hold);
    let recovery = tokio::spawn({
        let (login, code) = (person.login(), codes[0].clone());
        async move { login.recover(&code).await }
    });
    mfa.fault_proxy.hung().await;
    let stranger = mfa.user("alice").with_email("alice@throttled.example").login().from("192.0.2.66");
    for _ in 0..4 {
        stranger.challenge("email").await;
    }
    for n in 0..20 {
        stranger.verify("totp", &format!("{n:06}")).await;
    }
    let made = commits().await.expect("a version") - before - 1;
    mfa.fault_proxy.release();
    recovery.await.expect("an answer").assert_ok();
    assert!((5..=11).contains(&made), "{made} commits in the gap");
}

#[tokio::test]
async fn what_a_commit_dropped_is_deleted_also_where_its_answer_was_lost() {
    let mfa = TestApp::start().await;
    let alice = alice(&mfa);
    let device = alice.enrol().await;
    mfa.fault_proxy.break_calls("UpdateItem MFA#LEDGER", InjectedFault::LoseAnswer);
    alice.remove(&device.device_id).await.assert_ok();
    mfa.fault_proxy.heal();
    assert!(mfa.items("MFA#DEVICE").await.is_empty());
}

#[tokio::test]
async fn a_set_up_replaced_meanwhile_is_no_outage() {
    let mfa = TestApp::start().await;
    let alice = alice(&mfa);
    let replaced = alice.open_authenticator().await;
    mfa.fault_proxy.remember();
    alice.confirm("000000", &replaced.secret).await.assert_problem(400, "MFA_CODE_INVALID");
    for _ in 0..3 {
        alice.open_authenticator().await;
    }
    mfa.fault_proxy.break_calls("Query", InjectedFault::Stale);
    alice.confirm(&replaced.code(&mfa), &replaced.secret).await.assert_problem(400, "MFA_CODE_INVALID");
}

#[tokio::test]
async fn a_secret_that_does_not_open_is_an_error_before_any_code_is_judged() {
    let mfa = TestApp::start().await;
    let alice = alice(&mfa);
    alice.enrol().await;
    let new_key = data_encoding::BASE64.encode(&[7; 32]);
    let other = mfa.redeployed_with(&[("MFA_SEALING_KEYS", &format!("k2:{new_key}"))]);
    let there = alice.at(&other);
    let readable = there.enrol().await;
    // Were right codes still taken, a wrong one would be told apart and cost no try.
    let right = readable.advance_to_next_code(&mfa);
    for otp in ["000000", "000001", right.as_str()] {
        there.verify("totp", otp).await.assert_problem(500, "INTERNAL_ERROR");
    }
    assert_eq!(mfa.ledger("alice").await.expect("a ledger").failures.consecutive, 0, "nothing was counted");
    // Whoever names the other authenticator goes on, and each guess counts.
    let named = |otp: &str| {
        let body = serde_json::json!({ "method": "totp", "otp": otp, "deviceId": readable.device_id });
        let there = there.clone();
        async move { there.post("/auth/mfa/verify", body).await }
    };
    named("000000").await.assert_problem(400, "MFA_CODE_INVALID");
    named(&right).await.assert_ok();
}

#[tokio::test]
async fn where_a_counter_cannot_be_asked_no_text_message_goes_out_and_email_does() {
    for fault in [InjectedFault::Error, InjectedFault::Throttle] {
        let mfa = TestApp::start().await;
        let alice = alice(&mfa);
        mfa.fault_proxy.break_calls("UpdateItem LIMIT", fault);
        alice.challenge("sms").await.assert_problem(503, "SERVICE_UNAVAILABLE");
        assert_eq!(mfa.inbox.received(), 0);
        alice.challenge("email").await.assert_ok();
    }
}

#[tokio::test]
async fn a_send_of_unknown_outcome_stays_counted_and_its_code_valid() {
    // A provider that accepts a connection and closes it without an answer.
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move {
        loop {
            let Ok((connection, _)) = listener.accept().await else { return };
            drop(connection);
        }
    });
    let mfa = TestApp::start_with(&[("MFA_SES_ENDPOINT", &url)]).await;
    let alice = alice(&mfa);
    alice.challenge("email").await.assert_problem(503, "MFA_DELIVERY_FAILED");
    let ledger = mfa.ledger("alice").await.expect("a ledger");
    assert_eq!(ledger.codes.len(), 1, "the message may have arrived");
    alice.challenge("sms").await.assert_problem(429, "RATE_LIMITED");
}

#[tokio::test]
async fn a_provider_that_there_is_no_connection_to_costs_no_send() {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let nobody_listens = format!("http://{}", listener.local_addr().expect("an address"));
    drop(listener);
    // Accepts connections, but never answers the TLS handshake.
    let silent = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let no_tls = format!("https://{}", silent.local_addr().expect("an address"));
    for url in [nobody_listens.as_str(), "http://no-such-host.invalid", &no_tls] {
        let mfa = TestApp::start_with(&[("MFA_SES_ENDPOINT", url), ("MFA_AWS_TIMEOUT_MS", "1000")]).await;
        let alice = alice(&mfa);
        alice.challenge("email").await.assert_problem(503, "MFA_DELIVERY_FAILED");
        assert!(mfa.log().contains("refused: no connection"), "{url}: {}", mfa.log());
        alice.challenge("sms").await.assert_ok();
    }
}

#[tokio::test]
async fn stale_reads_change_no_verdict() {
    let mfa = TestApp::start().await;
    let alice = alice(&mfa);
    let device = alice.enrol().await;
    let emailed = alice.receive_code("email").await;

    // From now on the proxy keeps what eventual reads return, for the stale reads below.
    mfa.fault_proxy.remember();
    let code = device.advance_to_next_code(&mfa);
    mfa.fault_proxy.break_calls("Query", InjectedFault::Stale);
    mfa.fault_proxy.break_calls("GetItem", InjectedFault::Stale);
    alice.verify("totp", &code).await.assert_ok();
    alice.verify("totp", &code).await.assert_problem(400, "MFA_CODE_INVALID");
    alice.verify("email", &emailed).await.assert_ok();
    alice.verify("email", &emailed).await.assert_problem(400, "VERIFICATION_CODE_INVALID");
    for n in 0..5 {
        alice.verify("totp", &format!("{n:06}")).await.assert_problem(400, "MFA_CODE_INVALID");
    }
    alice.verify("totp", "999999").await.assert_problem(429, "ACCOUNT_LOCKED");
    mfa.advance(900);
    alice.verify("totp", &device.code(&mfa)).await.assert_ok();
    let sent = alice.receive_code("email").await;
    alice.challenge("email").await.assert_problem(429, "RATE_LIMITED");
    alice.verify("email", &sent).await.assert_ok();
}

#[tokio::test]
async fn torn_reads_change_no_verdict() {
    for (call, fault) in
        [("Query", InjectedFault::Torn), ("Query", InjectedFault::TornLedger), ("GetItem", InjectedFault::Torn)]
    {
        let mfa = TestApp::start().await;
        let alice = alice(&mfa);
        mfa.fault_proxy.break_calls(call, fault);
        let device = alice.enrol().await;
        let emailed = alice.receive_code("email").await;
        alice.verify("email", &emailed).await.assert_ok();
        alice.verify("totp", &device.advance_to_next_code(&mfa)).await.assert_ok();
        alice.toggle(true).await.assert_ok();
        assert_eq!(alice.status().await["verifiedMethods"], serde_json::json!(["totp", "email", "sms"]));
        let second = alice.enrol().await;
        alice.verify("totp", &second.advance_to_next_code(&mfa)).await.assert_ok();
        let dump = mfa.dump().await;
        let ledgers = dump.iter().filter(|item| item["sk"]["S"] == "MFA#LEDGER").count();
        assert_eq!(ledgers, 1, "{call} {fault:?}");
    }
}

#[tokio::test]
async fn a_secret_moved_to_another_users_row_opens_nothing() {
    let mfa = TestApp::start().await;
    let alice = alice(&mfa);
    let bob = mfa.user("bob").login();
    let (hers, his) = (alice.enrol().await, bob.enrol().await);
    let rows: Vec<_> = mfa.dump().await.into_iter().filter(|item| item.get("secret").is_some()).collect();
    let [one, other] = rows.as_slice() else { panic!("{} devices", rows.len()) };
    for (to, from) in [(one, other), (other, one)] {
        let key = |name: &str| to[name]["S"].as_str().expect("a key").to_owned();
        mfa.table.set(&key("pk"), &key("sk"), "secret", Some(&from["secret"])).await.expect("overwritten");
    }
    mfa.advance(30);
    for (login, device) in [(&alice, &hers), (&alice, &his), (&bob, &hers), (&bob, &his)] {
        login.verify("totp", &device.code(&mfa)).await.assert_problem(500, "INTERNAL_ERROR");
    }
}

/// `docs/operations.md`, "Restore".
#[tokio::test]
async fn in_a_table_restored_from_a_copy_nothing_counts_that_was_proven_before() {
    let mfa = TestApp::start().await;
    let owner = alice(&mfa);
    let device = owner.enrol().await;
    owner.toggle(true).await.assert_ok();
    let verified = owner.verify("totp", &device.advance_to_next_code(&mfa)).await;
    let trust_token = owner.trust("totp", &device.advance_to_next_code(&mfa)).await;
    let proven = owner.with(verified.text("accessToken"));
    let codes = proven.generate_recovery_codes().await;
    let sent = proven.receive_code("email").await;
    let backup = mfa.table.copy_as(&format!("{}-backup", mfa.variables["MFA_TABLE"])).await.expect("a backup");

    // What happened since: a used code, a used recovery code, a rotated session, a removed device.
    let used = device.advance_to_next_code(&mfa);
    owner.verify("totp", &used).await.assert_ok();
    let first = verified.text("refreshToken");
    let second = mfa.refresh(&first).await.text("refreshToken");
    // A recovery code begins an epoch, the next one in number.
    let since = owner.recover(&codes[0]).await;

    let name = format!("{}-restored", mfa.variables["MFA_TABLE"]);
    let table = backup.copy_as(&name).await.expect("a restored table");
    mfa.advance(600);
    let restored = mfa.on_table(&name, table);
    let raised = restored.admin_all(Command::RaiseEpochs).await;
    assert_eq!((raised.users, raised.counts.get("raised")), (1, Some(&1)));
    let (owner, proven) = (owner.at(&restored), proven.at(&restored));
    proven.trusted_devices().await.assert_problem(401, "MFA_REQUIRED");
    let proven_since = owner.with(since.text("accessToken"));
    proven_since.trusted_devices().await.assert_problem(401, "MFA_REQUIRED");
    for token in [&first, &second, &since.text("refreshToken")] {
        restored.refresh(token).await.assert_problem(401, "REFRESH_TOKEN_INVALID");
    }
    owner.verify_trusted(&trust_token).await.assert_problem(404, "MFA_DEVICE_NOT_FOUND");
    owner.verify("email", &sent).await.assert_problem(400, "VERIFICATION_CODE_INVALID");
    owner.verify("totp", &used).await.assert_problem(400, "MFA_CODE_INVALID");
    owner.verify("totp", &device.advance_to_next_code(&restored)).await.assert_ok();
    // As the page warns: the copy does not know that this code was used.
    owner.recover(&codes[0]).await.assert_ok();
}

/// Lets a held call continue, or the copy of a call arrive, and waits until it is done.
async fn let_it_arrive(mfa: &TestApp) {
    mfa.fault_proxy.release();
    mfa.fault_proxy.hung().await;
}

#[tokio::test]
async fn a_copy_of_a_new_session_that_comes_late_turns_no_session_back() {
    let mfa = TestApp::start().await;
    let alice = alice(&mfa);
    let code = alice.receive_code("email").await;
    mfa.fault_proxy.break_calls("PutItem SESSION", InjectedFault::ArriveAgain);
    let first = alice.verify("email", &code).await.text("refreshToken");
    let second = mfa.refresh(&first).await.text("refreshToken");
    mfa.advance(11);
    let_it_arrive(&mfa).await;
    mfa.refresh(&second).await.assert_ok();
}

#[tokio::test]
async fn a_copy_of_an_older_code_that_comes_late_replaces_no_newer_one() {
    let mfa = TestApp::start().await;
    let alice = alice(&mfa);
    mfa.fault_proxy.break_calls("UpdateItem CODE", InjectedFault::ArriveAgain);
    alice.receive_code("email").await;
    mfa.advance(30);
    let newer = alice.receive_code("email").await;
    let_it_arrive(&mfa).await;
    alice.verify("email", &newer).await.assert_ok();
}

#[tokio::test]
async fn a_device_that_is_revoked_while_it_is_used_stands_in_for_no_code() {
    let mfa = TestApp::start().await;
    let alice = alice(&mfa);
    let device = alice.enrol().await;
    let proven = alice.with(alice.toggle(true).await.text("accessToken"));
    let token = alice.trust("totp", &device.advance_to_next_code(&mfa)).await;
    let id = proven.trusted_devices().await.body[0]["id"].as_str().expect("an id").to_owned();
    mfa.fault_proxy.break_calls("UpdateItem TRUST", InjectedFault::Hold);
    let used = tokio::spawn({
        let alice = alice.clone();
        async move { alice.verify_trusted(&token).await }
    });
    mfa.fault_proxy.hung().await;
    proven.revoke(&id).await.assert_ok();
    mfa.fault_proxy.release();
    used.await.expect("an answer").assert_problem(404, "MFA_DEVICE_NOT_FOUND");
    assert!(mfa.items("TRUST#").await.is_empty(), "its use brings no item back");
}

#[tokio::test]
async fn a_session_of_a_trusted_device_that_later_ones_replaced_before_it_was_written_is_over() {
    let mfa = TestApp::start().await;
    let alice = alice(&mfa);
    let device = alice.enrol().await;
    alice.toggle(true).await.assert_ok();
    let token = alice.trust("totp", &device.advance_to_next_code(&mfa)).await;
    let before = mfa.items("SESSION#").await.len();
    mfa.fault_proxy.break_calls("PutItem SESSION", InjectedFault::Hold);
    let first = tokio::spawn({
        let (alice, token) = (alice.clone(), token.clone());
        async move { alice.verify_trusted(&token).await }
    });
    mfa.fault_proxy.hung().await;
    for _ in 0..2 {
        alice.verify_trusted(&token).await.assert_ok();
    }
    mfa.fault_proxy.release();
    first.await.expect("an answer").assert_problem(429, "RATE_LIMITED");
    assert_eq!(mfa.items("SESSION#").await.len(), before + 2);
}

#[tokio::test]
async fn a_session_of_a_user_who_was_erased_is_over() {
    let mfa = TestApp::start().await;
    let alice = alice(&mfa);
    let code = alice.receive_code("email").await;
    let token = alice.verify("email", &code).await.text("refreshToken");
    let ledger = mfa.items("MFA#LEDGER").await.remove(0);
    let pk = ledger["pk"]["S"].as_str().expect("a key");
    mfa.table.delete(pk, "MFA#LEDGER").await.expect("deleted");
    mfa.refresh(&token).await.assert_problem(401, "REFRESH_TOKEN_INVALID");
}
