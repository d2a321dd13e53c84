use std::time::Duration;

use lambda_http::{
    Error,
    lambda_runtime::{self, LambdaEvent, service_fn},
};

use super::{Endpoint, Event, EventResponse, LogLine, Payload, Served, serve, serve_foreign};
use crate::{App, clock::Clock, config::Config};

/// How long the first connection to the table may take during start-up, before it is left to the first request.
const WARM_UP: Duration = Duration::from_millis(300);

/// Starts a function: reads the environment once, opens the connection to the table where it is used, then serves invocations.
///
/// # Errors
/// When the configuration has faults, all of which are reported at once, or the Lambda runtime ends.
pub async fn run<E: Endpoint>(build: impl FnOnce(&App) -> E) -> Result<(), Error> {
    let config = Config::from_env()?;
    let app = App::new(config, Clock::wall());
    let endpoint = build(&app);
    if E::USES_TABLE {
        let _ = tokio::time::timeout(WARM_UP, app.table.warm_up()).await;
    }

    let (app, endpoint) = (&app, &endpoint);
    // `lambda_http::run` would decode the event, and panic if it cannot make a URL of it.
    lambda_runtime::run(service_fn(|event: LambdaEvent<Event>| {
        // Boxed: a future of this size is copied whenever it is moved.
        Box::pin(async move {
            let (response, log) = answer(app, endpoint, &event.payload, &event.context.request_id).await;
            log.write();
            // A client error is an answer, never an `Err`: that would be a failed invocation, a 502.
            Ok::<_, Error>(response)
        })
    }))
    .await
}

async fn answer<E: Endpoint>(app: &App, endpoint: &E, event: &Event, request_id: &str) -> (EventResponse, LogLine) {
    let (payload, Served { response, log }) = match event.request(request_id) {
        Ok((payload, incoming)) => (payload, serve(app, endpoint, incoming).await),
        Err(foreign) => (Payload::V2, serve_foreign(E::NAME, request_id, app.clock.now(), &foreign)),
    };
    (EventResponse::new(payload, response), log)
}
