//! What operators do about users, by the function behind `mfa-admin`.

use std::{collections::BTreeSet, sync::Arc};

use mfa::domain::TotpVariant;
use mfa_admin_function::{
    Access, Command, ErasedUser, ImportAuthenticator, ImportUser, Page, Reply, Request, Restore, Secret, User,
};
use mfa_tests::{Authenticator, InjectedFault, Login, OPERATOR, TestApp, totp_code, wrong_code};
use serde_json::{Value, json};

const OWN: &str = include_str!("keys/ec.pem");

fn of(user: &str) -> User {
    User { user: user.to_owned() }
}

async fn enabled(mfa: &Arc<TestApp>, user: &str) -> (Login, Authenticator) {
    let login = mfa.user(user).with_email(&format!("{user}@example.com")).with_phone("+442079460018").login();
    let device = login.enrol().await;
    login.toggle(true).await.assert_ok();
    (login, device)
}

/// A login with a fresh proof.
async fn proven(mfa: &Arc<TestApp>, login: &Login, device: &Authenticator) -> Login {
    let answer = login.verify("totp", &device.advance_to_next_code(mfa)).await;
    login.with(answer.text("accessToken"))
}

async fn shown(mfa: &TestApp, user: &str) -> Value {
    match mfa.admin(Command::Show(of(user))).await {
        Reply::Shown(user) => user,
        other => panic!("not shown: {other:?}"),
    }
}

fn request(command: Command) -> Request {
    Request {
        function: "mfa-admin".to_owned(),
        command,
        login: None,
        reason: Some("ticket 7".to_owned()),
        dry_run: false,
        caller: None,
    }
}

#[tokio::test]
async fn support_sees_why_a_user_is_locked_and_unlocks_them() {
    let mfa = TestApp::start().await;
    let (alice, device) = enabled(&mfa, "alice").await;
    let code = device.advance_to_next_code(&mfa);
    for n in 0..5 {
        alice.verify("totp", &wrong_code(&code, n)).await.assert_problem(400, "MFA_CODE_INVALID");
    }
    alice.verify("totp", &code).await.assert_problem(429, "ACCOUNT_LOCKED");
    let user = shown(&mfa, "alice").await;
    assert_eq!((&user["isEnabled"], &user["wrongCodes"]["inARow"]), (&json!(true), &json!(5)));
    assert_ne!(user["lockedUntil"], Value::Null);
    let dry_run = mfa.admin_with(Request { dry_run: true, ..request(Command::Unlock(of("alice"))) }).await;
    assert_eq!(dry_run, Reply::Done);
    alice.verify("totp", &code).await.assert_problem(429, "ACCOUNT_LOCKED");

    assert_eq!(mfa.admin(Command::Unlock(of("alice"))).await, Reply::Done);
    alice.verify("totp", &code).await.assert_ok();
    assert_eq!(shown(&mfa, "alice").await["lockedUntil"], Value::Null);
}

#[tokio::test]
async fn a_reset_lets_a_user_begin_anew_and_ends_what_was() {
    let mfa = TestApp::start().await;
    let (alice, device) = enabled(&mfa, "alice").await;
    let trust = alice.trust("totp", &device.advance_to_next_code(&mfa)).await;
    let answer = alice.verify("totp", &device.advance_to_next_code(&mfa)).await;
    let codes = alice.with(answer.text("accessToken")).generate_recovery_codes().await;
    assert_eq!(mfa.admin(Command::Reset(of("alice"))).await, Reply::Done);
    let status = alice.status().await;
    assert_eq!((&status["isEnabled"], &status["totpDevices"]), (&json!(false), &json!([])));
    mfa.refresh(&answer.text("refreshToken")).await.assert_problem(401, "REFRESH_TOKEN_INVALID");
    alice.verify_trusted(&trust).await.assert_problem(404, "MFA_DEVICE_NOT_FOUND");
    alice.recover(&codes[0]).await.assert_problem(400, "MFA_RECOVERY_CODE_INVALID");
    assert_eq!(mfa.items("MFA#DEVICE").await.len() + mfa.items("MFA#RECOVERY").await.len(), 0);
    alice.enrol().await;
    alice.toggle(true).await.assert_ok();
}

#[tokio::test]
async fn ended_sessions_leave_the_factors() {
    let mfa = TestApp::start().await;
    let (alice, device) = enabled(&mfa, "alice").await;
    let answer = alice.verify("totp", &device.advance_to_next_code(&mfa)).await;
    assert_ne!(shown(&mfa, "alice").await["sessions"], json!([]));
    assert_eq!(mfa.admin(Command::EndSessions(of("alice"))).await, Reply::Done);
    assert_eq!(shown(&mfa, "alice").await["sessions"], json!([]));
    mfa.refresh(&answer.text("refreshToken")).await.assert_problem(401, "REFRESH_TOKEN_INVALID");
    alice.verify("totp", &device.advance_to_next_code(&mfa)).await.assert_ok();
}

#[tokio::test]
async fn a_change_needs_a_reason_and_a_caller_and_both_are_logged() {
    let mfa = TestApp::start().await;
    enabled(&mfa, "alice").await;
    mfa.take_log();
    let refused = |reply: Reply, words: &str| match reply {
        Reply::Refused(sentence) => assert!(sentence.contains(words), "{sentence}"),
        other => panic!("{words}: {other:?}"),
    };
    for reason in [None, Some(String::new()), Some("  ".to_owned()), Some("x".repeat(201))] {
        let reply = mfa.admin_with(Request { reason, ..request(Command::Unlock(of("alice"))) }).await;
        refused(reply, "needs a reason");
    }
    let answer = async |access, command, caller| {
        mfa_admin_function::answer(&mfa.app, access, &request(command), caller, "test").await.0
    };
    refused(answer(Access::Change, Command::Reset(of("alice")), Ok(None)).await, "who calls");
    let unproven = Err("AWS does not confirm who calls".to_owned());
    refused(answer(Access::Change, Command::Reset(of("alice")), unproven).await, "AWS does not confirm");
    let carol = || Ok(Some(OPERATOR.to_owned()));
    refused(answer(Access::Read, Command::Reset(of("alice")), carol()).await, "only shows");
    refused(answer(Access::Read, Command::Show(of("")), carol()).await, "is empty");
    assert_eq!(shown(&mfa, "alice").await["isEnabled"], true, "nothing has changed");

    mfa.take_log();
    assert_eq!(mfa.admin_with(request(Command::Unlock(of("alice")))).await, Reply::Done);
    let line = mfa.take_log().remove(0);
    let expected = json!({ "command": "unlock", "caller": OPERATOR, "reason": "ticket 7", "dry_run": false });
    assert_eq!(line["audit"], expected);
    assert_eq!(line["user"], mfa.app.keys.user_id("alice").to_string());
    assert!(!line.to_string().contains("alice"), "{line}");
}

#[tokio::test]
async fn a_user_is_found_by_the_login_that_their_id_is_of() {
    let logins = json!([
        { "name": "customers", "MFA_JWT_SECRET": "a secret for the customers of the tests" },
        { "name": "staff", "MFA_JWT_SECRET": "another secret, for the staff of the tests" },
    ]);
    let mfa =
        TestApp::start_with(&[("MFA_JWT_SECRET", ""), ("MFA_SIGNING_KEY", OWN), ("MFA_LOGINS", &logins.to_string())])
            .await;
    let show = |login: Option<&str>| {
        let login = login.map(ToOwned::to_owned);
        mfa.admin_with(Request { login, ..request(Command::Show(of("alice"))) })
    };
    for (login, words) in [(None, "Set --login to one of customers, staff"), (Some("x"), "No login has this name")] {
        match show(login).await {
            Reply::Refused(sentence) => assert!(sentence.contains(words), "{sentence}"),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(show(Some("staff")).await, Reply::UnknownUser);
    let one = TestApp::start().await;
    let reply = one.admin_with(Request { login: Some("x".to_owned()), ..request(Command::Show(of("alice"))) }).await;
    assert!(matches!(&reply, Reply::Refused(sentence) if sentence.contains("Leave --login out")), "{reply:?}");
}

#[tokio::test]
async fn an_export_holds_all_that_the_table_holds_and_no_secret() {
    let mfa = TestApp::start().await;
    let (alice, device) = enabled(&mfa, "alice").await;
    let trust = alice.trust("totp", &device.advance_to_next_code(&mfa)).await;
    let answer = alice.verify("totp", &device.advance_to_next_code(&mfa)).await;
    let proven = alice.with(answer.text("accessToken"));
    let codes = proven.generate_recovery_codes().await;
    let setup = proven.open_authenticator().await;
    let sent = proven.receive_code("email").await;
    alice.verify("totp", "000000").await.assert_problem(400, "MFA_CODE_INVALID");
    enabled(&mfa, "bob").await;

    let Reply::Shown(export) = mfa.admin(Command::Export(of("alice"))).await else { panic!("no export") };
    let key = format!("USER#{}", mfa.app.keys.user_id("alice"));
    let stored: Vec<_> = mfa.dump().await.into_iter().filter(|item| item["pk"]["S"] == key.as_str()).collect();
    let exported = export["items"].as_array().expect("items");
    assert_eq!(exported.len(), stored.len());
    for item in &stored {
        let same = exported.iter().find(|exported| exported["sortKey"] == item["sk"]["S"]).expect("exported");
        let names = |item: &Value| -> BTreeSet<String> {
            item.as_object()
                .expect("an item")
                .keys()
                .filter(|name| !["pk", "sk"].contains(&name.as_str()))
                .cloned()
                .collect()
        };
        assert_eq!(names(&same["attributes"]), names(item), "{}", item["sk"]["S"]);
    }
    // What the ledger packs is shown as a field each.
    let Reply::Shown(user) = mfa.admin(Command::Show(of("alice"))).await else { panic!("not shown") };
    for field in user.as_object().expect("fields").keys() {
        assert_eq!(export[field], user[field], "{field}");
    }
    let text = export.to_string();
    let refresh = answer.text("refreshToken");
    let secrets = [&device.secret, &setup.secret, &trust, &refresh, &sent, &codes[0], &answer.text("accessToken")];
    for secret in secrets.into_iter().map(String::as_str).chain(["alice@example.com", "+442079460018", "bob"]) {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    for item in &stored {
        let mut values: Vec<_> = item.as_object().expect("an item").values().collect();
        while let Some(value) = values.pop() {
            match value {
                Value::Object(inner) => {
                    if let Some(binary) = inner.get("B").and_then(Value::as_str).filter(|binary| binary.len() > 8) {
                        assert!(!text.contains(binary), "{binary}");
                    }
                    values.extend(inner.values());
                }
                Value::Array(list) => values.extend(list),
                _ => {}
            }
        }
    }
}

#[tokio::test]
async fn every_epoch_is_raised_once_and_by_a_random_step() {
    let mfa = TestApp::start().await;
    let mut before = Vec::new();
    let mut refresh_tokens = Vec::new();
    for n in 0..12 {
        let (login, device) = enabled(&mfa, &format!("user-{n}")).await;
        let answer = login.verify("totp", &device.advance_to_next_code(&mfa)).await;
        refresh_tokens.push(answer.text("refreshToken"));
        before.push(mfa.ledger(&format!("user-{n}")).await.expect("a ledger").security_epoch);
    }
    let raised = mfa.admin_all(Command::RaiseEpochs).await;
    assert_eq!((raised.users, raised.counts.get("raised"), raised.findings.len()), (12, Some(&12), 0));
    let mut steps = BTreeSet::new();
    for (n, before) in before.iter().enumerate() {
        let now = mfa.ledger(&format!("user-{n}")).await.expect("a ledger").security_epoch;
        steps.insert(now - before);
        assert!(now - before > 1 << 20 && now < 1 << 53);
        mfa.refresh(&refresh_tokens[n]).await.assert_problem(401, "REFRESH_TOKEN_INVALID");
    }
    assert_eq!(steps.len(), 12);
}

#[tokio::test]
async fn a_check_finds_what_cannot_be_read_what_belongs_to_nobody_and_what_is_too_large() {
    let mfa = TestApp::start().await;
    let (_, device) = enabled(&mfa, "alice").await;
    enabled(&mfa, "bob").await;
    enabled(&mfa, "carol").await;
    let clean = mfa.admin_all(Command::Check).await;
    assert_eq!((clean.users, clean.findings.len()), (3, 0), "{clean:?}");
    let key = |user: &str| format!("USER#{}", mfa.app.keys.user_id(user));
    let device_key = format!("MFA#DEVICE#{}", device.device_id);
    mfa.table.set(&key("alice"), &device_key, "name", None).await.expect("damaged");
    mfa.table.delete(&key("bob"), "MFA#LEDGER").await.expect("deleted");
    let large = "x".repeat(5_000);
    mfa.table.set(&key("carol"), "MFA#LEDGER", "x", Some(&json!({ "S": large }))).await.expect("enlarged");
    let found = mfa.admin_all(Command::Check).await;
    let mut findings: Vec<_> = found
        .findings
        .iter()
        .map(|finding| {
            let item = finding.item.as_deref().unwrap_or_default();
            let user = ["alice", "bob", "carol"].into_iter().find(|user| key(user).ends_with(&finding.user));
            let kind = item.rsplit_once('#').map_or(item, |(kind, _)| kind);
            let what = finding.what.split(|c: char| c.is_ascii_digit()).next().unwrap_or_default();
            format!("{} {kind}: {what}", user.unwrap_or_default())
        })
        .collect();
    findings.sort();
    let expected = [
        "alice MFA#DEVICE: unreadable: missing field `name`",
        "bob MFA#DEVICE: orphaned",
        "bob NOTICE: orphaned",
        "carol MFA: oversized: ",
    ];
    assert_eq!(findings, expected);
    let count = |name: &str| found.counts.get(name).copied().unwrap_or_default();
    assert_eq!(["unreadable", "orphaned", "oversized", "sealed by dev"].map(count), [1, 2, 1, 6]);
}

#[tokio::test]
async fn after_a_reseal_the_old_key_can_go() {
    let mfa = TestApp::start().await;
    let (alice, device) = enabled(&mfa, "alice").await;
    let old = mfa.variables["MFA_SEALING_KEYS"].clone();
    let new = "k2:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    let both = mfa.redeployed_with(&[("MFA_SEALING_KEYS", &format!("{new},{old}"))]);
    let keys = both.admin(Command::SealingKeys).await;
    assert_eq!(keys, Reply::SealingKeys(vec!["k2".to_owned(), "dev".to_owned()]));
    let dry = both.admin_with(Request { dry_run: true, ..request(Command::Reseal(Page::of_part(0, 1, None))) }).await;
    assert!(matches!(&dry, Reply::Page(page) if page.counts["sealed again"] == 2), "{dry:?}");
    for expected in [Some(&2), None] {
        let resealed = both.admin_all(Command::Reseal).await;
        assert_eq!(resealed.counts.get("sealed again"), expected, "{resealed:?}");
    }
    let new_alone = mfa.redeployed_with(&[("MFA_SEALING_KEYS", new)]);
    alice.at(&new_alone).verify("totp", &device.advance_to_next_code(&mfa)).await.assert_ok();
    let old_alone = mfa.redeployed_with(&[("MFA_SEALING_KEYS", &old)]);
    alice.at(&old_alone).verify("totp", &device.advance_to_next_code(&mfa)).await.assert_problem(500, "INTERNAL_ERROR");
    let failed = mfa.redeployed_with(&[("MFA_SEALING_KEYS", "k3:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")]);
    let failed = failed.admin_all(Command::Reseal).await;
    assert_eq!((failed.counts.get("not opened"), failed.findings.len()), (Some(&2), 2));
}

async fn restored(mfa: &TestApp, table: &str, keep_recovery: bool, erased: &[&str]) -> mfa_admin_function::PageReply {
    let erased: Vec<_> = erased.iter().map(|user| ErasedUser { login: None, user: (*user).to_owned() }).collect();
    mfa.admin_all(|page| {
        Command::RestoreFrom(Restore { table: table.to_owned(), keep_recovery, erased: erased.clone(), page })
    })
    .await
}

#[tokio::test]
async fn a_restored_backup_is_bounded_by_what_the_table_still_knows() {
    let mfa = TestApp::start().await;
    let (alice, device) = enabled(&mfa, "alice").await;
    let (bob, bobs) = enabled(&mfa, "bob").await;
    let (carol, _) = enabled(&mfa, "carol").await;
    let (dave, daves) = enabled(&mfa, "dave").await;
    let alice_in = proven(&mfa, &alice, &device).await;
    let codes = alice_in.generate_recovery_codes().await;
    let second = alice_in.enrol().await;
    let trust = alice.trust("totp", &device.advance_to_next_code(&mfa)).await;
    let name = format!("{}-restored", mfa.variables["MFA_TABLE"]);
    mfa.table.copy_as(&name).await.expect("a backup");

    // Since the backup: alice used a code and removed her second authenticator, bob switched MFA off,
    // carol was erased, and the table lost dave.
    let used = device.advance_to_next_code(&mfa);
    let answer = alice.verify("totp", &used).await;
    let alice_in = alice.with(answer.text("accessToken"));
    alice_in.remove(&second.device_id).await.assert_ok();
    alice.recover(&codes[0]).await.assert_ok();
    proven(&mfa, &bob, &bobs).await.toggle(false).await.assert_ok();
    mfa.admin(Command::Erase(of("carol"))).await;
    mfa.table.delete(&format!("USER#{}", mfa.app.keys.user_id("dave")), "MFA#LEDGER").await.expect("lost");

    let reply = restored(&mfa, &name, false, &["carol"]).await;
    let count = |name: &str| reply.counts.get(name).copied().unwrap_or_default();
    assert_eq!((reply.users, reply.findings.len(), reply.failed.len()), (4, 0, 0), "{reply:?}");
    assert_eq!(["bounded", "brought back", "stay erased"].map(count), [2, 1, 1], "{reply:?}");
    assert_eq!(count("authenticators inactive"), 1);

    // What was used, removed or ended does not come back.
    alice.verify("totp", &used).await.assert_problem(400, "MFA_CODE_INVALID");
    let code = second.advance_to_next_code(&mfa);
    let judged =
        alice.post("/auth/mfa/verify", json!({ "method": "totp", "otp": code, "deviceId": second.device_id })).await;
    assert_ne!(judged.status, 200, "the removed one is inactive");
    alice.verify_trusted(&trust).await.assert_problem(404, "MFA_DEVICE_NOT_FOUND");
    mfa.refresh(&answer.text("refreshToken")).await.assert_problem(401, "REFRESH_TOKEN_INVALID");
    alice.recover(&codes[0]).await.assert_problem(400, "MFA_RECOVERY_CODE_INVALID");
    alice.recover(&codes[1]).await.assert_ok();
    alice.verify("totp", &device.advance_to_next_code(&mfa)).await.assert_ok();
    // MFA is on if either says so.
    assert_eq!(bob.status().await["isEnabled"], true);
    bob.verify("totp", &bobs.advance_to_next_code(&mfa)).await.assert_ok();
    assert_eq!(carol.status().await["isEnabled"], false);
    assert_eq!(mfa.admin(Command::Show(of("carol"))).await, Reply::UnknownUser);
    assert_eq!(dave.status().await["isEnabled"], true);
    dave.verify("totp", &daves.advance_to_next_code(&mfa)).await.assert_ok();
    // A second run changes nothing but the epochs.
    let again = restored(&mfa, &name, false, &["carol"]).await;
    assert_eq!(again.counts.get("brought back"), None, "{again:?}");
    let own = restored_reply(&mfa, &mfa.variables["MFA_TABLE"]).await;
    assert!(matches!(&own, Reply::Refused(sentence) if sentence.contains("own table")), "{own:?}");
    let none = restored_reply(&mfa, "no-such-table").await;
    assert!(
        matches!(&none, Reply::Refused(sentence) if sentence.contains("must begin with that of the stack")),
        "{none:?}"
    );
}

async fn restored_reply(mfa: &TestApp, table: &str) -> Reply {
    let page = Page::of_part(0, 1, None);
    let restore = Restore { table: table.to_owned(), keep_recovery: false, erased: Vec::new(), page };
    mfa.admin(Command::RestoreFrom(restore)).await
}

#[tokio::test]
async fn into_an_empty_table_everybody_comes_back_and_recovery_codes_only_if_the_operator_says_so() {
    for keep_recovery in [false, true] {
        let mfa = TestApp::start().await;
        let (alice, device) = enabled(&mfa, "alice").await;
        let codes = proven(&mfa, &alice, &device).await.generate_recovery_codes().await;
        let name = format!("{}-restored", mfa.variables["MFA_TABLE"]);
        mfa.table.copy_as(&name).await.expect("a backup");
        for item in mfa.dump().await {
            let key = |name: &str| item[name]["S"].as_str().expect("a key").to_owned();
            mfa.table.delete(&key("pk"), &key("sk")).await.expect("deleted");
        }
        let reply = restored(&mfa, &name, keep_recovery, &[]).await;
        assert_eq!(reply.counts.get("brought back"), Some(&1), "{reply:?}");
        assert_ne!(reply.counts.contains_key("recovery codes void"), keep_recovery, "{reply:?}");
        assert_eq!(mfa.items("MFA#DEVICE").await[0].get("ttl"), None);
        alice.verify("totp", &device.advance_to_next_code(&mfa)).await.assert_ok();
        let recovered = alice.recover(&codes[0]).await;
        assert_eq!(recovered.status == 200, keep_recovery);
    }
}

#[tokio::test]
async fn users_that_a_command_fails_for_are_named_and_done_alone_afterwards() {
    let mfa = TestApp::start().await;
    enabled(&mfa, "alice").await;
    enabled(&mfa, "bob").await;
    let key = mfa.app.keys.user_id("bob").to_string();
    let epoch = async |user| mfa.ledger(user).await.map(|ledger| ledger.security_epoch);
    let newer = json!({ "N": "9" });
    mfa.table.set(&format!("USER#{key}"), "MFA#LEDGER", "schema", Some(&newer)).await.expect("written");
    let raised = mfa.admin_all(Command::RaiseEpochs).await;
    assert_eq!((raised.users, raised.counts.get("raised")), (1, Some(&1)));
    let failed: Vec<_> =
        raised.failed.iter().map(|failed| (failed.user.clone(), failed.what.contains("newer"))).collect();
    assert_eq!(failed, [(key.clone(), true)]);

    mfa.table.set(&format!("USER#{key}"), "MFA#LEDGER", "schema", None).await.expect("mended");
    let (alice, bob) = (epoch("alice").await, epoch("bob").await);
    let reply = mfa.admin(Command::RaiseEpochs(Page::of_users(vec![key]))).await;
    assert!(matches!(&reply, Reply::Page(page) if (page.users, &page.next) == (1, &None)), "{reply:?}");
    assert_eq!(epoch("alice").await, alice);
    assert!(epoch("bob").await > bob);
    for page in [Page::of_users(vec!["x".to_owned()]), Page::of_part(1, 1, None), Page::of_part(0, 0, None)] {
        let reply = mfa.admin(Command::RaiseEpochs(page)).await;
        assert!(matches!(reply, Reply::Refused(_)), "{reply:?}");
    }
    let of_one_login = Request { login: Some("x".to_owned()), ..request(Command::Check(Page::of_part(0, 1, None))) };
    let reply = mfa.admin_with(of_one_login).await;
    assert!(matches!(&reply, Reply::Refused(sentence) if sentence.contains("all logins")), "{reply:?}");
}

#[tokio::test]
async fn what_has_ended_or_belongs_to_nobody_keeps_no_sealing_key() {
    let mfa = TestApp::start().await;
    let (_, device) = enabled(&mfa, "alice").await;
    let sealed = async || mfa.admin_all(Command::Check).await.counts.get("sealed by dev").copied().unwrap_or_default();
    assert_eq!(sealed().await, 3, "an authenticator, a session and the address for notices");
    mfa.advance(13 * 3600);
    assert_eq!(sealed().await, 2);
    let user = format!("USER#{}", mfa.app.keys.user_id("alice"));
    mfa.admin(Command::Reset(of("alice"))).await;
    let sort_key = format!("MFA#DEVICE#{}", device.device_id);
    for (name, value) in
        [("name", json!({ "S": "x" })), ("secret", json!({ "B": "A2RldgAA" })), ("created", json!({ "N": "1" }))]
    {
        mfa.table.set(&user, &sort_key, name, Some(&value)).await.expect("written");
    }
    assert_eq!(sealed().await, 1, "notices go on after a reset");
}

#[tokio::test]
async fn a_command_that_meets_a_fault_did_all_or_says_so_and_can_be_repeated() {
    const FAULTS: [InjectedFault; 4] =
        [InjectedFault::Error, InjectedFault::LoseAnswer, InjectedFault::LoseOneAnswer, InjectedFault::Stale];
    for command in [Command::Reset(of("alice")), Command::EndSessions(of("alice")), Command::Erase(of("alice"))] {
        for fault in FAULTS {
            // Every call of the command is broken in turn. None makes more than seven.
            for n in 0..7 {
                let mfa = TestApp::start().await;
                let (alice, device) = enabled(&mfa, "alice").await;
                let refresh = alice.verify("totp", &device.advance_to_next_code(&mfa)).await.text("refreshToken");
                mfa.fault_proxy.break_call("", n, fault);
                let reply = mfa.admin(command.clone()).await;
                mfa.fault_proxy.heal();
                let case = format!("{} {fault:?} {n}: {reply:?}", command.name());
                match reply {
                    Reply::Done | Reply::Deleted(_) => {}
                    Reply::TryAgain(_) | Reply::Refused(_) | Reply::UnknownUser => {
                        let again = mfa.admin(command.clone()).await;
                        assert!(!matches!(again, Reply::TryAgain(_) | Reply::Refused(_)), "{case}, then {again:?}");
                    }
                    other => panic!("{case}: {other:?}"),
                }
                mfa.refresh(&refresh).await.assert_problem(401, "REFRESH_TOKEN_INVALID");
                let left = mfa.items("MFA#").await.len();
                let expected = match command {
                    Command::Erase(_) => 0,
                    Command::Reset(_) => 1,
                    _ => 2,
                };
                // What a failed deletion left, nothing names.
                assert!(left == expected || (fault == InjectedFault::Error && left == 2), "{case}: {left} items");
            }
        }
    }
}

fn imported(line: u64, user: &str, change: impl FnOnce(&mut ImportUser)) -> ImportUser {
    let authenticator = ImportAuthenticator {
        secret: Secret(b"12345678901234567890".to_vec().into()),
        variant: TotpVariant::default(),
        name: "Phone".to_owned(),
        last_step: None,
    };
    let mut user = ImportUser {
        line,
        user: user.to_owned(),
        login: None,
        authenticators: vec![authenticator],
        proven_email: None,
        proven_phone: None,
        enabled: true,
    };
    change(&mut user);
    user
}

#[tokio::test]
async fn an_imported_user_signs_in_with_what_they_had_whichever_login_switches_on() {
    let mfa = TestApp::start().await;
    let off = imported(2, "bob", |user| user.enabled = false);
    let by_email = imported(3, "carol", |user| {
        user.authenticators.clear();
        user.proven_email = Some("carol@example.com".to_owned());
    });
    let users = vec![imported(1, "alice", |_| ()), off, by_email];
    let dry = mfa.admin_with(Request { dry_run: true, ..request(Command::Import(users.clone())) }).await;
    assert!(matches!(&dry, Reply::Page(page) if page.counts["imported"] == 3), "{dry:?}");
    assert_eq!(mfa.items("MFA#").await.len(), 0);
    let reply = mfa.admin(Command::Import(users.clone())).await;
    assert!(matches!(&reply, Reply::Page(page) if page.counts["imported"] == 3), "{reply:?}");

    let code = |seconds| totp_code("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", mfa.clock.now().as_secs() + seconds);
    let alice = mfa.user("alice").with_email("alice@example.com").login();
    assert_eq!(alice.status().await["isEnabled"], true);
    let answer = alice.verify("totp", &code(0)).await;
    let proven = alice.with(answer.text("accessToken"));
    // Off and on again, by another login: what the operator confirmed stays active.
    proven.toggle(false).await.assert_ok();
    let other = mfa.user("alice").with("sessionId", "another").login();
    other.toggle(true).await.assert_ok();
    mfa.advance(30);
    other.verify("totp", &code(0)).await.assert_ok();
    let bob = mfa.user("bob").login();
    assert_eq!(bob.status().await["isEnabled"], false);
    bob.toggle(true).await.assert_ok();
    bob.verify("totp", &code(0)).await.assert_ok();
    let carol = mfa.user("carol").with_email("carol@example.com").login();
    let sent = carol.receive_code("email").await;
    carol.verify("email", &sent).await.assert_ok();

    // A second run changes nothing, and neither does one for a user who is here by themselves.
    mfa.user("dave").login().enrol().await;
    let before = mfa.dump().await;
    let again = users.into_iter().chain([imported(4, "dave", |_| ())]).collect();
    let reply = mfa.admin(Command::Import(again)).await;
    assert!(matches!(&reply, Reply::Page(page) if page.counts["known already"] == 4), "{reply:?}");
    assert_eq!(mfa.dump().await, before);
}

#[tokio::test]
async fn a_wrong_row_is_told_by_its_line_and_keeps_no_other_back() {
    let mfa = TestApp::start().await;
    let six = imported(7, "g", |user| {
        for n in 0..5 {
            let mut other = user.authenticators[0].clone();
            other.secret = Secret(vec![n; 20].into());
            user.authenticators.push(other);
        }
    });
    let users = vec![
        imported(1, "", |_| ()),
        imported(2, &"x".repeat(256), |_| ()),
        imported(3, "c", |user| user.authenticators[0].secret = Secret(vec![1; 9].into())),
        imported(4, "d", |user| user.authenticators[0].name = "a\nb".to_owned()),
        imported(5, "e", |user| user.proven_email = Some("nobody".to_owned())),
        imported(6, "f", |user| user.proven_phone = Some("12".to_owned())),
        six,
        imported(8, "h", |user| user.authenticators.clear()),
        imported(9, "i", |user| user.login = Some("staff".to_owned())),
        imported(10, " j", |_| ()),
        imported(11, "j", |_| ()),
    ];
    let Reply::Page(page) = mfa.admin(Command::Import(users)).await else { panic!("no page") };
    let mut lines: Vec<_> = page.findings.iter().map(|finding| finding.user.clone()).collect();
    lines.sort_by_key(String::len);
    assert_eq!(lines, (1..=10).map(|line| format!("line {line}")).collect::<Vec<_>>());
    assert_eq!((page.counts["imported"], page.counts["wrong"], page.failed.len()), (1, 10, 0));
    assert_eq!(mfa.items("MFA#").await.len(), 2);
    let debug = format!("{:?}", imported(1, "alice", |_| ()));
    assert!(debug.contains("Secret(…)"), "{debug}");
}

#[tokio::test]
async fn nobody_is_imported_with_methods_that_the_application_does_not_offer() {
    let mfa = TestApp::start_with(&[("MFA_METHODS", "totp,email")]).await;
    let by_phone = |line, user: &str| {
        imported(line, user, |user| {
            user.authenticators.clear();
            user.proven_phone = Some("+442079460018".to_owned());
        })
    };
    let mut off = by_phone(2, "bob");
    off.enabled = false;
    let Reply::Page(page) = mfa.admin(Command::Import(vec![by_phone(1, "alice"), off])).await else {
        panic!("no page")
    };
    assert_eq!((page.counts["imported"], page.counts["wrong"]), (1, 1));
    assert!(page.findings[0].what.contains("MFA_METHODS"), "{:?}", page.findings);
    assert_eq!(mfa.user("alice").login().status().await["isEnabled"], false);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_restores_at_once_bring_everybody_back_whole() {
    let mfa = TestApp::start().await;
    for n in 0..40 {
        enabled(&mfa, &format!("user-{n}")).await;
    }
    let name = format!("{}-restored", mfa.variables["MFA_TABLE"]);
    mfa.table.copy_as(&name).await.expect("a backup");
    for item in mfa.dump().await {
        let key = |name: &str| item[name]["S"].as_str().expect("a key").to_owned();
        mfa.table.delete(&key("pk"), &key("sk")).await.expect("deleted");
    }
    tokio::join!(restored(&mfa, &name, false, &[]), restored(&mfa, &name, false, &[]));
    let checked = mfa.admin_all(Command::Check).await;
    assert_eq!((checked.users, checked.findings), (40, Vec::new()));
    assert_eq!(mfa.items("MFA#DEVICE").await.len(), 40);
    // What is missing is found.
    let device = mfa.items("MFA#DEVICE").await.remove(0);
    let key = |name: &str| device[name]["S"].as_str().expect("a key").to_owned();
    mfa.table.delete(&key("pk"), &key("sk")).await.expect("deleted");
    let checked = mfa.admin_all(Command::Check).await;
    assert_eq!(checked.findings.iter().map(|finding| finding.what.as_str()).collect::<Vec<_>>(), ["missing"]);
}

#[tokio::test]
async fn what_is_stored_is_exported_also_without_a_ledger() {
    let mfa = TestApp::start().await;
    enabled(&mfa, "alice").await;
    mfa.table.delete(&format!("USER#{}", mfa.app.keys.user_id("alice")), "MFA#LEDGER").await.expect("deleted");
    assert_eq!(mfa.admin(Command::Show(of("alice"))).await, Reply::UnknownUser);
    let Reply::Shown(export) = mfa.admin(Command::Export(of("alice"))).await else { panic!("no export") };
    assert!(export["items"].as_array().is_some_and(|items| !items.is_empty()), "{export}");
    assert_eq!(mfa.admin(Command::Export(of("nobody"))).await, Reply::UnknownUser);
}

#[tokio::test]
async fn a_table_that_does_not_answer_is_tried_again_and_one_that_refuses_is_not() {
    let mfa = TestApp::start().await;
    enabled(&mfa, "alice").await;
    mfa.fault_proxy.break_calls("", InjectedFault::Throttle);
    let reply = mfa.admin(Command::Unlock(of("alice"))).await;
    assert!(matches!(&reply, Reply::TryAgain(sentence) if sentence.contains("unavailable")), "{reply:?}");
    mfa.fault_proxy.heal();
    assert_eq!(mfa.admin(Command::Unlock(of("alice"))).await, Reply::Done);
    let reply = mfa.admin(Command::Unlock(of(""))).await;
    assert!(matches!(reply, Reply::Refused(_)), "{reply:?}");
}
