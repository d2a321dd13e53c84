use std::{panic::AssertUnwindSafe, pin::pin};

use futures_util::FutureExt;
use lambda_http::http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use serde::Serialize;

use super::{Authenticate, Call, Endpoint, Fields, ForeignEvent, LogLine, Problem, ReadBody, errors_of, source};
use crate::{App, config::Part, domain::Timestamp, metrics};

/// The largest body that is read, in bytes. No route needs a quarter of it.
const MAX_BODY: usize = 8 * 1024;

/// A request from Lambda, the local server or a test. Holds secrets: it cannot be printed.
#[derive(Clone)]
pub struct Incoming {
    /// Lambda's invocation id, or a fresh UUID. The caller cannot choose it.
    pub request_id: String,
    /// The method.
    pub method: Method,
    /// The headers.
    pub headers: HeaderMap,
    /// The address that API Gateway saw.
    pub source_ip: Option<String>,
    /// The value of the path parameter. No path has two.
    pub path_parameter: Option<String>,
    /// The body, decoded. `None` if it cannot be decoded.
    pub body: Option<Vec<u8>>,
}

/// An answer and its log line. Holds secrets: it cannot be printed.
pub struct Served {
    /// The answer.
    pub response: Response<Vec<u8>>,
    /// The line for the log.
    pub log: LogLine,
}

/// Runs one request through `endpoint`: checks size and media type, authenticates, reads the body,
/// asks whether MFA is on for the application, and calls the handler.
pub async fn serve<E: Endpoint>(app: &App, endpoint: &E, incoming: Incoming) -> Served {
    let began = app.clock.now();
    let mut log = LogLine::of(app, E::NAME, &incoming.request_id);

    // A caught panic becomes the documented 500, and the process lives on.
    let (outcome, observed) = {
        let answer = pin!(AssertUnwindSafe(answer(app, endpoint, incoming, &mut log)).catch_unwind());
        metrics::observe(answer).await
    };
    log.observed(observed);
    let outcome = outcome.unwrap_or_else(|_| Err(Problem::internal("panic")));
    let outcome = outcome.and_then(|reply| to_json(&reply));

    let mut served = finish(outcome, began, app.clock.now(), log);
    debug_assert!(
        served.log.code.is_none_or(|code| errors_of::<E>().contains(&code)),
        "{} does not declare {:?}",
        E::NAME,
        served.log.code
    );
    if served.response.status() == StatusCode::OK {
        served.response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static(E::CACHE_CONTROL));
    }
    served
}

/// The answer to a path without a route. In AWS, API Gateway itself gives it.
#[must_use]
pub fn serve_unknown(request_id: &str, now: Timestamp) -> Served {
    finish(Err(Problem::NotFound), now, now, LogLine::new("unknown", request_id))
}

/// The answer of `endpoint` to an event that is not a request. Without it the invocation would
/// fail, unlogged.
#[must_use]
pub fn serve_foreign(app: &App, endpoint: &'static str, request_id: &str, event: &ForeignEvent) -> Served {
    let now = app.clock.now();
    let cause = format!("the event is no API Gateway request of payload 2.0 or 1.0, but {event}");
    finish(Err(Problem::internal(cause)), now, now, LogLine::of(app, endpoint, request_id))
}

fn finish(outcome: Result<Vec<u8>, Problem>, began: Timestamp, now: Timestamp, mut log: LogLine) -> Served {
    let mut response = match outcome {
        Ok(body) => with_body(StatusCode::OK, body),
        Err(problem) => refusal(&problem, now, &mut log),
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(id) = HeaderValue::from_str(&log.correlation_id) {
        headers.insert("x-request-id", id);
    }
    log.answered(response.status().as_u16(), began, now);
    Served { response, log }
}

async fn answer<E: Endpoint>(
    app: &App,
    endpoint: &E,
    incoming: Incoming,
    log: &mut LogLine,
) -> Result<E::Reply, Problem> {
    let source = source::source(incoming.source_ip.as_deref(), &incoming.headers, app.policy.forwarded_hops);
    // Without the hash key, anybody could compute the hash of every address.
    if E::USES.contains(&Part::Users) {
        log.of_caller(app, &source, &incoming.headers);
    }
    if incoming.method != E::METHOD {
        return Err(Problem::MethodNotAllowed(E::METHOD));
    }
    let body = incoming.body.as_deref();
    if body.is_some_and(|body| body.len() > MAX_BODY) {
        return Err(Problem::TooLarge);
    }
    let reads_body = super::reads_body(&E::METHOD);
    if reads_body && body.is_none_or(|body| !body.is_empty()) && !is_json(&incoming.headers) {
        return Err(Problem::NotJson);
    }

    let now = app.clock.now();
    let auth = E::Auth::from_request(app, &incoming.headers, &source, now).await?;
    auth.log(app, log);

    let fields = match body {
        Some(body) if reads_body => Fields::parse(body)?,
        None if reads_body => return Err(Problem::invalid("The body cannot be decoded")),
        _ => Fields::default(),
    };
    let body = E::Body::read(&fields, &app.policy)?;
    endpoint.describe(app, &body, log);

    if !app.policy.enabled && !E::ANSWERS_WHEN_OFF {
        return Err(Problem::NotEnabled);
    }
    let Incoming { headers, path_parameter, .. } = incoming;
    let path_parameter = path_parameter.unwrap_or_default();
    endpoint.handle(app, Call { auth, headers, path_parameter, body, now, source }).await
}

fn is_json(headers: &HeaderMap) -> bool {
    let media_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    media_type.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json")
}

fn to_json(reply: &impl Serialize) -> Result<Vec<u8>, Problem> {
    serde_json::to_vec(reply).map_err(|error| Problem::internal(format!("a reply cannot be written: {error}")))
}

fn refusal(problem: &Problem, now: Timestamp, log: &mut LogLine) -> Response<Vec<u8>> {
    let answer = problem.answer(now);
    log.code = Some(answer.body.code);
    log.refused(answer.status.as_u16(), problem);
    if matches!(problem, Problem::Misconfigured(_)) {
        log.needs_operator();
    }
    let mut response = with_body(answer.status, serde_json::to_vec(&answer.body).unwrap_or_default());
    let headers = response.headers_mut();
    if let Some(seconds) = answer.body.retry_after {
        headers.insert(header::RETRY_AFTER, seconds.into());
    }
    if let Some(Ok(challenge)) = answer.authenticate.as_deref().map(HeaderValue::from_str) {
        headers.insert(header::WWW_AUTHENTICATE, challenge);
    }
    if let Problem::MethodNotAllowed(allowed) = problem
        && let Ok(allowed) = HeaderValue::from_str(allowed.as_str())
    {
        headers.insert(header::ALLOW, allowed);
    }
    response
}

fn with_body(status: StatusCode, body: Vec<u8>) -> Response<Vec<u8>> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
