//! `POST /auth/mfa/reset-totp`: starts over with a recovery code. Removes every device, set-up and
//! recovery code, and switches MFA off.

use lambda_http::http::Method;
use mfa::{
    App,
    domain::{
        Policy,
        recovery::{self, RecoveryCode},
    },
    http::{BearerToken, Call, Endpoint, ErrorCode, Fields, Message, Problem, ReadBody},
    storage::UserQuery,
};

/// The endpoint.
pub struct ResetTotp;

/// `{code}`.
pub struct ResetBody {
    /// `None` if the text does not have the form of a recovery code. It gets the answer of a wrong
    /// one.
    code: Option<RecoveryCode>,
}

impl ReadBody for ResetBody {
    fn read(fields: &Fields, _: &Policy) -> Result<Self, Problem> {
        Ok(Self { code: fields.recovery_code()? })
    }
}

impl Endpoint for ResetTotp {
    const NAME: &'static str = "reset-totp";
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/auth/mfa/reset-totp";
    const ERRORS: &'static [ErrorCode] =
        &[ErrorCode::MissingRequiredField, ErrorCode::MfaRecoveryCodeInvalid, ErrorCode::RateLimited];
    type Auth = BearerToken;
    type Body = ResetBody;
    type Reply = Message;

    async fn handle(&self, app: &App, call: Call<ResetBody>) -> Result<Message, Problem> {
        let App { policy, keys, table, .. } = app;
        let cx = call.context(policy, keys);
        let query = UserQuery::user(call.auth.caller.user);

        let rule = |snapshot: &_| recovery::reset(snapshot, call.body.code.as_ref(), &cx);
        table.decide_possession(query, keys, call.now, rule).await?;
        Ok(Message::new("MFA reset successfully"))
    }
}
