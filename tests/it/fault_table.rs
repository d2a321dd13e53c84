//! Rows 28 and 29 of the threat model as a table: route × call × fault → answer, and the answer to
//! the same request made again. `cargo test --workspace --test it fault_table -- --nocapture`
//! prints the table.
#![expect(clippy::print_stdout, reason = "the table is printed")]

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use futures_util::{FutureExt, StreamExt, future::BoxFuture, stream};
use lambda_http::http::{HeaderMap, Method};
use mfa::domain::{
    Ledger,
    ledger::{Device, Grace, Passkey, ProvenAddress, RecoverySet, Setup},
};
use mfa_tests::{Call, InjectedFault, Login, PASSKEYS, Response, SoftKey, TestApp, wrong_code};
use serde_json::{Value, json};

use crate::contract::allowed_calls;

/// A request that can be made more than once.
type Request = Box<dyn Fn() -> BoxFuture<'static, Response> + Send + Sync>;

/// Prepares a user for a request, and returns the request.
type Prepare = fn(Arc<TestApp>) -> BoxFuture<'static, Request>;

const OF_STRONG_READS: &[InjectedFault] = &[InjectedFault::Error, InjectedFault::Throttle, InjectedFault::Hang];
const OF_EVENTUAL_READS: &[InjectedFault] = &[
    InjectedFault::Error,
    InjectedFault::Throttle,
    InjectedFault::Hang,
    InjectedFault::Stale,
    InjectedFault::Torn,
    InjectedFault::TornLedger,
];
const OF_WRITES: &[InjectedFault] = &[
    InjectedFault::Error,
    InjectedFault::Throttle,
    InjectedFault::Hang,
    InjectedFault::HangAfter,
    InjectedFault::LoseAnswer,
    InjectedFault::LoseOneAnswer,
];

fn alice(mfa: &Arc<TestApp>) -> Login {
    mfa.user("alice").with_email("alice@example.com").with_phone("+442079460018").login()
}

fn alice_with_passkeys(mfa: &Arc<TestApp>) -> Login {
    alice(mfa).at(&mfa.redeployed_with(PASSKEYS))
}

fn again<F>(request: impl Fn() -> F + Send + Sync + 'static) -> Request
where
    F: Future<Output = Response> + Send + 'static,
{
    Box::new(move || request().boxed())
}

/// Posts the same body to the same path each time.
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

/// A login with a proof, and the id of another session of its user.
async fn two_sessions(mfa: &Arc<TestApp>) -> (Login, String) {
    let alice = alice(mfa);
    let otp = alice.receive_code("email").await;
    alice.verify("email", &otp).await.assert_ok();
    mfa.advance(60);
    let otp = alice.receive_code("email").await;
    let proven = alice.prove("email", &otp).await;
    let list = proven.sessions().await.assert_ok();
    let other = list.as_array().expect("a list").iter().find(|session| session["current"] == false);
    let id = other.and_then(|session| session["id"].as_str()).expect("another session").to_owned();
    (proven, id)
}

/// Gets what anybody may get.
fn getting(mfa: Arc<TestApp>, path: &'static str) -> BoxFuture<'static, Request> {
    let request = again(move || {
        let mfa = Arc::clone(&mfa);
        async move { mfa.request(Method::GET, path, HeaderMap::new(), Vec::new()).await }
    });
    async { request }.boxed()
}

/// A request that each route accepts, and for some routes also one that they refuse.
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
        ("toggle, dropping what another login made", |mfa| {
            async move {
                alice(&mfa).enrol().await;
                alice(&mfa).generate_recovery_codes().await;
                mfa.advance(3601);
                let alice = alice(&mfa);
                alice.enrol().await;
                posting(&alice, "/auth/mfa/toggle", json!({ "enabled": true }))
            }
            .boxed()
        }),
        ("toggle off", |mfa| {
            async move {
                let alice = alice(&mfa);
                alice.enrol().await;
                alice.toggle(true).await.assert_ok();
                posting(&alice, "/auth/mfa/toggle", json!({ "enabled": false }))
            }
            .boxed()
        }),
        ("challenge totp", |mfa| {
            async move {
                let alice = alice(&mfa);
                alice.enrol().await;
                posting(&alice, "/auth/mfa/challenge", json!({ "method": "totp" }))
            }
            .boxed()
        }),
        ("challenge e-mail", |mfa| {
            async move { posting(&alice(&mfa), "/auth/mfa/challenge", json!({ "method": "email" })) }.boxed()
        }),
        ("challenge e-mail, to an address that was refused", |mfa| {
            async move {
                let alice = mfa.user("alice").with_email("alice@rejected.example").login();
                alice.challenge("email").await.assert_problem(422, "MFA_DELIVERY_REJECTED");
                mfa.inbox.take_rejected(true);
                posting(&alice, "/auth/mfa/challenge", json!({ "method": "email" }))
            }
            .boxed()
        }),
        ("challenge sms", |mfa| {
            async move { posting(&alice(&mfa), "/auth/mfa/challenge", json!({ "method": "sms" })) }.boxed()
        }),
        ("challenge sms, through End User Messaging", |mfa| {
            async move {
                let identity = "arn:aws:sms-voice:us-east-1:123456789012:pool/pool-1";
                let other = mfa.redeployed_with(&[
                    ("MFA_SMS_SERVICE", "end-user-messaging"),
                    ("MFA_SMS_ORIGINATION_IDENTITY", identity),
                ]);
                posting(&alice(&mfa).at(&other), "/auth/mfa/challenge", json!({ "method": "sms" }))
            }
            .boxed()
        }),
        ("setup-passkey", |mfa| {
            async move { posting(&alice_with_passkeys(&mfa), "/auth/mfa/setup-passkey", json!({})) }.boxed()
        }),
        ("verify-passkey-setup", |mfa| {
            async move {
                let alice = alice_with_passkeys(&mfa);
                let asked = alice.setup_passkey().await.assert_ok();
                let credential = SoftKey::at("https://login.example.com").create(&asked["publicKey"]);
                posting(&alice, "/auth/mfa/verify-passkey-setup", json!({ "credential": credential }))
            }
            .boxed()
        }),
        ("challenge-passkey", |mfa| {
            async move {
                let alice = alice_with_passkeys(&mfa);
                alice.register().await;
                posting(&alice, "/auth/mfa/challenge-passkey", json!({}))
            }
            .boxed()
        }),
        ("verify-passkey, wrong", |mfa| {
            async move {
                let alice = alice_with_passkeys(&mfa);
                let mut key = alice.register().await;
                let mut credential = alice.answer_with(&mut key).await;
                credential["response"]["signature"] = json!("AAAA");
                posting(&alice, "/auth/mfa/verify-passkey", json!({ "credential": credential }))
            }
            .boxed()
        }),
        ("verify-passkey, trusting", |mfa| {
            async move {
                let alice = alice_with_passkeys(&mfa);
                let mut key = alice.register().await;
                let credential = alice.answer_with(&mut key).await;
                let body = json!({ "credential": credential, "trustDevice": true });
                posting(&alice, "/auth/mfa/verify-passkey", body)
            }
            .boxed()
        }),
        ("setup-totp", |mfa| async move { posting(&alice(&mfa), "/auth/mfa/setup-totp", json!({})) }.boxed()),
        ("setup-totp, a fourth", |mfa| {
            async move {
                let alice = alice(&mfa);
                for _ in 0..3 {
                    alice.open_authenticator().await;
                }
                posting(&alice, "/auth/mfa/setup-totp", json!({}))
            }
            .boxed()
        }),
        ("verify-totp-setup, wrong", |mfa| {
            async move {
                let alice = alice(&mfa);
                let open = alice.open_authenticator().await;
                let body = json!({ "otp": wrong_code(&open.code(&mfa), 0), "secret": open.secret });
                posting(&alice, "/auth/mfa/verify-totp-setup", body)
            }
            .boxed()
        }),
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
        ("verify sms", |mfa| {
            async move {
                let alice = alice(&mfa);
                let otp = alice.receive_code("sms").await;
                posting(&alice, "/auth/mfa/verify", json!({ "method": "sms", "otp": otp }))
            }
            .boxed()
        }),
        ("verify e-mail, wrong", |mfa| {
            async move {
                let alice = alice(&mfa);
                let otp = wrong_code(&alice.receive_code("email").await, 0);
                posting(&alice, "/auth/mfa/verify", json!({ "method": "email", "otp": otp }))
            }
            .boxed()
        }),
        ("verify totp, trusting", |mfa| {
            async move {
                let alice = alice(&mfa);
                let otp = alice.enrol().await.advance_to_next_code(&mfa);
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
        ("rename-device", |mfa| {
            async move {
                let alice = alice(&mfa);
                let device = alice.enrol().await;
                again(move || {
                    let (alice, id) = (alice.clone(), device.device_id.clone());
                    async move { alice.rename(&id, "New").await }
                })
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
        ("generate-recovery-code, anew", |mfa| {
            async move {
                let alice = alice(&mfa);
                alice.generate_recovery_codes().await;
                posting(&alice, "/auth/mfa/generate-recovery-code", json!({}))
            }
            .boxed()
        }),
        ("verify-recovery-code", |mfa| {
            async move {
                let alice = alice(&mfa);
                let code = alice.generate_recovery_codes().await.remove(0);
                let body = json!({ "code": code, "trustDevice": true });
                posting(&alice, "/auth/mfa/verify-recovery-code", body)
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
        ("reset-totp, wrong", |mfa| {
            async move {
                let code = json!({ "code": "0000-0000-0000-0000-0000-0000" });
                posting(&alice(&mfa), "/auth/mfa/reset-totp", code)
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
        ("verify-trusted-device, unknown", |mfa| {
            async move {
                let alice = alice(&mfa);
                again(move || {
                    let alice = alice.clone();
                    async move { alice.verify_trusted(&format!("mfat_{}", "A".repeat(43))).await }
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
        ("list-sessions", |mfa| async move { calling(&alice(&mfa), Method::GET, "/auth/mfa/sessions".into()) }.boxed()),
        ("end-session", |mfa| {
            async move {
                let (proven, other) = two_sessions(&mfa).await;
                calling(&proven, Method::DELETE, format!("/auth/mfa/sessions/{other}"))
            }
            .boxed()
        }),
        ("end-session, current", |mfa| {
            async move {
                let (proven, _) = two_sessions(&mfa).await;
                calling(&proven, Method::DELETE, "/auth/mfa/sessions/current".into())
            }
            .boxed()
        }),
        ("end-session, others", |mfa| {
            async move {
                let (proven, _) = two_sessions(&mfa).await;
                calling(&proven, Method::DELETE, "/auth/mfa/sessions/others".into())
            }
            .boxed()
        }),
        ("jwks", |mfa| getting(mfa, "/.well-known/jwks.json")),
        ("openid-configuration", |mfa| getting(mfa, "/.well-known/openid-configuration")),
    ]
}

/// The answers to a request and to the same request made again, and what the first one changed.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Outcome {
    first: String,
    next: String,
    /// The state before the first request.
    before: Left,
    /// The state after the first request.
    after: Left,
    /// Consecutive wrong answers that the ledger counts at the end.
    wrong: u8,
}

/// The state that a request leaves behind.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Left {
    /// Outstanding codes.
    codes: usize,
    /// Sends that the ledger counts.
    sends: usize,
    /// Messages that arrived.
    sent: u64,
    /// Everything else that counts in the ledger, if there is one.
    factors: Option<Factors>,
    /// The number of other items: devices, recovery sets, sessions and trusted devices.
    items: BTreeMap<&'static str, usize>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Factors {
    enabled: bool,
    /// The user's security epoch. A first ledger begins with a random one.
    security_epoch: u64,
    devices: Vec<Device>,
    passkeys: Vec<Passkey>,
    setups: Vec<Setup>,
    recovery: Option<RecoverySet>,
    proven: Vec<ProvenAddress>,
    grace: Option<Grace>,
}

impl Factors {
    fn of(ledger: &Ledger) -> Self {
        let Ledger { enabled, security_epoch, devices, passkeys, setups, recovery, proven, grace, .. } = ledger.clone();
        Self { enabled, security_epoch, devices, passkeys, setups, recovery, proven, grace }
    }

    /// How many there are of each. Two runs cannot be compared by ids and first epochs, which are
    /// random.
    fn shape(&self) -> (bool, [usize; 4], [bool; 2]) {
        let lists = [self.devices.len(), self.passkeys.len(), self.setups.len(), self.proven.len()];
        (self.enabled, lists, [self.recovery.is_some(), self.grace.is_some()])
    }

    fn is_empty(&self) -> bool {
        self.shape() == (false, [0; 4], [false; 2])
    }
}

async fn left(mfa: &TestApp) -> Left {
    let ledger = mfa.ledger("alice").await;
    let mut items = BTreeMap::new();
    for kind in ["MFA#DEVICE", "MFA#PASSKEY", "PASSKEY", "MFA#RECOVERY", "SESSION", "TRUST"] {
        items.insert(kind, mfa.items(kind).await.len());
    }
    Left {
        codes: ledger.as_ref().map_or(0, |ledger| ledger.codes.len()),
        sends: ledger.as_ref().map_or(0, |ledger| ledger.sends.sent.len()),
        sent: mfa.inbox.received(),
        factors: ledger.as_ref().map(Factors::of),
        items,
    }
}

async fn run(prepare: Prepare, broken: Option<(&str, usize, InjectedFault)>) -> (Outcome, Vec<Call>) {
    let mfa = TestApp::start_with(&[("MFA_AWS_TIMEOUT_MS", "800")]).await;
    // Stale reads return later what this request reads: nothing is known of the user yet.
    mfa.fault_proxy.remember();
    alice(&mfa).verify("email", "123456").await.assert_problem(400, "VERIFICATION_CODE_INVALID");
    let request = prepare(Arc::clone(&mfa)).await;
    let before = left(&mfa).await;
    mfa.fault_proxy.take_calls();
    if let Some((call, n, fault)) = broken {
        mfa.fault_proxy.break_call(call, n, fault);
    }
    let first = request().await;
    let calls = mfa.fault_proxy.take_calls();
    mfa.fault_proxy.heal();
    let after = left(&mfa).await;
    let next = request().await;
    let wrong = mfa.ledger("alice").await.map_or(0, |ledger| ledger.failures.consecutive);
    (Outcome { first: shown(&first), next: shown(&next), before, after, wrong }, calls)
}

fn shown(answer: &Response) -> String {
    format!("{} {}", answer.status, answer.code().unwrap_or_default()).trim().to_owned()
}

/// Fails unless a request under one fault had a permitted outcome. `clean` is its outcome without a
/// fault.
fn assert_allowed(what: &str, clean: &Outcome, seen: &Outcome) {
    let unavailable = seen.first == "503 SERVICE_UNAVAILABLE";
    let undelivered = seen.first == "503 MFA_DELIVERY_FAILED";
    // Either everything happened, or nothing did and the same request made again succeeds.
    let survived = (&seen.first, &seen.next) == (&clean.first, &clean.next);
    let as_if_nothing = unavailable && seen.next == clean.first;
    // To revoke a device is to delete an item, and to end a session to mark one. If that was done and
    // the answer was lost, the next request does not find it.
    let ends = ["revoke-trusted-device × DeleteItem", "end-session × UpdateItem SESSION"];
    let revoked = unavailable && ends.iter().any(|call| what.starts_with(call)) && seen.next == clean.next;
    let undelivered_only = undelivered && matches!(seen.next.as_str(), "200" | "429 RATE_LIMITED");
    assert!(survived || as_if_nothing || revoked || undelivered_only, "{what}: {seen:?} instead of {clean:?}");
    assert_eq!(seen.wrong, clean.wrong, "{what}: a wrong answer is counted, once");
    if unavailable {
        let mut after = seen.after.clone();
        if seen.before.factors.is_none() {
            assert!(after.factors.as_ref().is_none_or(Factors::is_empty), "{what}: {after:?}");
            after.factors = None;
        }
        if what.contains("MFA#LEDGER") {
            // Nobody can tell whether the ledger was committed, so the items that it may name stay.
            for kind in ["MFA#DEVICE", "MFA#PASSKEY", "PASSKEY", "MFA#RECOVERY"] {
                after.items.insert(kind, after.items[kind].min(seen.before.items[kind]));
            }
        }
        if what.contains("× DeleteItem") {
            // Revoking a device deletes an item. That may have happened.
            after.items.clone_from(&seen.before.items);
        }
        assert_eq!(after, seen.before, "{what}: nothing was done, and a code that was not sent costs nothing");
    }
    if seen.first == clean.first && !undelivered {
        let shape = |left: &Left| (left.codes, left.sends, left.sent, left.factors.as_ref().map(Factors::shape));
        assert_eq!(shape(&seen.after), shape(&clean.after), "{what}: done as without a fault");
    }
    if undelivered {
        // If the message may be on its way, it is counted and its code is valid. If it certainly
        // was not sent, it is not counted and there is no code.
        let Left { codes, sends, sent, .. } = seen.after;
        assert!(codes == sends && sent <= u64::try_from(sends).expect("few"), "{what}: {seen:?}");
        assert_eq!(sends == 0, seen.next == "200", "{what}: {seen:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_of_every_call_of_every_route_is_a_documented_answer_and_the_next_request_goes_on() {
    let mut clean = BTreeMap::new();
    let mut cases = Vec::new();
    let mut made = BTreeMap::new();
    for (route, prepare) in routes() {
        let (outcome, mut calls) = run(prepare, None).await;
        clean.insert(route, outcome);
        note(&mut made, route, &calls);
        calls.sort_by(|a, b| a.what.cmp(&b.what));
        let allowed = allowed_calls(function_of(route));
        let denied = calls.iter().find(|call| !allowed.contains(call.what.split(' ').next().unwrap_or_default()));
        assert!(denied.is_none(), "template.yaml does not let {route} make the call {denied:?}");
        for (place, call) in calls.iter().enumerate() {
            let n = calls[..place].iter().filter(|other| other.what == call.what).count();
            let is_read = call.what.starts_with("Query") || call.what.starts_with("GetItem");
            let faults = match (is_read, call.strong) {
                (true, true) => OF_STRONG_READS,
                (true, false) => OF_EVENTUAL_READS,
                (false, _) => OF_WRITES,
            };
            cases.extend(faults.iter().map(|fault| (route, prepare, call.what.clone(), n, *fault)));
        }
    }
    let rows = stream::iter(cases).map(|(route, prepare, call, n, fault)| async move {
        let (seen, calls) = run(prepare, Some((&call, n, fault))).await;
        let nth = if n == 0 { call } else { format!("{call} ({})", n + 1) };
        ((route, nth, fault, seen), calls)
    });
    let rows: Vec<_> = rows.buffer_unordered(8).collect().await;
    for ((route, ..), calls) in &rows {
        note(&mut made, route, calls);
    }
    let mut rows: Vec<_> = rows.into_iter().map(|(row, _)| row).collect();
    rows.sort_by(|a, b| (a.0, &a.1, format!("{:?}", a.2)).cmp(&(b.0, &b.1, format!("{:?}", b.2))));
    println!("{:<40} {:<22} {:<14} {:<28} next", "route", "call", "fault", "answer");
    for (route, call, fault, seen) in &rows {
        println!("{route:<40} {call:<22} {:<14} {:<28} {}", format!("{fault:?}"), seen.first, seen.next);
    }
    assert!(rows.len() > 250, "{} rows", rows.len());
    for (route, call, fault, seen) in &rows {
        assert_allowed(&format!("{route} × {call} × {fault:?}"), &clean[route], seen);
    }

    let mfa = TestApp::start().await;
    for route in mfa.routes() {
        let mut unused = allowed_calls(route.function);
        let made = made.get(route.name).unwrap_or_else(|| panic!("{} is not in the table", route.name));
        unused.retain(|call| !made.contains(call));
        // A function that starts opens the connection to the table by a read.
        unused.remove("GetItem");
        if route.name == "verify-totp-setup" {
            // It opens a session where the login's name is shared.
            assert!(unused.remove("PutItem") && unused.remove("DeleteItem"));
        }
        assert!(unused.is_empty(), "template.yaml lets {} make calls that it never makes: {unused:?}", route.name);
    }
}

fn function_of(route: &str) -> &str {
    route.split([' ', ',']).next().unwrap_or_default()
}

/// Notes which calls a function made.
fn note(made: &mut BTreeMap<String, BTreeSet<String>>, route: &str, calls: &[Call]) {
    let calls = calls.iter().map(|call| call.what.split(' ').next().unwrap_or_default().to_owned());
    made.entry(function_of(route).to_owned()).or_default().extend(calls);
}
