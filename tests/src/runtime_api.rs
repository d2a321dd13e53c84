//! A function's real binary, run through a Lambda Runtime API that the test serves.

use std::{path::Path, process::Stdio, sync::Arc};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use lambda_http::http::StatusCode;
use serde_json::Value;
use tokio::{
    net::TcpListener,
    process::Command,
    sync::{Mutex, mpsc},
};

use crate::{SampleEvent, TestApp};

struct Runtime {
    event: Mutex<Option<String>>,
    answers: mpsc::UnboundedSender<Result<Value, String>>,
}

/// The invocation id that the function is given.
pub const INVOCATION: &str = "8476a536-e9f4-11e8-9739-2dfe598c3fcd";

/// Fails unless `binary` answers the event as declared, on an empty table.
///
/// # Panics
/// If the answer differs.
pub async fn assert_binary_answers(binary: &str, sample: &SampleEvent) {
    let mfa = TestApp::start().await;
    let answer = invoke(&mfa, binary, &sample.event().to_string()).await;
    let Some(cache_control) = sample.cache_control else {
        assert_eq!(answer["isAuthorized"], true, "{answer}");
        assert_eq!(answer["context"]["sub"], format!("event-{}", sample.name), "{answer}");
        return;
    };
    assert_expected(sample.name, &answer);
    assert_eq!(answer["headers"]["x-request-id"], INVOCATION);
    assert_eq!(answer["headers"]["cache-control"], cache_control);
    assert_eq!(answer["isBase64Encoded"], false);
}

/// The text of `events/<name>.json`.
pub fn read_event(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../events/{name}.json"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Fails unless a payload-2.0 answer has the status and the error code of `events/expected.json`.
#[track_caller]
pub fn assert_expected(name: &str, answer: &Value) {
    let expected: Value = serde_json::from_str(&read_event("expected")).expect("JSON");
    let body: Value = serde_json::from_str(answer["body"].as_str().expect("a text body")).expect("a JSON body");
    assert_eq!(answer["statusCode"], expected[name]["statusCode"], "{name}: {body}");
    // In a success, `code` is not the code of an error.
    let code = if answer["statusCode"] == 200 { &Value::Null } else { &body["code"] };
    assert_eq!(*code, expected[name]["code"], "{name}: {body}");
}

/// Starts `binary` as Lambda does, hands it one event, and returns its answer.
pub async fn invoke(mfa: &Arc<TestApp>, binary: &str, event: &str) -> Value {
    let (answers, mut answered) = mpsc::unbounded_channel();
    let runtime = Arc::new(Runtime { event: Mutex::new(Some(event.to_owned())), answers });
    let router = Router::new()
        .route("/2018-06-01/runtime/invocation/next", get(next))
        .route("/2018-06-01/runtime/invocation/{id}/response", post(response))
        .route("/2018-06-01/runtime/invocation/{id}/error", post(failure))
        .route("/2018-06-01/runtime/init/error", post(failure))
        .with_state(runtime);
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, router).await });

    let mut function = Command::new(binary)
        .env_clear()
        .envs(&mfa.variables)
        .env("AWS_LAMBDA_RUNTIME_API", address.to_string())
        .env("AWS_LAMBDA_FUNCTION_NAME", "test")
        .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("the binary starts");
    tokio::select! {
        answer = answered.recv() => answer.expect("an answer").expect("no failed invocation"),
        ended = function.wait() => panic!("the function ended: {ended:?}"),
    }
}

async fn next(State(runtime): State<Arc<Runtime>>) -> Response {
    let Some(event) = runtime.event.lock().await.take() else {
        return std::future::pending().await;
    };
    // The deadline is in the year 2100: a function that took the time from it would fail.
    let headers = [
        ("lambda-runtime-aws-request-id", INVOCATION),
        ("lambda-runtime-deadline-ms", "4102444800000"),
        ("lambda-runtime-invoked-function-arn", "arn:aws:lambda:us-east-1:123456789012:function:test"),
    ];
    (headers, event).into_response()
}

async fn response(State(runtime): State<Arc<Runtime>>, body: Bytes) -> StatusCode {
    let answer = serde_json::from_slice(&body).map_err(|error| error.to_string());
    let _ = runtime.answers.send(answer);
    StatusCode::ACCEPTED
}

async fn failure(State(runtime): State<Arc<Runtime>>, body: String) -> StatusCode {
    let _ = runtime.answers.send(Err(body));
    StatusCode::ACCEPTED
}
