use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    response::Response,
};
use http_body_util::BodyExt;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use lambda_http::http::{StatusCode, request::Parts};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::Semaphore};

/// Stands in front of `DynamoDB`, notes every call, and breaks those that it is told to.
#[derive(Clone)]
pub struct Wrapper {
    /// Where it listens.
    pub url: String,
    state: Arc<Mutex<Plan>>,
}

#[derive(Default)]
struct Plan {
    calls: Vec<Call>,
    faults: Vec<(String, Fault)>,
    /// The first answer to each eventual read since the wrapper was told to remember.
    remembered: Option<HashMap<String, Value>>,
}

/// One call that went through.
#[derive(Clone, Debug)]
pub struct Call {
    /// The operation and the kind of item: `PutItem MFA#LEDGER`.
    pub what: String,
    /// Whether it was a strong read.
    pub strong: bool,
    /// The capacity units that it consumed.
    pub units: f64,
}

/// What can go wrong with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The service answers 500, and did nothing. The SDK tries three times; so does the fault.
    Error,
    /// The service answers that it throttles, and did nothing.
    Throttle,
    /// The service did what it was asked, but the answer is lost, each time.
    LoseAnswer,
    /// As [`Self::LoseAnswer`], but only once: the SDK's next try is answered.
    LoseOneAnswer,
    /// An eventual read is answered as it was when [`Wrapper::remember`] was called.
    Stale,
    /// An eventual read lacks every item but the ledger.
    Torn,
    /// An eventual read lacks the ledger.
    TornLedger,
}

impl Wrapper {
    pub(crate) async fn start(target: &str) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let state = Arc::new(Mutex::new(Plan::default()));
        let forward = Forward {
            target: target.to_owned(),
            client: Client::builder(TokioExecutor::new()).build_http(),
            places: Arc::new(Semaphore::new(32)),
            state: Arc::clone(&state),
        };
        let router = Router::new().fallback(handle).with_state(forward);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, state }
    }

    /// Breaks the calls whose name begins with `what`, until [`Self::mend`].
    pub fn break_calls(&self, what: &str, fault: Fault) {
        self.lock().faults.push((what.to_owned(), fault));
    }

    /// From now on keeps the first answer to each eventual read, for [`Fault::Stale`].
    pub fn remember(&self) {
        self.lock().remembered = Some(HashMap::new());
    }

    /// Breaks nothing any more.
    pub fn mend(&self) {
        let mut plan = self.lock();
        plan.faults.clear();
        plan.remembered = None;
    }

    /// The calls since the last time this was asked.
    pub fn take_calls(&self) -> Vec<Call> {
        std::mem::take(&mut self.lock().calls)
    }

    fn lock(&self) -> MutexGuard<'_, Plan> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Clone)]
struct Forward {
    target: String,
    client: Client<HttpConnector, Body>,
    places: Arc<Semaphore>,
    state: Arc<Mutex<Plan>>,
}

async fn handle(State(forward): State<Forward>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.expect("a body").to_bytes();
    let call: Value = serde_json::from_slice(&body).unwrap_or_default();
    let target = parts.headers.get("x-amz-target").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
    let what = format!("{operation} {}", item_kind(&call));
    let strong = call["ConsistentRead"] == json!(true);
    let fault = forward.fault(&what);

    match fault {
        Some(Fault::Error) => return problem(500, "InternalServerError"),
        Some(Fault::Throttle) => return problem(400, "ThrottlingException"),
        _ => {}
    }
    let (status, mut answer) = forward.pass_on(parts, body.to_vec()).await;
    forward.note(what.clone(), strong, &answer);
    if matches!(fault, Some(Fault::LoseAnswer | Fault::LoseOneAnswer)) {
        return problem(500, "InternalServerError");
    }
    let is_eventual_read = !strong && matches!(operation.as_str(), "Query" | "GetItem");
    if is_eventual_read && status == StatusCode::OK {
        answer = forward.spoil(fault, &call, answer);
    }
    let body = serde_json::to_vec(&answer).expect("JSON");
    let response = Response::builder().status(status).header("content-type", "application/x-amz-json-1.0");
    response.body(Body::from(body)).expect("a response")
}

impl Forward {
    async fn pass_on(&self, mut parts: Parts, body: Vec<u8>) -> (StatusCode, Value) {
        parts.uri = self.target.parse().expect("the engine's address");
        parts.headers.remove("host");
        // The SDK would check the engine's checksum against the answer that is changed here.
        parts.headers.remove("accept-encoding");
        let request = Request::from_parts(parts, Body::from(body));
        // A thousand clients at once, yet not a thousand connections more.
        let _place = self.places.acquire().await.expect("never closed");
        let response = self.client.request(request).await.expect("the engine answers");
        let status = response.status();
        let body = response.into_body().collect().await.expect("an answer").to_bytes();
        (status, serde_json::from_slice(&body).unwrap_or_default())
    }

    fn fault(&self, what: &str) -> Option<Fault> {
        let mut plan = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let place = plan.faults.iter().position(|(prefix, _)| what.starts_with(prefix))?;
        let (_, fault) = plan.faults.get(place).cloned()?;
        if fault == Fault::LoseOneAnswer {
            plan.faults.remove(place);
        }
        Some(fault)
    }

    fn note(&self, what: String, strong: bool, answer: &Value) {
        let units = answer["ConsumedCapacity"]["CapacityUnits"].as_f64().unwrap_or(0.0);
        self.state.lock().unwrap_or_else(PoisonError::into_inner).calls.push(Call { what, strong, units });
    }

    fn spoil(&self, fault: Option<Fault>, call: &Value, mut answer: Value) -> Value {
        let mut plan = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(remembered) = &mut plan.remembered {
            let first = remembered.entry(call.to_string()).or_insert_with(|| answer.clone());
            if fault == Some(Fault::Stale) {
                return first.clone();
            }
        }
        let is_ledger = |item: &Value| item["sk"]["S"] == "MFA#LEDGER";
        match (fault, answer["Items"].as_array_mut()) {
            (Some(Fault::Torn), Some(items)) => items.retain(is_ledger),
            (Some(Fault::TornLedger), Some(items)) => items.retain(|item| !is_ledger(item)),
            (Some(Fault::Torn), None) => answer["Item"] = Value::Null,
            _ => return answer,
        }
        if let Some(object) = answer.as_object_mut() {
            object.retain(|_, value| !value.is_null());
        }
        answer
    }
}

/// `MFA#LEDGER`, `MFA#DEVICE`, `CODE`, `LIMIT` or `MFA#` for the query.
fn item_kind(call: &Value) -> String {
    let sort_key = call["Key"]["sk"]["S"].as_str().or_else(|| call["Item"]["sk"]["S"].as_str());
    let sort_key = sort_key.unwrap_or("MFA#");
    match sort_key.rsplit_once('#') {
        Some((kind, _)) if sort_key.starts_with("MFA#DEVICE#") || sort_key.starts_with("CODE#") => kind.to_owned(),
        _ => sort_key.to_owned(),
    }
}

fn problem(status: u16, kind: &str) -> Response {
    let body = json!({ "__type": format!("com.amazonaws.dynamodb.v20120810#{kind}"), "message": "broken by the test" });
    let response = Response::builder().status(status).header("content-type", "application/x-amz-json-1.0");
    response.body(Body::from(body.to_string())).expect("a response")
}
