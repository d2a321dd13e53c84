//! Rows 28 and 29 of the threat model as a table: route × call × fault → answer, and what the same request sees next.
//! `cargo test --workspace --test it fault_table -- --nocapture` prints it.
#![expect(clippy::print_stdout, reason = "the table is printed")]

use std::{collections::BTreeMap, sync::Arc};

use futures_util::{FutureExt, StreamExt, future::BoxFuture, stream};
use lambda_http::http::{HeaderMap, Method};
use mfa_tests::{Answer, Fault, Login, TestBundle};
use serde_json::{Value, json};

use crate::contract::allowed_calls;

/// A request that can be made again and again.
type Request = Box<dyn Fn() -> BoxFuture<'static, Answer> + Send + Sync>;

/// Brings a user to where a request can be made.
type Prepare = fn(Arc<TestBundle>) -> BoxFuture<'static, Request>;

const OF_READS: [Fault; 6] = [Fault::Error, Fault::Throttle, Fault::Hang, Fault::Stale, Fault::Torn, Fault::TornLedger];
const OF_WRITES: [Fault; 6] =
    [Fault::Error, Fault::Throttle, Fault::Hang, Fault::HangAfter, Fault::LoseAnswer, Fault::LoseOneAnswer];

fn alice(mfa: &Arc<TestBundle>) -> Login {
    mfa.user("alice").with_email("alice@example.com").with_phone("+442079460018").login()
}

fn again<F>(request: impl Fn() -> F + Send + Sync + 'static) -> Request
where
    F: Future<Output = Answer> + Send + 'static,
{
    Box::new(move || request().boxed())
}

/// Posts the same to the same path each time.
fn posting(login: &Login, path: &'static str, body: Value) -> Request {
    let login = login.clone();
    again(move || {
        let (login, body) = (login.clone(), body.clone());
        async move { login.post(path, body).await }
    })
}

fn calling(login: &Login, method: Method, path: String) -> Request {
    let login = login.clone();
    again(move || {
        let (login, method, path) = (login.clone(), method.clone(), path.clone());
        async move { login.call(method, &path, Vec::new()).await }
    })
}

/// Every route, each with a request that goes through, and some with one that does not.
#[expect(clippy::too_many_lines, reason = "one list, a route after the other")]
fn routes() -> Vec<(&'static str, Prepare)> {
    vec![
        ("status", |mfa| async move { calling(&alice(&mfa), Method::GET, "/auth/mfa/status".into()) }.boxed()),
        ("list-devices", |mfa| async move { calling(&alice(&mfa), Method::GET, "/auth/mfa/devices".into()) }.boxed()),
        ("toggle", |mfa| {
            async move {
                let alice = alice(&mfa);
                alice.enrol().await;
                posting(&alice, "/auth/mfa/toggle", json!({ "enabled": true }))
            }
            .boxed()
        }),
        ("challenge e-mail", |mfa| {
            async move { posting(&alice(&mfa), "/auth/mfa/challenge", json!({ "method": "email" })) }.boxed()
        }),
        ("challenge sms", |mfa| {
            async move { posting(&alice(&mfa), "/auth/mfa/challenge", json!({ "method": "sms" })) }.boxed()
        }),
        ("setup-totp", |mfa| async move { posting(&alice(&mfa), "/auth/mfa/setup-totp", json!({})) }.boxed()),
        ("verify-totp-setup", |mfa| {
            async move {
                let alice = alice(&mfa);
                let open = alice.open_authenticator().await;
                let body = json!({ "otp": open.code(&mfa), "secret": open.secret });
                posting(&alice, "/auth/mfa/verify-totp-setup", body)
            }
            .boxed()
        }),
        ("verify e-mail", |mfa| {
            async move {
                let alice = alice(&mfa);
                let otp = alice.receive_code("email").await;
                posting(&alice, "/auth/mfa/verify", json!({ "method": "email", "otp": otp }))
            }
            .boxed()
        }),
        ("verify totp, trusting", |mfa| {
            async move {
                let alice = alice(&mfa);
                let otp = alice.enrol().await.next_code(&mfa);
                let body = json!({ "method": "totp", "otp": otp, "trustDevice": true });
                posting(&alice, "/auth/mfa/verify", body)
            }
            .boxed()
        }),
        ("verify totp, wrong", |mfa| {
            async move {
                let alice = alice(&mfa);
                alice.enrol().await;
                posting(&alice, "/auth/mfa/verify", json!({ "method": "totp", "otp": "000000" }))
            }
            .boxed()
        }),
        ("remove-device", |mfa| {
            async move {
                let alice = alice(&mfa);
                let device = alice.enrol().await;
                calling(&alice, Method::DELETE, format!("/auth/mfa/devices/{}", device.device_id))
            }
            .boxed()
        }),
        ("generate-recovery-code", |mfa| {
            async move { posting(&alice(&mfa), "/auth/mfa/generate-recovery-code", json!({})) }.boxed()
        }),
        ("verify-recovery-code", |mfa| {
            async move {
                let alice = alice(&mfa);
                let code = alice.generate_recovery_codes().await.remove(0);
                posting(&alice, "/auth/mfa/verify-recovery-code", json!({ "code": code }))
            }
            .boxed()
        }),
        ("verify-recovery-code, wrong", |mfa| {
            async move {
                let code = json!({ "code": "0000-0000-0000-0000-0000-0000" });
                posting(&alice(&mfa), "/auth/mfa/verify-recovery-code", code)
            }
            .boxed()
        }),
        ("reset-totp", |mfa| {
            async move {
                let alice = alice(&mfa);
                alice.enrol().await;
                let code = alice.generate_recovery_codes().await.remove(0);
                posting(&alice, "/auth/mfa/reset-totp", json!({ "code": code }))
            }
            .boxed()
        }),
        ("refresh-token", |mfa| {
            async move {
                let alice = alice(&mfa);
                let otp = alice.receive_code("email").await;
                let token = alice.verify("email", &otp).await.text("refreshToken");
                again(move || {
                    let (mfa, token) = (Arc::clone(&mfa), token.clone());
                    async move { mfa.refresh(&token).await }
                })
            }
            .boxed()
        }),
        ("refresh-token, reused", |mfa| {
            async move {
                let alice = alice(&mfa);
                let otp = alice.receive_code("email").await;
                let token = alice.verify("email", &otp).await.text("refreshToken");
                mfa.refresh(&token).await.assert_ok();
                mfa.advance(11);
                again(move || {
                    let (mfa, token) = (Arc::clone(&mfa), token.clone());
                    async move { mfa.refresh(&token).await }
                })
            }
            .boxed()
        }),
        ("verify-trusted-device", |mfa| {
            async move {
                let alice = alice(&mfa);
                let otp = alice.receive_code("email").await;
                let token = alice.trust("email", &otp).await;
                again(move || {
                    let (alice, token) = (alice.clone(), token.clone());
                    async move { alice.verify_trusted(&token).await }
                })
            }
            .boxed()
        }),
        ("list-trusted-devices", |mfa| {
            async move { calling(&alice(&mfa), Method::GET, "/auth/mfa/trusted-devices".into()) }.boxed()
        }),
        ("revoke-trusted-device", |mfa| {
            async move {
                let alice = alice(&mfa);
                let otp = alice.receive_code("email").await;
                alice.trust("email", &otp).await;
                let list = alice.trusted_devices().await.assert_ok();
                let id = list[0]["id"].as_str().expect("an id").to_owned();
                calling(&alice, Method::DELETE, format!("/auth/mfa/trusted-devices/{id}"))
            }
            .boxed()
        }),
        ("jwks", |mfa| {
            async move {
                again(move || {
                    let mfa = Arc::clone(&mfa);
                    async move { mfa.request(Method::GET, "/.well-known/jwks.json", HeaderMap::new(), Vec::new()).await }
                })
            }
            .boxed()
        }),
    ]
}

/// What came of a request, and of the same one again.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Outcome {
    first: String,
    next: String,
    /// What there was before the request, and after it.
    before: Left,
    after: Left,
    /// Wrong answers in a row that the ledger counts at the end.
    wrong: u64,
}

/// What a request leaves behind: codes outstanding, sends that were counted, messages that went out.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Left {
    codes: usize,
    sends: usize,
    sent: u64,
}

async fn left(mfa: &TestBundle) -> Left {
    let ledger = mfa.items("MFA#LEDGER").await.pop().unwrap_or_default();
    let length = |list: &Value| list["L"].as_array().map_or(0, Vec::len);
    Left { codes: length(&ledger["codes"]), sends: length(&ledger["sends"]["M"]["at"]), sent: mfa.inbox.received() }
}

async fn run(prepare: Prepare, broken: Option<(&str, usize, Fault)>) -> (Outcome, Vec<String>) {
    let mfa = TestBundle::start_with(&[("MFA_AWS_TIMEOUT_MS", "800")]).await;
    // What a stale read says later: that nothing is known of anybody.
    mfa.wrapper.remember();
    alice(&mfa).verify("email", "123456").await.assert_problem(400, "VERIFICATION_CODE_INVALID");
    let request = prepare(Arc::clone(&mfa)).await;
    let before = left(&mfa).await;
    mfa.wrapper.take_calls();
    if let Some((call, n, fault)) = broken {
        mfa.wrapper.break_call(call, n, fault);
    }
    let first = request().await;
    let calls = mfa.wrapper.take_calls().into_iter().map(|call| call.what).collect();
    mfa.wrapper.mend();
    let after = left(&mfa).await;
    let next = request().await;
    let ledger = mfa.items("MFA#LEDGER").await.pop().unwrap_or_default();
    let wrong = ledger["failures"]["M"]["row"]["N"].as_str().map_or(0, |row| row.parse().expect("a number"));
    (Outcome { first: shown(&first), next: shown(&next), before, after, wrong }, calls)
}

fn shown(answer: &Answer) -> String {
    format!("{} {}", answer.status, answer.code().unwrap_or_default()).trim().to_owned()
}

/// What may come of a request under one fault, when `clean` comes of it without any.
fn assert_allowed(what: &str, clean: &Outcome, seen: &Outcome) {
    let unavailable = seen.first == "503 SERVICE_UNAVAILABLE";
    let undelivered = seen.first == "503 MFA_DELIVERY_FAILED";
    // All happened, or nothing did and the same request goes through.
    let survived = (&seen.first, &seen.next) == (&clean.first, &clean.next);
    let as_if_nothing = unavailable && seen.next == clean.first;
    // Revoking is deleting: what was deleted before the answer was lost is not found again.
    let revoked = unavailable && what.starts_with("revoke-trusted-device × DeleteItem") && seen.next == clean.next;
    let undelivered_only = undelivered && matches!(seen.next.as_str(), "200" | "429 RATE_LIMITED");
    assert!(survived || as_if_nothing || revoked || undelivered_only, "{what}: {seen:?} instead of {clean:?}");
    assert_eq!(seen.wrong, clean.wrong, "{what}: a wrong answer is counted, once");
    if unavailable {
        assert_eq!(seen.after, seen.before, "{what}: a code that surely was not sent is void, and costs nothing");
    }
    if undelivered {
        // It may be on its way: then it is counted and valid. If it surely is not, it is neither.
        let Left { codes, sends, sent } = seen.after;
        assert!(codes == sends && sent <= u64::try_from(sends).expect("few"), "{what}: {seen:?}");
        assert_eq!(sends == 0, seen.next == "200", "{what}: {seen:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_of_every_call_of_every_route_is_a_documented_answer_and_the_next_request_goes_on() {
    let mut clean = BTreeMap::new();
    let mut cases = Vec::new();
    for (route, prepare) in routes() {
        let (outcome, mut calls) = run(prepare, None).await;
        clean.insert(route, outcome);
        calls.sort_unstable();
        let allowed = allowed_calls(route.split([' ', ',']).next().unwrap_or_default());
        let denied = calls.iter().find(|call| !allowed.contains(call.split(' ').next().unwrap_or_default()));
        assert!(denied.is_none(), "template.yaml does not let {route} make the call {denied:?}");
        for (place, call) in calls.iter().enumerate() {
            let n = calls[..place].iter().filter(|other| *other == call).count();
            let is_read = call.starts_with("Query") || call.starts_with("GetItem");
            let faults = if is_read { OF_READS } else { OF_WRITES };
            cases.extend(faults.map(|fault| (route, prepare, call.clone(), n, fault)));
        }
    }
    let rows = stream::iter(cases).map(|(route, prepare, call, n, fault)| async move {
        let (seen, _) = run(prepare, Some((&call, n, fault))).await;
        let nth = if n == 0 { call } else { format!("{call} ({})", n + 1) };
        (route, nth, fault, seen)
    });
    let mut rows: Vec<_> = rows.buffer_unordered(8).collect().await;
    rows.sort_by(|a, b| (a.0, &a.1, format!("{:?}", a.2)).cmp(&(b.0, &b.1, format!("{:?}", b.2))));
    println!("{:<28} {:<22} {:<14} {:<28} next", "route", "call", "fault", "answer");
    for (route, call, fault, seen) in &rows {
        println!("{route:<28} {call:<22} {:<14} {:<28} {}", format!("{fault:?}"), seen.first, seen.next);
    }
    assert!(rows.len() > 250, "{} rows", rows.len());
    for (route, call, fault, seen) in &rows {
        assert_allowed(&format!("{route} × {call} × {fault:?}"), &clean[route], seen);
    }
}
