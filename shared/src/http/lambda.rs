use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use lambda_http::{
    Error,
    lambda_runtime::{self, LambdaEvent, service_fn},
};
use serde::Serialize;

use super::{Endpoint, Event, EventResponse, LogLine, Payload, Served, log, serve, serve_foreign};
use crate::{
    App,
    clock::Clock,
    config::{Config, Part},
};

/// How long opening the connection to the table may delay start-up. After that the first request
/// opens it.
const WARM_UP: Duration = Duration::from_millis(300);

/// Starts a function: reads the environment, opens the connection to the table if the endpoint uses
/// it, then serves invocations.
///
/// # Errors
/// Fails if the configuration has faults, which are all reported at once, or if the Lambda runtime
/// ends.
pub async fn run<E: Endpoint>(build: impl FnOnce(&App) -> E) -> Result<(), Error> {
    let app = start(E::USES).await?;
    let endpoint = build(&app);
    if let Some(advice) = endpoint.advice() {
        log::write_advice(app.clock.now(), E::NAME, &advice);
    }
    // A client error is an answer, never an `Err`. An `Err` would be a failed invocation, which API
    // Gateway answers with 502.
    serve_invocations(async |event: &Event, request_id: &str| {
        let (response, log) = answer(&app, &endpoint, event, request_id).await;
        (Ok(response), log)
    })
    .await
}

/// The same with two endpoints, which use the same parts of the configuration. The second answers
/// requests whose path ends with its own, and the first all others.
///
/// # Errors
/// The same as [`run`].
pub async fn run_both<A: Endpoint, B: Endpoint>(
    first: impl FnOnce(&App) -> A,
    second: impl FnOnce(&App) -> B,
) -> Result<(), Error> {
    let app = start(A::USES).await?;
    let (first, second) = (first(&app), second(&app));
    serve_invocations(async |event: &Event, request_id: &str| {
        let (response, log) = if event.path_ends_with(B::PATH) {
            answer(&app, &second, event, request_id).await
        } else {
            answer(&app, &first, event, request_id).await
        };
        (Ok(response), log)
    })
    .await
}

/// Serves invocations until the Lambda runtime ends, and writes the log line of each.
///
/// # Errors
/// Fails if the runtime does.
pub async fn serve_invocations<R: Serialize>(
    answer: impl AsyncFn(&Event, &str) -> (Result<R, Error>, LogLine),
) -> Result<(), Error> {
    let (answer, is_cold) = (&answer, &AtomicBool::new(true));
    // `lambda_http::run` would decode the event, and panic if it cannot make a URL of it.
    lambda_runtime::run(service_fn(|event: LambdaEvent<Event>| {
        // Boxed, because a future of this size would be copied whenever it is moved.
        Box::pin(async move {
            let LambdaEvent { payload, context } = event;
            let (answer, mut log) = answer(&payload, &context.request_id).await;
            log.of_invocation(&context, is_cold.swap(false, Ordering::Relaxed));
            log.write();
            answer
        })
    }))
    .await
}

async fn start(uses: &[Part]) -> Result<App, Error> {
    let app = App::new(Config::from_env(uses)?, Clock::wall());
    if uses.contains(&Part::Table) {
        let _ = tokio::time::timeout(WARM_UP, app.table.open()).await;
    }
    Ok(app)
}

async fn answer<E: Endpoint>(app: &App, endpoint: &E, event: &Event, request_id: &str) -> (EventResponse, LogLine) {
    let (payload, Served { response, log }) = match event.request(request_id) {
        Ok((payload, incoming)) => (payload, serve(app, endpoint, incoming).await),
        Err(foreign) => (Payload::V2, serve_foreign(app, E::NAME, request_id, &foreign)),
    };
    (EventResponse::new(payload, response), log)
}
