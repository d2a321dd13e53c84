//! The real binary as Lambda runs it, with AWS's token service in this process.
#![expect(clippy::expect_used, reason = "a panic is how a test fails")]

use std::sync::{Arc, Mutex};

use axum::{Router, extract::State, http::HeaderMap, routing::get};
use mfa_admin_function::{CallerProof, Command, DIGEST_HEADER, Reply, Request, User};
use mfa_tests::{TestApp, runtime_api::RunningFunction};
use serde_json::{Value, json};

const CAROL: &str = "arn:aws:sts::123456789012:assumed-role/Support/carol";

/// The digest that the signature is of. The token service refuses every other.
type Signed = Arc<Mutex<String>>;

async fn caller_identity(State(signed): State<Signed>, headers: HeaderMap) -> (axum::http::StatusCode, String) {
    let digest = headers.get(DIGEST_HEADER).and_then(|digest| digest.to_str().ok()).unwrap_or_default();
    if digest != *signed.lock().expect("no panic") {
        return (axum::http::StatusCode::FORBIDDEN, "<Code>SignatureDoesNotMatch</Code>".to_owned());
    }
    let result = format!("<GetCallerIdentityResult><Arn>{CAROL}</Arn></GetCallerIdentityResult>");
    (axum::http::StatusCode::OK, result)
}

struct World {
    mfa: Arc<TestApp>,
    function: RunningFunction,
    service: String,
    signed: Signed,
}

impl World {
    async fn start() -> Self {
        let signed = Signed::default();
        let router = Router::new().route("/", get(caller_identity)).with_state(Arc::clone(&signed));
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let service = format!("http://{}", listener.local_addr().expect("an address"));
        tokio::spawn(async move { axum::serve(listener, router).await });
        let mfa = TestApp::start_with(&[("AWS_ENDPOINT_URL", &service)]).await;
        let function = RunningFunction::start(&mfa, env!("CARGO_BIN_EXE_admin")).await;
        Self { mfa, function, service, signed }
    }

    fn unlock(&self) -> Request {
        let command = Command::Unlock(User { user: "alice".to_owned() });
        let reason = Some("ticket 7".to_owned());
        let mut request =
            Request { function: "test".to_owned(), command, login: None, reason, dry_run: false, caller: None };
        *self.signed.lock().expect("no panic") = request.digest();
        let query = "Action=GetCallerIdentity&X-Amz-Expires=60&X-Amz-SignedHeaders=host%3Bx-mfa-command";
        request.caller = Some(CallerProof { url: format!("{}/?{query}", self.service) });
        request
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
    for (request, words) in [
        (reset, "does not confirm who calls"),
        (other_user, "does not confirm who calls"),
        (other_reason, "does not confirm who calls"),
        (other_function, "is for other-admin"),
        (nobody, "needs a proof of who calls"),
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
