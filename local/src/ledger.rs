//! What the table holds of one user, for the console page: as support sees it (`mfa-admin export`),
//! without secrets.

use axum::{
    Json, Router,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use mfa::App;
use mfa_admin_function::{Access, Command, Reply, Request, User};
use serde_json::Value;

use crate::workbench::problem;

pub(crate) fn router(app: App) -> Router {
    Router::new().route("/__local/ledger/{user}", get(ledger)).with_state(app)
}

/// `null` for a user whom the table does not know.
async fn ledger(State(app): State<App>, Path(user): Path<String>) -> Response {
    let request = Request {
        function: String::new(),
        command: Command::Export(User { user }),
        login: None,
        reason: None,
        dry_run: false,
        caller: None,
    };
    // Its log line is dropped: the page asks every second.
    let (reply, _) = mfa_admin_function::answer(&app, Access::Read, &request, Ok(None), "console").await;
    match reply {
        Reply::Shown(mut view) => {
            // A browser would round so large a number, and not see that it changes.
            if let Some(version) = view.get_mut("version") {
                *version = version.to_string().into();
            }
            Json(view).into_response()
        }
        Reply::UnknownUser => Json(Value::Null).into_response(),
        Reply::TryAgain(message) | Reply::Refused(message) => problem(StatusCode::CONFLICT, &message),
        Reply::Done | Reply::Deleted(_) | Reply::SealingKeys(_) | Reply::Page(_) => {
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
