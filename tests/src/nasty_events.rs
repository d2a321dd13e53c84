//! Events that a caller, or a mistake in the set-up, can hand to a function, and what the function
//! must make of each.

use std::collections::BTreeSet;

use data_encoding::BASE64;
use mfa::http::{Endpoint, ErrorCode, errors_of, reads_body};
use serde_json::{Map, Value, json};

use crate::{SampleEvent, TestApp, runtime_api::RunningFunction, sample_event::as_payload_1};

/// What a function makes of an event.
enum Expected {
    /// What it makes of the sample event.
    Sample,
    /// This error.
    Error(ErrorCode),
    /// Some documented answer.
    Documented,
    /// The documented 500, and an error line that names this shape.
    Foreign(&'static str),
}

use Expected::{Documented, Error, Foreign, Sample};

struct Nasty {
    name: String,
    event: Vec<u8>,
    expected: Expected,
}

/// Hands every event to one process of `binary`. Fails unless each one is answered as it must be
/// and logged in one line, and the process lives on.
///
/// # Panics
/// If an answer or a line differs.
pub async fn assert_answers_nasty_events<E: Endpoint>(binary: &str, sample: &SampleEvent) {
    let mfa = TestApp::start().await;
    let mut function = RunningFunction::start(&mfa, binary).await;
    let usual = function.invoke(sample.event().to_string()).await.expect("an answer");
    function.log_line().await;
    for Nasty { name, event, expected } in nasty_events(reads_body(&E::METHOD), &sample.event()) {
        let answer = function.invoke(event).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        let line = function.log_line().await;
        let code = assert_documented::<E>(&name, &answer);
        assert_eq!(line["status"], answer["statusCode"], "{name}: {line}");
        match expected {
            Sample => assert_eq!((&answer["statusCode"], code), (&usual["statusCode"], code_of(&usual)), "{name}"),
            Error(expected) => assert_eq!(code.as_deref(), Some(expected.as_str()), "{name}"),
            Documented => assert_ne!(answer["statusCode"], 500, "{name}: {line}"),
            Foreign(shape) => assert_foreign(&name, &answer, &line, shape),
        }
    }
    assert_eq!(function.end().await, "", "a function writes its log lines and nothing else");
}

/// Fails unless an event was answered as one that is no request.
#[track_caller]
pub fn assert_foreign(name: &str, answer: &Value, line: &Value, shape: &str) {
    assert_eq!(answer["statusCode"], 500, "{name}: {answer}");
    assert_eq!((&line["level"], &line["code"]), (&json!("ERROR"), &json!("INTERNAL_ERROR")), "{name}: {line}");
    let cause = line["cause"].as_str().expect("a cause");
    assert_eq!(cause, format!("the event is no API Gateway request of payload 2.0 or 1.0, but {shape}"), "{name}");
}

/// Fails unless an answer is one that `docs/openapi.yaml` describes. Returns the code of its error.
#[track_caller]
pub fn assert_documented<E: Endpoint>(name: &str, answer: &Value) -> Option<String> {
    let fields: BTreeSet<_> = answer.as_object().expect("an object").keys().map(String::as_str).collect();
    let mut known = BTreeSet::from(["body", "headers", "isBase64Encoded", "multiValueHeaders", "statusCode"]);
    if answer["multiValueHeaders"] == json!({}) {
        known.insert("cookies"); // payload 2.0
    }
    assert_eq!(fields, known, "{name}: {answer}");
    let header = |name: &str| match &answer["headers"][name] {
        Value::Null => answer["multiValueHeaders"][name][0].clone(),
        value => value.clone(),
    };
    assert_eq!(header("content-type"), "application/json", "{name}: {answer}");
    assert!(header("x-request-id").is_string() && header("cache-control").is_string(), "{name}: {answer}");
    assert_eq!(answer["isBase64Encoded"], false, "{name}");
    let code = code_of(answer);
    if answer["statusCode"] == 200 {
        return code;
    }
    let body = body_of(answer);
    let fields: Vec<_> = body
        .as_object()
        .expect("an object")
        .keys()
        .filter(|name| !["retryAfter", "attemptsLeft"].contains(&name.as_str()))
        .collect();
    assert_eq!(fields, ["code", "error", "message", "statusCode"], "{name}");
    assert_eq!(body["statusCode"], answer["statusCode"], "{name}");
    let declared = errors_of::<E>().into_iter().find(|error| code.as_deref() == Some(error.as_str()));
    assert_eq!(body["statusCode"], declared.expect("a declared error").status().as_u16(), "{name}: {body}");
    code
}

fn body_of(answer: &Value) -> Value {
    serde_json::from_str(answer["body"].as_str().expect("a text body")).expect("a JSON body")
}

fn code_of(answer: &Value) -> Option<String> {
    (answer["statusCode"] != 200).then(|| body_of(answer)["code"].as_str().expect("a code").to_owned())
}

/// All events, made of the sample of one function. `reads_body` says whether that function does.
fn nasty_events(reads_body: bool, sample: &Value) -> Vec<Nasty> {
    let rest = as_payload_1(sample);
    let mut all = Vec::new();
    all.extend(changed(sample, "2.0", of_payload_2()));
    all.extend(changed(&rest, "1.0", of_payload_1()));
    for (event, payload) in [(sample, "2.0"), (&rest, "1.0")] {
        all.extend(changed(event, payload, of_both()));
        all.extend(changed(event, payload, bodies(reads_body, event)));
        all.extend(texts(event, payload));
    }
    all.extend(foreign(sample));
    all
}

type Change = (&'static str, Value, Expected);

/// The event once for each change: a JSON pointer, and what is put there.
fn changed(event: &Value, payload: &str, changes: Vec<Change>) -> Vec<Nasty> {
    let with = |(pointer, value, expected): Change| {
        let name = format!("payload {payload}, {pointer} = {value:.60}");
        let event = with(event, pointer, value).to_string().into_bytes();
        Nasty { name, event, expected }
    };
    changes.into_iter().map(with).collect()
}

/// The event with `value` at the place of a JSON pointer; whatever is missing on the way is made.
pub fn with(event: &Value, pointer: &str, value: Value) -> Value {
    let mut event = event.clone();
    let mut place = &mut event;
    for name in pointer.split('/').skip(1) {
        if !place.is_object() {
            *place = json!({});
        }
        place = place.as_object_mut().expect("an object").entry(name).or_insert(Value::Null);
    }
    *place = value;
    event
}

fn of_both() -> Vec<Change> {
    let header = |name: &'static str, value: &str| (name, json!(value), Sample);
    vec![
        header("/headers/host", "\u{0}"),
        header("/headers/host", "a b"),
        header("/headers/host", "["),
        header("/headers/host", "example.com:999999"),
        header("/headers/host", ""),
        header("/headers/x-forwarded-proto", "ht tp"),
        header("/headers/x-forwarded-proto", "\u{0}"),
        header("/headers/x-forwarded-for", "\u{0}, \"[::1\", \u{1f600}"),
        header("/headers/x y", "a name with a blank"),
        header("/headers/", "no name"),
        header("/headers/ü", "a name that is not ASCII"),
        header("/headers/x\n", "a name with a line end"),
        header("/headers/x-odd", "a\r\nauthorization: b"),
        header("/headers/x-odd", "\u{0}"),
        header("/headers/x-odd", "\u{1f600}"),
        ("/headers/x-odd", json!(1), Sample),
        ("/headers/x-odd", json!(null), Sample),
        ("/headers/x-odd", json!({ "a": [] }), Sample),
        ("/headers/x-odd", json!(["a", null, 1, "\u{0}"]), Sample),
        ("/multiValueHeaders/x-odd", json!(["a", null, 1, "\u{0}", "b"]), Sample),
        ("/multiValueHeaders/x y", json!(["a"]), Sample),
        ("/multiValueHeaders/x-odd", json!("a"), Sample),
        ("/headers", json!(null), Documented),
        ("/headers", json!([]), Documented),
        ("/headers", json!("x"), Documented),
        ("/queryStringParameters", json!({ "\"<>": "\u{0}", "": null }), Sample),
        ("/multiValueQueryStringParameters", json!({ "\"<>": ["\u{0}"], "": null }), Sample),
        ("/stageVariables", json!({ "": null }), Sample),
        ("/requestContext/domainName", json!("\u{0} <"), Sample),
        ("/requestContext/domainName", json!(null), Sample),
        ("/requestContext/stage", json!("<\u{0}>"), Sample),
        ("/requestContext/stage", json!(1), Sample),
        ("/requestContext/timeEpoch", json!("x"), Sample),
        ("/requestContext/timeEpoch", json!(-1), Sample),
        ("/requestContext/authorizer", json!({ "jwt": { "claims": null }, "lambda": [[[]]] }), Sample),
        ("/pathParameters", json!("x"), Sample),
        ("/pathParameters", json!({ "a": null, "b": 1 }), Sample),
        ("/pathParameters", json!({ "id": "\u{0}%ff%zz/../" }), Sample),
        ("/version", json!(null), Sample),
        ("/version", json!(3), Sample),
        ("/cookies", json!(["a=\u{0}", "", 1]), Sample),
        ("/cookies", json!("x"), Sample),
        ("/isBase64Encoded", json!(null), Sample),
    ]
}

fn of_payload_2() -> Vec<Change> {
    let wrong_method = || Error(ErrorCode::MethodNotAllowed);
    vec![
        ("/rawQueryString", json!("\"<> "), Sample),
        ("/rawQueryString", json!("\u{0}%ff%zz&=&&"), Sample),
        ("/rawQueryString", json!(null), Sample),
        ("/rawQueryString", json!("a".repeat(100_000)), Sample),
        ("/rawPath", json!("/%ff%zz%"), Sample),
        ("/rawPath", json!("\"<> \u{0}"), Sample),
        ("/rawPath", json!(null), Sample),
        ("/rawPath", json!("a".repeat(100_000)), Sample),
        ("/routeKey", json!("$default"), Sample),
        ("/routeKey", json!(null), Sample),
        ("/requestContext/http/path", json!("\"<> \u{0}"), Sample),
        ("/requestContext/http/protocol", json!("\u{0}"), Sample),
        ("/requestContext/http/sourceIp", json!(null), Sample),
        ("/requestContext/http/sourceIp", json!("\u{0}"), Sample),
        ("/requestContext/http/userAgent", json!([]), Sample),
        ("/requestContext/http/method", json!("G ET"), wrong_method()),
        ("/requestContext/http/method", json!(""), wrong_method()),
        ("/requestContext/http/method", json!("\u{0}"), wrong_method()),
        ("/requestContext/http/method", json!("options"), wrong_method()),
    ]
}

fn of_payload_1() -> Vec<Change> {
    let wrong_method = || Error(ErrorCode::MethodNotAllowed);
    vec![
        ("/headers", json!(null), Sample),
        ("/multiValueHeaders", json!(null), Sample),
        ("/multiValueHeaders", json!([["authorization", "x"]]), Sample),
        ("/path", json!("/%ff%zz%\"<> \u{0}"), Sample),
        ("/path", json!(null), Sample),
        ("/resource", json!(null), Sample),
        ("/requestContext/identity", json!({}), Sample),
        ("/requestContext/identity/sourceIp", json!(null), Sample),
        ("/requestContext/identity/sourceIp", json!("\u{0}"), Sample),
        ("/requestContext/path", json!("\u{0}"), Sample),
        ("/httpMethod", json!("G ET"), wrong_method()),
        ("/httpMethod", json!(""), wrong_method()),
    ]
}

fn bodies(reads_body: bool, event: &Value) -> Vec<Change> {
    let unreadable = || if reads_body { Error(ErrorCode::InvalidInput) } else { Sample };
    let too_large = || Error(ErrorCode::PayloadTooLarge);
    let encoded = BASE64.encode(event["body"].as_str().unwrap_or_default().as_bytes());
    let mut all = vec![
        ("/isBase64Encoded", json!("true"), unreadable()),
        ("/isBase64Encoded", json!({}), unreadable()),
        ("/body", json!({ "otp": 1 }), unreadable()),
        ("/body", json!(1), unreadable()),
        ("/body", json!("["), unreadable()),
        ("/body", json!("\u{0}"), unreadable()),
        ("/body", json!("[".repeat(5000)), unreadable()),
        ("/body", json!("a".repeat(1 << 20)), too_large()),
    ];
    let mut encoded_bodies = vec![(json!(encoded), Sample), (json!("a".repeat(1 << 20)), too_large())];
    for malformed in ["%%%", "YQ", "YR==", "Y Q==", "\u{0}", "\u{1f600}"] {
        encoded_bodies.push((json!(malformed), unreadable()));
    }
    for (body, expected) in encoded_bodies {
        let mut fields = event.clone();
        fields["isBase64Encoded"] = true.into();
        fields["body"] = body;
        all.push(("", fields, expected));
    }
    all
}

/// What no `Value` can hold.
fn texts(event: &Value, payload: &str) -> Vec<Nasty> {
    let deep = format!("{}1{}", "[".repeat(50_000), "]".repeat(50_000));
    let many: Map<String, Value> = (0..40_000).map(|number| (format!("z-{number}"), json!("z"))).collect();
    let many = Value::Object(many).to_string();
    let mut all = Vec::new();
    let mut add = |name: &str, text: &str, pointer: &str| {
        let event = with(event, pointer, json!("<here>")).to_string().replacen("\"<here>\"", text, 1);
        let name = format!("payload {payload}, {name} at {pointer}");
        all.push(Nasty { name, event: event.into_bytes(), expected: Sample });
    };
    for place in ["/rawQueryString", "/requestContext/authorizer", "/headers/x-odd", "/queryStringParameters"] {
        add("a deep value", &deep, place);
        add("a number without end", "1e999999", place);
        add("half a surrogate", r#""\ud800""#, place);
        add("half a surrogate as a name", r#"{"\udfff": "a"}"#, place);
        add("a name twice", r#"{"a": "a", "a": "b"}"#, place);
    }
    let headers = event["headers"].to_string();
    let rest = headers.strip_prefix('{').expect("an object");
    add("half a surrogate in a name", &format!(r#"{{"\ud800": "a", {rest}"#), "/headers");
    let with_many = format!("{},{rest}", many.strip_suffix('}').expect("an object"));
    add("40,000 headers", &with_many, "/headers");
    all
}

fn foreign(sample: &Value) -> Vec<Nasty> {
    let keys = "an object with the keys body, headers, httpMethod, isBase64Encoded, multiValueHeaders, path, \
                queryStringParameters, requestContext";
    let load_balancer = json!({
        "requestContext": { "elb": { "targetGroupArn": "arn:aws:elasticloadbalancing:us-east-1:123456789012:a/b/c" } },
        "httpMethod": "GET", "path": "/auth/mfa/status", "queryStringParameters": {}, "body": "",
        "headers": { "authorization": sample["headers"]["authorization"] }, "multiValueHeaders": {},
        "isBase64Encoded": false,
    });
    let schedule = json!({
        "version": "0", "id": "53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa", "detail-type": "Scheduled Event",
        "source": "aws.events", "account": "123456789012", "time": "2015-10-08T16:53:06Z", "region": "us-east-1",
        "resources": ["arn:aws:events:us-east-1:123456789012:rule/my-scheduled-rule"], "detail": {},
    });
    let queue = json!({ "Records": [{ "eventSource": "aws:sqs", "body": "secret" }] });
    let odd_keys = json!({ "a b": 1, "alice@example.com": 1, "warm-up": true });
    let without_method = "an object with the keys requestContext";
    let events = [
        ("a load balancer's", load_balancer.to_string(), keys),
        (
            "a schedule's",
            schedule.to_string(),
            "an object with the keys account, detail, detail-type, id, region, resources, source, time, version",
        ),
        ("a queue's", queue.to_string(), "an object with the keys Records"),
        ("odd keys", odd_keys.to_string(), "an object with the keys ?, ?, warm-up"),
        ("an empty object", "{}".to_owned(), "an object without keys"),
        ("an array", "[]".to_owned(), "an array"),
        ("an array of arrays", format!("{}{}", "[".repeat(9999), "]".repeat(9999)), "an array"),
        ("a string", r#""x""#.to_owned(), "a string"),
        ("a number", " -1".to_owned(), "a number"),
        ("a boolean", "true".to_owned(), "a boolean"),
        ("null", "null".to_owned(), "null"),
        ("nothing", String::new(), "not JSON"),
        ("half an object", "{".to_owned(), "not JSON"),
        ("no JSON", "{'a': 1}".to_owned(), "not JSON"),
        ("no context", r#"{"requestContext": null}"#.to_owned(), without_method),
        ("no method", r#"{"requestContext": {"http": {"method": null}}}"#.to_owned(), without_method),
        ("a method that is no text", r#"{"requestContext": {"http": {"method": 1}}}"#.to_owned(), without_method),
        ("a context without a request", r#"{"requestContext": {"http": null}}"#.to_owned(), without_method),
    ];
    let nasty = |(name, event, shape): (&str, String, _)| Nasty {
        name: format!("foreign: {name}"),
        event: event.into_bytes(),
        expected: Foreign(shape),
    };
    let no_text = Nasty { name: "foreign: no text".to_owned(), event: vec![0xff], expected: Foreign("not JSON") };
    events.into_iter().map(nasty).chain([no_text]).collect()
}
