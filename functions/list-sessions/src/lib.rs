//! `GET /auth/mfa/sessions`: the caller's sessions.

use lambda_http::http::Method;
use mfa::{
    App,
    domain::{
        SessionId, Timestamp, gate,
        session::{self, SessionRecord},
    },
    http::{BearerToken, Call, Endpoint, ErrorCode, NoBody, Problem},
    storage::UserQuery,
};
use serde::Serialize;

/// The endpoint.
pub struct ListSessions;

/// A session as its owner sees it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ListedSession {
    id: String,
    label: String,
    method: &'static str,
    created_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used_at: Option<String>,
    expires_at: String,
    current: bool,
}

impl ListedSession {
    fn of(record: &SessionRecord, current: Option<SessionId>) -> Self {
        Self {
            id: record.id.to_string(),
            label: record.label.clone(),
            method: record.factor.told(),
            created_at: record.created.to_rfc3339(),
            last_used_at: record.last_used_at().map(Timestamp::to_rfc3339),
            expires_at: record.until.to_rfc3339(),
            current: Some(record.id) == current,
        }
    }
}

impl Endpoint for ListSessions {
    const NAME: &'static str = "list-sessions";
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/auth/mfa/sessions";
    const ERRORS: &'static [ErrorCode] = &[ErrorCode::MfaRequired];
    type Auth = BearerToken;
    type Body = NoBody;
    type Reply = Vec<ListedSession>;

    async fn handle(&self, app: &App, call: Call<NoBody>) -> Result<Vec<ListedSession>, Problem> {
        let App { policy, keys, table, .. } = app;
        let caller = &call.auth.caller;
        let snapshot = table.snapshot_of(UserQuery::user(caller.user).and_sessions(), call.now).await?;
        gate::require_fresh_factor(&snapshot, &call.context(policy, keys))?;

        let current = caller.session().map(|session| session.id);
        let list = session::list(&snapshot, policy, call.now).into_iter();
        Ok(list.map(|record| ListedSession::of(record, current)).collect())
    }
}
