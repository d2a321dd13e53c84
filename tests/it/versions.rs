//! Two versions, or two sets of keys, that run side by side in every deployment.

use std::sync::Arc;

use mfa_tests::{Authenticator, Login, TestApp};
use serde_json::{Value, json};

/// What a newer version may add to every item.
const UNKNOWN: &str = "of_a_newer_version";

async fn enabled(mfa: &Arc<TestApp>) -> (Login, Authenticator) {
    let alice = mfa.user("alice").with_email("alice@example.com").login();
    let device = alice.enrol().await;
    alice.toggle(true).await.assert_ok();
    (alice, device)
}

/// Adds an attribute to every item that lacks it.
async fn write_as_a_newer_version(mfa: &TestApp) {
    for item in mfa.dump().await {
        let key = |name: &str| item[name]["S"].as_str().expect("a key").to_owned();
        if item.get(UNKNOWN).is_none() && !key("pk").starts_with("LIMIT#") {
            mfa.table.set(&key("pk"), &key("sk"), UNKNOWN, Some(&json!({ "B": "AQID" }))).await.expect("written");
        }
    }
}

/// Asserts that every item of `before` that is still there has the attribute.
async fn assert_carried(mfa: &TestApp, step: &str) {
    let items = mfa.dump().await;
    let lacking: Vec<_> =
        items.iter().filter(|item| item.get(UNKNOWN).is_none()).map(|item| &item["sk"]["S"]).collect();
    // New items have nothing to carry. The ledger is never new here.
    assert!(!lacking.contains(&&json!("MFA#LEDGER")), "{step}: the ledger lost it");
    for item in items.iter().filter(|item| item.get(UNKNOWN).is_some()) {
        assert_eq!(item[UNKNOWN], json!({ "B": "AQID" }), "{step}");
    }
}

#[tokio::test]
async fn attributes_of_a_newer_version_stay_through_whatever_this_one_writes() {
    let mfa = TestApp::start().await;
    let (alice, device) = enabled(&mfa).await;
    write_as_a_newer_version(&mfa).await;
    let kept = |step: &'static str| {
        let mfa = Arc::clone(&mfa);
        async move {
            assert_carried(&mfa, step).await;
            write_as_a_newer_version(&mfa).await;
        }
    };

    let trust = alice.trust("totp", &device.advance_to_next_code(&mfa)).await;
    kept("verify").await;
    alice.verify("totp", "000000").await.assert_problem(400, "MFA_CODE_INVALID");
    kept("a wrong code").await;
    let answer = alice.verify("totp", &device.advance_to_next_code(&mfa)).await;
    let proven = alice.with(answer.text("accessToken"));
    proven.generate_recovery_codes().await;
    kept("generate-recovery-code").await;
    proven.challenge("email").await.assert_ok();
    mfa.advance(30);
    let email = proven.receive_code("email").await;
    kept("challenge").await;
    proven.verify("email", &email).await.assert_ok();
    kept("verify email").await;
    let second = proven.open_authenticator().await;
    kept("setup-totp").await;
    proven.confirm(&second.code(&mfa), &second.secret).await.assert_ok();
    kept("verify-totp-setup").await;
    alice.verify_trusted(&trust).await.assert_ok();
    kept("verify-trusted-device").await;
    mfa.refresh(&answer.text("refreshToken")).await.assert_ok();
    kept("refresh-token").await;
    proven.end_session("others").await.assert_ok();
    kept("end-session").await;
    proven.rename(&second.device_id, "New").await.assert_ok();
    kept("rename-device").await;
    proven.remove(&second.device_id).await.assert_ok();
    kept("remove-device").await;
    proven.toggle(false).await.assert_ok();
    proven.toggle(true).await.assert_ok();
    kept("toggle").await;
    let codes = proven.generate_recovery_codes().await;
    alice.recover(&codes[0]).await.assert_ok();
    kept("verify-recovery-code").await;
    alice.reset(&codes[1]).await.assert_ok();
    kept("reset-totp").await;
}

#[tokio::test]
async fn an_attribute_stays_through_the_update_of_its_own_item_and_a_used_session_keeps_it() {
    let mfa = TestApp::start().await;
    let (alice, device) = enabled(&mfa).await;
    let trust = alice.trust("totp", &device.advance_to_next_code(&mfa)).await;
    let answer = alice.verify("totp", &device.advance_to_next_code(&mfa)).await;
    let proven = alice.with(answer.text("accessToken"));
    let setup = proven.open_authenticator().await;
    proven.challenge("email").await.assert_ok();
    write_as_a_newer_version(&mfa).await;
    let marked = mfa.dump().await.iter().filter(|item| item.get(UNKNOWN).is_some()).count();

    mfa.refresh(&answer.text("refreshToken")).await.assert_ok();
    alice.verify_trusted(&trust).await.assert_ok();
    proven.confirm(&setup.code(&mfa), &setup.secret).await.assert_ok();
    proven.rename(&setup.device_id, "New").await.assert_ok();
    mfa.advance(30);
    proven.challenge("email").await.assert_ok();
    proven.toggle(false).await.assert_ok();
    let left = mfa.dump().await.iter().filter(|item| item.get(UNKNOWN).is_some()).count();
    assert_eq!(left, marked, "an item lost what a newer version wrote");
}

#[tokio::test]
async fn with_another_hash_key_every_route_is_a_503_and_nobody_gets_a_fresh_ledger() {
    let mfa = TestApp::start().await;
    let (alice, device) = enabled(&mfa).await;
    let key = data_encoding::BASE64.encode(&[9; 32]);
    let other = mfa.redeployed_with(&[("MFA_HASH_KEY", &key)]);
    let before = mfa.dump().await;
    for sub in ["alice", "nobody-yet"] {
        let login = mfa.user(sub).with_email("alice@example.com").login().at(&other);
        login.challenge("email").await.assert_problem(503, "SERVICE_UNAVAILABLE");
        login.toggle(true).await.assert_problem(503, "SERVICE_UNAVAILABLE");
        login.setup().await.assert_problem(503, "SERVICE_UNAVAILABLE");
        login.verify("totp", &device.code(&mfa)).await.assert_problem(503, "SERVICE_UNAVAILABLE");
        login.trusted_devices().await.assert_problem(503, "SERVICE_UNAVAILABLE");
    }
    assert_eq!(mfa.dump().await, before);
    let log = other.log();
    let line: Value = serde_json::from_str(log.lines().next().expect("a line")).expect("JSON");
    assert_eq!(line["level"], "ERROR");
    assert!(line["cause"].as_str().is_some_and(|cause| cause.contains("MFA_HASH_KEY")), "{line}");
    alice.verify("totp", &device.advance_to_next_code(&mfa)).await.assert_ok();
}

#[tokio::test]
async fn the_first_ledger_claims_a_new_table_for_its_hash_key() {
    let mfa = TestApp::start().await;
    mfa.table.delete("BUNDLE", "HASH_KEY").await.expect("a new table");
    let key = data_encoding::BASE64.encode(&[9; 32]);
    // Both start while nobody has MFA yet. Neither reads a fingerprint.
    let (first, second) = (mfa.redeployed_with(&[]), mfa.redeployed_with(&[("MFA_HASH_KEY", &key)]));
    let alice = mfa.user("alice").with_email("alice@example.com").login();
    assert_eq!(alice.at(&first).status().await["isEnabled"], json!(false));
    assert_eq!(alice.at(&second).status().await["isEnabled"], json!(false));
    assert_eq!(mfa.dump().await.len(), 0);
    alice.at(&first).challenge("email").await.assert_ok();
    alice.at(&second).challenge("email").await.assert_problem(503, "SERVICE_UNAVAILABLE");
    assert_eq!(mfa.items("MFA#LEDGER").await.len(), 1);
}

#[tokio::test]
async fn a_new_sealing_key_rolls_out_in_phases_while_old_and_new_instances_serve() {
    let old_key = mfa::config::development::SEALING_KEYS;
    let old_id = old_key.split(':').next().expect("an id");
    let both = format!("{old_key},k2:{}", data_encoding::BASE64.encode(&[5; 32]));
    let new_key = both.split_once(',').expect("two keys").1.to_owned();
    let phases: [&[(&str, &str)]; 4] = [
        &[("MFA_SEALING_KEYS", old_key)],
        &[("MFA_SEALING_KEYS", &both), ("MFA_SEALING_KEY", old_id)],
        &[("MFA_SEALING_KEYS", &both), ("MFA_SEALING_KEY", "k2")],
        &[("MFA_SEALING_KEYS", &new_key)],
    ];
    let mfa = TestApp::start().await;
    let (alice, device) = enabled(&mfa).await;
    let mut refresh = alice.verify("totp", &device.advance_to_next_code(&mfa)).await.text("refreshToken");
    for pair in phases.windows(2) {
        let (before, after) = (mfa.redeployed_with(pair[0]), mfa.redeployed_with(pair[1]));
        // Every request may meet either version, in any order.
        for app in [&after, &before, &after, &before] {
            let answer = alice.at(app).verify("totp", &device.advance_to_next_code(&mfa)).await;
            let proven = alice.at(app).with(answer.text("accessToken")).at(app);
            let added = proven.open_authenticator().await;
            let other = if Arc::ptr_eq(app, &after) { &before } else { &after };
            proven.at(other).confirm(&added.code(&mfa), &added.secret).await.assert_ok();
            proven.at(other).remove(&added.device_id).await.assert_ok();
            // The removal ends every session but the caller's.
            refresh = answer.text("refreshToken");
            refresh = other.refresh(&refresh).await.text("refreshToken");
            refresh = app.refresh(&refresh).await.text("refreshToken");
        }
        // Before the next phase every secret that is used is sealed anew, and sessions of the old key end.
        alice.at(&after).verify("totp", &device.advance_to_next_code(&mfa)).await.assert_ok();
    }
    assert!(refresh.starts_with("mfa_"));
}

#[tokio::test]
async fn whoever_skips_a_phase_costs_nobody_a_try_or_a_session() {
    let old_key = mfa::config::development::SEALING_KEYS;
    let new_first = format!("k2:{},{old_key}", data_encoding::BASE64.encode(&[5; 32]));
    let mfa = TestApp::start().await;
    let new = mfa.redeployed_with(&[("MFA_SEALING_KEYS", &new_first)]);
    let alice = mfa.user("alice").with_email("alice@example.com").login();
    let device = alice.at(&new).enrol().await;
    alice.toggle(true).await.assert_ok();
    let answer = alice.at(&new).verify("totp", &device.advance_to_next_code(&mfa)).await;
    // The old instance does not know the key that sealed the secret and the session.
    for code in [device.advance_to_next_code(&mfa), "000000".to_owned()] {
        for _ in 0..10 {
            alice.verify("totp", &code).await.assert_problem(500, "INTERNAL_ERROR");
        }
    }
    mfa.refresh(&answer.text("refreshToken")).await.assert_problem(500, "INTERNAL_ERROR");
    new.refresh(&answer.text("refreshToken")).await.assert_ok();
    alice.at(&new).verify("totp", &device.advance_to_next_code(&mfa)).await.assert_ok();
}
