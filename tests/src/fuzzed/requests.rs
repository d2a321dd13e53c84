//! Requests, as the pipeline and the authorizer receive them.

use std::{net::Ipv4Addr, sync::LazyLock};

use futures_util::FutureExt;
use lambda_http::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use mfa::{
    App,
    domain::{Method as Factor, code::Otp, session::RefreshToken, trust},
    http::{
        BearerToken, Call, Endpoint, ErrorCode, Event, EventResponse, Fields, ForeignEvent, Incoming, LogLine, NoBody,
        Payload, Problem, Served, serve, serve_foreign, serve_unknown,
    },
};
use mfa_local::{LocalRoute, routes};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::{
    host::{app, authenticate, behind, is_signed, login_token, proven_token},
    text,
};
use crate::START;

/// Every error that can be answered before the table is asked.
const ANSWERS: [(u16, &str); 11] = [
    (400, "INVALID_INPUT"),
    (400, "MFA_METHOD_NOT_AVAILABLE"),
    (400, "MISSING_REQUIRED_FIELD"),
    (401, "INVALID_TOKEN"),
    (401, "NO_AUTH_PROVIDED"),
    (401, "REFRESH_TOKEN_INVALID"),
    (404, "MFA_DEVICE_NOT_FOUND"),
    (404, "NOT_FOUND"),
    (405, "METHOD_NOT_ALLOWED"),
    (413, "PAYLOAD_TOO_LARGE"),
    (415, "UNSUPPORTED_MEDIA_TYPE"),
];

const ROUTE_REQUIREMENTS: &str = "POST /transfers = mfa max_age=300 methods=sms; GET /reports = mfa; $default = token";

struct Host {
    runtime: Runtime,
    app: App,
    routes: Vec<LocalRoute>,
    /// Names that an input writes for tokens that it cannot make up, and those tokens.
    placeholders: [(&'static str, String); 3],
}

static HOST: LazyLock<Host> = LazyLock::new(|| {
    let app = app(&[("MFA_AUTHORIZER_ROUTES", ROUTE_REQUIREMENTS.to_owned())]);
    let login = login_token();
    let (caller, claims) = authenticate(&app, &login).expect("a login");
    let proven = proven_token(&app, &caller, &claims, None);
    let refresh =
        RefreshToken { user: mfa::domain::UserId([8; 16]), session: mfa::domain::SessionId([7; 16]), generation: 3 }
            .to_text(&app.keys);
    Host {
        runtime: tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime"),
        routes: routes(&|_| app.clone()),
        app,
        placeholders: [("<login>", login), ("<proven>", proven), ("<refresh>", refresh)],
    }
});

impl Host {
    /// Runs a call until it has to wait. `None` means that it waits for the table.
    fn run<T>(&self, call: impl Future<Output = T>) -> Option<T> {
        self.runtime.block_on(async {
            let answer = call.now_or_never();
            // The call may have started tasks for the table. They end here, with the call.
            tokio::task::yield_now().await;
            answer
        })
    }

    fn filled(&self, text: &str) -> String {
        let fill = |text: String, (name, value): &(&str, String)| text.replace(name, value);
        self.placeholders.iter().fold(text.to_owned(), fill)
    }
}

fn assert_shows_no_secret(what: &str) {
    for (name, secret) in &HOST.placeholders {
        assert!(!what.contains(secret.as_str()), "{name} is in {what}");
    }
}

/// A request as an input writes it: a line `METHOD PATH SOURCE`, a line for each header, a blank
/// line, and the body.
struct Written {
    method: Method,
    path: String,
    source: Option<String>,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Written {
    fn read(data: &[u8]) -> Option<Self> {
        let (head, body) = match data.windows(2).position(|pair| pair == b"\n\n") {
            Some(end) => (&data[..end], &data[end + 2..]),
            None => (data, &[][..]),
        };
        let mut lines = head.split(|byte| *byte == b'\n');
        let mut first = text(lines.next()?)?.splitn(3, ' ');
        let method = Method::from_bytes(first.next()?.as_bytes()).ok()?;
        let (path, source) = (first.next()?.to_owned(), first.next().map(ToOwned::to_owned));
        let headers = read_headers(lines)?;
        // A body may hold anything. Only a body that is text can hold a placeholder.
        let body = text(body).map_or_else(|| body.to_vec(), |body| HOST.filled(body).into_bytes());
        Some(Self { method, path, source, headers, body })
    }

    fn incoming(self, path_parameter: Option<String>) -> Incoming {
        let Self { method, source, headers, body, .. } = self;
        Incoming { request_id: "test".to_owned(), method, headers, source_ip: source, path_parameter, body: Some(body) }
    }
}

/// Reads header lines. `None` if a host would not pass one of them on.
fn read_headers<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    for line in lines {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let value = line[colon + 1..].trim_ascii();
        let value = text(value).map_or_else(|| value.to_vec(), |value| HOST.filled(value).into_bytes());
        headers.append(HeaderName::from_bytes(&line[..colon]).ok()?, HeaderValue::from_bytes(&value).ok()?);
    }
    Some(headers)
}

/// Whether the headers hold exactly one bearer token, and the token is signed.
fn is_authentic(headers: &HeaderMap) -> bool {
    matches!(words_of_authorization(headers)[..], [scheme, token] if scheme.eq_ignore_ascii_case("bearer") && is_signed(token))
}

fn words_of_authorization(headers: &HeaderMap) -> Vec<&str> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return Vec::new() };
    value.to_str().unwrap_or_default().split_whitespace().collect()
}

/// The pipeline of every route, up to the first call to the table. Its answers are documented, and
/// nobody reaches the table without a token that was signed.
pub fn requests(data: &[u8]) {
    let Some(request) = Written::read(data) else { return };
    let fits = |route: &&LocalRoute| match route.path.split_once('{') {
        None => route.path == request.path,
        Some((start, _)) => request.path.strip_prefix(start).is_some_and(|rest| !rest.contains('/')),
    };
    let (same, other): (Vec<_>, Vec<_>) =
        HOST.routes.iter().filter(fits).partition(|route| route.method == request.method);
    let Some(route) = same.into_iter().chain(other).next() else {
        assert_answer(&serve_unknown("test", START), None);
        return;
    };
    let parameter = route.path.split_once('{').and_then(|(start, _)| request.path.strip_prefix(start));
    let parameter = parameter.filter(|parameter| !parameter.is_empty()).map(ToOwned::to_owned);

    let incoming = request.incoming(parameter);
    match HOST.run(route.serve(incoming.clone())) {
        Some(served) => assert_answer(&served, Some(route)),
        None => assert_may_ask_the_table(route, &incoming),
    }
}

fn assert_answer(served: &Served, route: Option<&LocalRoute>) {
    let Served { response, log } = served;
    let header = |name: &str| response.headers().get(name).map(|value| value.to_str().expect("text"));
    let body: Value = serde_json::from_slice(response.body()).expect("every body is JSON");
    assert_eq!(header("content-type"), Some("application/json"));
    assert_eq!(header("x-request-id"), Some("test"));
    let logged = serde_json::to_string(log).expect("JSON");
    assert_shows_no_secret(&logged);
    assert_eq!(log.status, response.status().as_u16());
    if response.status() == StatusCode::OK {
        assert_eq!(route.map(|route| route.name), Some("jwks"), "every other route needs the table");
        assert_eq!(header("cache-control"), Some("public, max-age=900"));
        return;
    }

    let (status, code) = (response.status().as_u16(), body["code"].as_str().expect("a code"));
    assert!(ANSWERS.contains(&(status, code)), "{status} {code}: {logged}");
    assert_eq!(header("cache-control"), Some("no-store"));
    assert_eq!(header("www-authenticate").is_some(), status == 401);
    assert_eq!(header("allow").is_some(), status == 405);
    assert_eq!(body.get("retryAfter").map(ToString::to_string).as_deref(), header("retry-after"));
    let fields: Vec<_> = body.as_object().expect("an object").keys().filter(|name| *name != "retryAfter").collect();
    assert_eq!(fields, ["code", "error", "message", "statusCode"]);
    assert_eq!(body["statusCode"], status);
    assert_eq!(body["error"], response.status().canonical_reason().expect("a reason"));
    // Messages are our own words. They repeat nothing of the request.
    let message = body["message"].as_str().expect("a message");
    assert!(!message.is_empty() && message.is_ascii() && message.len() < 100, "{message}");
    assert_shows_no_secret(message);
}

fn assert_may_ask_the_table(route: &LocalRoute, incoming: &Incoming) {
    assert_eq!(incoming.method, route.method);
    let written = incoming.body.as_deref().unwrap_or(b"what cannot be decoded");
    assert!(written.len() <= 8192, "{} bytes", written.len());
    let body: Value = serde_json::from_slice(written).unwrap_or_default();
    if mfa::http::reads_body(&route.method) && !written.trim_ascii().is_empty() {
        assert!(body.is_object(), "{body}");
    }
    if route.name == "refresh-token" {
        let token = body["refreshToken"].as_str().expect("a token").trim();
        assert!(RefreshToken::parse(token, &HOST.app.keys).is_some(), "{token}");
    } else {
        assert!(is_authentic(&incoming.headers), "{:?}", incoming.headers);
    }
}

/// An endpoint that shows what the pipeline makes of headers.
struct Mirror;

impl Endpoint for Mirror {
    const NAME: &'static str = "mirror";
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/";
    const ERRORS: &'static [ErrorCode] = &[ErrorCode::MissingRequiredField];
    type Auth = BearerToken;
    type Body = NoBody;
    type Reply = Value;

    async fn handle(&self, _: &App, call: Call<NoBody>) -> Result<Value, Problem> {
        Ok(json!({
            "source": call.source.subscriber(),
            "trust": call.header("nest_auth_device_trust"),
            "label": trust::label(call.header("user-agent").unwrap_or_default()),
        }))
    }
}

const FORWARDED: &str = "x-forwarded-for";

/// Headers: a first line `HOPS SOURCE`, then one header a line. If no header says who calls, Alice
/// calls.
pub fn headers(data: &[u8]) {
    let mut lines = data.split(|byte| *byte == b'\n');
    let Some((hops, source)) = lines.next().and_then(text).and_then(|line| line.split_once(' ')) else { return };
    let (Ok(hops @ 0..=5), Some(mut headers)) = (hops.parse::<u8>(), read_headers(lines)) else { return };
    if !headers.contains_key(header::AUTHORIZATION) {
        let bearer = HeaderValue::from_str(&HOST.filled("Bearer <login>")).expect("a header value");
        headers.insert(header::AUTHORIZATION, bearer);
    }
    let Some(shown) = mirrored(hops, source, &headers) else { return };
    assert!(is_authentic(&headers), "{headers:?}");

    let found = shown["source"].as_str().expect("a source");
    assert_names_a_network(found);
    let label = shown["label"].as_str().expect("a label");
    assert!(!label.is_empty() && label.len() <= 32 && label.is_ascii(), "{label}");
    if let Some(trust) = shown["trust"].as_str() {
        assert!(!trust.is_empty() && trust.trim() == trust, "{trust:?}");
    }

    // If each proxy has appended an address, the sender changes nothing by what it puts at the left
    // end of the list.
    let values: Vec<_> = headers.get_all(FORWARDED).iter().cloned().collect();
    let listed: usize = values.iter().map(|value| value.as_bytes().split(|byte| *byte == b',').count()).sum();
    let mut spoofed = headers.clone();
    spoofed.remove(FORWARDED);
    if hops == 0 {
        assert_eq!(mirrored(hops, source, &spoofed).expect("an answer")["source"], found);
    } else if listed > usize::from(hops) {
        spoofed.append(FORWARDED, HeaderValue::from_static("198.51.100.99, ::1"));
        for value in values {
            spoofed.append(FORWARDED, value);
        }
        assert_eq!(mirrored(hops, source, &spoofed).expect("an answer")["source"], found);
    }
}

/// The answer of [`Mirror`], or `None` if the pipeline refuses the request.
fn mirrored(hops: u8, source: &str, headers: &HeaderMap) -> Option<Value> {
    let incoming = Incoming {
        request_id: "test".to_owned(),
        method: Method::GET,
        headers: headers.clone(),
        source_ip: Some(source.to_owned()),
        path_parameter: None,
        body: Some(Vec::new()),
    };
    let served = serve(&behind(&HOST.app, hops), &Mirror, incoming).now_or_never().expect("nobody to wait for");
    if served.response.status() == StatusCode::OK {
        return serde_json::from_slice(served.response.body()).ok();
    }
    assert_answer(&served, None);
    None
}

/// Fails unless `source` is an IPv4 address in its canonical form, the /64 of an IPv6 address, or
/// the bucket of an unreadable address or of none.
fn assert_names_a_network(source: &str) {
    if let Some(network) = source.strip_suffix("::/64") {
        let groups: Vec<_> = network.split(':').map(|group| u16::from_str_radix(group, 16)).collect();
        assert!(groups.len() == 4 && groups.iter().all(Result::is_ok), "{source}");
    } else if let Some(hash) = source.strip_prefix("unreadable:") {
        assert_eq!(hash.len(), 43, "{source}");
    } else if source != "unknown" {
        let address: Ipv4Addr = source.parse().expect("an address");
        assert_eq!(address.to_string(), source);
    }
}

/// The JSON object of a body. A field is read as the JSON has it, or refused in words that do not
/// repeat it.
pub fn bodies(data: &[u8]) {
    let json = serde_json::from_slice::<Value>(data).ok().filter(Value::is_object);
    let fields = match Fields::parse(data) {
        Ok(fields) => fields,
        Err(problem) => return assert!(json.is_none() && is_in_our_words(&problem), "{problem:?}"),
    };
    let json = json.unwrap_or_else(|| json!({}));
    for name in ["code", "deviceId", "label", "method", "otp", "refreshToken", "secret"] {
        let value = &json[name];
        for max in [16, 64, 128, 512] {
            match fields.optional_text(name, max) {
                Ok(Some(text)) => {
                    assert_eq!(value.as_str().map(str::trim), Some(text));
                    assert!(!text.is_empty() && text.chars().count() <= max && !text.chars().any(char::is_control));
                }
                Ok(None) => assert!(value.is_null() || value.as_str().is_some_and(|text| text.trim().is_empty())),
                Err(problem) => assert!(!value.is_null() && is_in_our_words(&problem), "{problem:?}"),
            }
            let is_missing = matches!(fields.text(name, max), Err(Problem::MissingField(_)));
            assert_eq!(is_missing, matches!(fields.optional_text(name, max), Ok(None)));
        }
    }
    for name in ["enabled", "trustDevice", "rememberDevice"] {
        match fields.optional_bool(name) {
            Ok(found) => assert_eq!(json[name].as_bool(), found),
            Err(problem) => assert!(json[name].as_bool().is_none() && is_in_our_words(&problem), "{problem:?}"),
        }
    }
    if let Ok(trust) = fields.trust_device() {
        assert!(!trust || json["trustDevice"] == true || json["rememberDevice"] == true);
    }
    let given = |name: &str| json[name].as_str().expect("text").trim().to_owned();
    if let Ok(method) = fields.method("another route") {
        assert_eq!(Factor::parse(&given("method")), Some(method));
    }
    for length in 6..=10 {
        match fields.otp(&[length]) {
            Ok(otp) => assert_eq!(Otp::parse(&given("otp"), length), Some(otp)),
            Err(problem) => assert!(is_in_our_words(&problem), "{problem:?}"),
        }
    }
    if let Ok(Some(code)) = fields.recovery_code() {
        super::recovery_codes(code.to_text().as_bytes());
    }
}

/// Whether the problem of a body shows nothing of the body.
fn is_in_our_words(problem: &Problem) -> bool {
    match problem {
        Problem::InvalidInput(text) => text.is_ascii() && text.len() < 100 && !text.contains('"'),
        Problem::MissingField(_) => true,
        _ => false,
    }
}

/// Routes that read a body, a parameter, a token, and nothing.
const ROUTES_OF_EVENTS: [&str; 4] = ["verify", "remove-device", "status", "jwks"];

/// Events of Lambda: a request gets a documented answer. Any other event gets the documented 500,
/// with its shape in the log.
pub fn events(data: &[u8]) {
    // An event may hold anything; only one that is text can hold a placeholder.
    let bytes = text(data).map_or_else(|| data.to_vec(), |text| HOST.filled(text).into_bytes());
    let event = Event::read(&bytes);
    for route in HOST.routes.iter().filter(|route| ROUTES_OF_EVENTS.contains(&route.name)) {
        let (payload, incoming) = match event.request("test") {
            Ok(request) => request,
            Err(shape) => return assert_answers_foreign(route, &shape),
        };
        match HOST.run(route.serve(incoming.clone())) {
            Some(served) => {
                assert_answer(&served, Some(route));
                assert_has_the_form_of(payload, served);
            }
            None => assert_may_ask_the_table(route, &incoming),
        }
    }
}

fn assert_answers_foreign(route: &LocalRoute, shape: &ForeignEvent) {
    let Served { response, log } = serve_foreign(&HOST.app, route.name, "test", shape);
    let body: Value = serde_json::from_slice(response.body()).expect("every body is JSON");
    assert_eq!((response.status().as_u16(), &body["code"]), (500, &json!("INTERNAL_ERROR")));
    assert_eq!((log.level, log.status), ("ERROR", 500));
    let cause = log.cause.expect("a cause");
    assert!(cause.len() < 800 && !cause.contains(char::is_control), "{cause}");
}

fn assert_has_the_form_of(payload: Payload, served: Served) {
    let status = served.response.status().as_u16();
    let answer = serde_json::to_value(EventResponse::new(payload, served.response)).expect("JSON");
    assert_eq!((&answer["statusCode"], &answer["isBase64Encoded"]), (&json!(status), &json!(false)));
    let id = match payload {
        Payload::V1 => &answer["multiValueHeaders"]["x-request-id"][0],
        Payload::V2 => &answer["headers"]["x-request-id"],
    };
    assert_eq!(id, "test");
}

/// Events of the authorizer. Nobody passes without a token that was signed, or without the second
/// factor that the route requires.
pub fn authorizer_events(data: &[u8]) {
    let Some(event) = text(data).map(|text| HOST.filled(text)) else { return };
    let event = Event::read(event.as_bytes());
    let mut log = LogLine::new("authorizer", "test");
    let verdict = mfa_authorizer::authorize(&HOST.app, &event, &mut log).now_or_never().expect("a key at hand");
    let Ok(request) = event.authorizer_request() else {
        assert!(verdict.is_err() && log.status == 500, "nothing says what to demand");
        return;
    };
    let route = request.route_call().key;
    // The route comes from the gateway, and is logged as it is.
    assert_shows_no_secret(&serde_json::to_string(&log).expect("JSON").replace(route, ""));
    let is_rest = request.method_arn.is_some();
    let is_bare = matches!(words_of_authorization(&request.headers)[..], [token] if is_signed(token));
    let is_authentic = is_bare || is_authentic(&request.headers);
    let Ok(verdict) = verdict else {
        // A REST API has no other way to a 401.
        assert!(is_rest && log.status == 401);
        return;
    };
    let verdict = serde_json::to_value(verdict).expect("JSON");
    let statement = &verdict["policyDocument"]["Statement"][0];
    let passes = verdict["isAuthorized"] == true || statement["Effect"] == "Allow";
    assert_eq!(verdict.get("isAuthorized").is_some(), !is_rest, "{verdict}");
    assert_eq!(statement["Resource"].as_str(), request.method_arn.as_deref());
    assert_eq!(verdict["context"].get("reason").is_some(), !passes, "{verdict}");
    if !passes {
        assert_eq!(log.status, 403);
        return;
    }
    assert!(is_authentic, "{:?}", request.headers);
    let second_factor = verdict["context"]["method"].as_str();
    let amr = match (second_factor, is_rest) {
        (Some(_), false) => json!(["otp", "mfa"]),
        (Some(_), true) => json!("otp mfa"),
        (None, false) => json!([]),
        (None, true) => json!(""),
    };
    assert_eq!(verdict["context"]["amr"], amr);
    match route {
        "POST /transfers" => panic!("no token of this host comes from a code by SMS"),
        "GET /reports" => assert_eq!(second_factor, Some("totp")),
        _ => {}
    }
}
