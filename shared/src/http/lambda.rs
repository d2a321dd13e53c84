use std::{sync::Arc, time::Duration};

use lambda_http::{Body, Error, Request, RequestExt, Response, request::RequestContext, service_fn};

use super::{Endpoint, Incoming, Served, serve};
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

    let host = Arc::new((app, endpoint));
    lambda_http::run(service_fn(move |request: Request| {
        let host = Arc::clone(&host);
        async move {
            let (app, endpoint) = &*host;
            let Served { response, log } = serve(app, endpoint, Incoming::from(request)).await;
            log.write();
            // A client error is an answer, never an `Err`: that would be a failed invocation, a 502.
            Ok::<_, Error>(as_text(response))
        }
    }))
    .await
}

impl From<Request> for Incoming {
    fn from(request: Request) -> Self {
        let request_id = request.lambda_context_ref().map(|context| context.request_id.clone()).unwrap_or_default();
        let source_ip = match request.request_context_ref() {
            Some(RequestContext::ApiGatewayV2(context)) => context.http.source_ip.clone(),
            _ => None,
        };
        let path_parameter =
            request.path_parameters_ref().and_then(|all| all.iter().next()).map(|(_, value)| value.to_owned());
        let (parts, body) = request.into_parts();
        Self {
            request_id,
            method: parts.method,
            headers: parts.headers,
            source_ip,
            path_parameter,
            body: body.to_vec(),
        }
    }
}

/// JSON is text: as a binary body API Gateway would be handed base64.
fn as_text(response: Response<Vec<u8>>) -> Response<Body> {
    response.map(|body| match String::from_utf8(body) {
        Ok(text) => Body::Text(text),
        Err(error) => Body::Binary(error.into_bytes()),
    })
}
