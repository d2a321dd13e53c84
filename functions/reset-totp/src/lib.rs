//! `POST /auth/mfa/reset-totp`: starts over with a recovery code. Every device, set-up and recovery code is gone, MFA is off.

use lambda_http::http::Method;
use mfa::{
    Bundle,
    domain::{
        Policy,
        recovery::{self, RecoveryCode},
    },
    http::{Bearer, Call, Endpoint, Fields, Message, Problem, ReadBody},
    storage::Subject,
};

/// The endpoint.
pub struct ResetTotp;

/// `{code}`.
pub struct ResetBody {
    /// `None` where what came has not the form of one: it is answered like a wrong one.
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
    type Who = Bearer;
    type Body = ResetBody;
    type Reply = Message;

    async fn handle(&self, bundle: &Bundle, call: Call<ResetBody>) -> Result<Message, Problem> {
        let Bundle { policy, keys, table, .. } = bundle;
        let cx = call.context(policy, keys);
        let subject = Subject::user(call.who.caller.user);

        let rule = |snapshot: &_| recovery::reset(snapshot, call.body.code.as_ref(), &cx);
        table.decide_recovery(subject, keys, call.now, rule).await?;
        Ok(Message::new("MFA reset successfully"))
    }
}
