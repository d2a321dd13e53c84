use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Request, State},
    response::Response,
};
use http_body_util::BodyExt;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use lambda_http::http::{StatusCode, request, response};
use serde_json::{Value, json};
use tokio::{
    net::TcpListener,
    sync::{Notify, Semaphore},
    time::Instant,
};

/// A proxy in front of `DynamoDB` and of what sends messages. It notes every call and breaks the calls
/// that a test names.
#[derive(Clone)]
pub struct FaultProxy {
    /// Where it listens.
    pub url: String,
    state: Arc<Mutex<Plan>>,
    hung: Arc<Notify>,
    released: Arc<Notify>,
}

#[derive(Default)]
struct Plan {
    calls: Vec<Call>,
    /// How many calls arrived.
    arrived: usize,
    /// How many of them are neither answered nor hanging.
    open: usize,
    faults: Vec<(String, InjectedFault)>,
    /// The call to break: its name, how many calls of that name come before it, and the fault.
    countdown: Option<(String, usize, InjectedFault)>,
    /// The body of a call that was broken by its number. The SDK's retries of it are broken too.
    broken: Option<(Bytes, InjectedFault)>,
    /// The first answer to each eventual read since the proxy was told to remember.
    remembered: Option<HashMap<String, Value>>,
    trips: Option<Trips>,
}

/// One call that reached its service.
#[derive(Clone, Debug)]
pub struct Call {
    /// The operation and the kind of item, such as `UpdateItem MFA#LEDGER`. A call to a provider is
    /// `SendEmail`, `GetSuppressedDestination`, `Publish` or `SendTextMessage`.
    pub what: String,
    /// Whether it was a strong read.
    pub strong: bool,
    /// The capacity units that it consumed.
    pub units: f64,
}

/// What can go wrong with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InjectedFault {
    /// The service does nothing and answers 500. The SDK tries three times, and every try fails.
    Error,
    /// The service does nothing and answers that it throttles.
    Throttle,
    /// The service does nothing on the first try and answers that it throttles. It takes the next.
    ThrottleOnce,
    /// The service does what it is asked, but the answer to every try is lost.
    LoseAnswer,
    /// As [`Self::LoseAnswer`], but only once: the SDK's next try is answered.
    LoseOneAnswer,
    /// The service does nothing, and no answer comes: a time-out, or the caller's process dies
    /// before the call.
    Hang,
    /// The service does what it is asked, and no answer comes: a time-out, or the caller's process
    /// dies after the call.
    HangAfter,
    /// The call waits for [`FaultProxy::release`], so that other calls come first.
    Hold,
    /// The service does what it is asked and answers. After [`FaultProxy::release`] the same call
    /// arrives once more, as a copy that comes late, and [`FaultProxy::hung`] says when it is done.
    ArriveAgain,
    /// A conditional write does nothing, and is answered as if another write had come first.
    LoseRace,
    /// An eventual read gets the first answer that it had after [`FaultProxy::remember`].
    Stale,
    /// An eventual `Query` returns only the ledger, and an eventual `GetItem` returns nothing.
    Torn,
    /// An eventual `Query` returns every item but the ledger.
    TornLedger,
}

impl InjectedFault {
    /// Whether the fault ends with the call that it broke.
    const fn is_for_one_call(self) -> bool {
        matches!(self, Self::ThrottleOnce | Self::LoseOneAnswer | Self::LoseRace | Self::Hold | Self::ArriveAgain)
    }
}

impl FaultProxy {
    /// Starts a proxy in front of a `DynamoDB`, and of what sends messages, at one address.
    pub(crate) async fn start(dynamodb: &str, providers: &str) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let fault_proxy = Self { url, state: Arc::default(), hung: Arc::default(), released: Arc::default() };
        let forward = Forward {
            dynamodb: dynamodb.to_owned(),
            providers: providers.to_owned(),
            client: Client::builder(TokioExecutor::new()).build_http(),
            places: Arc::new(Semaphore::new(32)),
            fault_proxy: fault_proxy.clone(),
        };
        let router = Router::new().fallback(handle).with_state(forward);
        tokio::spawn(async move { axum::serve(listener, router).await });
        fault_proxy
    }

    /// Breaks the `n`-th call from now, counted from 0, of those whose name begins with `what`. The
    /// SDK's retries of it are broken too, until [`Self::heal`].
    pub fn break_call(&self, what: &str, n: usize, fault: InjectedFault) {
        self.lock().countdown = Some((what.to_owned(), n, fault));
    }

    /// Lets the held call continue.
    pub fn release(&self) {
        self.released.notify_one();
    }

    /// Waits until a call hangs or is held, and all concurrent calls are answered. If the caller's
    /// process dies then, no call of it arrives later.
    pub async fn hung(&self) {
        const QUIET: Duration = Duration::from_millis(50);
        self.hung.notified().await;
        loop {
            let arrived = self.lock().arrived;
            tokio::time::sleep(QUIET).await;
            let plan = self.lock();
            if plan.open == 0 && plan.arrived == arrived {
                return;
            }
        }
    }

    /// Breaks the calls whose name begins with `what`, until [`Self::heal`].
    pub fn break_calls(&self, what: &str, fault: InjectedFault) {
        self.lock().faults.push((what.to_owned(), fault));
    }

    /// Keeps from now on the first answer to each eventual read, for [`InjectedFault::Stale`].
    pub fn remember(&self) {
        self.lock().remembered = Some(HashMap::new());
    }

    /// Counts round trips from now on: each call to `DynamoDB` waits until no further one arrives,
    /// and all that waited together are one round trip.
    pub fn count_trips(&self) {
        self.lock().trips = Some(Trips { count: 0, last: Instant::now(), gathers: false });
    }

    /// The number of round trips since this was last asked. Concurrent calls are one round trip.
    pub fn take_trips(&self) -> usize {
        self.lock().trips.as_mut().map_or(0, |trips| std::mem::take(&mut trips.count))
    }

    /// Waits until no further call arrives, so that all concurrent calls are counted as one trip.
    async fn gather(&self) {
        const BESIDE: Duration = Duration::from_millis(30);
        if let Some(trips) = &mut self.lock().trips {
            trips.count += usize::from(!trips.gathers);
            trips.gathers = true;
            trips.last = Instant::now();
        }
        loop {
            let last = self.lock().trips.as_ref().map(|trips| trips.last);
            let Some(last) = last.filter(|last| last.elapsed() < BESIDE) else { break };
            tokio::time::sleep_until(last + BESIDE).await;
        }
        if let Some(trips) = &mut self.lock().trips {
            trips.gathers = false;
        }
    }

    /// Removes all faults, and what [`Self::remember`] kept.
    pub fn heal(&self) {
        let mut plan = self.lock();
        let calls = std::mem::take(&mut plan.calls);
        *plan = Plan { calls, arrived: plan.arrived, open: plan.open, trips: plan.trips.take(), ..Plan::default() };
    }

    /// The calls since this was last asked.
    pub fn take_calls(&self) -> Vec<Call> {
        std::mem::take(&mut self.lock().calls)
    }

    fn lock(&self) -> MutexGuard<'_, Plan> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Clone)]
struct Forward {
    dynamodb: String,
    providers: String,
    client: Client<HttpConnector, Body>,
    places: Arc<Semaphore>,
    fault_proxy: FaultProxy,
}

/// The service that a call is meant for. Each service writes its errors in its own form.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Service {
    DynamoDb,
    Ses,
    Sns,
    EndUserMessaging,
    EventBridge,
}

async fn handle(State(forward): State<Forward>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.expect("a body").to_bytes();
    let target = parts.headers.get("x-amz-target").and_then(|value| value.to_str().ok());
    let operation = target.and_then(|target| target.rsplit('.').next()).unwrap_or_default().to_owned();
    let call: Value = serde_json::from_slice(&body).unwrap_or_default();
    let (service, what) = match (target, parts.uri.path()) {
        (Some(target), _) if target.starts_with("PinpointSMSVoiceV2.") => {
            (Service::EndUserMessaging, operation.clone())
        }
        (Some(target), _) if target.starts_with("AWSEvents.") => (Service::EventBridge, operation.clone()),
        (Some(_), _) => (Service::DynamoDb, format!("{operation} {}", item_kind(&call))),
        (None, "/") => (Service::Sns, "Publish".to_owned()),
        (None, path) if path.contains("/suppression/") => (Service::Ses, "GetSuppressedDestination".to_owned()),
        (None, _) => (Service::Ses, "SendEmail".to_owned()),
    };
    let strong = call["ConsistentRead"] == json!(true);
    let fault = forward.fault(&what, &body);
    if fault == Some(InjectedFault::Hold) {
        forward.fault_proxy.hung.notify_one();
        forward.fault_proxy.released.notified().await;
    }
    let open = Open::new(&forward.fault_proxy);
    if service == Service::DynamoDb {
        forward.fault_proxy.gather().await;
    }

    match fault {
        Some(InjectedFault::Error) => return problem(service, 500, "InternalServerError"),
        Some(InjectedFault::Throttle | InjectedFault::ThrottleOnce) => {
            return problem(service, 400, "ThrottlingException");
        }
        Some(InjectedFault::LoseRace) => return problem(service, 400, "ConditionalCheckFailedException"),
        Some(InjectedFault::Hang) => return forward.hang(open).await,
        _ => {}
    }
    if fault == Some(InjectedFault::ArriveAgain) {
        let (forward, parts, body) = (forward.clone(), parts.clone(), body.clone());
        tokio::spawn(async move {
            forward.fault_proxy.released.notified().await;
            forward.pass_on(service, parts, body).await;
            forward.fault_proxy.hung.notify_one();
        });
    }
    let (head, mut answer) = forward.pass_on(service, parts, body).await;
    forward.note(what.clone(), strong, &answer);
    match fault {
        Some(InjectedFault::LoseAnswer | InjectedFault::LoseOneAnswer) => {
            return problem(service, 500, "InternalServerError");
        }
        Some(InjectedFault::HangAfter) => return forward.hang(open).await,
        _ => {}
    }
    let is_eventual_read = !strong && matches!(operation.as_str(), "Query" | "GetItem");
    if is_eventual_read && head.status == StatusCode::OK {
        let spoilt = forward.spoil(fault, &call, serde_json::from_slice(&answer).unwrap_or_default());
        answer = serde_json::to_vec(&spoilt).expect("JSON").into();
    }
    let mut response = Response::from_parts(head, Body::from(answer));
    // These headers describe the engine's answer, not this one: DynamoDB Local sends a large answer
    // in chunks.
    response.headers_mut().remove("content-length");
    response.headers_mut().remove("transfer-encoding");
    response
}

/// Counts round trips.
struct Trips {
    count: usize,
    last: Instant,
    /// Whether one more call belongs to the last round trip.
    gathers: bool,
}

/// A call that is being answered.
struct Open(FaultProxy);

impl Open {
    fn new(fault_proxy: &FaultProxy) -> Self {
        let mut plan = fault_proxy.lock();
        plan.arrived += 1;
        plan.open += 1;
        drop(plan);
        Self(fault_proxy.clone())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.lock().open -= 1;
    }
}

impl Forward {
    async fn hang(&self, open: Open) -> Response {
        drop(open);
        self.fault_proxy.hung.notify_one();
        std::future::pending().await
    }

    async fn pass_on(&self, service: Service, mut parts: request::Parts, body: Bytes) -> (response::Parts, Bytes) {
        let target = if service == Service::DynamoDb { &self.dynamodb } else { &self.providers };
        parts.uri = format!("{target}{}", parts.uri.path()).parse().expect("the service's address");
        parts.headers.remove("host");
        // With this header, the engine may send a checksum, and the SDK would check it against the
        // answer that is changed here.
        parts.headers.remove("accept-encoding");
        let request = Request::from_parts(parts, Body::from(body));
        // A thousand clients may call at once, but must not open a thousand more connections.
        let _place = self.places.acquire().await.expect("never closed");
        let response = self.client.request(request).await.expect("the service answers");
        let (head, body) = response.into_parts();
        (head, body.collect().await.expect("an answer").to_bytes())
    }

    fn fault(&self, what: &str, body: &Bytes) -> Option<InjectedFault> {
        let mut plan = self.fault_proxy.lock();
        match plan.countdown.take() {
            Some((name, 0, fault)) if what.starts_with(&name) => plan.broken = Some((body.clone(), fault)),
            Some((name, n, fault)) => {
                let next = n - usize::from(what.starts_with(&name));
                plan.countdown = Some((name, next, fault));
            }
            None => {}
        }
        if let Some((broken, fault)) = plan.broken.clone()
            && broken == *body
        {
            if fault.is_for_one_call() {
                plan.broken = None;
            }
            return Some(fault);
        }
        let place = plan.faults.iter().position(|(prefix, _)| what.starts_with(prefix))?;
        let (_, fault) = plan.faults.get(place).cloned()?;
        if fault.is_for_one_call() {
            plan.faults.remove(place);
        }
        Some(fault)
    }

    fn note(&self, what: String, strong: bool, answer: &Bytes) {
        let answer: Value = serde_json::from_slice(answer).unwrap_or_default();
        let units = answer["ConsumedCapacity"]["CapacityUnits"].as_f64().unwrap_or(0.0);
        self.fault_proxy.lock().calls.push(Call { what, strong, units });
    }

    fn spoil(&self, fault: Option<InjectedFault>, call: &Value, mut answer: Value) -> Value {
        let mut plan = self.fault_proxy.lock();
        if let Some(remembered) = &mut plan.remembered {
            let first = remembered.entry(call.to_string()).or_insert_with(|| answer.clone());
            if fault == Some(InjectedFault::Stale) {
                return first.clone();
            }
        }
        let is_ledger = |item: &Value| item["sk"]["S"] == "MFA#LEDGER";
        match (fault, answer["Items"].as_array_mut()) {
            (Some(InjectedFault::Torn), Some(items)) => items.retain(is_ledger),
            (Some(InjectedFault::TornLedger), Some(items)) => items.retain(|item| !is_ledger(item)),
            (Some(InjectedFault::Torn), None) => answer["Item"] = Value::Null,
            _ => return answer,
        }
        if let Some(object) = answer.as_object_mut() {
            object.retain(|_, value| !value.is_null());
        }
        answer
    }
}

/// `MFA#LEDGER`, `MFA#DEVICE`, `MFA#RECOVERY`, `CODE`, `TRUST`, `SESSION` or `LIMIT`. A query has
/// the prefix that it asks for: `MFA#`, `TRUST#` or `SESSION#`.
fn item_kind(call: &Value) -> String {
    if let Some(prefix) = call["ExpressionAttributeValues"][":prefix"]["S"].as_str() {
        return prefix.to_owned();
    }
    let sort_key = call["Key"]["sk"]["S"].as_str().or_else(|| call["Item"]["sk"]["S"].as_str());
    let sort_key = sort_key.unwrap_or("MFA#");
    match sort_key.rsplit_once('#') {
        Some((kind, _)) if !kind.is_empty() && sort_key != "MFA#LEDGER" => kind.to_owned(),
        _ => sort_key.to_owned(),
    }
}

/// An error in the form in which the service writes it.
fn problem(service: Service, status: u16, kind: &str) -> Response {
    let response = Response::builder().status(status);
    let response = match service {
        Service::DynamoDb => {
            let kind = format!("com.amazonaws.dynamodb.v20120810#{kind}");
            let body = json!({ "__type": kind, "message": "broken by the test" });
            response.header("content-type", "application/x-amz-json-1.0").body(Body::from(body.to_string()))
        }
        Service::EventBridge => {
            let body = json!({ "__type": kind, "message": "broken by the test" });
            response.header("content-type", "application/x-amz-json-1.1").body(Body::from(body.to_string()))
        }
        Service::EndUserMessaging => {
            let kind = if kind == "ThrottlingException" { kind } else { "InternalServerException" };
            let body = json!({ "__type": kind, "Message": "broken by the test" });
            response.header("content-type", "application/x-amz-json-1.0").body(Body::from(body.to_string()))
        }
        Service::Ses => {
            let kind = if kind == "ThrottlingException" { "TooManyRequestsException" } else { kind };
            let response = response.header("content-type", "application/json").header("x-amzn-errortype", kind);
            response.body(Body::from(r#"{"message":"broken by the test"}"#))
        }
        Service::Sns => {
            let kind = if kind == "ThrottlingException" { "Throttled" } else { "InternalError" };
            let body =
                format!("<ErrorResponse><Error><Code>{kind}</Code><Message>broken</Message></Error></ErrorResponse>");
            response.header("content-type", "text/xml").body(Body::from(body))
        }
    };
    response.expect("a response")
}
