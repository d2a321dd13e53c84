use std::{collections::BTreeMap, net::SocketAddr, sync::Arc};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{ConnectInfo, FromRequestParts, RawPathParams, Request},
    http::{HeaderName, HeaderValue, Method, header},
    response::Response,
    routing::any,
};
use mfa::{
    App,
    config::LoginConfig,
    domain::Timestamp,
    http::{Endpoint, Incoming, LogLine, Served, serve_unknown},
    random,
};
use mfa_verify::Verify;
use tower_http::cors::CorsLayer;

use crate::{
    Inbox, LocalRoute, LocalTable, LoginShape, admin,
    clock::LocalClock,
    console, guesses, ledger, routes,
    stream::{self, Stream},
    workbench,
};

/// At most so many bytes of a body are read. The pipeline refuses far smaller bodies.
const READ_AT_MOST: usize = 64 * 1024;

/// Receives the log line of a request.
pub type Log = fn(&Method, &str, &LogLine);

/// What the router serves.
pub struct Server {
    /// The bundle, or `None` to serve only the workbench.
    pub app: Option<App>,
    /// The messages that the bundle sent.
    pub inbox: Inbox,
    /// The table, which the workbench shows.
    pub table: LocalTable,
    /// What is written to the table, for `notify`.
    pub stream: Stream,
    /// The bundle's clock.
    pub clock: LocalClock,
    /// Whether the workbench may move the clock.
    pub clock_is_adjustable: bool,
    /// Whether the table is in memory, so that the workbench may empty it.
    pub table_is_scratch: bool,
    /// The HS256 secret that the workbench signs login tokens with.
    pub jwt_secret: String,
    /// The provider whose tokens the login makes, if it is none of our own.
    pub login: Option<(LoginShape, LoginConfig)>,
    /// The one origin, besides the console's own, that browsers may call from.
    pub allow_origin: Option<HeaderValue>,
    /// Receives the log line of each request.
    pub log: Log,
}

/// Serves the endpoints of all functions, and the workbench.
pub fn router(server: Server) -> Router {
    let log = server.log;
    let mut router = Router::new();
    let mut by_path = BTreeMap::<_, Vec<_>>::new();
    if let Some(app) = &server.app {
        for route in routes(&|_| app.clone()) {
            if route.name == Verify::NAME {
                router = router.merge(guesses::router(route.clone(), app.policy.code_length, log));
            }
            by_path.entry(route.path).or_default().push(route);
        }
        let write = move |line: &LogLine| log(&Method::POST, "notify", line);
        tokio::spawn(stream::tell(app.clone(), server.stream.clone(), write));
        router = router.merge(ledger::router(app.clone())).merge(admin::router(app.clone(), log));
    }
    for (path, at_path) in by_path {
        let at_path = Arc::<[_]>::from(at_path);
        router = router.route(path, any(move |request| handle(Arc::clone(&at_path), path, request, log)));
    }
    let origin = server.allow_origin.clone();
    let clock = server.clock.clone();
    let router = router
        .merge(console::router())
        .merge(workbench::router(server))
        .fallback(move |request: Request| async move { unknown(&request, clock.now(), log) });
    match origin {
        Some(origin) => router.layer(cors(origin)),
        None => router,
    }
}

/// Answers by the route of the request's method. If none has it, one of the others answers 405. It
/// knows its own method alone, and `Allow` must name that of every route at the path (RFC 9110
/// 10.2.1).
async fn handle(at_path: Arc<[LocalRoute]>, path: &'static str, request: Request, log: Log) -> Response {
    let method = request.method().clone();
    let incoming = incoming(request).await;
    let mut served = match at_path.iter().min_by_key(|route| route.method != method) {
        Some(route) => route.serve(incoming).await,
        None => serve_unknown(&incoming.request_id, Timestamp::default()),
    };
    if let Some(allowed) = served.response.headers_mut().get_mut(header::ALLOW) {
        let methods: Vec<_> = at_path.iter().map(|route| route.method.as_str()).collect();
        *allowed = HeaderValue::from_str(&methods.join(", ")).unwrap_or_else(|_| allowed.clone());
    }
    answer(served, &method, path, log)
}

/// Answers a path that no route serves. In AWS, API Gateway answers it.
fn unknown(request: &Request, now: Timestamp, log: Log) -> Response {
    answer(serve_unknown(&request_id(), now), request.method(), request.uri().path(), log)
}

fn answer(served: Served, method: &Method, path: &str, log: Log) -> Response {
    log(method, path, &served.log);
    served.response.map(Body::from)
}

async fn incoming(request: Request) -> Incoming {
    let source_ip = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip().to_string());
    let (mut parts, body) = request.into_parts();
    let path_parameters = RawPathParams::from_request_parts(&mut parts, &()).await.ok();
    let path_parameter = path_parameters.and_then(|all| all.iter().next().map(|(_, value)| value.to_owned()));
    let body = match to_bytes(body, READ_AT_MOST).await {
        Ok(bytes) => bytes.to_vec(),
        // The pipeline refuses a body of this length, as it would refuse the real one.
        Err(_) => vec![0; READ_AT_MOST],
    };
    Incoming {
        request_id: request_id(),
        method: parts.method,
        headers: parts.headers,
        source_ip,
        path_parameter,
        body: Some(body),
    }
}

pub(crate) fn request_id() -> String {
    random::uuid().map(|id| id.to_string()).unwrap_or_default()
}

/// The CORS rules of the gateway, with the methods and headers that `template.yaml` allows.
fn cors(origin: HeaderValue) -> CorsLayer {
    let custom = ["nest_auth_device_trust", "x-access-token-type"].map(HeaderName::from_static);
    let exposed = [header::RETRY_AFTER, HeaderName::from_static("x-request-id"), header::WWW_AUTHENTICATE];
    CorsLayer::new()
        .allow_origin(origin)
        .allow_methods([Method::GET, Method::POST, Method::PATCH, Method::DELETE])
        .allow_headers([header::AUTHORIZATION, header::CONTENT_TYPE].into_iter().chain(custom).collect::<Vec<_>>())
        .expose_headers(exposed)
}
