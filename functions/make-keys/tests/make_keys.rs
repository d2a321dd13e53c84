//! The real binary as `CloudFormation` invokes it, with a Secrets Manager and the address for answers
//! in this process.
#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a panic is how a test fails")]

use std::sync::{Arc, Mutex, MutexGuard};

use axum::{
    Json, Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::{post, put},
};
use mfa_tests::{TestApp, runtime_api::RunningFunction};
use serde_json::{Value, json};

const SECRET: &str = "arn:aws:secretsmanager:us-east-1:123456789012:secret:KeySecret-abcdef";

/// What surrounds the function: a secret, and the address for answers.
#[derive(Clone, Default)]
struct Around(Arc<Mutex<Held>>);

#[derive(Default)]
struct Held {
    /// The version that was put, and the token that named it.
    version: Option<(String, String)>,
    /// Whether `DescribeSecret` does not see the version yet, as for the second of two requests at
    /// once.
    is_hidden: bool,
    /// Whether every call is denied.
    denies: bool,
    puts: usize,
    answers: Vec<Value>,
}

impl Around {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.lock().expect("no panic")
    }

    /// What the secret holds.
    fn keys(&self) -> Value {
        self.held().version.as_ref().map_or(Value::Null, |(_, text)| serde_json::from_str(text).expect("JSON"))
    }

    fn last_answer(&self) -> Value {
        self.held().answers.last().expect("an answer").clone()
    }
}

/// Secrets Manager, as far as the function asks it.
async fn secrets_manager(State(around): State<Around>, headers: HeaderMap, body: Bytes) -> (StatusCode, Json<Value>) {
    let body: Value = serde_json::from_slice(&body).expect("JSON");
    let mut held = around.held();
    let refused = |kind: &str| (StatusCode::BAD_REQUEST, Json(json!({ "__type": kind, "message": "no" })));
    assert_eq!(body["SecretId"], SECRET);
    if held.denies {
        return refused("AccessDeniedException");
    }
    let operation = headers["x-amz-target"].to_str().expect("ASCII");
    if operation == "secretsmanager.DescribeSecret" {
        let is_seen = held.version.is_some() && !held.is_hidden;
        let versions =
            if is_seen { json!({ "1": ["AWSPREVIOUS"], "2": ["AWSCURRENT"] }) } else { json!({ "1": ["AWSCURRENT"] }) };
        return (StatusCode::OK, Json(json!({ "ARN": SECRET, "VersionIdsToStages": versions })));
    }
    assert_eq!(operation, "secretsmanager.PutSecretValue");
    held.puts += 1;
    let field = |name: &str| body[name].as_str().expect("a text").to_owned();
    let (token, text) = (field("ClientRequestToken"), field("SecretString"));
    if held.version.as_ref().is_some_and(|(taken, other)| *taken == token && *other != text) {
        return refused("ResourceExistsException");
    }
    held.version = Some((token, text));
    (StatusCode::OK, Json(json!({ "ARN": SECRET })))
}

async fn take_answer(State(around): State<Around>, headers: HeaderMap, body: Bytes) {
    // The signature of the address in S3 is for no type.
    assert!(headers.get("content-type").is_none(), "{headers:?}");
    around.held().answers.push(serde_json::from_slice(&body).expect("JSON"));
}

struct Stack {
    mfa: Arc<TestApp>,
    function: RunningFunction,
    around: Around,
    address: String,
    /// The kind of key that the template asked for at first.
    made: &'static str,
}

impl Stack {
    /// A stack with a secret that nobody has filled, and a table that holds no item.
    async fn new() -> Self {
        let around = Around::default();
        let router = Router::new()
            .route("/", post(secrets_manager))
            .route("/answer", put(take_answer))
            .with_state(around.clone());
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("an address"));
        tokio::spawn(async move { axum::serve(listener, router).await });
        let mfa = TestApp::start_with(&[("AWS_ENDPOINT_URL", &address)]).await;
        mfa.table.delete("BUNDLE", "HASH_KEY").await.expect("deleted");
        let function = RunningFunction::start(&mfa, env!("CARGO_BIN_EXE_make-keys")).await;
        Self { mfa, function, around, address, made: "ES256" }
    }

    async fn request(&mut self, kind: &str, key: &str) -> Value {
        let old = (kind == "Update").then(|| json!({ "Secret": SECRET, "Table": "t", "SigningKeyType": self.made }));
        let event = json!({
            "RequestType": kind,
            "OldResourceProperties": old,
            "PhysicalResourceId": (kind != "Create").then_some(SECRET),
            "ResponseURL": format!("{}/answer", self.address),
            "StackId": "arn:aws:cloudformation:us-east-1:123456789012:stack/mfa/1",
            "RequestId": "request-1",
            "ResourceType": "Custom::MfaKeys",
            "LogicalResourceId": "Keys",
            "ResourceProperties": {
                "ServiceToken": "arn", "ServiceTimeout": "120", "Secret": SECRET,
                "Table": self.mfa.variables["MFA_TABLE"], "SigningKeyType": key,
            },
        });
        self.function.invoke(event.to_string()).await.expect("no failed invocation");
        self.around.last_answer()
    }
}

#[tokio::test]
async fn an_empty_secret_is_filled_once_and_stays_whatever_comes_later() {
    for (key, begins) in [("ES256", "MIG"), ("RS256", "MIIE")] {
        let mut stack = Stack { made: key, ..Stack::new().await };
        let answer = stack.request("Create", key).await;
        assert_eq!(
            answer,
            json!({
                "Status": "SUCCESS",
                "StackId": "arn:aws:cloudformation:us-east-1:123456789012:stack/mfa/1",
                "RequestId": "request-1",
                "LogicalResourceId": "Keys",
                "PhysicalResourceId": SECRET,
                "Data": { "Secret": SECRET },
            })
        );
        let keys = stack.around.keys();
        let names: Vec<_> = keys.as_object().expect("an object").keys().map(String::as_str).collect();
        assert_eq!(names, ["hashKey", "sealingKeys", "signingKey", "signingPublicKey"]);
        let signing_key = keys["signingKey"].as_str().expect("a text");
        assert!(signing_key.starts_with(&format!("-----BEGIN PRIVATE KEY-----\n{begins}")), "{key}");

        for (kind, other) in [("Create", "ES256"), ("Update", key), ("Delete", "ES256")] {
            assert_eq!(stack.request(kind, other).await["Status"], "SUCCESS");
            assert_eq!(stack.around.keys(), keys, "{kind}");
        }
        assert_eq!(stack.around.held().puts, 1);
        assert_eq!(stack.function.end().await, "", "nothing of the keys is printed");
    }
}

#[tokio::test]
async fn a_table_in_use_gets_no_other_keys() {
    let mut stack = Stack::new().await;
    stack.mfa.user("alice").login().enrol().await;
    for kind in ["Create", "Update"] {
        let answer = stack.request(kind, "ES256").await;
        assert_eq!(answer["Status"], "FAILED");
        let reason = answer["Reason"].as_str().expect("a reason");
        assert!(reason.contains("is in use") && reason.contains("Set SecretName"), "{reason}");
        assert_eq!(stack.around.keys(), Value::Null);
    }
    // A stack that could not be made is deleted again.
    assert_eq!(stack.request("Delete", "ES256").await["Status"], "SUCCESS");
}

#[tokio::test]
async fn of_two_requests_at_once_one_fills_the_secret_and_both_succeed() {
    let mut stack = Stack::new().await;
    stack.request("Create", "ES256").await;
    let keys = stack.around.keys();
    stack.around.held().is_hidden = true;
    assert_eq!(stack.request("Create", "ES256").await["Status"], "SUCCESS");
    assert_eq!(stack.around.keys(), keys);
    assert_eq!(stack.around.held().puts, 2);
}

#[tokio::test]
async fn another_kind_of_key_is_no_wish_that_an_update_fulfils() {
    let mut stack = Stack::new().await;
    stack.request("Create", "ES256").await;
    let answer = stack.request("Update", "RS256").await;
    assert_eq!(answer["Status"], "FAILED");
    assert!(answer["Reason"].as_str().is_some_and(|reason| reason.contains("Rotate it")), "{answer}");
}

#[tokio::test]
async fn what_is_in_the_way_is_told() {
    let mut stack = Stack::new().await;
    stack.around.held().denies = true;
    let answer = stack.request("Create", "ES256").await;
    assert_eq!(answer["Status"], "FAILED");
    let reason = answer["Reason"].as_str().expect("a reason");
    assert_eq!(reason, "DescribeSecret is refused: AccessDeniedException (no)");
}
