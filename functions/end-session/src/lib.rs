//! `DELETE /auth/mfa/sessions/{id}`: ends one session, the caller's own (`current`) or all others
//! (`others`).

use lambda_http::http::Method;
use mfa::{
    App,
    domain::{Refusal, gate, session},
    http::{BearerToken, Call, Endpoint, ErrorCode, Message, NoBody, Problem},
    storage::{SessionEnd, UserQuery},
};

/// The endpoint.
pub struct EndSession;

impl Endpoint for EndSession {
    const NAME: &'static str = "end-session";
    const METHOD: Method = Method::DELETE;
    const PATH: &'static str = "/auth/mfa/sessions/{id}";
    const ERRORS: &'static [ErrorCode] = &[ErrorCode::MfaRequired, ErrorCode::SessionNotFound, ErrorCode::RateLimited];
    type Auth = BearerToken;
    type Body = NoBody;
    type Reply = Message;

    async fn handle(&self, app: &App, call: Call<NoBody>) -> Result<Message, Problem> {
        match call.path_parameter.as_str() {
            "current" => end_current(app, &call).await?,
            "others" => end_others(app, &call).await?,
            id => end_one(app, &call, id).await?,
        }
        Ok(Message::new("Session ended successfully"))
    }
}

/// Signs out. It needs no proof, because it ends only the session of the token that was sent. That
/// session may have ended already.
async fn end_current(app: &App, call: &Call<NoBody>) -> Result<(), Problem> {
    let caller = &call.auth.caller;
    let session = caller.session().ok_or(Refusal::SessionNotFound)?;
    app.table.end_session(caller.user, session.id, SessionEnd::SignedOut, call.now).await?;
    Ok(())
}

async fn end_others(app: &App, call: &Call<NoBody>) -> Result<(), Problem> {
    let App { policy, keys, table, .. } = app;
    let cx = call.context(policy, keys);
    let query = UserQuery::user(call.auth.caller.user);
    table.decide(query, call.now, |snapshot| session::end_others(snapshot, &cx)).await?;
    Ok(())
}

async fn end_one(app: &App, call: &Call<NoBody>, id: &str) -> Result<(), Problem> {
    let App { policy, keys, table, .. } = app;
    let user = call.auth.caller.user;
    let snapshot = table.snapshot_of(UserQuery::user(user).and_sessions(), call.now).await?;
    gate::require_fresh_factor(&snapshot, &call.context(policy, keys))?;

    let list = session::list(&snapshot, policy, call.now);
    let record = list.into_iter().find(|record| record.id.to_string() == id).ok_or(Refusal::SessionNotFound)?;
    table.end_session(user, record.id, SessionEnd::Ended, call.now).await?;
    Ok(())
}
