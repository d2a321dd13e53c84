//! `/__local/…`, for trying the bundle out. No function contains it.

use std::{sync::Arc, time::Duration};

use axum::{
    Json, Router,
    extract::{Path, State, rejection::JsonRejection},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use jsonwebtoken::{EncodingKey, Header};
use mfa::{config::LoginConfig, random};
use serde_json::{Map, Value, json};

use crate::{FeedEvent, Filling, Inbox, InboxMessage, LocalTable, LoginShape, Server, Troubles, clock::LocalClock};

/// Lifetime of a login token in seconds, unless the request gives another.
const LOGIN_LIFETIME: u64 = 60 * 60;

struct Workbench {
    inbox: Inbox,
    table: LocalTable,
    clock: LocalClock,
    clock_is_adjustable: bool,
    table_is_scratch: bool,
    jwt_secret: String,
    /// The tokens of which provider are made, if not our own kind.
    login: Option<(LoginShape, LoginConfig)>,
}

type Shared = State<Arc<Workbench>>;
type JsonBody = Result<Json<Map<String, Value>>, JsonRejection>;

pub(crate) fn router(server: Server) -> Router {
    let workbench = Workbench {
        inbox: server.inbox,
        table: server.table,
        clock: server.clock,
        clock_is_adjustable: server.clock_is_adjustable,
        table_is_scratch: server.table_is_scratch,
        jwt_secret: server.jwt_secret,
        login: server.login,
    };
    Router::new()
        .route("/__local/inbox", get(list_inbox).delete(empty_inbox))
        .route("/__local/inbox/{id}", get(show_mail))
        .route("/__local/events", get(list_events))
        .route("/__local/token", post(login_token))
        .route("/__local/clock", get(read_clock).post(advance_clock))
        .route("/__local/table", get(dump_table))
        .route("/__local/troubles", get(list_troubles).post(set_troubles))
        .route("/__local/start-anew", post(start_anew))
        .with_state(Arc::new(workbench))
}

async fn list_inbox(State(bench): Shared) -> Json<Vec<InboxMessage>> {
    Json(bench.inbox.messages())
}

async fn list_events(State(bench): Shared) -> Json<Vec<FeedEvent>> {
    Json(bench.inbox.events())
}

async fn empty_inbox(State(bench): Shared) -> StatusCode {
    bench.inbox.clear();
    StatusCode::NO_CONTENT
}

/// What a mail may do in the frame that shows it: look as its own styles say, and nothing else.
const MAIL_POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox; frame-ancestors 'self'";

/// An e-mail as its reader sees it.
async fn show_mail(State(bench): Shared, Path(id): Path<String>) -> Response {
    let messages = bench.inbox.messages();
    let Some(html) = messages.into_iter().find(|message| message.id == id).and_then(|message| message.html) else {
        return problem(StatusCode::NOT_FOUND, "there is no such e-mail");
    };
    let headers = [(header::CONTENT_TYPE, "text/html; charset=utf-8"), (header::CONTENT_SECURITY_POLICY, MAIL_POLICY)];
    (headers, html).into_response()
}

async fn list_troubles(State(bench): Shared) -> Json<Troubles> {
    Json(bench.inbox.troubles())
}

async fn set_troubles(State(bench): Shared, body: Result<Json<Troubles>, JsonRejection>) -> Response {
    let Ok(Json(wanted)) = body else { return refused("the body must be {\"sesIsDown\":…,\"snsThrottles\":…}") };
    bench.inbox.trouble(wanted);
    Json(bench.inbox.troubles()).into_response()
}

/// Puts everything back to how it was when the server started.
///
/// It takes a JSON body, as all that changes something here: a page of another origin cannot send
/// one without asking first, and is refused then.
async fn start_anew(State(bench): Shared, body: JsonBody) -> Response {
    if body.is_err() {
        return refused("the body must be a JSON object");
    }
    if !bench.table_is_scratch {
        let message =
            "only a table in memory is emptied. Start the server without --data, --dynamodb and --services-only";
        return problem(StatusCode::CONFLICT, message);
    }
    if let Err(message) = bench.table.forget_users().await {
        return problem(StatusCode::BAD_GATEWAY, &message);
    }
    bench.inbox.clear();
    bench.inbox.trouble(Troubles::NONE);
    bench.clock.reset();
    StatusCode::NO_CONTENT.into_response()
}

/// Stands in for the application's own login.
async fn login_token(State(bench): Shared, body: JsonBody) -> Response {
    let Ok(Json(mut claims)) = body else { return refused("the body must be a JSON object of claims") };
    if claims.get("sub").is_none_or(is_blank) {
        return refused("sub is required");
    }
    let lifetime = match claims.remove("expiresIn") {
        None | Some(Value::Null) => LOGIN_LIFETIME,
        Some(seconds) => match seconds.as_u64() {
            Some(seconds) => seconds,
            None => return refused("expiresIn must be a whole number of seconds"),
        },
    };
    let now = bench.clock.now().as_secs();
    let Ok(session) = random::uuid() else { return refused("no randomness") };
    if let Some((shape, login)) = &bench.login {
        let (session, token) = (session.to_string(), session.as_simple().to_string());
        let filling = Filling { login: &session, signed_in_at: now, token: &token, now, lifetime };
        let claims = shape.claims_of(login, claims, &filling);
        return shape.sign(&claims, &bench.jwt_secret).map_or_else(|error| refused(&error), made);
    }
    let mut default = |name: &str, value: Value| {
        claims.entry(name).or_insert(value);
    };
    default("iat", now.into());
    default("exp", now.saturating_add(lifetime).into());
    default("type", "access".into());
    default("sessionId", session.to_string().into());
    let key = EncodingKey::from_secret(bench.jwt_secret.as_bytes());
    jsonwebtoken::encode(&Header::default(), &claims, &key).map_or_else(|error| refused(&error.to_string()), made)
}

/// Whether a claim names nobody.
fn is_blank(claim: &Value) -> bool {
    claim.is_null() || claim.as_str().is_some_and(|text| text.trim().is_empty())
}

fn made(token: impl Into<Value>) -> Response {
    Json(json!({ "accessToken": token.into() })).into_response()
}

async fn read_clock(State(bench): Shared) -> Json<Value> {
    Json(bench.clock_json())
}

async fn advance_clock(State(bench): Shared, body: JsonBody) -> Response {
    if !bench.clock_is_adjustable {
        let message =
            "the clock cannot be moved: a table in a file, and functions that run elsewhere, use the real time";
        return problem(StatusCode::CONFLICT, message);
    }
    let seconds = body.ok().and_then(|Json(body)| body.get("advance").and_then(Value::as_u64));
    let Some(seconds) = seconds.filter(|seconds| *seconds <= 10 * 366 * 86_400) else {
        return refused("advance must be a whole number of seconds, at most ten years");
    };
    bench.clock.advance(Duration::from_secs(seconds));
    Json(bench.clock_json()).into_response()
}

impl Workbench {
    #[expect(clippy::cast_precision_loss, reason = "milliseconds of this millennium fit")]
    fn clock_json(&self) -> Value {
        let now = self.clock.now();
        json!({
            "now": now.to_rfc3339(),
            "unix": now.as_millis() as f64 / 1000.0,
            "adjustable": self.clock_is_adjustable,
        })
    }
}

async fn dump_table(State(bench): Shared) -> Response {
    match bench.table.dump().await {
        Ok(items) => Json(items).into_response(),
        Err(message) => problem(StatusCode::BAD_GATEWAY, &message),
    }
}

pub(crate) fn refused(message: &str) -> Response {
    problem(StatusCode::BAD_REQUEST, message)
}

pub(crate) fn problem(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({ "message": message }))).into_response()
}
