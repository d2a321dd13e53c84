//! Limits that a stranger cannot use up for the owner, or for everybody.

use std::sync::Arc;

use mfa_tests::{Login, Person, TestApp, wrong_code};
use serde_json::{Value, json};

/// The network that the owner signs in from, and another address in it.
const OWNERS: &str = "198.51.100.20";
const SAME_NETWORK: &str = "198.51.100.99";
const STRANGERS: &str = "192.0.2.66";
const ON_THE_ROAD: &str = "203.0.113.200";

/// An owner who switched MFA on at home, by a code to this address, and gave a right code since.
async fn owner(mfa: &Arc<TestApp>) -> Person {
    let person = mfa.user("alice").with_email("alice@example.com").with("auth_time", 1_893_456_000);
    person.login().from(OWNERS).toggle(true).await.assert_ok();
    verify_by_email(&person.login().from(OWNERS)).await;
    mfa.advance(3600);
    person
}

async fn verify_by_email(login: &Login) -> Login {
    let code = login.receive_code("email").await;
    login.with(login.verify("email", &code).await.text("accessToken"))
}

/// A stranger with the password asks for a code every minute for 50 minutes, each time in a login
/// of its own. Returns how many were sent.
async fn flood(mfa: &Arc<TestApp>, person: &Person, from: &str) -> usize {
    let mut sent = 0;
    for _ in 0..50 {
        sent += usize::from(person.login().from(from).challenge("email").await.status == 200);
        mfa.advance(60);
    }
    sent
}

/// The sum of the counters of this kind.
async fn counted(mfa: &TestApp, kind: &str) -> u32 {
    let is_of_kind =
        |item: &&Value| item["pk"]["S"].as_str().is_some_and(|pk| pk.starts_with(&format!("LIMIT#{kind}#")));
    let items = mfa.dump().await;
    let counts = items.iter().filter(is_of_kind).map(|item| item["count"]["N"].as_str().and_then(|n| n.parse().ok()));
    counts.map(|count: Option<u32>| count.expect("a count")).sum()
}

#[tokio::test]
async fn a_known_network_gets_a_code_at_once_whatever_strangers_ask_for() {
    let mfa = TestApp::start().await;
    let person = owner(&mfa).await;
    for hour in 0..6 {
        // The stranger keeps both places for outstanding codes taken, and uses up everybody's
        // sends.
        assert_eq!(flood(&mfa, &person, STRANGERS).await, 5, "hour {hour}");
        person.login().from(ON_THE_ROAD).challenge("email").await.assert_problem(429, "RATE_LIMITED");
        let login = person.login().from(SAME_NETWORK);
        let code = login.receive_code("email").await;
        login.verify("email", &code).await.assert_ok();
        mfa.advance(600);
    }
}

#[tokio::test]
async fn a_known_caller_has_five_sends_more_each_hour_with_their_own_spacing() {
    let mfa = TestApp::start().await;
    let person = owner(&mfa).await;
    let stranger = person.login().from(STRANGERS);
    for pause in [0, 30, 60, 120, 120] {
        mfa.advance(pause);
        stranger.challenge("email").await.assert_ok();
    }
    stranger.challenge("email").await.assert_problem(429, "RATE_LIMITED");
    let login = person.login().from(OWNERS);
    for (pause, next) in [(0, 30), (30, 60), (60, 120), (120, 120)] {
        mfa.advance(pause);
        assert_eq!(login.challenge("email").await.assert_ok()["resendAfter"], next);
    }
    login.challenge("email").await.assert_problem(429, "RATE_LIMITED");
    mfa.advance(120);
    login.challenge("email").await.assert_ok();
    mfa.advance(120);
    login.challenge("email").await.assert_problem(429, "RATE_LIMITED");
}

#[tokio::test]
async fn a_live_trust_token_makes_a_caller_known_wherever_the_request_comes_from() {
    for known_networks in ["true", "false"] {
        let mfa = TestApp::start_with(&[("MFA_KNOWN_NETWORKS", known_networks)]).await;
        let person = owner(&mfa).await;
        let login = person.login().from(OWNERS);
        let code = login.receive_code("email").await;
        let trusted = login.trust("email", &code).await;
        flood(&mfa, &person, STRANGERS).await;

        let road = person.login().from(ON_THE_ROAD);
        road.challenge("email").await.assert_problem(429, "RATE_LIMITED");
        let malformed = road.challenge_trusted("email", "mfat_nonsense").await;
        malformed.assert_problem(429, "RATE_LIMITED");
        let bobs = mfa.user("bob").with_email("bob@example.com").login();
        let bobs = bobs.trust("email", &bobs.receive_code("email").await).await;
        road.challenge_trusted("email", &bobs).await.assert_problem(429, "RATE_LIMITED");
        road.challenge_trusted("email", &trusted).await.assert_ok();

        // With the setting off the network counts for nothing.
        mfa.advance(60);
        let home = person.login().from(OWNERS).challenge("email").await.status;
        assert_eq!(home, if known_networks == "true" { 200 } else { 429 });
    }
}

#[tokio::test]
async fn a_fresh_proof_makes_a_caller_known_while_mfa_is_on_and_not_before() {
    let mfa = TestApp::start().await;
    let person = owner(&mfa).await;
    let road = verify_by_email(&person.login().from(ON_THE_ROAD)).await.from(STRANGERS);
    let stranger = person.login().from("10.0.1.1");
    for pause in [30, 60, 120, 120] {
        mfa.advance(pause);
        stranger.challenge("email").await.assert_ok();
    }
    mfa.advance(120);
    stranger.challenge("email").await.assert_problem(429, "RATE_LIMITED");
    road.challenge("email").await.assert_ok();

    let off = mfa.user("bob").with_email("bob@example.com");
    let proven = verify_by_email(&off.login()).await;
    for pause in [30, 60, 120, 120] {
        mfa.advance(pause);
        proven.challenge("email").await.assert_ok();
    }
    mfa.advance(120);
    proven.challenge("email").await.assert_problem(429, "RATE_LIMITED");
}

#[tokio::test]
async fn networks_of_a_stranger_from_before_mfa_was_on_are_not_known() {
    let mfa = TestApp::start().await;
    let person = mfa.user("alice").with_email("alice@example.com");
    // Somebody with the password has an authenticator of their own, and gives right codes.
    let stranger = person.login().from(STRANGERS);
    let device = stranger.enrol().await;
    for _ in 0..3 {
        stranger.verify("totp", &device.advance_to_next_code(&mfa)).await.assert_ok();
    }
    let login = person.login().from(OWNERS);
    verify_by_email(&login).await;
    login.toggle(true).await.assert_ok();
    mfa.advance(3600);
    assert_eq!(flood(&mfa, &person, STRANGERS).await, 5, "no share of known callers");
}

#[tokio::test]
async fn switching_on_a_recovery_code_and_a_reset_forget_every_network_but_the_callers() {
    let mfa = TestApp::start().await;
    let is_known = |person: &Person, from: &'static str| {
        let (mfa, person) = (Arc::clone(&mfa), person.clone());
        async move {
            mfa.advance(3600);
            flood(&mfa, &person, STRANGERS).await;
            person.login().from(from).challenge("email").await.status == 200
        }
    };
    let person = owner(&mfa).await;
    verify_by_email(&person.login().from(ON_THE_ROAD)).await;
    assert!(is_known(&person, OWNERS).await && is_known(&person, ON_THE_ROAD).await);

    // Two networks are known. Off and on again from one of them forgets the other.
    mfa.advance(3600);
    let home = verify_by_email(&person.login().from(OWNERS)).await;
    home.toggle(false).await.assert_ok();
    home.toggle(true).await.assert_ok();
    let codes = home.generate_recovery_codes().await;
    assert!(is_known(&person, OWNERS).await && !is_known(&person, ON_THE_ROAD).await);

    // A recovery code from elsewhere forgets it, and makes nothing known by itself.
    person.login().from(ON_THE_ROAD).recover(&codes[0]).await.assert_ok();
    assert!(!is_known(&person, OWNERS).await && !is_known(&person, ON_THE_ROAD).await);

    // The same from a known network keeps that one.
    mfa.advance(3600);
    verify_by_email(&person.login().from(OWNERS)).await;
    person.login().from(OWNERS).recover(&codes[1]).await.assert_ok();
    assert!(is_known(&person, OWNERS).await);
    person.login().from(ON_THE_ROAD).reset(&codes[2]).await.assert_ok();
    assert!(!is_known(&person, OWNERS).await);
}

#[tokio::test]
async fn a_network_is_known_for_sixty_days_and_the_last_three_are() {
    let mfa = TestApp::start().await;
    let person = owner(&mfa).await;
    mfa.advance(60 * 86_400 - 3600 - 1);
    flood(&mfa, &person, STRANGERS).await;
    person.login().from(OWNERS).challenge("email").await.assert_problem(429, "RATE_LIMITED");

    mfa.advance(3600);
    for from in [OWNERS, "10.0.1.1", "10.0.2.1", "2001:db8:1:2::3"] {
        verify_by_email(&person.login().from(from)).await;
        mfa.advance(3600);
    }
    for (from, status) in [(OWNERS, 429), ("10.0.1.77", 200), ("10.0.2.77", 200), ("2001:db8:1:ffff::1", 200)] {
        flood(&mfa, &person, STRANGERS).await;
        assert_eq!(person.login().from(from).challenge("email").await.status, status, "{from}");
    }
}

#[tokio::test]
async fn a_request_that_is_refused_raises_no_counter_behind_the_one_that_is_full() {
    let mfa = TestApp::start().await;
    let text = |sub: String, phone: String| {
        let login = mfa.user(&sub).with_phone(&phone).login().from(STRANGERS);
        async move { login.challenge("sms").await.status }
    };
    for n in 0..30 {
        assert_eq!(text(format!("user-{n}"), format!("+4477009{n:05}")).await, 200, "number {n}");
    }
    for n in 30..60 {
        assert_eq!(text(format!("user-{n}"), format!("+4477009{n:05}")).await, 429, "number {n}");
    }
    assert_eq!((counted(&mfa, "SOURCE").await, counted(&mfa, "SMSDAY").await), (30, 30));

    // A destination that is full does not use up the source.
    let mfa = TestApp::start().await;
    for n in 0..20 {
        let login = mfa.user(&format!("user-{n}")).with_phone("+447700900123").login().from(STRANGERS);
        assert_eq!(login.challenge("sms").await.status, if n < 10 { 200 } else { 429 }, "user {n}");
    }
    assert_eq!((counted(&mfa, "SOURCE").await, counted(&mfa, "SMSDAY").await), (10, 10));
}

#[tokio::test]
async fn a_proven_number_has_no_limit_of_its_source() {
    let mfa = TestApp::start().await;
    let alice = mfa.user("alice").with_phone("+442079460018").login().from(STRANGERS);
    let code = alice.receive_code("sms").await;
    alice.verify("sms", &code).await.assert_ok();
    for n in 0..40 {
        let other = mfa.user(&format!("user-{n}")).with_phone(&format!("+4477009{n:05}")).login().from(STRANGERS);
        other.challenge("sms").await;
    }
    mfa.advance(30);
    mfa.user("bob")
        .with_phone("+442079460019")
        .login()
        .from(STRANGERS)
        .challenge("sms")
        .await
        .assert_problem(429, "RATE_LIMITED");
    alice.challenge("sms").await.assert_ok();
}

#[tokio::test]
async fn an_ipv6_source_is_limited_by_its_64_and_ten_times_as_much_by_its_48() {
    let mfa = TestApp::start_with(&[("MFA_SMS_PER_DAY", "10000")]).await;
    let mut asked = 0;
    let mut text = |subnet: u32, host: u32| {
        asked += 1;
        let phone = format!("+4477{asked:08}");
        let login = mfa.user(&format!("user-{asked}")).with_phone(&phone).login();
        let login = login.from(&format!("2001:db8:1:{subnet:x}::{host:x}"));
        async move { login.challenge("sms").await.status }
    };
    for subnet in 0..10 {
        for host in 0..30 {
            assert_eq!(text(subnet, host).await, 200, "{subnet} {host}");
        }
        assert_eq!(text(subnet, 99).await, 429, "{subnet}");
    }
    assert_eq!(text(10, 0).await, 429, "the /48 is used up");
    assert_eq!(counted(&mfa, "SMSDAY").await, 300);
    let elsewhere = mfa.user("elsewhere").with_phone("+442079460018").login().from("2001:db8:2::1");
    elsewhere.challenge("sms").await.assert_ok();
}

#[tokio::test]
async fn a_fifth_of_the_days_text_messages_is_kept_for_known_callers_with_a_proven_number() {
    let mfa = TestApp::start_with(&[("MFA_SMS_PER_DAY", "35")]).await;
    let mut owners = Vec::new();
    for n in 0..2 {
        let person = mfa.user(&format!("owner-{n}")).with_phone(&format!("+44207946001{n}"));
        person.login().from(OWNERS).toggle(true).await.assert_ok();
        let login = person.login().from(OWNERS);
        let code = login.receive_code("sms").await;
        login.verify("sms", &code).await.assert_ok();
        owners.push(person);
    }
    mfa.advance(3600);
    let mut sent = 2;
    for n in 0..60 {
        let person = mfa.user(&format!("user-{n}")).with_phone(&format!("+4477009{n:05}"));
        sent += u32::from(person.login().from(&format!("10.0.{n}.1")).challenge("sms").await.status == 200);
    }
    assert_eq!(sent, 28, "four fifths");
    owners[0].login().from(STRANGERS).challenge("sms").await.assert_problem(429, "RATE_LIMITED");
    // Seven are left: five for one number, and the others for another.
    for n in 0..5 {
        owners[0].login().from(OWNERS).challenge("sms").await.assert_ok();
        mfa.advance(if n == 3 { 3600 } else { 600 });
    }
    owners[0].login().from(OWNERS).challenge("sms").await.assert_problem(429, "RATE_LIMITED");
    for _ in 0..2 {
        owners[1].login().from(OWNERS).challenge("sms").await.assert_ok();
        mfa.advance(600);
    }
    owners[1].login().from(OWNERS).challenge("sms").await.assert_problem(429, "RATE_LIMITED");
    assert_eq!(counted(&mfa, "SMSDAY").await, 35);
}

#[tokio::test]
async fn a_code_that_a_newer_one_superseded_is_told_so_and_not_counted() {
    let mfa = TestApp::start().await;
    let alice = mfa.user("alice").with_email("alice@example.com").login();
    let mut codes = vec![alice.receive_code("email").await];
    for pause in [30, 60] {
        mfa.advance(pause);
        codes.push(alice.receive_code("email").await);
    }
    let before = mfa.dump().await;
    for _ in 0..10 {
        for old in &codes[..2] {
            let answer = alice.verify("email", old).await.assert_problem(400, "VERIFICATION_CODE_EXPIRED");
            assert_eq!(answer.body["message"], "A newer code was sent. Enter that one");
            assert_eq!(answer.body["attemptsLeft"], Value::Null);
        }
    }
    assert_eq!(mfa.dump().await, before, "nothing is counted");
    // Any other login does not have the mailbox.
    let stranger = mfa.user("alice").with_email("alice@example.com").login();
    stranger.verify("email", &codes[0]).await.assert_problem(400, "VERIFICATION_CODE_INVALID");
    alice.verify("email", &codes[2]).await.assert_ok();
    // Now there is no newer one to wait for.
    alice.verify("email", &codes[0]).await.assert_problem(400, "VERIFICATION_CODE_INVALID");
}

#[tokio::test]
async fn a_superseded_code_counts_as_wrong_once_its_time_is_up_or_it_is_the_third_before() {
    let mfa = TestApp::start().await;
    let alice = mfa.user("alice").with_email("alice@example.com").login();
    let mut codes = vec![alice.receive_code("email").await];
    for pause in [30, 60, 120] {
        mfa.advance(pause);
        codes.push(alice.receive_code("email").await);
    }
    let oldest = alice.verify("email", &codes[0]).await.assert_problem(400, "VERIFICATION_CODE_INVALID");
    assert_eq!(oldest.body["attemptsLeft"], json!(4), "only the last two are kept");
    alice.verify("email", &codes[1]).await.assert_problem(400, "VERIFICATION_CODE_EXPIRED");
    mfa.advance(300 - 180);
    let over = alice.verify("email", &codes[1]).await.assert_problem(400, "VERIFICATION_CODE_INVALID");
    assert_eq!(over.body["attemptsLeft"], json!(3));
    alice.verify("email", &codes[3]).await.assert_ok();
}

#[tokio::test]
async fn in_a_login_that_others_share_a_stranger_does_not_void_the_owners_code() {
    for shared in ["sub", "auth_time"] {
        let mfa = TestApp::start_with(&[("MFA_JWT_LOGIN_CLAIM", shared)]).await;
        let person = owner(&mfa).await;
        let (login, stranger) = (person.login().from(OWNERS), person.login().from(STRANGERS));
        let code = login.receive_code("email").await;
        mfa.advance(30);
        stranger.challenge("email").await.assert_ok();
        mfa.advance(60);
        stranger.challenge("email").await.assert_ok();
        // The stranger's guesses are counted as usual.
        let wrong =
            stranger.verify("email", &wrong_code(&code, 0)).await.assert_problem(400, "VERIFICATION_CODE_INVALID");
        assert_eq!(wrong.body["attemptsLeft"], json!(4));
        // The owner may have moved to another network since.
        login.from(ON_THE_ROAD).verify("email", &code).await.assert_ok();
    }
}

#[tokio::test]
async fn whoever_is_signed_out_is_no_longer_known() {
    for others in [true, false] {
        let mfa = TestApp::start().await;
        let person = owner(&mfa).await;
        let device = verify_by_email(&person.login().from(OWNERS)).await.enrol().await;
        // The thief of the authenticator gives a right code of it.
        mfa.advance(3600);
        person.login().from(STRANGERS).verify("totp", &device.advance_to_next_code(&mfa)).await.assert_ok();
        let proven = verify_by_email(&person.login().from(OWNERS)).await;
        if others {
            proven.end_session("others").await.assert_ok();
        } else {
            proven.from(OWNERS).remove(&device.device_id).await.assert_ok();
        }
        mfa.advance(3600);
        assert_eq!(flood(&mfa, &person, STRANGERS).await, 5, "others: {others}");
    }
}
