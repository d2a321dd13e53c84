//! The functions `admin-read` and `admin`, at the path at which Lambda lets functions be invoked, so
//! that `mfa-admin --local` works as it does against AWS.
//!
//! Nobody proves who calls: the server listens on this machine alone.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{Path, State},
    http::{HeaderMap, Method, StatusCode, header},
    response::{IntoResponse, Response},
    routing::post,
};
use mfa::{App, http::LogLine, random};
use mfa_admin_function::{Access, Reply};
use serde_json::{Value, json};

const PATH: &str = "/2015-03-31/functions/{name}/invocations";

/// Who calls, in the log.
const CALLER: &str = "this machine";

struct Host {
    app: App,
    log: fn(&Method, &str, &LogLine),
}

pub(crate) fn router(app: App, log: fn(&Method, &str, &LogLine)) -> Router {
    Router::new().route(PATH, post(invoke)).with_state(Arc::new(Host { app, log }))
}

async fn invoke(
    State(host): State<Arc<Host>>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: axum::body::Bytes,
) -> Response {
    // A page that a browser has open must not reach users of this machine's bundle.
    if !headers.contains_key(header::AUTHORIZATION) {
        return (StatusCode::FORBIDDEN, Json(json!({ "message": "Missing Authentication Token" }))).into_response();
    }
    let access = match name.as_str() {
        name if name.ends_with("-admin-read") => Access::Read,
        name if name.ends_with("-admin") => Access::Change,
        _ => {
            let error = [("x-amzn-errortype", "ResourceNotFoundException")];
            return (StatusCode::NOT_FOUND, error, Json(json!({ "Message": "Function not found" }))).into_response();
        }
    };
    let payload: Value = serde_json::from_slice(&body).unwrap_or_default();
    let request = match mfa_admin_function::read(payload, &name) {
        Ok(request) => request,
        Err(problem) => return Json(Reply::Refused(problem)).into_response(),
    };
    let request_id = random::uuid().map(|id| id.to_string()).unwrap_or_default();
    let caller = Ok(Some(CALLER.to_owned()));
    let (reply, log) = mfa_admin_function::answer(&host.app, access, &request, caller, &request_id).await;
    (host.log)(&Method::POST, &format!("{name} {}", request.command.name()), &log);
    Json(reply).into_response()
}
