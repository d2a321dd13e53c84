//! The sample events of `events/`: what API Gateway (HTTP API, payload 2.0) hands to each function.

use std::{collections::BTreeMap, path::Path};

use lambda_http::http::Method;
use mfa::{
    config::development,
    http::{Endpoint, ErrorCode, errors_of},
};
use serde::Serialize;
use serde_json::{Map, Value, json};

const SIGNED_IN_AT: u64 = 1_767_225_600; // 2026-01-01T00:00:00Z
const EXPIRES_AT: u64 = 4_102_444_800; // 2100-01-01T00:00:00Z
const SESSION: &str = "5e551011-0000-4000-8000-000000000001";
const API: &str = "a1b2c3d4e5";
const DOMAIN: &str = "a1b2c3d4e5.execute-api.us-east-1.amazonaws.com";
const USER_AGENT: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";

/// Declares a function's sample event, in the function's own `tests/lambda.rs`. It makes two tests:
/// the files in `events/` are up to date, and the real binary answers the event as declared.
///
/// `INSTA_UPDATE=always cargo test --test lambda` writes the files.
#[macro_export]
macro_rules! sample_event {
    ($binary:literal, $sample:expr) => {
        #[test]
        fn the_sample_event_is_up_to_date() {
            $sample.assert_up_to_date();
        }

        #[tokio::test]
        async fn the_binary_answers_its_sample_event() {
            let binary = env!(concat!("CARGO_BIN_EXE_", $binary));
            $crate::runtime_api::assert_binary_answers(binary, &$sample).await;
        }
    };
}

/// An event, and what the function answers to it on an empty table.
pub struct SampleEvent {
    /// The function.
    pub name: &'static str,
    /// The answer's `cache-control`, for a function with a route.
    pub cache_control: Option<&'static str>,
    method: Method,
    route: &'static str,
    parameter: Option<&'static str>,
    headers: Map<String, Value>,
    body: Option<String>,
    expected: Value,
}

impl SampleEvent {
    /// An event without a body, which is answered with 200.
    pub fn of<E: Endpoint>() -> Self {
        let has_login = errors_of::<E>().contains(&ErrorCode::NoAuthProvided);
        Self {
            cache_control: Some(E::CACHE_CONTROL),
            expected: json!({ "statusCode": 200 }),
            ..Self::new(E::NAME, E::METHOD, E::PATH, has_login)
        }
    }

    /// The event that asks the authorizer about a route of the application. The authorizer lets the
    /// token in it through.
    pub fn of_authorizer(method: Method, route: &'static str) -> Self {
        Self { expected: json!({ "isAuthorized": true }), ..Self::new("authorizer", method, route, true) }
    }

    fn new(name: &'static str, method: Method, route: &'static str, has_login: bool) -> Self {
        let mut headers = Map::new();
        if has_login {
            headers.insert("authorization".to_owned(), format!("Bearer {}", login_token(name)).into());
        }
        let (cache_control, parameter, body, expected) = (None, None, None, Value::Null);
        Self { name, cache_control, method, route, parameter, headers, body, expected }
    }

    /// Gives the event this JSON as its body.
    pub fn body(mut self, body: &Value) -> Self {
        self.headers.insert("content-type".to_owned(), "application/json".into());
        self.body = Some(body.to_string());
        self
    }

    /// Adds a header to the event.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.insert(name.to_owned(), value.into());
        self
    }

    /// Puts `value` into the path, in place of the parameter.
    pub fn parameter(mut self, value: &'static str) -> Self {
        self.parameter = Some(value);
        self
    }

    /// Declares that the function answers the event with this error.
    pub fn answers(mut self, error: ErrorCode) -> Self {
        self.expected = json!({ "statusCode": error.status().as_u16(), "code": error.as_str() });
        self.cache_control = Some("no-store");
        self
    }

    /// Fails unless `events/<name>.json` is this event, and `events/expected.json` has its answer.
    #[track_caller]
    pub fn assert_up_to_date(&self) {
        assert_up_to_date(&format!("events/{}.json", self.name), &pretty(&self.event()));
        let mut expected: BTreeMap<String, Value> = serde_json::from_str(&read("events/expected.json")).expect("JSON");
        expected.insert(self.name.to_owned(), self.expected.clone());
        assert_up_to_date("events/expected.json", &pretty(&expected));
    }

    /// The event.
    pub fn event(&self) -> Value {
        let is_of_authorizer = self.name == "authorizer";
        let mut path = self.route.to_owned();
        let mut event = json!({ "version": "2.0", "rawQueryString": "" });
        if let (Some(value), Some((start, name))) = (self.parameter, self.route.split_once('{')) {
            let name = name.trim_end_matches('}');
            path = format!("{start}{value}");
            event["pathParameters"] = json!({ name: value });
        }
        let route_key = format!("{} {}", self.method, self.route);
        let number = number_of(self.name);
        let source_ip = format!("203.0.113.{}", 10 + number % 200);
        let mut headers = json!({
            "accept": "application/json",
            "content-length": self.body.as_ref().map_or(0, String::len).to_string(),
            "host": DOMAIN,
            "user-agent": USER_AGENT,
            "x-amzn-trace-id": format!("Root=1-6955b900-{number:024x}"),
            "x-forwarded-for": source_ip,
            "x-forwarded-port": "443",
            "x-forwarded-proto": "https",
        });
        for (name, value) in &self.headers {
            headers[name] = value.clone();
        }
        if is_of_authorizer {
            event["type"] = "REQUEST".into();
            event["routeArn"] =
                format!("arn:aws:execute-api:us-east-1:123456789012:{API}/$default/{}{path}", self.method).into();
            event["identitySource"] = json!([headers["authorization"], route_key]);
        } else {
            event["isBase64Encoded"] = false.into();
        }
        if let Some(body) = &self.body {
            event["body"] = body.as_str().into();
        }
        event["headers"] = headers;
        event["rawPath"] = path.as_str().into();
        event["routeKey"] = route_key.as_str().into();
        event["requestContext"] = json!({
            "accountId": "123456789012",
            "apiId": API,
            "domainName": DOMAIN,
            "domainPrefix": API,
            "http": {
                "method": self.method.as_str(),
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": source_ip,
                "userAgent": USER_AGENT,
            },
            "requestId": format!("JKJaXmPLvHcES{number:04}="),
            "routeKey": route_key,
            "stage": "$default",
            "time": "01/Jan/2026:00:00:00 +0000",
            "timeEpoch": SIGNED_IN_AT * 1000,
        });
        event
    }
}

/// The same request as a REST API hands it over: an event of payload 1.0.
pub fn as_payload_1(event: &Value) -> Value {
    let http = &event["requestContext"]["http"];
    let resource = event["routeKey"].as_str().and_then(|key| key.split_once(' ')).map(|(_, path)| path);
    let headers = event["headers"].as_object().expect("headers");
    let all: Map<String, Value> = headers.iter().map(|(name, value)| (name.clone(), json!([value]))).collect();
    json!({
        "resource": resource,
        "path": event["rawPath"],
        "httpMethod": http["method"],
        "headers": headers,
        "multiValueHeaders": all,
        "queryStringParameters": null,
        "multiValueQueryStringParameters": null,
        "pathParameters": event["pathParameters"],
        "stageVariables": null,
        "requestContext": {
            "accountId": "123456789012",
            "apiId": API,
            "domainName": DOMAIN,
            "extendedRequestId": "JKJaXmPLvHcESHA=",
            "httpMethod": http["method"],
            "identity": { "cognitoIdentityId": null, "sourceIp": http["sourceIp"], "userAgent": USER_AGENT },
            "path": event["rawPath"],
            "protocol": "HTTP/1.1",
            "requestId": "c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
            "requestTimeEpoch": SIGNED_IN_AT * 1000,
            "resourceId": "123456",
            "resourcePath": resource,
            "stage": "prod",
        },
        "body": event["body"],
        "isBase64Encoded": event["isBase64Encoded"],
    })
}

/// Fails unless a file of the repository holds `text`. With `INSTA_UPDATE=always`, writes it.
#[track_caller]
#[expect(clippy::disallowed_methods, reason = "the same switch as for the snapshots")]
pub fn assert_up_to_date(path: &str, text: &str) {
    if std::env::var("INSTA_UPDATE").as_deref() == Ok("always") {
        std::fs::write(root().join(path), text).expect("a file that can be written");
    }
    assert!(read(path) == text, "{path} is out of date. INSTA_UPDATE=always cargo test writes it anew");
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_default()
}

fn root() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn pretty(value: &impl Serialize) -> String {
    serde_json::to_string_pretty(value).expect("JSON") + "\n"
}

/// A number from an event's name. It gives the events different phone numbers and source addresses,
/// so that none changes the answer to another.
fn number_of(name: &str) -> u32 {
    name.bytes().fold(0, |number, byte| (number * 31 + u32::from(byte)) % 10_000)
}

/// The login token of an application, signed with the public development secret.
fn login_token(name: &str) -> String {
    let claims = json!({
        "sub": format!("event-{name}"),
        "email": format!("{name}@example.com"),
        "phone": format!("+1202555{:04}", number_of(name)),
        "type": "access",
        "sessionId": SESSION,
        "iat": SIGNED_IN_AT,
        "exp": EXPIRES_AT,
    });
    let key = jsonwebtoken::EncodingKey::from_secret(development::JWT_SECRET.as_bytes());
    jsonwebtoken::encode(&jsonwebtoken::Header::default(), &claims, &key).expect("a token")
}
