//! Reads the events of API Gateway field by field.
//!
//! Callers choose much of an event: the query string, the host, forwarded headers, cookies, the
//! path. A type that decodes the whole event fails on fields that nobody needs, and the invocation
//! ends without the documented answer. So only the fields that the pipeline uses are read, each one
//! alone. A field of the wrong type counts as absent.

use std::collections::{BTreeMap, HashMap};

use data_encoding::BASE64;
use lambda_http::http::{HeaderMap, HeaderName, HeaderValue, Method, Response};
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Deserializer, Serialize};
use serde_bytes::{ByteBuf, Bytes};
use serde_json::value::RawValue;

use super::{Incoming, source};
use crate::domain::{Source, access::RouteCall};

/// How many top-level keys are logged of an event that is not a request.
const KEYS_SHOWN: usize = 16;

/// An event as the Lambda runtime hands it over. Holds secrets: it cannot be printed.
pub struct Event(Option<Box<RawValue>>);

impl<'de> Deserialize<'de> for Event {
    /// Never fails. The runtime would answer the error itself, and would log nothing.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(Box::<RawValue>::deserialize(deserializer).ok()))
    }
}

/// The two forms in which API Gateway hands over a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payload {
    /// Payload 1.0: a REST API, or an HTTP API that asks for it.
    V1,
    /// Payload 2.0: an HTTP API, or a function URL.
    V2,
}

/// The shape of an event that is not a request of API Gateway. It never holds a value of that
/// event.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ForeignEvent(String);

/// What a Lambda authorizer is asked. Holds secrets: it cannot be printed.
pub struct AuthorizerRequest {
    /// The headers. In the event of a token authorizer that is `Authorization` alone.
    pub headers: HeaderMap,
    /// The ARN of the method, which the answer to a REST API names. An HTTP API of payload 2.0 has
    /// none.
    pub method_arn: Option<String>,
    route_key: String,
    method: String,
    path: String,
    path_parameters: HashMap<String, String>,
    stage: Option<String>,
    source_ip: Option<String>,
}

impl AuthorizerRequest {
    /// Where the call comes from, if the event says it.
    #[must_use]
    pub fn source(&self, forwarded_hops: u8) -> Option<Source> {
        let source_ip = self.source_ip.as_deref()?;
        Some(source::source(Some(source_ip), &self.headers, forwarded_hops))
    }

    /// The route for the log. A path would hold values that callers choose.
    #[must_use]
    pub fn route_name(&self) -> &str {
        if self.route_key.is_empty() { "the route" } else { &self.route_key }
    }

    /// The route key, method and path that the authorizer judges.
    #[must_use]
    pub fn route_call(&self) -> RouteCall<'_> {
        RouteCall {
            key: &self.route_key,
            method: &self.method,
            path: &self.path,
            parameters: &self.path_parameters,
            stage: self.stage.as_deref(),
        }
    }
}

impl Event {
    /// Wraps the bytes of an event.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Self {
        Self::deserialize(&mut serde_json::Deserializer::from_slice(bytes)).unwrap_or(Self(None))
    }

    /// Reads the event as a request.
    ///
    /// # Errors
    /// [`ForeignEvent`] if it is not a request of payload 2.0 or 1.0.
    pub fn request(&self, request_id: &str) -> Result<(Payload, Incoming), ForeignEvent> {
        self.fields().and_then(|event| request(&event, request_id)).ok_or_else(|| self.foreign())
    }

    /// Whether the path of the request ends with `end`. A stage or a base path may stand before it.
    #[must_use]
    pub fn path_ends_with(&self, end: &str) -> bool {
        let path = self.fields().and_then(|event| event.text("rawPath").or_else(|| event.text("path")));
        path.is_some_and(|path| path.ends_with(end.as_bytes()))
    }

    /// Reads the event as the question to an authorizer: of an HTTP API (payload 2.0 or 1.0), or of
    /// a REST API (`REQUEST` or `TOKEN`).
    ///
    /// # Errors
    /// [`ForeignEvent`] if it is not such a question, or if it names no route, method or path.
    pub fn authorizer_request(&self) -> Result<AuthorizerRequest, ForeignEvent> {
        let read = |event: Object| {
            let kind = event.text("type");
            match (event.text("methodArn"), kind.as_deref()) {
                (Some(arn), Some(b"TOKEN")) => asked_about_token(&event, &utf8(arn)?),
                (Some(arn), _) => asked_by_rest(&event, utf8(arn)?),
                (None, _) => asked_by_http(&event),
            }
        };
        self.fields().and_then(read).ok_or_else(|| self.foreign())
    }

    fn fields(&self) -> Option<Object<'_>> {
        Object::of(self.0.as_deref()?)
    }

    fn foreign(&self) -> ForeignEvent {
        let json = self.0.as_deref().map(RawValue::get).unwrap_or_default();
        ForeignEvent(match json.bytes().next() {
            None => "not JSON".to_owned(),
            Some(b'{') => self.fields().map_or_else(|| "an object".to_owned(), |event| event.shape()),
            Some(b'[') => "an array".to_owned(),
            Some(b'"') => "a string".to_owned(),
            Some(b't' | b'f') => "a boolean".to_owned(),
            Some(b'n') => "null".to_owned(),
            Some(_) => "a number".to_owned(),
        })
    }
}

fn utf8(text: Vec<u8>) -> Option<String> {
    String::from_utf8(text).ok()
}

fn path_parameters(event: &Object) -> HashMap<String, String> {
    let parameters = event.object("pathParameters");
    let parameters = parameters.iter().flat_map(|all| &all.0);
    let parameter = |(name, value): (&ByteBuf, &&RawValue)| Some((lossy(name), lossy(&text(value)?)));
    parameters.filter_map(parameter).collect()
}

/// The question of an HTTP API, payload 2.0.
fn asked_by_http(event: &Object) -> Option<AuthorizerRequest> {
    let context = event.object("requestContext")?;
    let http = context.object("http")?;
    Some(AuthorizerRequest {
        headers: single_headers(event),
        method_arn: None,
        route_key: event.text("routeKey").and_then(utf8)?,
        method: http.text("method").and_then(utf8)?,
        path: event.text("rawPath").or_else(|| http.text("path")).and_then(utf8)?,
        path_parameters: path_parameters(event),
        stage: context.text("stage").and_then(utf8),
        source_ip: http.text("sourceIp").and_then(utf8),
    })
}

/// The question of a REST API, or of an HTTP API with payload 1.0.
fn asked_by_rest(event: &Object, method_arn: String) -> Option<AuthorizerRequest> {
    let context = event.object("requestContext")?;
    let method = event.text("httpMethod").and_then(utf8)?;
    let resource = event.text("resource").and_then(utf8)?;
    Some(AuthorizerRequest {
        headers: all_headers(event),
        method_arn: Some(method_arn),
        route_key: format!("{method} {resource}"),
        method,
        path: event.text("path").and_then(utf8)?,
        path_parameters: path_parameters(event),
        stage: context.text("stage").and_then(utf8),
        source_ip: context.object("identity").and_then(|identity| identity.text("sourceIp")).and_then(utf8),
    })
}

/// The question of a REST API about a token alone. Only the ARN says what is called:
/// `arn:aws:execute-api:REGION:ACCOUNT:API/STAGE/METHOD/PATH`.
fn asked_about_token(event: &Object, method_arn: &str) -> Option<AuthorizerRequest> {
    let mut parts = method_arn.splitn(6, ':').nth(5)?.splitn(4, '/').skip(1);
    let (stage, method, path) = (parts.next()?, parts.next()?, parts.next().unwrap_or_default());
    let mut headers = HeaderMap::new();
    if let Some(token) = event.get("authorizationToken") {
        add(&mut headers, b"authorization", token);
    }
    Some(AuthorizerRequest {
        headers,
        method_arn: Some(method_arn.to_owned()),
        // No key of the configuration is empty, so the path alone decides.
        route_key: String::new(),
        method: method.to_owned(),
        path: format!("/{path}"),
        path_parameters: HashMap::new(),
        stage: Some(stage.to_owned()),
        source_ip: None,
    })
}

fn request(event: &Object, request_id: &str) -> Option<(Payload, Incoming)> {
    let context = event.object("requestContext")?;
    let (payload, method, path, headers, source_ip) = if let Some(http) = context.object("http") {
        (Payload::V2, http.text("method")?, event.text("rawPath"), single_headers(event), http.text("sourceIp"))
    } else {
        // A load balancer's event has a method too, and a context, but no identity in it.
        let identity = context.object("identity")?;
        (Payload::V1, event.text("httpMethod")?, event.text("path"), all_headers(event), identity.text("sourceIp"))
    };
    let path_parameter = event.object("pathParameters").and_then(|all| all.0.values().find_map(|raw| text(raw)));
    // A function URL knows no parameters. A route with one has it at the end of its path.
    let last = || {
        let path = lossy(path.as_deref()?);
        let last = path.rsplit('/').next().filter(|last| !last.is_empty())?;
        Some(percent_decode_str(last).decode_utf8_lossy().into_owned())
    };
    let incoming = Incoming {
        request_id: request_id.to_owned(),
        // No route answers CONNECT, so an invalid method gets a 405 like any other wrong one.
        method: Method::from_bytes(&method).unwrap_or(Method::CONNECT),
        headers,
        source_ip: source_ip.as_deref().map(lossy),
        // API Gateway has decoded it.
        path_parameter: path_parameter.as_deref().map(lossy).or_else(last),
        body: body(event),
    };
    Some((payload, incoming))
}

/// The body, decoded. `None` if it cannot be decoded.
fn body(event: &Object) -> Option<Vec<u8>> {
    let is_base64 = match event.get("isBase64Encoded").map(RawValue::get) {
        None | Some("null" | "false") => false,
        Some("true") => true,
        Some(_) => return None,
    };
    let body = match event.get("body") {
        None => Vec::new(),
        Some(raw) if raw.get() == "null" => Vec::new(),
        Some(raw) => text(raw)?,
    };
    if is_base64 { BASE64.decode(&body).ok() } else { Some(body) }
}

/// The headers of payload 2.0, which has each name once with its values joined by commas.
fn single_headers(event: &Object) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in event.object("headers").iter().flat_map(|all| &all.0) {
        add(&mut headers, name, value);
    }
    headers
}

/// The headers of payload 1.0: all values of `multiValueHeaders`, and the names that only `headers`
/// has.
fn all_headers(event: &Object) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, values) in event.object("multiValueHeaders").iter().flat_map(|all| &all.0) {
        let values: Vec<&RawValue> = serde_json::from_str(values.get()).unwrap_or_default();
        for value in values {
            add(&mut headers, name, value);
        }
    }
    let listed = headers.clone();
    for (name, value) in event.object("headers").iter().flat_map(|all| &all.0) {
        if HeaderName::from_bytes(name).is_ok_and(|name| !listed.contains_key(name)) {
            add(&mut headers, name, value);
        }
    }
    headers
}

/// Adds a header, unless its name or value is invalid in HTTP or the map is full.
fn add(headers: &mut HeaderMap, name: &[u8], value: &RawValue) {
    let value = text(value).map(HeaderValue::try_from);
    if let (Ok(name), Some(Ok(value))) = (HeaderName::from_bytes(name), value) {
        let _ = headers.try_append(name, value);
    }
}

/// A JSON object whose names are decoded and whose values are not.
///
/// Names and texts are bytes, because JSON can write half a surrogate, which a `String` cannot
/// hold.
struct Object<'a>(BTreeMap<ByteBuf, &'a RawValue>);

impl<'a> Object<'a> {
    fn of(raw: &'a RawValue) -> Option<Self> {
        serde_json::from_str(raw.get()).ok().map(Self)
    }

    fn get(&self, name: &str) -> Option<&'a RawValue> {
        self.0.get(Bytes::new(name.as_bytes())).copied()
    }

    fn object(&self, name: &str) -> Option<Self> {
        self.get(name).and_then(Self::of)
    }

    fn text(&self, name: &str) -> Option<Vec<u8>> {
        self.get(name).and_then(text)
    }

    fn shape(&self) -> String {
        if self.0.is_empty() {
            return "an object without keys".to_owned();
        }
        let keys: Vec<_> = self.0.keys().take(KEYS_SHOWN).map(|key| shown(key)).collect();
        let more = if self.0.len() > KEYS_SHOWN { ", …" } else { "" };
        format!("an object with the keys {}{more}", keys.join(", "))
    }
}

/// A key for the log. `?` stands for a key that could hold personal data.
fn shown(key: &[u8]) -> &str {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let key = std::str::from_utf8(key).unwrap_or_default();
    if (1..=32).contains(&key.len()) && key.as_bytes().iter().all(plain) { key } else { "?" }
}

/// A JSON string, decoded.
fn text(raw: &RawValue) -> Option<Vec<u8>> {
    // The decoder would accept an array of numbers as bytes.
    let is_string = raw.get().starts_with('"');
    is_string.then(|| serde_json::from_str::<ByteBuf>(raw.get()).ok()).flatten().map(ByteBuf::into_vec)
}

fn lossy(text: &[u8]) -> String {
    String::from_utf8_lossy(text).into_owned()
}

/// An answer in the form that API Gateway reads. Holds secrets: it cannot be printed.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EventResponse {
    status_code: u16,
    headers: BTreeMap<String, String>,
    multi_value_headers: BTreeMap<String, Vec<String>>,
    /// Always empty, because no endpoint sets a cookie. `cargo lambda watch` refuses an answer to
    /// payload 2.0 without this field.
    #[serde(skip_serializing_if = "Option::is_none")]
    cookies: Option<[String; 0]>,
    body: String,
    is_base64_encoded: bool,
}

impl EventResponse {
    /// Builds the answer in the form of the event's payload.
    #[must_use]
    pub fn new(payload: Payload, response: Response<Vec<u8>>) -> Self {
        let (parts, body) = response.into_parts();
        let mut all = BTreeMap::<String, Vec<String>>::new();
        for (name, value) in &parts.headers {
            all.entry(name.as_str().to_owned()).or_default().push(lossy(value.as_bytes()));
        }
        let (headers, multi_value_headers, cookies) = match payload {
            // If they stood in both fields, a REST API would send each header twice.
            Payload::V1 => (BTreeMap::new(), all, None),
            // Payload 2.0 has one field, with the values joined.
            Payload::V2 => {
                let joined = all.into_iter().map(|(name, values)| (name, values.join(", ")));
                (joined.collect(), BTreeMap::new(), Some([]))
            }
        };
        // A binary body would reach API Gateway as base64.
        let (body, is_base64_encoded) = match String::from_utf8(body) {
            Ok(text) => (text, false),
            Err(error) => (BASE64.encode(error.as_bytes()), true),
        };
        Self { status_code: parts.status.as_u16(), headers, multi_value_headers, cookies, body, is_base64_encoded }
    }
}

#[cfg(test)]
mod tests {
    use lambda_http::http::StatusCode;
    use proptest::prelude::{any, prop, proptest};
    use serde_json::{Value, json};

    use super::*;

    fn of_payload_2() -> Value {
        json!({
            "version": "2.0",
            "routeKey": "DELETE /auth/mfa/devices/{deviceId}",
            "rawPath": "/auth/mfa/devices/a%20b",
            "rawQueryString": "\"<> ",
            "cookies": ["a=b"],
            "headers": { "accept": "text/html,*/*", "X-Upper": "1" },
            "requestContext": {
                "http": { "method": "DELETE", "path": "/", "sourceIp": "192.0.2.1" },
                "stage": "prod",
            },
            "pathParameters": { "deviceId": "a b" },
            "body": "e30=",
            "isBase64Encoded": true,
        })
    }

    fn of_payload_1() -> Value {
        json!({
            "resource": "/auth/mfa/devices/{deviceId}",
            "path": "/auth/mfa/devices/a%20b",
            "httpMethod": "DELETE",
            "headers": { "accept": "*/*", "X-Upper": "1", "only-here": "2" },
            "multiValueHeaders": { "Accept": ["text/html", "*/*"], "x-upper": ["1"] },
            "queryStringParameters": { "\"<> ": "" },
            "pathParameters": { "deviceId": "a b" },
            "requestContext": { "identity": { "sourceIp": "192.0.2.1" }, "stage": "prod" },
            "body": "{}",
            "isBase64Encoded": false,
        })
    }

    fn read(event: &Value) -> Result<(Payload, Incoming), ForeignEvent> {
        Event::read(event.to_string().as_bytes()).request("id")
    }

    fn read_ok(event: &Value) -> Incoming {
        read(event).unwrap_or_else(|shape| panic!("{shape}")).1
    }

    fn values<'a>(incoming: &'a Incoming, name: &str) -> Vec<&'a [u8]> {
        incoming.headers.get_all(name).iter().map(HeaderValue::as_bytes).collect()
    }

    #[test]
    fn the_same_request_is_read_from_both_payloads() {
        for (event, expected) in [(of_payload_2(), Payload::V2), (of_payload_1(), Payload::V1)] {
            let (payload, incoming) = read(&event).unwrap_or_else(|shape| panic!("{shape}"));
            assert_eq!((payload, incoming.method.as_str()), (expected, "DELETE"));
            assert_eq!(incoming.request_id, "id");
            assert_eq!(incoming.source_ip.as_deref(), Some("192.0.2.1"));
            assert_eq!(incoming.path_parameter.as_deref(), Some("a b"), "the gateway's word, not decoded again");
            assert_eq!(incoming.body.as_deref(), Some(&b"{}"[..]));
            assert_eq!(values(&incoming, "x-upper"), [b"1"]);
            assert!(!incoming.headers.contains_key("cookie"), "cookies are not read");
        }
    }

    #[test]
    fn payload_1_keeps_every_value_of_a_header() {
        let incoming = read_ok(&of_payload_1());
        assert_eq!(values(&incoming, "accept"), [&b"text/html"[..], b"*/*"]);
        assert_eq!(values(&incoming, "only-here"), [b"2"]);
        let mut event = of_payload_1();
        event["multiValueHeaders"] = Value::Null;
        event["headers"] = json!({ "Authorization": "a", "authorization": "b" });
        assert_eq!(values(&read_ok(&event), "authorization"), [b"a", b"b"]);
    }

    #[test]
    fn a_header_that_http_does_not_know_is_skipped_and_the_others_stay() {
        let mut event = of_payload_2();
        event["headers"] = json!({
            "": "a", "x y": "a", "ü": "a", "a\n": "a", "nul": "\u{0}", "line": "a\r\nb: c", "number": 1, "null": null,
            "object": {}, "list": ["a", 1, "\u{0}", "b"], "utf-8": "ü", "right": "a",
        });
        let headers = read_ok(&event).headers;
        let mut names: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["right", "utf-8"]);
        for absent in [json!(null), json!([]), json!("x"), json!(1)] {
            event["headers"] = absent;
            assert!(read_ok(&event).headers.is_empty());
        }
    }

    #[test]
    fn more_headers_than_can_be_held_are_left_out() {
        let mut event = of_payload_2();
        event["headers"] = (0..40_000).map(|number| (format!("z-{number}"), json!("z"))).collect();
        event["headers"]["authorization"] = "a".into();
        let headers = read_ok(&event).headers;
        assert!(headers.len() > 20_000 && headers.contains_key("authorization"), "{}", headers.len());
    }

    #[test]
    fn a_body_that_cannot_be_decoded_is_told_from_an_empty_one() {
        for (is_base64, body, decoded) in [
            (json!(true), json!("YQ=="), Some("a")),
            (json!(true), json!(""), Some("")),
            (json!(true), json!(null), Some("")),
            (json!(false), json!("YQ=="), Some("YQ==")),
            (json!(null), json!("a"), Some("a")),
            (json!(null), json!(null), Some("")),
            (json!(true), json!("YQ"), None),
            (json!(true), json!("YR=="), None),
            (json!(true), json!("Y Q=="), None),
            (json!(true), json!("\u{0}"), None),
            (json!("true"), json!("YQ=="), None),
            (json!(1), json!("a"), None),
            (json!(false), json!(1), None),
            (json!(false), json!({}), None),
            (json!(false), json!([97]), None),
        ] {
            let mut event = of_payload_2();
            (event["isBase64Encoded"], event["body"]) = (is_base64, body);
            assert_eq!(read_ok(&event).body.as_deref(), decoded.map(str::as_bytes), "{event}");
        }
    }

    #[test]
    fn an_invalid_method_becomes_one_that_no_route_answers() {
        for method in ["", "G ET", "\u{0}", "ü"] {
            let mut event = of_payload_2();
            event["requestContext"]["http"]["method"] = method.into();
            assert_eq!(read_ok(&event).method, Method::CONNECT, "{method:?}");
        }
    }

    #[test]
    fn half_a_surrogate_spoils_nothing_but_its_own_field() {
        let text = r#"{ "\ud800": "\udfff", "headers": { "\ud800": "a", "b": "\ud800", "c": "d" }, "body": "\ud800",
            "requestContext": { "\ud800": [], "http": { "method": "GET", "sourceIp": "\ud800" } } }"#;
        let (_, incoming) = Event::read(text.as_bytes()).request("id").unwrap_or_else(|shape| panic!("{shape}"));
        assert_eq!(values(&incoming, "c"), [b"d"]);
        assert!(incoming.body.is_some_and(|body| String::from_utf8(body).is_err()), "the pipeline refuses it");
    }

    #[test]
    fn a_foreign_event_is_named_by_its_shape_and_by_no_value() {
        let secret = "secret";
        let many: Value = (0..20).map(|number| (format!("key{number:02}"), json!(secret))).collect();
        let sixteen: Vec<_> = (0..16).map(|number| format!("key{number:02}")).collect();
        let balanced = json!({ "httpMethod": "GET", "requestContext": { "elb": {} }, "body": secret });
        for (event, shape) in [
            (json!({}), "an object without keys"),
            (json!([secret]), "an array"),
            (json!(secret), "a string"),
            (json!(-1), "a number"),
            (json!(true), "a boolean"),
            (json!(null), "null"),
            (json!({ "detail-type": secret, "source": secret }), "an object with the keys detail-type, source"),
            (json!({ "a b": 1, "": 1, "a".repeat(33): 1, "ok": 1 }), "an object with the keys ?, ?, ?, ok"),
            (balanced, "an object with the keys body, httpMethod, requestContext"),
            (many, &format!("an object with the keys {}, …", sixteen.join(", "))),
        ] {
            let found = read(&event).err().expect("no request");
            assert_eq!(found.to_string(), shape);
        }
        for text in ["", " ", "{", "{'a': 1}", r#"{"a": 1,}"#] {
            let found = Event::read(text.as_bytes()).request("id").err().expect("no request");
            assert_eq!(found.to_string(), "not JSON", "{text}");
        }
    }

    #[test]
    fn an_authorizer_is_asked_about_a_route_by_an_http_api() {
        let asked = |event: &Value| Event::read(event.to_string().as_bytes()).authorizer_request();
        let request = asked(&of_payload_2()).unwrap_or_else(|shape| panic!("{shape}"));
        let call = request.route_call();
        assert_eq!((call.key, call.method), ("DELETE /auth/mfa/devices/{deviceId}", "DELETE"));
        assert_eq!((call.path, call.stage), ("/auth/mfa/devices/a%20b", Some("prod")));
        assert_eq!(call.parameters["deviceId"], "a b");
        assert_eq!(request.headers["x-upper"], "1");
        assert!(asked(&of_payload_1()).is_err(), "a request that nobody is asked about");
        for pointer in ["/routeKey", "/requestContext", "/requestContext/http", "/requestContext/http/method"] {
            for value in [json!(null), json!(1), json!([])] {
                let mut event = of_payload_2();
                *event.pointer_mut(pointer).expect("a place") = value;
                assert!(asked(&event).is_err(), "{event}");
            }
        }
    }

    #[test]
    fn an_authorizer_is_asked_by_a_rest_api_about_a_request_or_a_token() {
        let asked = |event: &Value| Event::read(event.to_string().as_bytes()).authorizer_request();
        let arn = "arn:aws:execute-api:us-east-1:123456789012:a1b2c3d4e5/prod/GET/reports/5:6/x";
        let mut request = of_payload_1();
        request["type"] = "REQUEST".into();
        request["methodArn"] = arn.into();
        request["resource"] = "/reports/{id}/x".into();
        let read = asked(&request).unwrap_or_else(|shape| panic!("{shape}"));
        let call = read.route_call();
        assert_eq!((call.key, call.path), ("DELETE /reports/{id}/x", "/auth/mfa/devices/a%20b"));
        assert_eq!(read.method_arn.as_deref(), Some(arn));
        for field in ["resource", "path", "httpMethod", "requestContext"] {
            let mut event = request.clone();
            event[field] = Value::Null;
            assert!(asked(&event).is_err(), "{field}");
        }

        let token = |arn: &str| json!({ "type": "TOKEN", "authorizationToken": "Bearer x", "methodArn": arn });
        let read = asked(&token(arn)).unwrap_or_else(|shape| panic!("{shape}"));
        let call = read.route_call();
        assert_eq!((call.key, call.method, call.path, call.stage), ("", "GET", "/reports/5:6/x", Some("prod")));
        assert_eq!(read.headers["authorization"], "Bearer x");
        let root =
            asked(&token("arn:aws:execute-api:r:a:api/$default/POST/")).unwrap_or_else(|shape| panic!("{shape}"));
        assert_eq!((root.route_call().method, root.route_call().path), ("POST", "/"));
        for bad in ["", "arn", "arn:aws:execute-api:r:a:api", "arn:aws:execute-api:r:a:api/stage"] {
            assert!(asked(&token(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_answer_has_the_form_of_its_payload() {
        let answer = |payload, body: &[u8]| {
            let mut response = Response::new(body.to_vec());
            *response.status_mut() = StatusCode::NOT_FOUND;
            response.headers_mut().append("vary", HeaderValue::from_static("a"));
            response.headers_mut().append("vary", HeaderValue::from_static("b"));
            serde_json::to_value(EventResponse::new(payload, response)).expect("JSON")
        };
        let expected = |headers, multi_value_headers| {
            json!({ "statusCode": 404, "headers": headers, "multiValueHeaders": multi_value_headers,
                    "body": "{}", "isBase64Encoded": false })
        };
        let mut of_payload_2 = expected(json!({ "vary": "a, b" }), json!({}));
        of_payload_2["cookies"] = json!([]);
        assert_eq!(answer(Payload::V2, b"{}"), of_payload_2);
        assert_eq!(answer(Payload::V1, b"{}"), expected(json!({}), json!({ "vary": ["a", "b"] })));
        let binary = answer(Payload::V2, &[0xff]);
        assert_eq!((&binary["body"], &binary["isBase64Encoded"]), (&json!("/w=="), &json!(true)));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let event = Event::read(&bytes);
            assert!(event.request("id").is_err() && event.authorizer_request().is_err());
        }
    }
}
