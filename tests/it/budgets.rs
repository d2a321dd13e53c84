//! Compares what each route costs, read from `ConsumedCapacity`, with its budget.
//! `cargo test --workspace --test it budgets -- --nocapture` prints the costs.
#![expect(clippy::print_stdout, reason = "the costs are printed")]

use std::{collections::BTreeSet, sync::Arc};

use mfa_tests::{Call, Login, PASSKEYS, SoftKey, TestApp};

use crate::contract::allowed_calls;

/// The most that a route may cost.
struct Budget {
    reads: f64,
    writes: f64,
    trips: usize,
}

/// The budget of a request, for a user with three devices and without concurrent requests.
fn budget(what: &str) -> Budget {
    let (reads, writes, trips) = match what {
        "status" | "list-devices" => (1.0, 0.0, 1),
        // Strong reads of the user's ledger and of the trusted devices or sessions.
        "list-trusted-devices" | "list-sessions" => (2.0, 0.0, 1),
        // They carry the caller's session into the new security epoch.
        "toggle" | "remove-device" | "end-session" => (2.0, 3.0, 3),
        // In addition to the commit, the session costs one unit, and a trusted device one more.
        "verify" | "verify-recovery-code" => (1.0, 2.0, 2),
        // One read more, of the trusted devices.
        "verify that trusts" => (1.5, 3.0, 2),
        "verify, wrong" => (1.0, 1.0, 2),
        // The first enrolment writes where notices go to, before its commit.
        "challenge by e-mail" | "verify-totp-setup, the first" => (1.0, 3.0, 4),
        "challenge by text message" => (1.0, 5.0, 6),
        "challenge, refused" => (1.5, 0.0, 2),
        // Two strong reads, of the session and its user's ledger, then one write of its successor.
        "refresh-token" => (2.0, 1.0, 2),
        // Two strong reads, of the ledger and the trusted devices. Then the one that goes, and
        // after it the two sessions that it may have opened. Or a new session, which is there before
        // the device names it, and from the third on, the deletion of an older one.
        "revoke-trusted-device" | "verify-trusted-device" => (2.0, 3.0, 4),
        // The dropped recovery set and each dropped device cost one more deletion.
        "reset-totp" => (1.0, 6.0, 7),
        // The name and the credential, and the commit.
        "verify-passkey-setup" => (1.0, 3.0, 3),
        // Eventual reads of the ledger, the credentials and the challenge, side by side. In addition to
        // the commit, the session costs one unit.
        "verify-passkey" => (1.5, 2.0, 2),
        // A refusal rests on strong reads, after the eventual ones.
        "setup-passkey, refused"
        | "challenge-passkey, refused"
        | "verify-passkey-setup, refused"
        | "verify-passkey, refused" => (4.5, 0.0, 2),
        // They are read again strongly, and the counter of wrong answers is raised.
        "verify-passkey, wrong" => (4.5, 1.0, 3),
        "jwks" | "openid-configuration" => (0.0, 0.0, 0),
        // One read and one commit, and one item before it, as for `setup-totp`, or after it, as for
        // `rename-device`. A route that needs more is listed above.
        _ => (1.0, 2.0, 3),
    };
    Budget { reads, writes, trips }
}

struct Meter {
    mfa: Arc<TestApp>,
    measured: BTreeSet<String>,
}

impl Meter {
    /// Compares the calls since the last comparison with the budget of `what`.
    #[track_caller]
    fn assert_within(&mut self, what: &str) {
        let mut calls = self.mfa.fault_proxy.take_calls();
        let route = what.split([' ', ',']).next().unwrap_or_default();
        let allowed = allowed_calls(route);
        let operation = |call: &Call| call.what.split(' ').next().unwrap_or_default().to_owned();
        let denied = calls.iter().find(|call| !allowed.contains(&operation(call)));
        assert!(denied.is_none(), "template.yaml does not let {route} make the call {denied:?}");
        calls.retain(|call| !matches!(call.what.as_str(), "SendEmail" | "Publish" | "SendTextMessage"));
        let is_read = |call: &&Call| call.what.starts_with("Query") || call.what.starts_with("GetItem");
        let reads: f64 = calls.iter().filter(is_read).map(|call| call.units).sum();
        let writes: f64 = calls.iter().filter(|call| !is_read(call)).map(|call| call.units).sum();
        let trips = self.mfa.fault_proxy.take_trips();
        let lines = self.mfa.take_log();
        let logged = lines.iter().map(|line| line.to_string().len()).max().unwrap_or_default();
        println!(
            "{what:<26} {:>4} read + {:>2} write in {trips} round trips, {logged:>4} bytes of log",
            reads.abs(),
            writes.abs()
        );
        let most = budget(what);
        assert!(reads <= most.reads && writes <= most.writes && trips <= most.trips, "{what}: {calls:?}");
        assert!(reads + writes > 0.0 || calls.is_empty(), "the engine reports units: {calls:?}");
        self.measured.insert(route.to_owned());
    }
}

#[tokio::test]
async fn every_route_stays_within_its_budget() {
    let mfa = TestApp::start().await;
    let mut meter = Meter { mfa: Arc::clone(&mfa), measured: BTreeSet::new() };
    let person = mfa.user("alice").with_email("alice@example.com").with_phone("+442079460018");
    let alice = person.login();
    let open = alice.open_authenticator().await;
    mfa.fault_proxy.take_calls();
    mfa.fault_proxy.count_trips();
    alice.confirm(&open.code(&mfa), &open.secret).await.assert_ok();
    meter.assert_within("verify-totp-setup, the first");
    let device = open;
    alice.enrol().await;
    alice.enrol().await;
    mfa.fault_proxy.take_calls();
    mfa.fault_proxy.take_trips();
    mfa.take_log();

    alice.status().await;
    meter.assert_within("status");
    alice.devices().await;
    meter.assert_within("list-devices");
    alice.toggle(true).await.assert_ok();
    meter.assert_within("toggle");

    let verified = alice.verify("totp", &device.advance_to_next_code(&mfa)).await;
    meter.assert_within("verify");
    alice.verify("totp", "000000").await.assert_problem(400, "MFA_CODE_INVALID");
    meter.assert_within("verify, wrong");
    mfa.refresh(&verified.text("refreshToken")).await.assert_ok();
    meter.assert_within("refresh-token");
    let trust_token = alice.trust("totp", &device.advance_to_next_code(&mfa)).await;
    meter.assert_within("verify that trusts");
    person.login().verify_trusted(&trust_token).await.assert_ok();
    meter.assert_within("verify-trusted-device");

    let proven = Login::with_token(&mfa, verified.text("accessToken"));
    let list = proven.trusted_devices().await.assert_ok();
    meter.assert_within("list-trusted-devices");
    proven.revoke(list[0]["id"].as_str().expect("an id")).await.assert_ok();
    meter.assert_within("revoke-trusted-device");

    let list = proven.sessions().await.assert_ok();
    meter.assert_within("list-sessions");
    let other = list.as_array().expect("a list").iter().find(|session| session["current"] == false);
    let other = other.and_then(|session| session["id"].as_str()).expect("another session");
    proven.end_session(other).await.assert_ok();
    meter.assert_within("end-session");
    proven.end_session("others").await.assert_ok();
    meter.assert_within("end-session");

    let open = proven.open_authenticator().await;
    meter.assert_within("setup-totp");
    proven.confirm(&open.code(&mfa), &open.secret).await.assert_ok();
    meter.assert_within("verify-totp-setup");
    proven.rename(&open.device_id, "New").await.assert_ok();
    meter.assert_within("rename-device");
    proven.remove(&open.device_id).await.assert_ok();
    meter.assert_within("remove-device");

    let code = proven.receive_code("email").await;
    meter.assert_within("challenge by e-mail");
    proven.challenge("email").await.assert_problem(429, "RATE_LIMITED");
    meter.assert_within("challenge, refused");
    proven.verify("email", &code).await.assert_ok();
    meter.assert_within("verify");
    mfa.advance(60);
    let code = proven.receive_code("sms").await;
    meter.assert_within("challenge by text message");
    proven.trust("sms", &code).await;
    meter.assert_within("verify that trusts");

    let codes = proven.generate_recovery_codes().await;
    meter.assert_within("generate-recovery-code");
    alice.recover(&codes[0]).await.assert_ok();
    meter.assert_within("verify-recovery-code");
    alice.reset(&codes[1]).await.assert_ok();
    meter.assert_within("reset-totp");

    // A route that this journey does not call is measured by its sample event.
    for route in mfa.routes() {
        if !meter.measured.contains(route.name) {
            let answer = mfa.replay_sample(route.name, Some(&alice)).await;
            assert!(answer.status < 500, "{}: {}", route.name, answer.body);
            // This bundle offers no passkeys. The test below measures them.
            let is_refused = route.name.contains("passkey");
            meter.assert_within(&if is_refused { format!("{}, refused", route.name) } else { route.name.to_owned() });
        }
    }
}

#[tokio::test]
async fn passkeys_stay_within_their_budget_and_make_no_other_route_dearer() {
    let mfa = TestApp::start_with(PASSKEYS).await;
    let mut meter = Meter { mfa: Arc::clone(&mfa), measured: BTreeSet::new() };
    let alice = mfa.user("alice").with_email("alice@example.com").login();
    let device = alice.enrol().await;
    alice.register().await;
    alice.register().await;
    mfa.fault_proxy.take_calls();
    mfa.fault_proxy.count_trips();
    mfa.take_log();

    let asked = alice.setup_passkey().await.assert_ok();
    meter.assert_within("setup-passkey");
    let mut key = SoftKey::at("https://login.example.com");
    alice.confirm_passkey(&key.create(&asked["publicKey"])).await.assert_ok();
    meter.assert_within("verify-passkey-setup");
    mfa.advance(1);
    let asked = alice.challenge_passkey().await.assert_ok();
    meter.assert_within("challenge-passkey");
    let answer = key.get(&asked["publicKey"]);
    alice.verify_passkey(&answer).await.assert_ok();
    meter.assert_within("verify-passkey");
    alice.verify_passkey(&answer).await.assert_problem(400, "MFA_PASSKEY_INVALID");
    meter.assert_within("verify-passkey, wrong");

    alice.status().await;
    meter.assert_within("status");
    let list = alice.devices().await;
    meter.assert_within("list-devices");
    alice.verify("totp", &device.advance_to_next_code(&mfa)).await.assert_ok();
    meter.assert_within("verify");
    let id = list[0]["id"].as_str().expect("an id");
    alice.rename(id, "New").await.assert_ok();
    meter.assert_within("rename-device");
}
