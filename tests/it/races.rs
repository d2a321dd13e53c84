//! The rows of the threat model that are marked ∥: a thousand requests, started together.

use std::{
    collections::{BTreeMap, BTreeSet},
    future::Future,
    sync::{Arc, Mutex, PoisonError},
};

use lambda_http::http::Method;
use mfa_admin_function::{Command, ImportUser, Page, Reply, Restore, User};
use mfa_tests::{Authenticator, Login, PASSKEYS, Response, SoftKey, TestApp, wrong_code};
use tokio::sync::{Barrier, Semaphore};

const MANY: usize = 1000;

/// At most two races run at a time. The requests of a race must compete with each other, and not
/// with other tests for the machine.
static RACES: Semaphore = Semaphore::const_new(2);

/// Runs `count` requests that start together. Returns how often each status and code was answered.
async fn together<F>(count: usize, request: impl Fn(usize) -> F) -> BTreeMap<String, usize>
where
    F: Future<Output = Response> + Send + 'static,
{
    let _race = RACES.acquire().await.expect("never closed");
    let start = Arc::new(Barrier::new(count));
    let tasks: Vec<_> = (0..count)
        .map(|n| {
            let (start, request) = (Arc::clone(&start), request(n));
            tokio::spawn(async move {
                start.wait().await;
                let answer = request.await;
                format!("{} {}", answer.status, answer.code().unwrap_or("OK"))
            })
        })
        .collect();
    let mut answers = BTreeMap::new();
    for task in tasks {
        *answers.entry(task.await.expect("an answer")).or_insert(0) += 1;
    }
    answers
}

fn verify(login: &Login, method: &'static str, otp: String) -> impl Future<Output = Response> + Send + 'static + use<> {
    let login = login.clone();
    async move { login.verify(method, &otp).await }
}

#[track_caller]
fn assert_only(answers: &BTreeMap<String, usize>, allowed: &[&str]) {
    for answer in answers.keys() {
        assert!(allowed.contains(&answer.as_str()), "{answers:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_thousand_right_emailed_codes_one_passes() {
    let mfa = TestApp::start().await;
    let alice = mfa.user("alice").with_email("alice@example.com").login();
    let code = alice.receive_code("email").await;
    let answers = together(MANY, |_| verify(&alice, "email", code.clone())).await;
    assert_eq!(answers.get("200 OK"), Some(&1), "{answers:?}");
    assert_only(&answers, &["200 OK", "400 VERIFICATION_CODE_INVALID", "429 RATE_LIMITED"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_thousand_right_texted_codes_one_passes() {
    let mfa = TestApp::start().await;
    let alice = mfa.user("alice").with_phone("+442079460018").login();
    let code = alice.receive_code("sms").await;
    let answers = together(MANY, |_| verify(&alice, "sms", code.clone())).await;
    assert_eq!(answers.get("200 OK"), Some(&1), "{answers:?}");
    assert_only(&answers, &["200 OK", "400 VERIFICATION_CODE_INVALID", "429 RATE_LIMITED"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_thousand_right_totp_codes_one_passes() {
    let mfa = TestApp::start().await;
    let person = mfa.user("alice");
    let code = person.login().enrol().await.advance_to_next_code(&mfa);
    let answers = together(MANY, |_| verify(&person.login(), "totp", code.clone())).await;
    assert_eq!(answers.get("200 OK"), Some(&1), "{answers:?}");
    assert_only(&answers, &["200 OK", "400 MFA_CODE_INVALID", "429 RATE_LIMITED"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_right_setup_codes_make_one_device() {
    let mfa = TestApp::start().await;
    let alice = mfa.user("alice").login();
    let open = alice.open_authenticator().await;
    let code = open.code(&mfa);
    let answers = together(MANY, |_| {
        let (alice, code, secret) = (alice.clone(), code.clone(), open.secret.clone());
        async move { alice.confirm(&code, &secret).await }
    })
    .await;
    // The same secret and code are accepted again, but they make one device, and the code is used
    // up.
    assert_only(&answers, &["200 OK", "429 RATE_LIMITED"]);
    assert_eq!(alice.devices().await.as_array().map(Vec::len), Some(1));
    alice.verify("totp", &code).await.assert_problem(400, "MFA_CODE_INVALID");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_thousand_requests_for_recovery_codes_exactly_one_answer_carries_codes() {
    // Each writes a set before its commit, and every load reads all of them. So no other race may
    // run beside it.
    let _alone = RACES.acquire().await.expect("never closed");
    let mfa = TestApp::start_with(&[("MFA_AWS_TIMEOUT_MS", "60000")]).await;
    let alice = mfa.user("alice").login();
    let answers = together(MANY, |_| {
        let alice = alice.clone();
        async move { alice.post("/auth/mfa/generate-recovery-code", serde_json::json!({})).await }
    })
    .await;
    assert_eq!(answers.get("200 OK"), Some(&1), "{answers:?}");
    assert_only(&answers, &["200 OK", "429 RATE_LIMITED"]);
    assert_eq!(mfa.items("MFA#RECOVERY").await.len(), 1, "no set is left over");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_thousand_uses_of_one_recovery_code_one_passes() {
    let mfa = TestApp::start().await;
    let person = mfa.user("alice");
    let codes = person.login().generate_recovery_codes().await;
    let answers = together(MANY, |_| {
        let (login, code) = (person.login(), codes[0].clone());
        async move { login.recover(&code).await }
    })
    .await;
    assert_eq!(answers.get("200 OK"), Some(&1), "{answers:?}");
    assert_only(&answers, &["200 OK", "400 MFA_RECOVERY_CODE_INVALID", "429 RATE_LIMITED"]);
    assert_eq!(person.login().recover(&codes[1]).await.assert_ok()["recoveryCodesLeft"], 8);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_uses_of_ten_recovery_codes_use_up_each_once() {
    let mfa = TestApp::start().await;
    let person = mfa.user("alice");
    let codes = person.login().generate_recovery_codes().await;
    let answers = together(MANY, |n| {
        let (login, code) = (person.login(), codes[n % 10].clone());
        async move {
            loop {
                let answer = login.recover(&code).await;
                // After ten refusals within an hour, a used code gets a 429 too, with a longer
                // `Retry-After`.
                if answer.retry_after() != Some(1) {
                    return answer;
                }
            }
        }
    })
    .await;
    assert_eq!(answers.get("200 OK"), Some(&10), "{answers:?}");
    assert_only(&answers, &["200 OK", "400 MFA_RECOVERY_CODE_INVALID", "429 RATE_LIMITED"]);
    mfa.advance(3600);
    for code in codes {
        person.login().recover(&code).await.assert_problem(400, "MFA_RECOVERY_CODE_INVALID");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_removals_of_both_devices_leave_one() {
    let mfa = TestApp::start().await;
    let alice = mfa.user("alice").login();
    let devices = [alice.enrol().await.device_id, alice.enrol().await.device_id];
    alice.toggle(true).await.assert_ok();
    let answers = together(MANY, |n| {
        let (alice, id) = (alice.clone(), devices[n % 2].clone());
        async move { alice.remove(&id).await }
    })
    .await;
    assert_eq!(answers.get("200 OK"), Some(&1), "{answers:?}");
    assert_only(&answers, &["200 OK", "404 MFA_DEVICE_NOT_FOUND", "409 MFA_LAST_METHOD", "429 RATE_LIMITED"]);
    assert_eq!(alice.devices().await.as_array().map(Vec::len), Some(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_thousand_wrong_codes_exactly_five_are_judged() {
    let mfa = TestApp::start().await;
    let person = mfa.user("alice").with_email("alice@example.com");
    let alice = person.login();
    let authenticator = alice.enrol().await;
    let right = authenticator.advance_to_next_code(&mfa);
    let emailed = alice.receive_code("email").await;
    // Wrong codes of two factors, from many logins at once.
    let answers = together(MANY, |n| {
        if n % 2 == 0 {
            verify(&person.login(), "totp", wrong_code(&right, n * 313))
        } else {
            verify(&alice, "email", wrong_code(&emailed, n))
        }
    })
    .await;
    let judged =
        answers.get("400 MFA_CODE_INVALID").unwrap_or(&0) + answers.get("400 VERIFICATION_CODE_INVALID").unwrap_or(&0);
    assert_eq!(judged, 5, "{answers:?}");
    assert_only(
        &answers,
        &["400 MFA_CODE_INVALID", "400 VERIFICATION_CODE_INVALID", "429 ACCOUNT_LOCKED", "429 RATE_LIMITED"],
    );
    let locked = alice.verify("email", &emailed).await.assert_problem(429, "ACCOUNT_LOCKED");
    assert_eq!(locked.retry_after(), Some(900));
    alice.verify("totp", &right).await.assert_problem(429, "ACCOUNT_LOCKED");
    mfa.advance(900);
    alice.verify("totp", &authenticator.code(&mfa)).await.assert_ok();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_thousand_wrong_setup_codes_exactly_five_are_judged() {
    let mfa = TestApp::start().await;
    let alice = mfa.user("alice").login();
    let open = alice.open_authenticator().await;
    let right = open.code(&mfa);
    let answers = together(MANY, |n| {
        let (alice, secret) = (alice.clone(), open.secret.clone());
        let code = wrong_code(&right, n * 313);
        async move { alice.confirm(&code, &secret).await }
    })
    .await;
    assert_eq!(answers.get("400 MFA_CODE_INVALID"), Some(&5), "{answers:?}");
    assert_only(&answers, &["400 MFA_CODE_INVALID", "429 ACCOUNT_LOCKED", "429 RATE_LIMITED"]);
    alice.confirm(&open.code(&mfa), &open.secret).await.assert_problem(429, "ACCOUNT_LOCKED");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_thousand_challenges_one_is_sent() {
    let mfa = TestApp::start().await;
    let person = mfa.user("alice").with_email("alice@example.com");
    let answers = together(MANY, |_| {
        let login = person.login();
        async move { login.challenge("email").await }
    })
    .await;
    assert_eq!(answers.get("200 OK"), Some(&1), "{answers:?}");
    assert_eq!(mfa.inbox.received(), 1);
    assert_only(&answers, &["200 OK", "429 RATE_LIMITED"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_a_hundred_strangers_the_owners_right_code_passes_before_any_lock() {
    let mfa = TestApp::start().await;
    let person = mfa.user("alice").with_email("alice@example.com");
    let owner = person.login();
    let device = owner.enrol().await;
    let code = owner.receive_code("email").await;
    mfa.advance(30);
    let right = device.code(&mfa);
    // A hundred logins of somebody with the password. Four guess, which does not lock yet, and the
    // others ask for codes.
    let answers = together(101, |n| {
        let (owner, code, stranger) = (owner.clone(), code.clone(), person.login());
        let wrong = wrong_code(&right, n * 1313);
        async move {
            match n {
                0 => {
                    let answer = owner.verify("email", &code).await;
                    assert_eq!(answer.status, 200, "the owner: {}", answer.body);
                    answer
                }
                1..=4 => stranger.verify("totp", &wrong).await,
                _ => stranger.challenge("email").await,
            }
        }
    })
    .await;
    assert_eq!(answers.get("400 MFA_CODE_INVALID"), Some(&4), "{answers:?}");
    assert_eq!(answers.get("200 OK"), Some(&2), "the owner, and one code that was sent: {answers:?}");
    assert_only(&answers, &["200 OK", "400 MFA_CODE_INVALID", "429 RATE_LIMITED"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_set_ups_delays_the_owner_until_it_ends_and_leaves_no_garbage() {
    let mfa = TestApp::start().await;
    let person = mfa.user("alice").with_email("alice@example.com");
    let owner = person.login();
    let code = owner.receive_code("email").await;
    let answers = together(101, |n| {
        let (owner, code, stranger) = (owner.clone(), code.clone(), person.login());
        async move {
            if n > 0 {
                return stranger.setup().await;
            }
            loop {
                let answer = owner.verify("email", &code).await;
                if answer.code() != Some("RATE_LIMITED") {
                    assert_eq!(answer.status, 200, "the owner: {}", answer.body);
                    return answer;
                }
                assert_eq!(answer.retry_after(), Some(1));
            }
        }
    })
    .await;
    assert_only(&answers, &["200 OK", "429 RATE_LIMITED"]);
    let devices = mfa.dump().await.iter().filter(|item| item.get("secret").is_some()).count();
    assert!(devices <= 3, "{devices} set-ups: {answers:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_uses_of_one_refresh_token_give_one_successor() {
    let mfa = TestApp::start().await;
    let alice = mfa.user("alice").with_email("alice@example.com").login();
    let code = alice.receive_code("email").await;
    let token = alice.verify("email", &code).await.text("refreshToken");
    let successors = Arc::new(Mutex::new(BTreeSet::new()));
    let answers = together(MANY, |_| {
        let (mfa, token, successors) = (Arc::clone(&mfa), token.clone(), Arc::clone(&successors));
        async move {
            let answer = mfa.refresh(&token).await;
            if answer.status == 200 {
                successors.lock().unwrap_or_else(PoisonError::into_inner).insert(answer.text("refreshToken"));
            }
            answer
        }
    })
    .await;
    assert_only(&answers, &["200 OK"]);
    let successors = successors.lock().unwrap_or_else(PoisonError::into_inner).clone();
    assert_eq!(successors.len(), 1);
    assert_eq!(mfa.items("SESSION").await[0]["generation"]["N"], "1", "it was used once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_uses_of_one_refresh_token_too_late_end_the_session() {
    let mfa = TestApp::start().await;
    let alice = mfa.user("alice").with_email("alice@example.com").login();
    let code = alice.receive_code("email").await;
    let token = alice.verify("email", &code).await.text("refreshToken");
    let successor = mfa.refresh(&token).await.text("refreshToken");
    mfa.advance(11);
    let answers = together(MANY, |n| {
        let (mfa, token) = (Arc::clone(&mfa), if n == 500 { successor.clone() } else { token.clone() });
        async move { mfa.refresh(&token).await }
    })
    .await;
    // The right token may come first. Its successor ends with the session too.
    assert_only(&answers, &["200 OK", "401 REFRESH_TOKEN_INVALID"]);
    assert!(answers.get("200 OK").is_none_or(|count| *count == 1), "{answers:?}");
    let left = mfa.items("SESSION").await;
    assert!(left.len() == 1 && left[0]["ended"]["S"] == "reused", "{left:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_uses_of_one_trusted_device_leave_two_sessions() {
    let mfa = TestApp::start().await;
    let person = mfa.user("alice");
    let owner = person.login();
    let device = owner.enrol().await;
    owner.toggle(true).await.assert_ok();
    let trusted = person.login().trust("totp", &device.advance_to_next_code(&mfa)).await;
    let before = mfa.items("SESSION#").await.len();
    let answers = together(MANY, |_| {
        let (login, trusted) = (person.login(), trusted.clone());
        async move { login.verify_trusted(&trusted).await }
    })
    .await;
    assert_only(&answers, &["200 OK", "429 RATE_LIMITED"]);
    assert!(mfa.items("SESSION#").await.len() <= before + 2, "{answers:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_refused_requests_use_up_nothing_of_the_application() {
    let mfa = TestApp::start_with(&[("MFA_SMS_PER_DAY", "100")]).await;
    let owner = mfa.user("owner").with_phone("+442079460018").login().from("198.51.100.20");
    let code = owner.receive_code("sms").await;
    owner.verify("sms", &code).await.assert_ok();
    mfa.advance(30);
    let answers = together(MANY, |n| {
        let phone = format!("+4477{n:08}");
        let login = mfa.user(&format!("user-{n}")).with_phone(&phone).login().from("192.0.2.66");
        async move { login.challenge("sms").await }
    })
    .await;
    assert_eq!(answers.get("200 OK"), Some(&30), "{answers:?}");
    assert_only(&answers, &["200 OK", "429 RATE_LIMITED"]);
    owner.challenge("sms").await.assert_ok();
    // Others elsewhere get theirs too: 32 of the 80 for everybody are used.
    for n in 0..48 {
        let login = mfa.user(&format!("other-{n}")).with_phone(&format!("+4478{n:08}")).login();
        login.from(&format!("10.0.{n}.1")).challenge("sms").await.assert_ok();
    }
}

/// Makes a command for a table.
type ToCommand<'a> = &'a dyn Fn(&TestApp) -> Command;

/// A request of a user whom an operator is changing at the same moment.
async fn of_all_kinds(
    mfa: &TestApp,
    n: usize,
    login: &Login,
    device: &Authenticator,
    code: &str,
    refresh_token: &str,
) -> Response {
    match n % 16 {
        0 => login.verify("totp", code).await,
        1 => login.verify("totp", &wrong_code(code, n)).await,
        2 => login.challenge("email").await,
        3 => mfa.refresh(refresh_token).await,
        4 => login.setup().await,
        5 => login.remove(&device.device_id).await,
        // Most requests only read, or the thousand would take minutes to commit one after another.
        6..=10 => login.call(Method::GET, "/auth/mfa/status", Vec::new()).await,
        _ => login.call(Method::GET, "/auth/mfa/devices", Vec::new()).await,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_an_operator_does_while_a_thousand_requests_run_holds_and_leaves_the_table_whole() {
    let user = || User { user: "alice".to_owned() };
    let page = || Page::of_part(0, 1, None);
    let restore = |mfa: &TestApp| Restore {
        table: format!("{}-restored", mfa.variables["MFA_TABLE"]),
        keep_recovery: false,
        erased: Vec::new(),
        page: page(),
    };
    let import = || ImportUser {
        line: 1,
        user: "alice".to_owned(),
        login: None,
        authenticators: Vec::new(),
        proven_email: Some("alice@example.com".to_owned()),
        proven_phone: None,
        enabled: false,
    };
    let commands: [(ToCommand<'_>, bool); 8] = [
        (&|_| Command::Unlock(user()), false),
        (&|_| Command::Reset(user()), true),
        (&|_| Command::EndSessions(user()), true),
        (&|_| Command::Erase(user()), true),
        (&|_| Command::RaiseEpochs(page()), true),
        (&|_| Command::Reseal(page()), false),
        (&|mfa| Command::RestoreFrom(restore(mfa)), true),
        (&|_| Command::Import(vec![import()]), false),
    ];
    for (to_command, ends_sessions) in commands {
        let mfa = TestApp::start_with(&[("MFA_AWS_TIMEOUT_MS", "60000")]).await;
        let alice = mfa.user("alice").with_email("alice@example.com").login();
        let device = alice.enrol().await;
        alice.toggle(true).await.assert_ok();
        let refresh_token = alice.verify("totp", &device.advance_to_next_code(&mfa)).await.text("refreshToken");
        let proven = alice.verify("totp", &device.advance_to_next_code(&mfa)).await.text("accessToken");
        let code = device.advance_to_next_code(&mfa);
        let command = to_command(&mfa);
        if let Command::RestoreFrom(restore) = &command {
            mfa.table.copy_as(&restore.table).await.expect("a backup");
        }
        let name = command.name();
        let answers = together(MANY, |n| {
            let (login, device, code) = (alice.with(proven.clone()), device.clone(), code.clone());
            let (refresh_token, command, mfa) = (refresh_token.clone(), command.clone(), Arc::clone(&mfa));
            async move {
                if n == MANY / 2 {
                    let reply = mfa.admin(command).await;
                    assert!(!matches!(reply, Reply::TryAgain(_) | Reply::Refused(_) | Reply::UnknownUser), "{reply:?}");
                }
                of_all_kinds(&mfa, n, &login, &device, &code, &refresh_token).await
            }
        })
        .await;
        assert!(answers.keys().all(|answer| !answer.starts_with("50")), "{name}: {answers:?}");
        let passed = answers.get("200 OK").copied().unwrap_or_default();
        assert!(passed > 0, "{name}: {answers:?}");

        if let Command::Erase(user) = &command {
            mfa.admin(Command::Sweep(user.clone())).await;
            let ids: Vec<_> = mfa.items("MFA#DEVICE").await.iter().map(|item| item["sk"]["S"].clone()).collect();
            assert!(!ids.contains(&format!("MFA#DEVICE#{}", device.device_id).into()), "{ids:?}");
        }
        let checked = mfa.admin_all(Command::Check).await;
        assert_eq!(checked.findings, [], "{name}");
        if ends_sessions {
            mfa.refresh(&refresh_token).await.assert_problem(401, "REFRESH_TOKEN_INVALID");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_thousand_uses_of_one_answer_of_a_passkey_one_passes() {
    let mfa = TestApp::start_with(PASSKEYS).await;
    let alice = mfa.user("alice").login();
    let mut key = alice.register().await;
    let answer = alice.answer_with(&mut key).await;
    let answers = together(MANY, |_| {
        let (alice, answer) = (alice.clone(), answer.clone());
        async move { alice.verify_passkey(&answer).await }
    })
    .await;
    assert_eq!(answers.get("200 OK"), Some(&1), "{answers:?}");
    assert_only(&answers, &["200 OK", "400 MFA_PASSKEY_INVALID", "429 RATE_LIMITED"]);
    mfa.advance(1);
    alice.use_key(&mut key).await.assert_ok();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_answers_to_one_set_up_make_one_passkey_with_its_items() {
    let mfa = TestApp::start_with(PASSKEYS).await;
    let alice = mfa.user("alice").login();
    let asked = alice.setup_passkey().await.assert_ok();
    let mut key = SoftKey::at("https://login.example.com");
    let answer = key.create(&asked["publicKey"]);
    // Each puts two items and deletes them again, so a thousand would wait for the engine alone.
    let answers = together(MANY / 5, |_| {
        let (alice, answer) = (alice.clone(), answer.clone());
        async move { alice.confirm_passkey(&answer).await }
    })
    .await;
    assert_only(&answers, &["200 OK", "429 RATE_LIMITED"]);
    assert_eq!(mfa.ledger("alice").await.expect("a ledger").passkeys.len(), 1);
    assert_eq!((mfa.items("MFA#PASSKEY#").await.len(), mfa.items("PASSKEY#").await.len()), (1, 1));
    mfa.advance(1);
    alice.use_key(&mut key).await.assert_ok();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_wrong_answers_of_passkeys_keep_no_right_one_from_passing() {
    let mfa = TestApp::start_with(PASSKEYS).await;
    let alice = mfa.user("alice").login();
    let mut key = alice.register().await;
    let right = alice.answer_with(&mut key).await;
    let mut wrong = right.clone();
    wrong["response"]["signature"] = "AAAA".into();
    let answers = together(MANY, |n| {
        let (alice, answer) = (alice.clone(), if n == 500 { right.clone() } else { wrong.clone() });
        async move { alice.verify_passkey(&answer).await }
    })
    .await;
    assert_eq!(answers.get("200 OK"), Some(&1), "{answers:?}");
    assert_only(&answers, &["200 OK", "400 MFA_PASSKEY_INVALID", "429 RATE_LIMITED"]);
}
