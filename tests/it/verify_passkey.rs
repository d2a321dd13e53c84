use std::sync::Arc;

use mfa_tests::{Login, PASSKEYS, SoftKey, TestApp, claims_of, wrong_code};
use serde_json::{Value, json};

const PAGE: &str = "https://login.example.com";

/// What makes a key misbehave.
type Changed = fn(&mut SoftKey);

async fn alice_with_a_key() -> (Arc<TestApp>, Login, SoftKey) {
    let mfa = TestApp::start_with(PASSKEYS).await;
    let alice = mfa.user("alice").with_email("alice@example.com").login();
    let key = alice.register().await;
    (mfa, alice, key)
}

#[tokio::test]
async fn a_passkey_gives_tokens_that_say_what_kind_it_is() {
    let (mfa, alice, mut key) = alice_with_a_key().await;
    for (synced, kind) in [(false, "hwk"), (true, "swk")] {
        key.synced = synced;
        if synced {
            key = {
                let mut other = SoftKey::at(PAGE);
                other.synced = true;
                let asked = alice.setup_passkey().await.assert_ok();
                alice.confirm_passkey(&other.create(&asked["publicKey"])).await.assert_ok();
                mfa.advance(1);
                other
            };
        }
        let answer = alice.use_key(&mut key).await;
        assert_eq!(answer.body["message"], "2FA verification successful");
        assert_eq!(answer.body["isRequiresMfa"], false);
        let claims = claims_of(&answer.text("accessToken"));
        assert_eq!(claims["amr"], json!([kind, "user", "mfa"]));
        assert_eq!(claims["isMfaVerified"], true);
        let refreshed = mfa.refresh(&answer.text("refreshToken")).await;
        assert_eq!(claims_of(&refreshed.text("accessToken"))["amr"], json!([kind, "user", "mfa"]));
    }
    let list = alice.devices().await;
    let mut synced: Vec<_> = list.as_array().expect("a list").iter().map(|one| one["synced"] == true).collect();
    synced.sort_unstable();
    assert_eq!(synced, [false, true]);
    assert!(list.as_array().is_some_and(|list| list.iter().all(|one| one["lastUsedAt"].is_string())));
}

#[tokio::test]
async fn a_passkey_switches_mfa_on_where_it_is_required_and_opens_the_gate() {
    let settings = [PASSKEYS, &[("MFA_REQUIRED", "true"), ("MFA_METHODS", "passkey")]].concat();
    let mfa = TestApp::start_with(&settings).await;
    let person = mfa.user("alice");
    let mut key = person.login().register().await;
    assert!(mfa.ledger("alice").await.expect("a ledger").enabled);
    let alice = person.login();
    alice.setup_passkey().await.assert_problem(401, "MFA_REQUIRED");
    let proven = alice.with(alice.use_key(&mut key).await.text("accessToken"));
    proven.setup_passkey().await.assert_ok();
    let list = proven.devices().await;
    proven.remove(list[0]["id"].as_str().expect("an id")).await.assert_problem(409, "MFA_LAST_METHOD");
    proven.register().await;
    proven.remove(list[0]["id"].as_str().expect("an id")).await.assert_ok();
    alice.answer_with(&mut key).await;
}

#[tokio::test]
async fn an_answer_counts_once_and_so_does_its_challenge() {
    let (mfa, alice, mut key) = alice_with_a_key().await;
    let asked = alice.challenge_passkey().await.assert_ok();
    let answer = key.get(&asked["publicKey"]);
    alice.verify_passkey(&answer).await.assert_ok();
    alice.verify_passkey(&answer).await.assert_problem(400, "MFA_PASSKEY_INVALID");
    // A second signature over the same challenge is no better.
    let answer = key.get(&asked["publicKey"]);
    alice.verify_passkey(&answer).await.assert_problem(400, "MFA_PASSKEY_INVALID");
    mfa.advance(1);
    alice.verify_passkey(&answer).await.assert_problem(400, "MFA_PASSKEY_INVALID");
    alice.use_key(&mut key).await.assert_ok();
}

#[tokio::test]
async fn a_failed_answer_leaves_the_challenge_as_it_was_and_counts_no_guess() {
    let (mfa, alice, mut key) = alice_with_a_key().await;
    let asked = alice.challenge_passkey().await.assert_ok();
    let right = key.get(&asked["publicKey"]);
    let before = mfa.ledger("alice").await;
    let mut wrong = right.clone();
    wrong["response"]["signature"] = json!("AAAA");
    for _ in 0..10 {
        alice.verify_passkey(&wrong).await.assert_problem(400, "MFA_PASSKEY_INVALID");
    }
    alice.verify_passkey(&wrong).await.assert_problem(429, "RATE_LIMITED");
    assert_eq!(mfa.ledger("alice").await, before);
    alice.verify_passkey(&right).await.assert_ok();
}

#[tokio::test]
async fn whatever_is_wrong_with_an_answer_it_is_refused_alike() {
    let (mfa, alice, key) = alice_with_a_key().await;
    let mut key = key;
    let keys: [(&str, Changed); 5] = [
        ("another origin", |key| key.origin = "https://example.com.evil.example".to_owned()),
        ("a page above the configured one", |key| key.origin = "https://example.com".to_owned()),
        ("another relying party", |key| key.rp_id = Some("login.example.com".to_owned())),
        ("the answer of a registration", |key| key.client_type = Some("webauthn.create")),
        ("without user verification", |key| key.verifies = false),
    ];
    let mut answers: Vec<(&str, Value)> = Vec::new();
    let asked = alice.challenge_passkey().await.assert_ok();
    for (what, change) in keys {
        change(&mut key);
        answers.push((what, key.get(&asked["publicKey"])));
        (key.origin, key.rp_id, key.client_type, key.verifies) = (PAGE.to_owned(), None, None, true);
    }
    let right = key.get(&asked["publicKey"]);
    for (field, value) in [("signature", "AAAA"), ("authenticatorData", "AAAA"), ("clientDataJSON", "e30")] {
        let mut changed = right.clone();
        changed["response"][field] = json!(value);
        answers.push((field, changed));
    }
    let mut stranger = SoftKey::at(PAGE);
    stranger.id.clone_from(&key.id);
    answers.push(("the key of somebody else with this id", stranger.get(&asked["publicKey"])));
    answers.push(("an unknown key", SoftKey::at(PAGE).get(&asked["publicKey"])));
    for odd in [json!({}), json!("text"), json!([]), json!(7), json!({ "response": { "signature": [] } })] {
        answers.push(("no credential", odd));
    }
    for (n, (what, answer)) in answers.iter().enumerate() {
        if n % 10 == 9 {
            mfa.advance(3600);
        }
        let refused = alice.verify_passkey(answer).await;
        let code = if n < 9 { "MFA_PASSKEY_INVALID" } else { "MFA_PASSKEY_EXPIRED" };
        assert_eq!((refused.status, &refused.body["code"]), (400, &json!(code)), "{what}");
    }
    alice.post("/auth/mfa/verify-passkey", json!({})).await.assert_problem(400, "MISSING_REQUIRED_FIELD");
}

#[tokio::test]
async fn an_answer_to_the_challenge_of_another_login_user_or_purpose_does_not_count() {
    let (mfa, alice, mut key) = alice_with_a_key().await;
    let other = mfa.user("alice").login();
    let of_other = other.answer_with(&mut key).await;
    alice.verify_passkey(&of_other).await.assert_problem(400, "MFA_PASSKEY_INVALID");
    alice.challenge_passkey().await.assert_ok();
    alice.verify_passkey(&of_other).await.assert_problem(400, "MFA_PASSKEY_INVALID");

    // Another user's credential, and this user's challenge.
    let bob = mfa.user("bob").login();
    let mut bobs = bob.register().await;
    let asked = alice.challenge_passkey().await.assert_ok();
    alice.verify_passkey(&bobs.get(&asked["publicKey"])).await.assert_problem(400, "MFA_PASSKEY_INVALID");
    bob.verify_passkey(&key.get(&asked["publicKey"])).await.assert_problem(400, "MFA_PASSKEY_INVALID");

    // The challenge of a set-up.
    let setup = alice.setup_passkey().await.assert_ok();
    let swapped = json!({ "challenge": setup["publicKey"]["challenge"], "rpId": "example.com" });
    alice.verify_passkey(&key.get(&swapped)).await.assert_problem(400, "MFA_PASSKEY_INVALID");
    let swapped = json!({ "challenge": asked["publicKey"]["challenge"], "rp": { "id": "example.com" } });
    let new = SoftKey::at(PAGE).create(&swapped);
    alice.confirm_passkey(&new).await.assert_problem(400, "MFA_PASSKEY_INVALID");
    other.verify_passkey(&of_other).await.assert_ok();
}

#[tokio::test]
async fn a_challenge_that_is_moved_in_the_table_does_not_open() {
    let (mfa, alice, mut key) = alice_with_a_key().await;
    let setup = alice.setup_passkey().await.assert_ok();
    alice.challenge_passkey().await.assert_ok();
    let items = mfa.items("CHALLENGE#").await;
    let of = |name: &str| items.iter().find(|item| item["sk"]["S"].as_str().is_some_and(|sk| sk.ends_with(name)));
    let (from, to) = (of("#SETUP").expect("a set-up"), of("#USE").expect("a use"));
    let key_of = |item: &Value, name: &str| item[name]["S"].as_str().expect("a key").to_owned();
    mfa.table.set(&key_of(to, "pk"), &key_of(to, "sk"), "sealed", Some(&from["sealed"])).await.expect("moved");
    let swapped = json!({ "challenge": setup["publicKey"]["challenge"], "rpId": "example.com" });
    alice.verify_passkey(&key.get(&swapped)).await.assert_problem(500, "INTERNAL_ERROR");
}

#[tokio::test]
async fn no_code_stands_for_a_passkey_and_no_challenge_of_a_passkey_for_a_code() {
    let (mfa, alice, mut key) = alice_with_a_key().await;
    let device = alice.enrol().await;
    let asked = alice.challenge_passkey().await.assert_ok();
    let challenge = asked["publicKey"]["challenge"].as_str().expect("a challenge");
    alice.verify("totp", challenge).await.assert_problem(400, "INVALID_INPUT");
    // The answer to what a code would be: 32 bytes of it.
    let code = device.advance_to_next_code(&mfa);
    let of_code = data_encoding::BASE64URL_NOPAD.encode(&[code.as_bytes(), &[0; 26]].concat());
    let answer = key.get(&json!({ "challenge": of_code, "rpId": "example.com" }));
    alice.verify_passkey(&answer).await.assert_problem(400, "MFA_PASSKEY_INVALID");
    alice.verify("totp", &code).await.assert_ok();
}

#[tokio::test]
async fn a_counter_that_does_not_rise_is_refused_and_logged() {
    let (mfa, alice, mut key) = alice_with_a_key().await;
    for _ in 0..3 {
        alice.use_key(&mut key).await.assert_ok();
    }
    mfa.take_log();
    // Once as high as at the registration, once higher than that.
    for counter in [1, 3, 4] {
        key.counter = counter;
        alice.use_key(&mut key).await.assert_problem(400, "MFA_PASSKEY_INVALID");
        let line = mfa.take_log().pop().expect("a line");
        assert!(line["cause"].as_str().is_some_and(|cause| cause.contains("somebody may have a copy")), "{line}");
    }
    key.counter = 0;
    alice.use_key(&mut key).await.assert_problem(400, "MFA_PASSKEY_INVALID");
    key.counter = 100;
    alice.use_key(&mut key).await.assert_ok();
}

#[tokio::test]
async fn a_key_that_does_not_count_is_taken_again_and_again() {
    let mfa = TestApp::start_with(PASSKEYS).await;
    let alice = mfa.user("alice").login();
    let mut key = SoftKey::at(PAGE);
    key.counter = 0;
    let asked = alice.setup_passkey().await.assert_ok();
    alice.confirm_passkey(&key.create(&asked["publicKey"])).await.assert_ok();
    mfa.advance(1);
    for _ in 0..3 {
        alice.use_key(&mut key).await.assert_ok();
    }
}

#[tokio::test]
async fn a_passkey_passes_a_lock_and_does_not_end_it() {
    let (mfa, alice, mut key) = alice_with_a_key().await;
    let device = alice.enrol().await;
    let code = device.advance_to_next_code(&mfa);
    for n in 0..5 {
        alice.verify("totp", &wrong_code(&code, n)).await;
    }
    alice.verify("totp", &code).await.assert_problem(429, "ACCOUNT_LOCKED");
    alice.use_key(&mut key).await.assert_ok();
    alice.verify("totp", &code).await.assert_problem(429, "ACCOUNT_LOCKED");
}

#[tokio::test]
async fn a_challenge_ends_after_five_minutes_and_with_its_epoch() {
    let (mfa, alice, mut key) = alice_with_a_key().await;
    let answer = alice.answer_with(&mut key).await;
    mfa.advance(300);
    alice.verify_passkey(&answer).await.assert_problem(400, "MFA_PASSKEY_EXPIRED");
    let answer = alice.answer_with(&mut key).await;
    alice.toggle(true).await.assert_ok();
    alice.verify_passkey(&answer).await.assert_problem(400, "MFA_PASSKEY_EXPIRED");
    alice.use_key(&mut key).await.assert_ok();
}

#[tokio::test]
async fn a_removed_passkey_answers_no_challenge_that_was_made_before() {
    let (mfa, alice, mut key) = alice_with_a_key().await;
    let answer = alice.answer_with(&mut key).await;
    let list = alice.devices().await;
    alice.remove(list[0]["id"].as_str().expect("an id")).await.assert_ok();
    alice.verify_passkey(&answer).await.assert_problem(400, "MFA_METHOD_NOT_AVAILABLE");
    alice.register().await;
    alice.verify_passkey(&answer).await.assert_problem(400, "MFA_PASSKEY_INVALID");
    assert_eq!(mfa.items("PASSKEY#").await.len(), 1);
}

#[tokio::test]
async fn a_passkey_that_another_login_planted_is_inactive_until_it_is_used_under_a_fresh_proof() {
    let mfa = TestApp::start_with(PASSKEYS).await;
    let person = mfa.user("alice");
    let intruder = person.login();
    let mut planted = intruder.register().await;
    let owner = person.login();
    let device = owner.enrol().await;
    let switched = owner.toggle(true).await.assert_ok();
    assert_eq!(switched["inactiveDevices"][0]["deviceName"], "Passkey");
    assert_eq!(owner.status().await["verifiedMethods"], json!(["totp"]));
    intruder.challenge_passkey().await.assert_problem(400, "MFA_METHOD_NOT_AVAILABLE");
    let later = person.login();
    let proven = later.prove("totp", &device.advance_to_next_code(&mfa)).await;
    proven.use_key(&mut planted).await.assert_ok();
    assert_eq!(owner.status().await["verifiedMethods"], json!(["totp", "passkey"]));
}

#[tokio::test]
async fn a_reset_an_operator_and_an_erasure_leave_nothing_of_a_passkey() {
    let (mfa, alice, _) = alice_with_a_key().await;
    let codes = alice.generate_recovery_codes().await;
    alice.reset(&codes[0]).await.assert_ok();
    assert_eq!((mfa.items("PASSKEY#").await.len(), mfa.items("MFA#PASSKEY#").await.len()), (0, 0));
    alice.register().await;
    mfa.admin(mfa_admin_function::Command::Erase(mfa_admin_function::User { user: "alice".to_owned() })).await;
    let left: Vec<_> = mfa.dump().await.into_iter().filter(|item| item["pk"]["S"] != "BUNDLE").collect();
    assert!(left.iter().all(|item| item["pk"]["S"].as_str().is_some_and(|pk| pk.starts_with("LIMIT#"))), "{left:?}");
}

#[tokio::test]
async fn a_passkey_that_is_lost_is_made_up_for_by_a_recovery_code() {
    let (mfa, alice, mut key) = alice_with_a_key().await;
    let codes = alice.generate_recovery_codes().await;
    alice.toggle(true).await.assert_ok();
    let later = mfa.user("alice").login();
    let answer = later.recover(&codes[0]).await;
    let proven = later.with(answer.text("accessToken"));
    let lost = proven.devices().await;
    let mut new = proven.register().await;
    proven.remove(lost[0]["id"].as_str().expect("an id")).await.assert_ok();
    let next = mfa.user("alice").login();
    let answer = next.answer_with(&mut key).await;
    next.verify_passkey(&answer).await.assert_problem(400, "MFA_PASSKEY_INVALID");
    next.use_key(&mut new).await.assert_ok();
}

#[tokio::test]
async fn an_instance_that_does_not_know_passkeys_writes_nothing() {
    let (mfa, alice, mut key) = alice_with_a_key().await;
    let codes = alice.generate_recovery_codes().await;
    let answer = alice.use_key(&mut key).await;
    let of = |item: &Value| item["schema"]["N"].as_str().map(ToOwned::to_owned);
    assert_eq!(of(&mfa.items("MFA#LEDGER").await[0]).as_deref(), Some("3"));
    assert_eq!(of(&mfa.items("SESSION#").await[0]).as_deref(), Some("3"));
    // To this version, a ledger of schema 4 is what one of schema 3 is to the version before.
    let pk = mfa.items("MFA#LEDGER").await[0]["pk"]["S"].as_str().expect("a key").to_owned();
    let schema = |number: &'static str| {
        let (mfa, pk) = (Arc::clone(&mfa), pk.clone());
        async move { mfa.table.set(&pk, "MFA#LEDGER", "schema", Some(&json!({ "N": number }))).await.expect("written") }
    };
    schema("4").await;
    let before = mfa.dump().await;
    alice.reset(&codes[0]).await.assert_problem(503, "SERVICE_UNAVAILABLE");
    alice.toggle(true).await.assert_problem(503, "SERVICE_UNAVAILABLE");
    alice.challenge_passkey().await.assert_problem(503, "SERVICE_UNAVAILABLE");
    mfa.refresh(&answer.text("refreshToken")).await.assert_problem(503, "SERVICE_UNAVAILABLE");
    assert_eq!(mfa.dump().await, before);
    schema("3").await;
    alice.reset(&codes[0]).await.assert_ok();
    mfa.advance(900);
    alice.enrol().await;
    assert_eq!(of(&mfa.items("MFA#LEDGER").await[0]), None, "the version before reads it again");
}
