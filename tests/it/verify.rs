use std::sync::Arc;

use mfa_tests::{Authenticator, Login, Response, TestApp, claims_of, wrong_code};
use serde_json::json;
use totp_rs::{Algorithm, Builder, Secret};
use uuid::Uuid;

fn alice(mfa: &Arc<TestApp>) -> Login {
    mfa.user("alice").with_email("alice@example.com").with_phone("+442079460018").with("role", "admin").login()
}

#[tokio::test]
async fn a_right_code_gives_a_token_that_proves_it_to_the_application() {
    let mfa = TestApp::start().await;
    let alice = alice(&mfa);
    let code = alice.receive_code("sms").await;
    let answer = alice.verify("sms", &code).await;
    let reply = answer.body.as_object().expect("an object");
    assert_eq!(reply["message"], "2FA verification successful");
    assert_eq!(reply["isRequiresMfa"], false);
    assert!(reply["refreshToken"].as_str().is_some_and(|token| !token.is_empty()));
    assert!(!reply.contains_key("trustToken"));

    let (before, after) = (claims_of(&alice.token), claims_of(&answer.text("accessToken")));
    let now = mfa.clock.now().as_secs();
    for kept in ["sub", "email", "phone", "role", "sessionId"] {
        assert_eq!(after[kept], before[kept], "{kept}");
    }
    assert_eq!(after["isMfaEnabled"], false);
    assert_eq!(after["isMfaVerified"], true);
    assert_eq!(after["amr"], json!(["sms", "mfa"]));
    assert_eq!(after["auth_time"], now);
    assert_eq!(after["iat"], now);
    assert_eq!(after["exp"], now + 900);
    assert_eq!(after["type"], "access");
    assert_eq!(after["mfa"]["method"], "sms");
    assert!(after["jti"].is_string());
}

#[tokio::test]
async fn amr_says_which_factor_it_was() {
    let mfa = TestApp::start().await;
    let alice = alice(&mfa);
    let code = alice.receive_code("email").await;
    let by_email = alice.verify("email", &code).await.text("accessToken");
    assert_eq!(claims_of(&by_email)["amr"], json!(["mfa"]));
    let authenticator = alice.enrol().await;
    let by_totp = alice.verify("totp", &authenticator.advance_to_next_code(&mfa)).await.text("accessToken");
    assert_eq!(claims_of(&by_totp)["amr"], json!(["otp", "mfa"]));
}

#[tokio::test]
async fn the_first_token_expires_no_later_than_the_login_token() {
    let mfa = TestApp::start().await;
    let exp = mfa.clock.now().as_secs() + 60;
    let alice = mfa.user("alice").with_email("alice@example.com").with("exp", exp).login();
    let code = alice.receive_code("email").await;
    assert_eq!(claims_of(&alice.verify("email", &code).await.text("accessToken"))["exp"], exp);
}

#[tokio::test]
async fn our_token_is_of_the_login_that_it_was_given_to() {
    let mfa = TestApp::start().await;
    // The first login has only a `jti`, the second has no name at all, and its token is not
    // renewed. Our token has a `jti` and an `auth_time` of its own, and another hash.
    for person in [mfa.user("by-jti").with("jti", "t-1"), mfa.user("by-hash")] {
        let login = person.with("sessionId", "(none)").with_email("alice@example.com").login();
        let login = Login::with_token(&mfa, login.token);
        let authenticator = login.enrol().await;
        let proven = login.prove("totp", &authenticator.advance_to_next_code(&mfa)).await;
        let code = proven.receive_code("email").await;
        login.verify("email", &code).await.assert_ok(); // it is the same login
        proven.toggle(true).await.assert_ok();
        proven.setup().await.assert_ok(); // its session has the grace
        login.setup().await.assert_problem(401, "MFA_REQUIRED");
    }
}

#[tokio::test]
async fn a_code_works_once_for_each_method() {
    let mfa = TestApp::start().await;
    let alice = alice(&mfa);
    for method in ["email", "sms"] {
        let code = alice.receive_code(method).await;
        alice.verify(method, &code).await.assert_ok();
        alice.verify(method, &code).await.assert_problem(400, "VERIFICATION_CODE_INVALID");
        mfa.advance(120);
    }
    let authenticator = alice.enrol().await;
    let code = authenticator.advance_to_next_code(&mfa);
    alice.verify("totp", &code).await.assert_ok();
    let used = alice.verify("totp", &code).await.assert_problem(400, "MFA_CODE_INVALID");
    assert_eq!(used.text("message"), "This code was used already. Wait for the next one");
    let wrong = alice.verify("totp", &wrong_code(&code, 1)).await.assert_problem(400, "MFA_CODE_INVALID");
    assert_eq!(wrong.text("message"), "The code is invalid");
}

#[tokio::test]
async fn a_code_is_refused_from_the_second_it_expires() {
    let mfa = TestApp::start().await;
    let alice = alice(&mfa);
    let code = alice.receive_code("email").await;
    mfa.advance(300);
    alice.verify("email", &code).await.assert_problem(400, "VERIFICATION_CODE_EXPIRED");
    assert!(mfa.dump().await.iter().any(|item| item["sk"]["S"].as_str().is_some_and(|sk| sk.starts_with("CODE#"))));

    let code = alice.receive_code("email").await;
    mfa.advance(299);
    alice.verify("email", &code).await.assert_ok();
}

#[tokio::test]
async fn a_new_code_supersedes_the_old_one_of_its_login() {
    let mfa = TestApp::start().await;
    let alice = alice(&mfa);
    let old = alice.receive_code("email").await;
    mfa.advance(30);
    let new = alice.receive_code("email").await;
    if old != new {
        alice.verify("email", &old).await.assert_problem(400, "VERIFICATION_CODE_EXPIRED");
    }
    alice.verify("email", &new).await.assert_ok();
}

#[tokio::test]
async fn a_code_is_bound_to_user_login_method_and_destination() {
    let mfa = TestApp::start().await;
    let person = mfa.user("alice").with_email("alice@example.com").with_phone("+442079460018").with("sessionId", "s");
    let alice = person.login();
    let code = alice.receive_code("sms").await;
    let invalid = |answer: Response| answer.assert_problem(400, "VERIFICATION_CODE_INVALID");
    invalid(alice.verify("email", &code).await);
    invalid(person.clone().with("sessionId", "another").login().verify("sms", &code).await);
    invalid(person.clone().with_phone("+442079460019").login().verify("sms", &code).await);
    invalid(mfa.user("bob").with_phone("+442079460018").with("sessionId", "s").login().verify("sms", &code).await);
    alice.verify("phone", &code).await.assert_ok();
}

#[tokio::test]
async fn the_fifth_wrong_code_locks_and_a_resend_changes_nothing() {
    let mfa = TestApp::start().await;
    let alice = alice(&mfa);
    // A known caller has sends enough.
    alice.toggle(true).await.assert_ok();
    let code = alice.receive_code("email").await;
    alice.verify("email", &code).await.assert_ok();
    mfa.advance(3600);
    let mut judged = Vec::new();
    for turn in 1..=100 {
        mfa.advance(120);
        alice.challenge("email").await;
        let code = mfa.inbox.messages().pop().and_then(|message| message.code).expect("a code");
        let answer = alice.verify("email", &wrong_code(&code, turn)).await;
        if answer.code() == Some("VERIFICATION_CODE_INVALID") {
            judged.push(turn);
        } else {
            answer.assert_problem(429, "ACCOUNT_LOCKED");
        }
    }
    // Five guesses, then one after each lock: of 15 minutes, of 30 and of 60.
    assert_eq!(judged, [1, 2, 3, 4, 5, 13, 28, 58]);
    assert_eq!(mfa.inbox.received(), 1 + 8, "each time with a code that was just sent");
}

#[tokio::test]
async fn the_budget_is_one_for_all_factors_logins_and_routes() {
    let mfa = TestApp::start().await;
    let authenticator = alice(&mfa).enrol().await;
    let by_mail = alice(&mfa);
    let by_mail_code = by_mail.receive_code("email").await;
    for n in 0..2 {
        by_mail.verify("email", &wrong_code(&by_mail_code, n)).await.assert_problem(400, "VERIFICATION_CODE_INVALID");
    }
    for n in 0..3 {
        alice(&mfa).verify("totp", &format!("{n:06}")).await.assert_problem(400, "MFA_CODE_INVALID");
    }
    by_mail.verify("email", &by_mail_code).await.assert_problem(429, "ACCOUNT_LOCKED");
    let next = authenticator.advance_to_next_code(&mfa);
    alice(&mfa).verify("totp", &next).await.assert_problem(429, "ACCOUNT_LOCKED");
    mfa.advance(870);
    alice(&mfa).verify("totp", &authenticator.code(&mfa)).await.assert_ok();
}

#[tokio::test]
async fn after_a_lock_one_wrong_code_locks_twice_as_long_even_after_a_right_one() {
    let mfa = TestApp::start().await;
    let alice = alice(&mfa);
    let authenticator = alice.enrol().await;
    for n in 0..5 {
        alice.verify("totp", &format!("{n:06}")).await;
    }
    mfa.advance(900);
    alice.verify("totp", &authenticator.code(&mfa)).await.assert_ok();
    alice.verify("totp", "000000").await.assert_problem(400, "MFA_CODE_INVALID");
    let answer = alice.verify("totp", "000001").await.assert_problem(429, "ACCOUNT_LOCKED");
    assert_eq!(answer.retry_after(), Some(1800));
}

#[tokio::test]
async fn a_wrong_code_sent_again_at_once_is_counted_once() {
    let mfa = TestApp::start().await;
    let alice = alice(&mfa);
    let authenticator = alice.enrol().await;
    for _ in 0..20 {
        alice.verify("totp", "000000").await.assert_problem(400, "MFA_CODE_INVALID");
    }
    alice.verify("totp", &authenticator.advance_to_next_code(&mfa)).await.assert_ok();
    let used = authenticator.code(&mfa);
    for _ in 0..20 {
        alice.verify("totp", &used).await.assert_problem(400, "MFA_CODE_INVALID");
    }
    alice.verify("totp", &authenticator.advance_to_next_code(&mfa)).await.assert_ok();
}

#[tokio::test]
async fn where_no_code_is_outstanding_a_guess_is_neither_judged_nor_counted_nor_written() {
    let mfa = TestApp::start().await;
    let alice = alice(&mfa);
    let before = mfa.dump().await;
    for n in 0..20 {
        alice.verify("email", &format!("{n:06}")).await.assert_problem(400, "VERIFICATION_CODE_INVALID");
    }
    assert_eq!(mfa.dump().await, before);
}

#[tokio::test]
async fn a_malformed_code_is_not_a_guess() {
    let mfa = TestApp::start().await;
    let alice = alice(&mfa);
    let authenticator = alice.enrol().await;
    for otp in ["12345", "1234567", "abcdef", "12345a"] {
        alice.verify("totp", otp).await.assert_problem(400, "INVALID_INPUT");
    }
    for _ in 0..9 {
        alice.verify("totp", "12 34").await.assert_problem(400, "INVALID_INPUT");
    }
    alice.verify("totp", &authenticator.advance_to_next_code(&mfa)).await.assert_ok();
}

#[tokio::test]
async fn an_earlier_step_never_passes_after_a_later_one() {
    let mfa = TestApp::start().await;
    let alice = alice(&mfa);
    let authenticator = alice.enrol().await;
    mfa.advance(300);
    let now = mfa.clock.now().as_secs();
    let code_at = |seconds| mfa_tests::totp_code(&authenticator.secret, seconds);
    alice.verify("totp", &code_at(now)).await.assert_ok();
    alice.verify("totp", &code_at(now - 30)).await.assert_problem(400, "MFA_CODE_INVALID");
    alice.verify("totp", &code_at(now + 30)).await.assert_ok();
}

#[tokio::test]
async fn a_code_may_name_its_device_and_one_that_is_not_there_is_not_found() {
    let mfa = TestApp::start().await;
    let alice = alice(&mfa);
    let (first, second) = (alice.enrol().await, alice.enrol().await);
    let bobs = mfa.user("bob").login().enrol().await;
    mfa.advance(30);
    let verify = |device: String, otp: String| {
        let alice = alice.clone();
        async move { alice.post("/auth/mfa/verify", json!({ "method": "totp", "otp": otp, "deviceId": device })).await }
    };
    verify(first.device_id.clone(), second.code(&mfa)).await.assert_problem(400, "MFA_CODE_INVALID");
    verify(second.device_id.clone(), second.code(&mfa)).await.assert_ok();
    let unknown = verify(uuid(9), first.code(&mfa)).await.assert_problem(404, "MFA_DEVICE_NOT_FOUND");
    let foreign = verify(bobs.device_id, first.code(&mfa)).await.assert_problem(404, "MFA_DEVICE_NOT_FOUND");
    assert_eq!(unknown.body, foreign.body);
    verify("1234".to_owned(), first.code(&mfa)).await.assert_problem(400, "INVALID_INPUT");
}

fn uuid(n: u8) -> String {
    format!("00000000-0000-4000-8000-0000000000{n:02}")
}

#[tokio::test]
async fn a_method_without_device_or_address_is_not_available() {
    let mfa = TestApp::start_with(&[("MFA_METHODS", "totp,email")]).await;
    let bob = mfa.user("bob").login();
    bob.verify("totp", "123456").await.assert_problem(400, "MFA_METHOD_NOT_AVAILABLE");
    bob.verify("email", "123456").await.assert_problem(400, "MFA_METHOD_NOT_AVAILABLE");
    alice(&mfa).verify("sms", "123456").await.assert_problem(400, "MFA_METHOD_NOT_AVAILABLE");
}

#[tokio::test]
async fn a_stranger_with_the_password_cannot_void_the_owners_code() {
    let mfa = TestApp::start().await;
    let owner = alice(&mfa);
    let code = owner.receive_code("email").await;
    for _ in 0..50 {
        alice(&mfa).challenge("email").await;
        mfa.advance(5);
    }
    owner.verify("email", &code).await.assert_ok();
}

#[tokio::test]
async fn required_mfa_is_on_from_the_first_success() {
    let mfa = TestApp::start_with(&[("MFA_REQUIRED", "true")]).await;
    let alice = alice(&mfa);
    alice.setup().await.assert_problem(401, "MFA_REQUIRED");
    let code = alice.receive_code("email").await;
    let proven = alice.prove("email", &code).await;
    assert_eq!(claims_of(&proven.token)["isMfaEnabled"], true);
    proven.enrol().await;
    // The ledger itself says that MFA is on, so MFA stays on if the requirement is lifted later.
    let lifted = mfa.redeployed_with(&[("MFA_REQUIRED", "false")]);
    assert_eq!(alice.at(&lifted).status().await["isEnabled"], true);

    let nobody = mfa.user("nobody").login();
    nobody.enrol().await; // without any usable method, nothing can be proven
    nobody.setup().await.assert_ok();
}

#[tokio::test]
async fn longer_codes_are_sent_and_taken_where_configured() {
    let mfa = TestApp::start_with(&[("MFA_CODE_LENGTH", "8"), ("MFA_CODE_LIFETIME", "60")]).await;
    let alice = alice(&mfa);
    let code = alice.receive_code("email").await;
    assert_eq!(code.len(), 8);
    alice.verify("email", &code[..6]).await.assert_problem(400, "INVALID_INPUT");
    alice.verify("email", &code).await.assert_ok();
}

#[tokio::test]
async fn a_secret_sealed_by_an_old_key_is_sealed_anew_when_used() {
    let mfa = TestApp::start().await;
    let alice = alice(&mfa);
    let authenticator = alice.enrol().await;
    let new_key = data_encoding::BASE64.encode(&[7; 32]);
    let old_key = mfa::config::development::SEALING_KEYS;
    let both = mfa.redeployed_with(&[("MFA_SEALING_KEYS", &format!("k2:{new_key},{old_key}"))]);
    alice.at(&both).verify("totp", &authenticator.advance_to_next_code(&mfa)).await.assert_ok();
    let new_only = mfa.redeployed_with(&[("MFA_SEALING_KEYS", &format!("k2:{new_key}"))]);
    alice.at(&new_only).verify("totp", &authenticator.advance_to_next_code(&mfa)).await.assert_ok();

    // Keys that do not fit the table are the operator's mistake: a 500, and no try is counted.
    for _ in 0..9 {
        alice.verify("totp", &authenticator.advance_to_next_code(&mfa)).await.assert_problem(500, "INTERNAL_ERROR");
    }
    alice.at(&new_only).verify("totp", &authenticator.advance_to_next_code(&mfa)).await.assert_ok();
}

#[tokio::test]
async fn a_guess_costs_the_long_term_budget_one_for_each_authenticator_that_it_is_judged_against() {
    let mfa = TestApp::start().await;
    let alice = alice(&mfa);
    let mut devices = Vec::new();
    for _ in 0..5 {
        devices.push(alice.enrol().await);
    }
    let unforgiven = async || mfa.ledger("alice").await.expect("a ledger").failures.unforgiven;
    alice.verify("totp", "000000").await.assert_problem(400, "MFA_CODE_INVALID");
    assert_eq!(unforgiven().await, 5);
    let named = json!({ "method": "totp", "otp": "000001", "deviceId": devices[0].device_id });
    alice.post("/auth/mfa/verify", named).await.assert_problem(400, "MFA_CODE_INVALID");
    assert_eq!(unforgiven().await, 6);
}

#[tokio::test]
async fn why_a_method_is_not_available_stands_in_message_and_log() {
    let mfa = TestApp::start_with(&[("MFA_SMS_COUNTRIES", "+44")]).await;
    let person = mfa.user("alice");
    let cases = [
        (person.clone(), "email", "Your account has no address for this method"),
        (person.clone().with_email("not an address"), "email", "The address in your account is malformed"),
        (
            person.clone().with_email("a@example.com").with("email_verified", false),
            "email",
            "The address in your account is not verified. Verify it first",
        ),
        (
            person.clone().with_phone("+33123456789"),
            "sms",
            "Text messages are not sent to the country of your phone number",
        ),
        (person.clone(), "totp", "You haven't set up an authenticator app"),
    ];
    for (person, method, message) in cases {
        let answer = person.login().challenge(method).await.assert_problem(400, "MFA_METHOD_NOT_AVAILABLE");
        assert_eq!(answer.text("message"), message);
    }
    let log = mfa.log();
    for cause in ["carries no address", "is malformed", "as unverified", "to the country", "has no authenticator"] {
        assert!(log.contains(cause), "{cause}: {log}");
    }
    let fewer = mfa.redeployed_with(&[("MFA_METHODS", "totp")]);
    let answer = person.login().at(&fewer).challenge("email").await;
    assert_eq!(answer.text("message"), "This application does not offer this method");
}

#[tokio::test]
async fn a_guess_at_another_authenticator_is_another_guess() {
    let mfa = TestApp::start().await;
    let alice = mfa.user("alice").login();
    let devices =
        [alice.enrol().await, alice.enrol().await, alice.enrol().await, alice.enrol().await, alice.enrol().await];
    for (n, device) in devices.iter().enumerate() {
        let body = json!({ "method": "totp", "otp": "000000", "deviceId": device.device_id });
        let answer = alice.post("/auth/mfa/verify", body.clone()).await.assert_problem(400, "MFA_CODE_INVALID");
        assert_eq!(answer.body["attemptsLeft"], 4 - n);
        // Sent again, it is the same guess.
        if n < 4 {
            let again = alice.post("/auth/mfa/verify", body).await;
            assert_eq!(again.body["attemptsLeft"], 4 - n);
        }
    }
    alice.verify("totp", "000001").await.assert_problem(429, "ACCOUNT_LOCKED");
}

/// Makes an authenticator one that was imported: its codes have eight digits, SHA-512 and 60 s.
async fn make_imported(mfa: &TestApp, device: &Authenticator) {
    let sort_key = format!("MFA#DEVICE#{}", device.device_id);
    for item in mfa.items("MFA#").await {
        let key = |name: &str| item[name]["S"].as_str().expect("a key").to_owned();
        if key("sk") == sort_key {
            mfa.table.set(&key("pk"), &sort_key, "variant", Some(&json!({ "S": "SHA512/8/60" }))).await.expect("set");
            mfa.table.set(&key("pk"), &sort_key, "schema", Some(&json!({ "N": "2" }))).await.expect("set");
        } else if key("sk") == "MFA#LEDGER" {
            // Its last used step is one of its own period: that of the code before.
            let list = data_encoding::BASE64.decode(item["d"]["B"].as_str().expect("a list").as_bytes());
            let mut list = list.expect("base 64");
            let id = Uuid::parse_str(&device.device_id).expect("an id");
            let at = list.windows(16).position(|bytes| bytes == id.as_bytes()).expect("named") + 16;
            list[at..at + 4].fill(0);
            let list = json!({ "B": data_encoding::BASE64.encode(&list) });
            mfa.table.set(&key("pk"), "MFA#LEDGER", "d", Some(&list)).await.expect("set");
        }
    }
}

fn imported_code(mfa: &TestApp, device: &Authenticator) -> String {
    let secret = Secret::try_from_base32(&device.secret).expect("base 32");
    let builder = Builder::new().with_algorithm(Algorithm::SHA512).with_digits(8).with_step_duration(60);
    builder.with_secret(secret).build_noncompliant().generate(mfa.clock.now().as_secs()).to_string()
}

#[tokio::test]
async fn an_imported_authenticator_is_judged_by_its_own_digits_algorithm_and_period() {
    let mfa = TestApp::start().await;
    let alice = alice(&mfa);
    let device = alice.enrol().await;
    make_imported(&mfa, &device).await;
    mfa.advance(60);
    alice.verify("totp", &device.code(&mfa)).await.assert_problem(400, "MFA_CODE_INVALID");
    let code = imported_code(&mfa, &device);
    mfa.advance(60);
    alice.verify("totp", &format!("{} {}", &code[..4], &code[4..])).await.assert_ok();
    let again = alice.verify("totp", &code).await.assert_problem(400, "MFA_CODE_INVALID");
    assert_eq!(again.body["message"], "This code was used already. Wait for the next one");
    alice.verify("totp", &imported_code(&mfa, &device)).await.assert_ok();
    for length in [5, 7, 9, 10] {
        let odd = alice.verify("totp", &"1".repeat(length)).await.assert_problem(400, "INVALID_INPUT");
        assert_eq!(odd.body["message"], "otp must be 6 or 8 digits");
    }
}

#[tokio::test]
async fn a_code_that_no_authenticator_of_the_user_can_show_is_wrong_and_costs_no_attempt() {
    let mfa = TestApp::start().await;
    let alice = alice(&mfa);
    let device = alice.enrol().await;
    let before = mfa.dump().await;
    for n in 0..6 {
        let answer = alice.verify("totp", &format!("0000000{n}")).await.assert_problem(400, "MFA_CODE_INVALID");
        assert_eq!((&answer.body["message"], &answer.body["attemptsLeft"]), (&json!("The code is invalid"), &json!(5)));
    }
    assert_eq!(mfa.dump().await, before);
    alice.verify("totp", &device.advance_to_next_code(&mfa)).await.assert_ok();
}
