use std::sync::Arc;

use futures_util::future::join_all;
use lambda_http::http::Method;
use mfa_tests::{Authenticator, InjectedFault, Login, TestApp};
use serde_json::{Value, json};

const UNKNOWN: &str = "00000000-0000-4000-8000-000000000000";

async fn name_of(login: &Login, id: &str) -> Option<String> {
    let list = login.devices().await;
    let device = list.as_array().expect("a list").iter().find(|device| device["id"] == id)?.clone();
    Some(device["deviceName"].as_str().expect("a name").to_owned())
}

#[tokio::test]
async fn a_device_gets_the_name_and_nothing_else_changes() {
    let mfa = TestApp::start().await;
    let alice = mfa.user("alice").login();
    let (device, other) = (alice.enrol().await, alice.enrol().await);
    let before = alice.devices().await;
    let answer = alice.rename(&device.device_id, "  Work: phone ").await.assert_ok();
    assert_eq!(answer, json!({ "message": "MFA device renamed successfully" }));
    assert_eq!(name_of(&alice, &device.device_id).await.as_deref(), Some("Work  phone"));
    assert_eq!(name_of(&alice, &other.device_id).await.as_deref(), Some("Authenticator"));
    let mut after = alice.devices().await;
    for device in after.as_array_mut().expect("a list") {
        device["deviceName"] = "Authenticator".into();
    }
    assert_eq!(after, before);
    alice.verify("totp", &device.advance_to_next_code(&mfa)).await.assert_ok();
}

#[tokio::test]
async fn an_inactive_device_and_an_open_setup_can_be_renamed_and_the_setup_still_expires() {
    let mfa = TestApp::start().await;
    let person = mfa.user("alice");
    let inactive = person.login().enrol().await;
    let owner = person.login();
    owner.enrol().await;
    owner.toggle(true).await.assert_ok();
    let open = owner.open_authenticator().await;
    for id in [&inactive.device_id, &open.device_id] {
        owner.rename(id, "New").await.assert_ok();
        assert_eq!(name_of(&owner, id).await.as_deref(), Some("New"));
    }
    let is_inactive = |list: &Value| list.as_array().expect("a list").iter().any(|device| device["inactive"] == true);
    assert!(is_inactive(&owner.devices().await));
    let items = mfa.items(&format!("MFA#DEVICE#{}", open.device_id)).await;
    assert!(items[0].get("ttl").is_some(), "{items:?}");
    owner.confirm(&open.code(&mfa), &open.secret).await.assert_ok();
    assert_eq!(name_of(&owner, &open.device_id).await.as_deref(), Some("New"));
}

#[tokio::test]
async fn unknown_foreign_expired_and_malformed_ids_are_not_found_alike() {
    let mfa = TestApp::start().await;
    let (alice, bob) = (mfa.user("alice").login(), mfa.user("bob").login());
    let bobs = bob.enrol().await;
    let (removed, expired) = (alice.enrol().await, alice.open_authenticator().await);
    alice.remove(&removed.device_id).await.assert_ok();
    mfa.advance(600);
    let first = alice.rename(UNKNOWN, "New").await.assert_problem(404, "MFA_DEVICE_NOT_FOUND");
    let ids = [&bobs.device_id, &removed.device_id, &expired.device_id].map(String::as_str);
    for id in ids.into_iter().chain(["x", "%00", "..", "1", "MFA#LEDGER"]) {
        let answer = alice.rename(id, "New").await;
        assert_eq!((answer.status, &answer.body), (404, &first.body), "{id}");
    }
    assert_eq!(name_of(&bob, &bobs.device_id).await.as_deref(), Some("Authenticator"));
}

#[tokio::test]
async fn a_rename_without_a_fresh_proof_is_refused_before_it_says_whether_the_device_is_there() {
    let mfa = TestApp::start().await;
    let person = mfa.user("alice");
    let owner = person.login();
    let device = owner.enrol().await;
    owner.toggle(true).await.assert_ok();
    let plain = person.login();
    for id in [device.device_id.as_str(), UNKNOWN, "x"] {
        plain.rename(id, "New").await.assert_problem(401, "MFA_REQUIRED");
    }
    let proven = plain.prove("totp", &device.advance_to_next_code(&mfa)).await;
    proven.rename(&device.device_id, "New").await.assert_ok();
    assert_eq!(name_of(&plain, &device.device_id).await.as_deref(), Some("New"));
}

#[tokio::test]
async fn the_name_is_read_as_that_of_a_setup() {
    let mfa = TestApp::start().await;
    let alice = mfa.user("alice").login();
    let device = alice.enrol().await;
    let path = format!("/auth/mfa/devices/{}", device.device_id);
    let rename = |body: Value| {
        let (alice, path) = (alice.clone(), path.clone());
        async move { alice.call(Method::PATCH, &path, body.to_string().into_bytes()).await }
    };
    for body in [json!({}), json!({ "deviceName": null }), json!({ "deviceName": " " }), json!({ "deviceName": " : " })]
    {
        rename(body).await.assert_problem(400, "MISSING_REQUIRED_FIELD");
    }
    for name in [json!("x".repeat(129)), json!(1), json!(["x"]), json!("a\u{0}b"), json!("a\nb")] {
        rename(json!({ "deviceName": name })).await.assert_problem(400, "INVALID_INPUT");
    }
    assert_eq!(name_of(&alice, &device.device_id).await.as_deref(), Some("Authenticator"));
    let longest = "👩".repeat(128);
    rename(json!({ "deviceName": longest })).await.assert_ok();
    assert_eq!(name_of(&alice, &device.device_id).await, Some(longest));
}

#[tokio::test]
async fn a_device_whose_item_cannot_be_read_gets_no_name_that_no_list_would_show() {
    let mfa = TestApp::start().await;
    let alice = mfa.user("alice").login();
    let device = alice.enrol().await;
    let item = mfa.items("MFA#DEVICE").await.remove(0);
    let key = |name: &str| item[name]["S"].as_str().expect("a key").to_owned();
    mfa.table.set(&key("pk"), &key("sk"), "created", None).await.expect("spoilt");
    let before = mfa.dump().await;
    alice.rename(&device.device_id, "New").await.assert_problem(500, "INTERNAL_ERROR");
    assert_eq!(mfa.dump().await, before);
    assert!(mfa.log().contains("`created`"), "the log says what is wrong");
}

#[tokio::test]
async fn a_stale_read_of_an_open_gate_renames_nothing() {
    let mfa = TestApp::start().await;
    let person = mfa.user("alice");
    let (owner, thief) = (person.login(), person.login());
    let device = owner.enrol().await;
    mfa.fault_proxy.remember();
    mfa.fault_proxy.break_calls("Query", InjectedFault::Stale);
    owner.toggle(true).await.assert_ok();
    thief.rename(&device.device_id, "Mine").await.assert_problem(401, "MFA_REQUIRED");
    assert_eq!(name_of(&owner, &device.device_id).await.as_deref(), Some("Authenticator"));
}

/// A user with two authenticators and MFA on, and recovery codes.
async fn owner_of_two(mfa: &Arc<TestApp>) -> (Login, [Authenticator; 2], Vec<String>) {
    let owner = mfa.user("alice").login();
    let devices = [owner.enrol().await, owner.enrol().await];
    owner.toggle(true).await.assert_ok();
    let codes = owner.generate_recovery_codes().await;
    (owner, devices, codes)
}

#[tokio::test]
async fn a_device_that_goes_between_the_commit_of_a_rename_and_its_item_stays_gone() {
    for by_reset in [false, true] {
        let mfa = TestApp::start().await;
        let (owner, [first, _], codes) = owner_of_two(&mfa).await;
        mfa.fault_proxy.break_call("UpdateItem MFA#DEVICE", 0, InjectedFault::Hold);
        let late = tokio::spawn({
            let (owner, id) = (owner.clone(), first.device_id.clone());
            async move { owner.rename(&id, "New").await }
        });
        mfa.fault_proxy.hung().await;
        if by_reset {
            owner.reset(&codes[0]).await.assert_ok();
        } else {
            owner.remove(&first.device_id).await.assert_ok();
        }
        mfa.fault_proxy.release();
        late.await.expect("an answer").assert_problem(404, "MFA_DEVICE_NOT_FOUND");
        assert_eq!(mfa.items(&format!("MFA#DEVICE#{}", first.device_id)).await, Vec::<Value>::new(), "{by_reset}");
    }
}

#[tokio::test]
async fn of_a_rename_and_a_removal_that_decide_from_one_read_the_later_commit_decides_anew() {
    let mfa = TestApp::start().await;
    let (owner, [first, _], _) = owner_of_two(&mfa).await;
    mfa.fault_proxy.break_call("UpdateItem MFA#LEDGER", 0, InjectedFault::Hold);
    let late = tokio::spawn({
        let (owner, id) = (owner.clone(), first.device_id.clone());
        async move { owner.rename(&id, "New").await }
    });
    mfa.fault_proxy.hung().await;
    owner.remove(&first.device_id).await.assert_ok();
    mfa.fault_proxy.release();
    late.await.expect("an answer").assert_problem(404, "MFA_DEVICE_NOT_FOUND");
    assert_eq!(mfa.items("MFA#DEVICE").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rename_that_races_with_removal_reset_or_switching_off_brings_nothing_back() {
    type End = fn(Login, String, String) -> futures_util::future::BoxFuture<'static, mfa_tests::Response>;
    let ends: [(End, usize); 3] = [
        (|owner, id, _| Box::pin(async move { owner.remove(&id).await }), 1),
        (|owner, _, code| Box::pin(async move { owner.reset(&code).await }), 0),
        (|owner, _, _| Box::pin(async move { owner.toggle(false).await }), 2),
    ];
    for (end, left) in ends {
        let mfa = TestApp::start().await;
        let (owner, [first, _], codes) = owner_of_two(&mfa).await;
        let renames = (0..100).map(|n| {
            let (owner, id) = (owner.clone(), first.device_id.clone());
            tokio::spawn(async move { owner.rename(&id, &format!("Name {n}")).await })
        });
        let renames: Vec<_> = renames.collect();
        let ended = loop {
            let ended = end(owner.clone(), first.device_id.clone(), codes[0].clone()).await;
            if ended.status != 429 {
                break ended;
            }
        };
        ended.assert_ok();
        for answer in join_all(renames).await {
            let answer = answer.expect("an answer");
            let seen = (answer.status, answer.code());
            let allowed = [
                (200, None),
                (404, Some("MFA_DEVICE_NOT_FOUND")),
                (429, Some("RATE_LIMITED")),
                (401, Some("MFA_REQUIRED")),
            ];
            assert!(allowed.contains(&seen), "{seen:?}");
        }
        assert_eq!(mfa.items("MFA#DEVICE").await.len(), left, "an item came back");
        assert_eq!(owner.devices().await.as_array().map(Vec::len), Some(left));
        for item in mfa.items("MFA#DEVICE").await {
            assert!(item.get("secret").is_some() && item.get("created").is_some(), "a whole item: {item}");
        }
    }
}
