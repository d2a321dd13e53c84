//! Row 58 of the threat model: an item that is there and cannot be read never counts as absent.
//! Each attribute of each kind of item is removed and malformed in turn. `-- --nocapture` prints
//! the table. Row 41: what a newer version wrote is neither read nor overwritten.
#![expect(clippy::print_stdout, reason = "the table is printed")]

use std::sync::Arc;

use futures_util::{FutureExt, StreamExt, future::BoxFuture, stream};
use lambda_http::http::Method;
use mfa_tests::{Authenticator, Login, Response, TestApp, claims_of};
use serde_json::{Value, json};

/// A user with one item of every kind, and what it takes to need each of them.
struct World {
    mfa: Arc<TestApp>,
    /// A login with a fresh proof.
    proven: Login,
    /// A login without one, to which a code was sent.
    plain: Login,
    device: Authenticator,
    setup: Authenticator,
    recovery_codes: Vec<String>,
    email_code: String,
    trust_token: String,
    refresh_token: String,
    session_id: String,
}

impl World {
    async fn start() -> Self {
        // No address has to be proven before.
        let mfa = TestApp::start_with(&[("MFA_BIND_ADDRESSES", "false")]).await;
        let alice = mfa.user("alice").with_email("alice@example.com").login();
        let device = alice.enrol().await;
        alice.toggle(true).await.assert_ok();
        let trust_token = alice.trust("totp", &device.advance_to_next_code(&mfa)).await;
        let verified = alice.verify("totp", &device.advance_to_next_code(&mfa)).await;
        let proven = alice.with(verified.text("accessToken"));
        let recovery_codes = proven.generate_recovery_codes().await;
        let setup = proven.open_authenticator().await;
        let plain = mfa.user("alice").with_email("alice@example.com").login();
        let email_code = plain.receive_code("email").await;
        let refresh_token = verified.text("refreshToken");
        let session_id = claims_of(&proven.token)["mfa"]["session"].as_str().expect("an id").to_owned();
        Self { mfa, proven, plain, device, setup, recovery_codes, email_code, trust_token, refresh_token, session_id }
    }

    async fn get(&self, path: &str) -> Response {
        self.proven.call(Method::GET, path, Vec::new()).await
    }

    async fn verify_totp(&self) -> Response {
        self.plain.verify("totp", &self.device.advance_to_next_code(&self.mfa)).await
    }
}

type Call = for<'a> fn(&'a World) -> BoxFuture<'a, Response>;

/// A kind of item: the beginning of its sort key, how to tell the one that is meant, the calls that
/// need it, and some that do not. The last ones of those change what the item is about.
struct Kind {
    name: &'static str,
    sort_key: fn(&World) -> String,
    /// Attributes whose loss decides nothing.
    optional: &'static [&'static str],
    needed_by: &'static [(&'static str, Call)],
    not_needed_by: &'static [(&'static str, Call)],
}

const STATUS: (&str, Call) = ("status", |world| world.get("/auth/mfa/status").boxed());
const DEVICES: (&str, Call) = ("list-devices", |world| world.get("/auth/mfa/devices").boxed());
const TRUSTED: (&str, Call) = ("list-trusted-devices", |world| world.get("/auth/mfa/trusted-devices").boxed());
const CHALLENGE_TOTP: (&str, Call) = ("challenge totp", |world| world.plain.challenge("totp").boxed());
const VERIFY_TOTP: (&str, Call) = ("verify totp", |world| world.verify_totp().boxed());
const VERIFY_EMAIL: (&str, Call) = ("verify email", |world| world.plain.verify("email", &world.email_code).boxed());
const VERIFY_SETUP: (&str, Call) = ("verify-totp-setup", |world| {
    async { world.proven.confirm(&world.setup.code(&world.mfa), &world.setup.secret).await }.boxed()
});
const RECOVER: (&str, Call) = ("verify-recovery-code", |world| world.plain.recover(&world.recovery_codes[0]).boxed());
const RESET: (&str, Call) = ("reset-totp", |world| world.plain.reset(&world.recovery_codes[1]).boxed());
const GENERATE: (&str, Call) = ("generate-recovery-code", |world| {
    world.proven.call(Method::POST, "/auth/mfa/generate-recovery-code", Vec::new()).boxed()
});
const TRUST: (&str, Call) = ("verify-trusted-device", |world| world.plain.verify_trusted(&world.trust_token).boxed());
const REFRESH: (&str, Call) = ("refresh-token", |world| world.mfa.refresh(&world.refresh_token).boxed());
const REMOVE: (&str, Call) = ("remove-device", |world| world.proven.remove(&world.device.device_id).boxed());

const KINDS: &[Kind] = &[
    Kind {
        name: "ledger",
        sort_key: |_| "MFA#LEDGER".to_owned(),
        optional: &["g", "m", "t", "u"],
        needed_by: &[STATUS, DEVICES, VERIFY_TOTP, VERIFY_EMAIL, RECOVER, TRUST, REFRESH, GENERATE],
        not_needed_by: &[],
    },
    Kind {
        name: "device",
        sort_key: |world| format!("MFA#DEVICE#{}", world.device.device_id),
        optional: &[],
        needed_by: &[VERIFY_TOTP],
        not_needed_by: &[STATUS, DEVICES, CHALLENGE_TOTP, REFRESH, TRUST, VERIFY_EMAIL, REMOVE],
    },
    Kind {
        name: "set-up",
        sort_key: |world| format!("MFA#DEVICE#{}", world.setup.device_id),
        optional: &["ttl"],
        needed_by: &[VERIFY_SETUP],
        not_needed_by: &[STATUS, DEVICES, VERIFY_TOTP, REFRESH, TRUST, VERIFY_EMAIL],
    },
    Kind {
        name: "recovery set",
        sort_key: |_| "MFA#RECOVERY#".to_owned(),
        optional: &[],
        needed_by: &[RECOVER, RESET],
        not_needed_by: &[STATUS, DEVICES, VERIFY_TOTP, REFRESH, GENERATE],
    },
    Kind {
        name: "code",
        sort_key: |_| "CODE#".to_owned(),
        optional: &["superseded", "superseded_before", "ttl"],
        needed_by: &[VERIFY_EMAIL],
        not_needed_by: &[STATUS, DEVICES, VERIFY_TOTP, RECOVER],
    },
    Kind {
        name: "trusted device",
        sort_key: |_| "TRUST#".to_owned(),
        optional: &["used", "ttl"],
        needed_by: &[TRUST],
        not_needed_by: &[STATUS, DEVICES, TRUSTED, VERIFY_TOTP],
    },
    Kind {
        name: "session",
        sort_key: |world| format!("SESSION#{}", world.session_id),
        optional: &["ttl"],
        needed_by: &[REFRESH],
        not_needed_by: &[STATUS, DEVICES, VERIFY_TOTP],
    },
];

/// A value of another type than `value`, or of the same type and not whole.
fn malformed(value: &Value) -> Vec<Value> {
    let is_number = value.get("N").is_some();
    let other_type = if is_number { json!({ "S": "Alice's" }) } else { json!({ "N": "1" }) };
    let cut = value["B"].as_str().filter(|text| text.len() > 4).map(|text| json!({ "B": &text[..4] }));
    [Some(other_type), cut].into_iter().flatten().collect()
}

/// The item of `kind`.
async fn item(world: &World, kind: &Kind) -> Value {
    let prefix = (kind.sort_key)(world);
    let mut items = world.mfa.items(&prefix).await;
    assert_eq!(items.len(), 1, "{}: {items:?}", kind.name);
    items.remove(0)
}

/// One attribute spoilt in one way, and every call tried in a world of its own. Returns the row of
/// the table.
async fn spoil(kind: &'static Kind, attribute: String, value: Option<Value>) -> String {
    let how = value.as_ref().map_or_else(|| "removed".to_owned(), ToString::to_string);
    let is_sealed = matches!((kind.name, attribute.as_str()), ("device" | "set-up", "secret") | ("session", "claims"));
    let mut cause = String::new();
    for (name, call) in kind.needed_by {
        let world = World::start().await;
        let item = item(&world, kind).await;
        let key = |name: &str| item[name]["S"].as_str().expect("a key").to_owned();
        world.mfa.table.set(&key("pk"), &key("sk"), &attribute, value.as_ref()).await.expect("spoilt");
        let before = world.mfa.dump().await;
        call(&world).await.assert_problem(500, "INTERNAL_ERROR");
        assert_eq!(world.mfa.dump().await, before, "{} {attribute} {how}: {name} changed something", kind.name);
        let log = world.mfa.log();
        let last: Value = serde_json::from_str(log.lines().last().expect("a line")).expect("JSON");
        last["cause"].as_str().expect("a cause").clone_into(&mut cause);
        let is_named = cause.contains(&format!("`{attribute}`")) || is_sealed && cause.contains("does not open");
        assert!(is_named, "{} {attribute} {how}: {name} logs {cause}", kind.name);
        assert!(!cause.contains("Alice"), "no value is logged: {cause}");
    }
    let world = World::start().await;
    let item = item(&world, kind).await;
    let key = |name: &str| item[name]["S"].as_str().expect("a key").to_owned();
    world.mfa.table.set(&key("pk"), &key("sk"), &attribute, value.as_ref()).await.expect("spoilt");
    for (name, call) in kind.not_needed_by {
        let answer = call(&world).await;
        assert_eq!(answer.status, 200, "{} {attribute} {how}: {name}: {}", kind.name, answer.body);
        if *name == "status" {
            let status = answer.assert_ok();
            assert_eq!(status["hasRecoveryCode"], true, "{} {attribute} {how}", kind.name);
            assert_eq!(status["totpDevices"].as_array().map(Vec::len), Some(2), "{} {attribute} {how}", kind.name);
            assert!(status["verifiedMethods"].as_array().is_some_and(|all| all.contains(&json!("totp"))));
        }
    }
    format!("{:<15} {attribute:<10} {how:<17} 500: {cause}", kind.name)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_item_that_cannot_be_read_is_a_500_with_its_cause_and_never_counts_as_absent() {
    let world = World::start().await;
    let mut cases = Vec::new();
    for kind in KINDS {
        let item = item(&world, kind).await;
        for (attribute, value) in item.as_object().expect("an item") {
            // DynamoDB alone reads `ttl`, and the keys say which item it is.
            if matches!(attribute.as_str(), "pk" | "sk" | "ttl") {
                continue;
            }
            if !kind.optional.contains(&attribute.as_str()) {
                cases.push((kind, attribute.clone(), None));
            }
            // What is sealed and cut does not open: `verify` says so, and a session is over.
            let session_claims = (kind.name, attribute.as_str()) == ("session", "claims");
            let all = malformed(value).into_iter().take(if session_claims { 1 } else { 2 });
            cases.extend(all.map(|value| (kind, attribute.clone(), Some(value))));
        }
    }
    assert!(cases.len() > 60, "{} cases", cases.len());
    let rows = stream::iter(cases).map(|(kind, attribute, value)| spoil(kind, attribute, value));
    let rows: Vec<String> = rows.buffered(8).collect().await;
    println!("{}", rows.join("\n"));
}

/// Sets one attribute of the item of `kind`, and calls what needs it. Nothing may be written.
async fn assert_newer(kind: &'static Kind, name: &'static str, call: Call, attribute: String, value: Value) {
    let world = World::start().await;
    let item = item(&world, kind).await;
    let key = |name: &str| item[name]["S"].as_str().expect("a key").to_owned();
    world.mfa.table.set(&key("pk"), &key("sk"), &attribute, Some(&value)).await.expect("written");
    let before = world.mfa.dump().await;
    let answer = call(&world).await.assert_problem(503, "SERVICE_UNAVAILABLE");
    assert!(answer.retry_after().is_some(), "{} {attribute}: {name}", kind.name);
    assert_eq!(world.mfa.dump().await, before, "{} {attribute}: {name} changed something", kind.name);
    let log = world.mfa.log();
    let last: Value = serde_json::from_str(log.lines().last().expect("a line")).expect("JSON");
    assert!(last["cause"].as_str().is_some_and(|cause| cause.contains("newer")), "{}: {name}: {last}", kind.name);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_item_of_a_newer_schema_or_format_is_a_503_and_nothing_is_written() {
    let world = World::start().await;
    let mut cases = Vec::new();
    for kind in KINDS {
        let schema = ("schema".to_owned(), json!({ "N": "4" }));
        let newer_format = |(name, value): (&String, &Value)| {
            let list = data_encoding::BASE64.decode(value["B"].as_str()?.as_bytes()).ok()?;
            let newer = [&[2], list.get(1..)?].concat();
            Some((name.clone(), json!({ "B": data_encoding::BASE64.encode(&newer) })))
        };
        let of_ledger =
            item(&world, kind).await.as_object().expect("an item").iter().filter_map(newer_format).collect();
        let of_ledger: Vec<_> = if kind.name == "ledger" { of_ledger } else { Vec::new() };
        assert!(kind.name != "ledger" || of_ledger.len() >= 11, "{of_ledger:?}");
        for (attribute, value) in of_ledger.into_iter().chain([schema]) {
            let calls = kind.needed_by.iter().filter(|_| attribute == "schema").chain(kind.needed_by.first());
            cases.extend(calls.map(|(name, call)| assert_newer(kind, name, *call, attribute.clone(), value.clone())));
        }
    }
    stream::iter(cases).buffered(8).collect::<Vec<_>>().await;
}
