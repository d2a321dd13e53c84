//! A Lambda authorizer that an application puts before its own routes (HTTP API, payload 2.0,
//! simple response). It lets a request pass if its token is valid and, if the route demands it,
//! proves a recent second factor.
//!
//! It makes no call to the table, so a proof that has ended still counts until its token expires,
//! at most 15 minutes.

use lambda_http::{
    Error,
    lambda_runtime::{self, LambdaEvent, service_fn},
};
use mfa::{
    App,
    clock::Clock,
    config::{Config, Part},
    http::{BearerToken, Event, LogLine, Problem},
};
use serde::Serialize;

/// The parts of the configuration that it uses.
pub const USES: [Part; 2] = [Part::Users, Part::RouteRequirements];

/// The answer to API Gateway.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Verdict {
    is_authorized: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    context: Option<Context>,
}

/// What the application's function finds in `requestContext.authorizer.lambda`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Context {
    sub: String,
    /// Authentication methods (RFC 8176). Empty if no second factor was passed.
    amr: &'static [&'static str],
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<&'static str>,
    /// When a code was last judged right, in seconds since the epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_time: Option<u64>,
}

/// Starts the function.
///
/// # Errors
/// The same as [`mfa::http::run`].
pub async fn run() -> Result<(), Error> {
    let app = App::new(Config::from_env(&USES)?, Clock::wall());
    let app = &app;
    lambda_runtime::run(service_fn(|event: LambdaEvent<Event>| async move {
        let began = app.clock.now();
        let mut log = LogLine::new("authorizer", &event.context.request_id);
        let verdict = authorize(app, &event.payload, &mut log).await;
        log.took(app.clock.now().since(began));
        log.write();
        verdict
    }))
    .await
}

/// Judges one request.
///
/// # Errors
/// Fails if nobody can tell, because a key set cannot be fetched or the event has another shape.
/// API Gateway then answers 500 and lets nothing pass.
pub async fn authorize(app: &App, event: &Event, log: &mut LogLine) -> Result<Verdict, Error> {
    let request = match event.authorizer_request() {
        Ok(request) => request,
        Err(shape) => {
            log.failed(500, Some(format!("the event asks no authorizer of payload 2.0 about a route, but is {shape}")));
            return Err("the event names no route: is this an HTTP API, payload 2.0?".into());
        }
    };
    let now = app.clock.now();
    let BearerToken { caller, claims } = match BearerToken::read(app, &request.headers, now).await {
        Ok(bearer) => bearer,
        Err(problem @ (Problem::NoAuth | Problem::InvalidToken(_))) => return Ok(refuse(log, problem.cause())),
        Err(problem) => {
            log.failed(if matches!(problem, Problem::KeySetUnavailable { .. }) { 503 } else { 500 }, problem.cause());
            return Err("the token cannot be checked".into());
        }
    };
    log.of_user(caller.user);
    let call = request.route_call();
    let proof = caller.proof;
    if !app.config.route_requirements.are_met(&call, proof.as_ref(), now) {
        // The path holds values that callers choose.
        return Ok(refuse(log, Some(format!("{} demands another second factor, or a fresher one", call.key))));
    }
    let context = Context {
        sub: claims.user_name().to_owned(),
        amr: proof.map_or(&[], |proof| proof.method.authentication_methods()),
        method: proof.map(|proof| proof.method.as_str()),
        auth_time: proof.map(|proof| proof.auth_time.as_secs()),
    };
    Ok(Verdict { is_authorized: true, context: Some(context) })
}

fn refuse(log: &mut LogLine, cause: Option<String>) -> Verdict {
    log.failed(403, cause);
    Verdict { is_authorized: false, context: None }
}
