//! A Lambda authorizer that an application puts before its own routes. It lets a request pass if its
//! token is valid and, if the route demands it, proves a recent second factor.
//!
//! It serves HTTP APIs (payload 2.0 with simple responses, payload 1.0) and REST APIs (`REQUEST` and
//! `TOKEN`). It makes no call to the table, so a proof that has ended still counts until its token
//! expires, at most 15 minutes. Only for a route with `mfa-if-enabled`, and only if the token does not
//! meet the demand, it reads the user's ledger.

mod verdict;

use std::pin::pin;

use lambda_http::Error;
use mfa::{
    App,
    clock::Clock,
    config::{Config, Part},
    domain::{self, access::Shown, gate},
    http::{self, BearerToken, Event, LogLine, Problem},
    metrics::{self, Metric},
    storage::StoreError,
};
pub use verdict::{Context, Refused, Verdict};

/// The parts of the configuration that it uses.
pub const USES: [Part; 3] = [Part::Users, Part::Table, Part::RouteRequirements];

/// The failed invocation that a REST API answers with 401. It is no fault, and no other is.
const UNAUTHORIZED: &str = "Unauthorized";

/// Starts the function.
///
/// # Errors
/// The same as [`mfa::http::run`].
pub async fn run() -> Result<(), Error> {
    let app = App::new(Config::from_env(&USES)?, Clock::wall());
    http::serve_invocations(async |event: &Event, request_id: &str| {
        let began = app.clock.now();
        let mut log = LogLine::of(&app, "authorizer", request_id);
        let verdict = authorize(&app, event, &mut log).await;
        log.answered(log.status, began, app.clock.now());
        (verdict, log)
    })
    .await
}

/// Judges one request.
///
/// # Errors
/// Fails if nobody can tell, because a key set cannot be fetched, the table cannot be read, or the
/// event has another shape. API Gateway then answers 500 and lets nothing pass. For a REST API it
/// also fails with `Unauthorized` if the token is missing or invalid: nothing else makes a 401 there.
pub async fn authorize(app: &App, event: &Event, log: &mut LogLine) -> Result<Verdict, Error> {
    let (verdict, observed) = metrics::observe(pin!(judge(app, event, log))).await;
    log.observed(observed);
    verdict
}

async fn judge(app: &App, event: &Event, log: &mut LogLine) -> Result<Verdict, Error> {
    let request = match event.authorizer_request() {
        Ok(request) => request,
        Err(shape) => {
            log.failed(500, Some(format!("the event asks no authorizer about a route, but is {shape}")));
            return Err("the event names no route: is this an authorizer of an API?".into());
        }
    };
    if let Some(source) = request.source(app.policy.forwarded_hops) {
        log.of_caller(app, &source, &request.headers);
    }
    let now = app.clock.now();
    let bearer = match BearerToken::read_bare(app, &request.headers, now).await {
        Ok(bearer) => bearer,
        Err(problem @ (Problem::NoAuth | Problem::InvalidToken(_))) => {
            if request.method_arn.is_some() {
                log.refused(401, &problem);
                return Err(UNAUTHORIZED.into());
            }
            log.refused(403, &problem);
            return Ok(Verdict::refused(&request, Refused::Token));
        }
        Err(problem) => {
            let is_unavailable = matches!(problem, Problem::KeySetUnavailable { .. } | Problem::UnknownKey { .. });
            log.refused(if is_unavailable { 503 } else { 500 }, &problem);
            return Err("the token cannot be checked".into());
        }
    };
    log.of_user(bearer.caller.user);
    let call = request.route_call();
    let passes = |demanded| {
        let BearerToken { caller, .. } = &bearer;
        let shown = Shown { proof: caller.proof.as_ref(), login_factor: caller.login_factor, demanded };
        app.config.route_requirements.are_met(&call, &shown, now)
    };
    // The table is asked only where the answer depends on it.
    let demanded = if passes(true) || !passes(false) { Ok(true) } else { is_demanded(app, &bearer).await };
    let demanded = match demanded {
        Ok(demanded) => demanded,
        Err(error) => {
            log.failed(503, Some(error.to_string()));
            return Err("the user's ledger cannot be read".into());
        }
    };
    if passes(demanded) {
        return Ok(Verdict::passed(&request, &bearer, &app.config.authorizer_claims));
    }
    log.count(Metric::FreshFactorsDemanded);
    // The path holds values that callers choose.
    log.failed(403, Some(format!("{} demands another second factor, or a fresher one", request.route_name())));
    Ok(Verdict::refused(&request, Refused::SecondFactor))
}

/// Whether the user must use MFA: by the setting or the token if they say so of everybody, else by a
/// strong read.
async fn is_demanded(app: &App, bearer: &BearerToken) -> Result<bool, StoreError> {
    let App { policy, keys, .. } = app;
    let (caller, now) = (&bearer.caller, app.clock.now());
    let cx = domain::Context { caller, provenance: caller.provenance, policy, keys, now: now.whole_seconds() };
    if !policy.enabled || cx.requirement().is_for_every_ledger() {
        return Ok(policy.enabled);
    }
    let snapshot = app.table.snapshot(caller.user, now).await?;
    Ok(gate::is_demanded(&snapshot, &cx))
}
