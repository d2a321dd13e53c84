//! What is written to the table, in the form of its stream, for `notify`.
//!
//! The embedded engine has streams too, but looks through all earlier records at each write, so that
//! a server that runs long slows down. So it is watched instead: a proxy before it compares an item
//! before and after each write to it.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use dynoxide::Database;
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use mfa_notify::{Notify, StreamEvent};
use serde_json::{Map, Value, json};

use crate::clock::LocalClock;

type HttpClient = Client<HttpConnector, Full<Bytes>>;

/// The longest call of `DynamoDB`.
const READ_AT_MOST: usize = 16 * 1024 * 1024;

/// How many writes wait for `notify`. If more come, which takes hundreds of users at once, the oldest are told
/// to nobody.
const KEPT: usize = 500;

/// How many records `notify` gets at once.
const BATCH: usize = 10;

/// How often a stream is asked for more, and how long `notify` waits after a failure.
const PAUSE: Duration = Duration::from_millis(250);

/// Where records come from.
#[derive(Clone)]
pub enum Stream {
    /// From the proxy before the embedded engine.
    Watched(WriteLog),
    /// From the stream of a table elsewhere.
    Polled(Arc<Polled>),
}

impl Stream {
    /// The stream of the table `name` at another `DynamoDB`.
    #[must_use]
    pub fn of(endpoint: &str, name: &str) -> Self {
        let (endpoint, table) = (endpoint.to_owned(), name.to_owned());
        Self::Polled(Arc::new(Polled { endpoint, table, client: client(), iterators: tokio::sync::Mutex::default() }))
    }

    /// The records since this was last asked: at most so many of those that were watched, and all of a
    /// stream elsewhere. It does not wait for any.
    ///
    /// # Errors
    /// What the service answered.
    pub async fn take(&self, at_most: usize) -> Result<Vec<Value>, String> {
        match self {
            Self::Watched(log) => {
                let records = &mut log.lock().records;
                let count = records.len().min(at_most);
                Ok(records.drain(..count).filter_map(|record| serde_json::from_str(&record).ok()).collect())
            }
            Self::Polled(polled) => polled.take().await,
        }
    }
}

/// The writes that the proxy saw.
#[derive(Clone, Default)]
pub struct WriteLog(Arc<Mutex<Written>>);

#[derive(Default)]
struct Written {
    /// As JSON, which takes a tenth of the memory of a [`Value`].
    records: VecDeque<String>,
    count: u64,
}

impl WriteLog {
    fn lock(&self) -> std::sync::MutexGuard<'_, Written> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, key: &Value, old: Option<Value>, new: Option<Value>, seconds: u64) {
        let event = match (&old, &new) {
            (None, Some(_)) => "INSERT",
            (Some(_), Some(_)) => "MODIFY",
            (Some(_), None) => "REMOVE",
            (None, None) => return,
        };
        let mut written = self.lock();
        written.count += 1;
        let mut images = Map::from_iter([
            ("Keys".to_owned(), key.clone()),
            ("SequenceNumber".to_owned(), written.count.to_string().into()),
            ("ApproximateCreationDateTime".to_owned(), seconds.into()),
        ]);
        let both = [("OldImage", old), ("NewImage", new)];
        images.extend(both.into_iter().filter_map(|(name, image)| Some((name.to_owned(), image?))));
        written.records.push_back(json!({ "eventName": event, "dynamodb": images }).to_string());
        if written.records.len() > KEPT {
            written.records.pop_front();
        }
    }
}

/// The proxy before the embedded engine.
#[derive(Clone)]
struct Watch {
    database: Database,
    /// The address of the engine.
    engine: String,
    client: HttpClient,
    clock: LocalClock,
    log: WriteLog,
    /// Held from before a write until after it, so that no other comes in between.
    one_at_a_time: Arc<tokio::sync::Mutex<()>>,
}

/// A proxy before the engine of `database`, which serves at `engine`, and the log of what it sees.
pub(crate) fn watch(database: Database, engine: String, clock: LocalClock) -> (Router, WriteLog) {
    let log = WriteLog::default();
    let one_at_a_time = Arc::default();
    let watch = Watch { database, engine, client: client(), clock, log: log.clone(), one_at_a_time };
    (Router::new().fallback(pass_on).with_state(watch), log)
}

async fn pass_on(State(watch): State<Watch>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, READ_AT_MOST).await else { return StatusCode::PAYLOAD_TOO_LARGE.into_response() };
    let Some((table, key)) = watched(&parts.headers, &body) else { return watch.forward(&parts.headers, body).await };
    let _turn = watch.one_at_a_time.lock().await;
    let old = watch.item(&table, &key);
    let answer = watch.forward(&parts.headers, body).await;
    let new = watch.item(&table, &key);
    if old != new {
        watch.log.note(&key, old, new, watch.clock.now().as_secs());
    }
    answer
}

/// The table and the key of a write to an item that somebody may be told of.
fn watched(headers: &HeaderMap, body: &Bytes) -> Option<(Value, Value)> {
    let target = headers.get("x-amz-target")?.to_str().ok()?;
    let (_, operation) = target.rsplit_once('.')?;
    if !matches!(operation, "PutItem" | "UpdateItem" | "DeleteItem") {
        return None;
    }
    let call: Value = serde_json::from_slice(body).ok()?;
    let of = call.get("Key").or_else(|| call.get("Item"))?;
    let sort_key = text(of, "/sk/S")?;
    let is_told = sort_key == "MFA#LEDGER" || sort_key.starts_with("SESSION#");
    let key = json!({ "pk": of.get("pk"), "sk": of.get("sk") });
    is_told.then_some((call.get("TableName")?.clone(), key))
}

impl Watch {
    fn item(&self, table: &Value, key: &Value) -> Option<Value> {
        let get = serde_json::from_value(json!({ "TableName": table, "Key": key, "ConsistentRead": true }));
        let got = self.database.get_item(get.ok()?).ok()?;
        serde_json::to_value(got).ok()?.get("Item").cloned()
    }

    async fn forward(&self, headers: &HeaderMap, body: Bytes) -> Response {
        match post(&self.client, &self.engine, headers, body).await {
            Ok(answer) => answer,
            Err(error) => (StatusCode::BAD_GATEWAY, error).into_response(),
        }
    }
}

/// The text at a place of a JSON value.
fn text<'a>(value: &'a Value, place: &str) -> Option<&'a str> {
    value.pointer(place)?.as_str()
}

fn client() -> HttpClient {
    Client::builder(TokioExecutor::new()).build_http()
}

async fn post(client: &HttpClient, url: &str, headers: &HeaderMap, body: Bytes) -> Result<Response, String> {
    let mut request = axum::http::Request::post(url).body(Full::new(body)).map_err(|error| error.to_string())?;
    *request.headers_mut() = headers.clone();
    // They are of the connection that the call came on. With the last, the engine may send a checksum of
    // an answer that is compressed.
    for name in [header::HOST, header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::ACCEPT_ENCODING] {
        request.headers_mut().remove(name);
    }
    let answer = client.request(request).await.map_err(|error| error.to_string())?;
    let (parts, body) = answer.into_parts();
    let body = body.collect().await.map_err(|error| error.to_string())?.to_bytes();
    Ok(Response::from_parts(parts, Body::from(body)))
}

/// The stream of a table elsewhere, as far as it was read.
pub struct Polled {
    endpoint: String,
    table: String,
    client: HttpClient,
    /// The shards, each with where its next records are.
    iterators: tokio::sync::Mutex<Vec<(String, Option<String>)>>,
}

impl Polled {
    async fn call(&self, operation: &str, body: Value) -> Result<Value, String> {
        let target = format!("DynamoDBStreams_20120810.{operation}");
        // Emulators name the owner of a table by the credentials, and check no signature.
        let signed = "AWS4-HMAC-SHA256 Credential=local/20300101/us-east-1/dynamodb/aws4_request, \
                      SignedHeaders=host, Signature=0";
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("content-type", "application/x-amz-json-1.0"),
            ("x-amz-target", &target),
            ("authorization", signed),
            ("x-amz-date", "20300101T000000Z"),
        ] {
            let name = name.parse::<header::HeaderName>().map_err(|error| error.to_string())?;
            headers.insert(name, value.parse().map_err(|_| "not a header".to_owned())?);
        }
        let answer = post(&self.client, &self.endpoint, &headers, body.to_string().into()).await?;
        let status = answer.status();
        let body = to_bytes(answer.into_body(), READ_AT_MOST).await.map_err(|error| error.to_string())?;
        if !status.is_success() {
            return Err(format!("{operation}: {status} {}", String::from_utf8_lossy(&body)));
        }
        serde_json::from_slice(&body).map_err(|error| error.to_string())
    }

    async fn take(&self) -> Result<Vec<Value>, String> {
        let mut iterators = self.iterators.lock().await;
        self.find_shards(&mut iterators).await?;
        let mut records = Vec::new();
        for (_, iterator) in iterators.iter_mut() {
            while let Some(from) = iterator.clone() {
                let mut page = self.call("GetRecords", json!({ "ShardIterator": from })).await?;
                *iterator = text(&page, "/NextShardIterator").map(ToOwned::to_owned);
                let some =
                    page.get_mut("Records").and_then(Value::as_array_mut).map(std::mem::take).unwrap_or_default();
                if some.is_empty() {
                    break;
                }
                records.extend(some);
            }
        }
        Ok(records)
    }

    async fn find_shards(&self, iterators: &mut Vec<(String, Option<String>)>) -> Result<(), String> {
        let streams = self.call("ListStreams", json!({ "TableName": self.table })).await?;
        let arn = text(&streams, "/Streams/0/StreamArn");
        let described = self.call("DescribeStream", json!({ "StreamArn": arn })).await?;
        for shard in described.pointer("/StreamDescription/Shards").and_then(Value::as_array).into_iter().flatten() {
            let id = text(shard, "/ShardId").unwrap_or_default();
            if iterators.iter().all(|(known, _)| known != id) {
                let from = json!({ "StreamArn": arn, "ShardId": id, "ShardIteratorType": "TRIM_HORIZON" });
                let from = self.call("GetShardIterator", from).await?;
                iterators.push((id.to_owned(), text(&from, "/ShardIterator").map(ToOwned::to_owned)));
            }
        }
        Ok(())
    }
}

/// Hands what is written to `notify`, as Lambda does: what it could not tell of comes again.
pub(crate) async fn tell(app: mfa::App, stream: Stream, log: impl Fn(&mfa::http::LogLine)) {
    let notify = Notify::new(&app);
    let mut left = Vec::new();
    loop {
        if left.len() < BATCH {
            left.extend(stream.take(BATCH - left.len()).await.unwrap_or_default());
        }
        let is_full = left.len() >= BATCH;
        if !left.is_empty() {
            left = answered(&app, &notify, left, &log).await;
        }
        if !is_full || !left.is_empty() {
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// The records that must come again.
async fn answered(
    app: &mfa::App,
    notify: &Notify,
    records: Vec<Value>,
    log: &impl Fn(&mfa::http::LogLine),
) -> Vec<Value> {
    let Ok(event) = serde_json::from_value::<StreamEvent>(json!({ "Records": &records })) else { return Vec::new() };
    let (unfinished, line) = notify.answer(app, &event, &crate::router::request_id()).await;
    if line.metrics.observed.counted(mfa::metrics::Metric::NoticesSent) > 0.0 || line.status != 200 {
        log(&line);
    }
    let is_left = |record: &Value| {
        let number = text(record, "/dynamodb/SequenceNumber");
        unfinished.failures.iter().any(|failure| Some(failure.sequence_number.as_str()) == number)
    };
    records.into_iter().filter(is_left).collect()
}
