//! `POST /auth/mfa/generate-recovery-code`: makes ten recovery codes and shows them once. Earlier
//! ones become void.

use lambda_http::http::Method;
use mfa::{
    App,
    domain::{
        Policy, RecoveryId,
        recovery::{self, RecoveryCode, RecoveryRecord},
    },
    http::{BearerToken, Call, Endpoint, ErrorCode, NoBody, Problem},
    random,
    storage::UserQuery,
};
use serde::Serialize;

/// The endpoint.
pub struct GenerateRecoveryCode;

/// The codes. `code` is the first of them, for clients that know only one.
#[derive(Serialize)]
pub struct RecoveryCodes {
    codes: Vec<String>,
    code: String,
    /// Whether they replaced codes that another login made or last used.
    #[serde(skip_serializing_if = "Option::is_none")]
    replaced: Option<bool>,
}

impl Endpoint for GenerateRecoveryCode {
    const NAME: &'static str = "generate-recovery-code";
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/auth/mfa/generate-recovery-code";
    const ERRORS: &'static [ErrorCode] = &[ErrorCode::MfaRequired, ErrorCode::RateLimited];
    type Auth = BearerToken;
    type Body = NoBody;
    type Reply = RecoveryCodes;

    async fn handle(&self, app: &App, call: Call<NoBody>) -> Result<RecoveryCodes, Problem> {
        let App { policy, keys, table, .. } = app;
        let user = call.auth.caller.user;
        let id = RecoveryId(random::bytes()?);
        let codes = (0..Policy::RECOVERY_CODES)
            .map(|_| random::bytes().map(RecoveryCode::from_random))
            .collect::<Result<Vec<_>, _>>()?;
        let tags = codes.iter().map(|code| keys.recovery_tag(user, id, code)).collect();
        let record = RecoveryRecord { id, tags };

        let cx = call.context(policy, keys);
        let rule = |snapshot: &_| recovery::replace(snapshot, &record, &cx);
        let replaced = table.decide(UserQuery::user(user), call.now, rule).await?;

        let codes: Vec<String> = codes.iter().map(RecoveryCode::to_text).collect();
        let code = codes.first().cloned().unwrap_or_default();
        Ok(RecoveryCodes { codes, code, replaced: replaced.of_another_login.then_some(true) })
    }
}
