//! A function's real binary, run through a Lambda Runtime API that the test serves.

use std::{path::Path, process::Stdio, sync::Arc, time::Duration};

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
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    net::TcpListener,
    process::{Child, Command},
    sync::{Mutex, mpsc},
};

use crate::{SampleEvent, TestApp};

struct Runtime {
    events: Mutex<mpsc::UnboundedReceiver<Vec<u8>>>,
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
pub async fn invoke(mfa: &TestApp, binary: &str, event: &str) -> Value {
    let mut function = RunningFunction::start(mfa, binary).await;
    function.invoke(event).await.expect("no failed invocation")
}

/// A function's real binary that is handed one event after another.
pub struct RunningFunction {
    process: Child,
    events: mpsc::UnboundedSender<Vec<u8>>,
    answers: mpsc::UnboundedReceiver<Result<Value, String>>,
    log: mpsc::UnboundedReceiver<String>,
    complaints: mpsc::UnboundedReceiver<String>,
}

impl RunningFunction {
    /// Starts `binary` as Lambda does.
    pub async fn start(mfa: &TestApp, binary: &str) -> Self {
        let (events, next_events) = mpsc::unbounded_channel();
        let (given, answers) = mpsc::unbounded_channel();
        let runtime = Arc::new(Runtime { events: Mutex::new(next_events), answers: given });
        let router = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{id}/response", post(response))
            .route("/2018-06-01/runtime/invocation/{id}/error", post(failure))
            .route("/2018-06-01/runtime/init/error", post(failure))
            .with_state(runtime);
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(async move { axum::serve(listener, router).await });

        let mut process = Command::new(binary)
            .env_clear()
            .envs(&mfa.variables)
            .env("AWS_LAMBDA_RUNTIME_API", address.to_string())
            .env("AWS_LAMBDA_FUNCTION_NAME", "test")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the binary starts");
        let log = lines(process.stdout.take().expect("a pipe"));
        let complaints = lines(process.stderr.take().expect("a pipe"));
        Self { process, events, answers, log, complaints }
    }

    /// Hands it an event, and returns its answer.
    ///
    /// # Errors
    /// The invocation failed, with this text.
    pub async fn invoke(&mut self, event: impl Into<Vec<u8>>) -> Result<Value, String> {
        self.events.send(event.into()).expect("a runtime");
        tokio::select! {
            answer = self.answers.recv() => answer.expect("an answer"),
            ended = self.process.wait() => panic!("the function ended: {ended:?}"),
        }
    }

    /// The next line of its log.
    pub async fn log_line(&mut self) -> Value {
        let line = tokio::time::timeout(Duration::from_secs(20), self.log.recv()).await;
        let line = line.expect("a line in time").expect("a line");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line}: {error}"))
    }

    /// Ends it, and returns what it wrote apart from the log lines that were taken.
    pub async fn end(mut self) -> String {
        assert!(self.process.try_wait().expect("a state").is_none(), "the function had ended");
        self.process.kill().await.expect("the function ends");
        let mut rest = String::new();
        for written in [&mut self.log, &mut self.complaints] {
            while let Some(line) = written.recv().await {
                rest += &line;
                rest.push('\n');
            }
        }
        rest
    }
}

/// Reads to the end what a process writes, so that it never waits for a reader.
fn lines(pipe: impl AsyncRead + Send + Unpin + 'static) -> mpsc::UnboundedReceiver<String> {
    let (written, read) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut lines = BufReader::new(pipe).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            let _ = written.send(line);
        }
    });
    read
}

async fn next(State(runtime): State<Arc<Runtime>>) -> Response {
    let Some(event) = runtime.events.lock().await.recv().await else {
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
