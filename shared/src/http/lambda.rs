use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use lambda_http::{
    Error,
    lambda_runtime::{self, Context, LambdaEvent, service_fn},
};

use super::{Endpoint, Event, EventResponse, LogLine, Payload, Served, serve, serve_foreign};
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
    let (app, endpoint, is_cold) = (&app, &endpoint, &AtomicBool::new(true));
    // `lambda_http::run` would decode the event, and panic if it cannot make a URL of it.
    lambda_runtime::run(service_fn(|event: LambdaEvent<Event>| {
        // Boxed, because a future of this size would be copied whenever it is moved.
        Box::pin(async move {
            let (response, log) = answer(app, endpoint, &event.payload, &event.context.request_id).await;
            write(log, &event.context, is_cold);
            // A client error is an answer, never an `Err`. An `Err` would be a failed invocation,
            // which API Gateway answers with 502.
            Ok::<_, Error>(response)
        })
    }))
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
    let (app, first, second, is_cold) = (&app, &first, &second, &AtomicBool::new(true));
    lambda_runtime::run(service_fn(|event: LambdaEvent<Event>| {
        Box::pin(async move {
            let LambdaEvent { payload, context } = event;
            let (response, log) = if payload.path_ends_with(B::PATH) {
                answer(app, second, &payload, &context.request_id).await
            } else {
                answer(app, first, &payload, &context.request_id).await
            };
            write(log, &context, is_cold);
            Ok::<_, Error>(response)
        })
    }))
    .await
}

fn write(mut log: LogLine, context: &Context, is_cold: &AtomicBool) {
    log.of_invocation(context, is_cold.swap(false, Ordering::Relaxed));
    log.write();
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
        Err(foreign) => (Payload::V2, serve_foreign(E::NAME, request_id, app.clock.now(), &foreign)),
    };
    (EventResponse::new(payload, response), log)
}
