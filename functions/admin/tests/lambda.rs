//! The real binary as Lambda runs it, with AWS's token service in this process.
#![expect(clippy::expect_used, reason = "a panic is how a test fails")]

use std::sync::{Arc, Mutex};

use axum::{Router, extract::State, http::HeaderMap, routing::get};
use mfa::{clock::Clock, domain::Timestamp};
use mfa_admin_function::{CallerProof, Command, DIGEST_HEADER, Reply, Request, User};
use mfa_tests::{TestApp, runtime_api::RunningFunction};
use serde_json::{Value, json};

const CAROL: &str = "arn:aws:sts::123456789012:assumed-role/Support/carol";

/// A text that a test sets.
type Shared = Arc<Mutex<String>>;

/// The token service. It knows the digest that was signed, and refuses every other, and the caller.
async fn caller_identity(
    State((signed, arn)): State<(Shared, Shared)>,
    headers: HeaderMap,
) -> (axum::http::StatusCode, String) {
    let digest = headers.get(DIGEST_HEADER).and_then(|digest| digest.to_str().ok()).unwrap_or_default();
    if digest != *signed.lock().expect("no panic") {
        return (axum::http::StatusCode::FORBIDDEN, "<Code>SignatureDoesNotMatch</Code>".to_owned());
    }
    let arn = arn.lock().expect("no panic");
    let result = format!("<GetCallerIdentityResult><Arn>{arn}</Arn></GetCallerIdentityResult>");
    (axum::http::StatusCode::OK, result)
}

struct World {
    mfa: Arc<TestApp>,
    function: RunningFunction,
    service: String,
    signed: Shared,
    arn: Shared,
}

impl World {
    async fn start() -> Self {
        let (signed, arn) = (Shared::default(), Arc::new(Mutex::new(CAROL.to_owned())));
        let state = (Arc::clone(&signed), Arc::clone(&arn));
        let router = Router::new().route("/", get(caller_identity)).with_state(state);
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let service = format!("http://{}", listener.local_addr().expect("an address"));
        tokio::spawn(async move { axum::serve(listener, router).await });
        let mfa = TestApp::start_with(&[("AWS_ENDPOINT_URL", &service)]).await;
        let function = RunningFunction::start(&mfa, env!("CARGO_BIN_EXE_admin")).await;
        Self { mfa, function, service, signed, arn }
    }

    fn unlock(&self) -> Request {
        let command = Command::Unlock(User { user: "alice".to_owned() });
        let reason = Some("ticket 7".to_owned());
        let mut request =
            Request { function: "test".to_owned(), command, login: None, reason, dry_run: false, caller: None };
        *self.signed.lock().expect("no panic") = request.digest();
        request.caller = Some(self.proof(0));
        request
    }

    /// A proof that was signed so many seconds ago.
    fn proof(&self, age: u64) -> CallerProof {
        let signed_at = Timestamp::from_secs(Clock::wall().now().as_secs() - age).to_rfc3339();
        let date: String = signed_at.split('.').next().expect("seconds").replace(['-', ':'], "") + "Z";
        let query = "Action=GetCallerIdentity&X-Amz-SignedHeaders=host%3Bx-mfa-command";
        CallerProof { url: format!("{}/?{query}&X-Amz-Date={date}", self.service) }
    }

    async fn ask(&mut self, request: &Request) -> (Reply, Value) {
        let event = serde_json::to_string(request).expect("JSON");
        let reply = self.function.invoke(event).await.expect("no failed invocation");
        (serde_json::from_value(reply).expect("a reply"), self.function.log_line().await)
    }
}

#[tokio::test]
async fn a_change_is_logged_with_the_caller_whom_aws_names() {
    let mut world = World::start().await;
    world.mfa.user("alice").login().enrol().await;
    let request = world.unlock();
    let (reply, line) = world.ask(&request).await;
    assert_eq!(reply, Reply::Done);
    assert_eq!(line["audit"]["caller"], CAROL);
    assert_eq!((&line["service"], &line["level"], &line["status"]), (&json!("admin"), &json!("INFO"), &json!(200)));
    assert_eq!(world.function.end().await, "", "nothing else is written");
}

#[tokio::test]
async fn a_caller_of_another_account_changes_nothing() {
    let mut world = World::start().await;
    world.mfa.user("alice").login().enrol().await;
    *world.arn.lock().expect("no panic") = CAROL.replace("123456789012", "210987654321");
    let request = world.unlock();
    let (reply, line) = world.ask(&request).await;
    assert!(matches!(&reply, Reply::Refused(sentence) if sentence.contains("another AWS account")), "{reply:?}");
    assert_eq!(line["audit"]["caller"], Value::Null);
}

#[tokio::test]
async fn a_proof_of_another_command_stack_or_service_changes_nothing() {
    let mut world = World::start().await;
    world.mfa.user("alice").login().enrol().await;
    let before = world.mfa.dump().await;
    let good = world.unlock();
    let reset = Request { command: Command::Reset(User { user: "alice".to_owned() }), ..good.clone() };
    let other_user = Request { command: Command::Unlock(User { user: "bob".to_owned() }), ..good.clone() };
    let other_reason = Request { reason: Some("another".to_owned()), ..good.clone() };
    let other_function = Request { function: "other-admin".to_owned(), ..good.clone() };
    let nobody = Request { caller: None, ..good.clone() };
    let elsewhere = CallerProof { url: "http://127.0.0.1:1/?Action=GetCallerIdentity".to_owned() };
    let elsewhere = Request { caller: Some(elsewhere), ..good.clone() };
    let old = Request { caller: Some(world.proof(120)), ..good.clone() };
    for (request, words) in [
        (reset, "does not confirm who calls"),
        (other_user, "does not confirm who calls"),
        (other_reason, "does not confirm who calls"),
        (other_function, "is for other-admin"),
        (nobody, "needs a proof of who calls"),
        (old, "older than a minute"),
        (elsewhere, "The proof of the caller is not of http://127.0.0.1"),
    ] {
        let (reply, line) = world.ask(&request).await;
        assert!(matches!(&reply, Reply::Refused(sentence) if sentence.contains(words)), "{words}: {reply:?}");
        assert_eq!(line["status"], 400, "{line}");
    }
    for nonsense in ["null", "[]", "{}", "\"x\"", r#"{"function":"test","command":{"grant":{}}}"#] {
        let reply = world.function.invoke(nonsense).await.expect("no failed invocation");
        assert!(reply["refused"].as_str().is_some_and(|sentence| sentence.contains("not one of mfa-admin")), "{reply}");
        world.function.log_line().await;
    }
    assert_eq!(world.mfa.dump().await, before);
}
