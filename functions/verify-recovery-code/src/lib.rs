//! `POST /auth/mfa/verify-recovery-code`: takes a recovery code as the second factor. It passes a lock, and works once.

use lambda_http::http::Method;
use mfa::{
    Bundle,
    domain::{
        Policy,
        recovery::{self, RecoveryCode},
    },
    http::{Call, Endpoint, Fields, Problem, ReadBody, VerifiedReply},
    storage::Subject,
};

/// The endpoint.
pub struct VerifyRecoveryCode;

/// `{code, trustDevice?, rememberDevice?}`.
pub struct RecoveryBody {
    /// `None` where what came has not the form of one: it is answered like a wrong one.
    code: Option<RecoveryCode>,
}

impl ReadBody for RecoveryBody {
    fn read(fields: &Fields, _: &Policy) -> Result<Self, Problem> {
        let code = fields.recovery_code()?;
        fields.trust_device()?;
        Ok(Self { code })
    }
}

impl Endpoint for VerifyRecoveryCode {
    const NAME: &'static str = "verify-recovery-code";
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/auth/mfa/verify-recovery-code";
    type Body = RecoveryBody;
    type Reply = VerifiedReply;

    async fn handle(&self, bundle: &Bundle, call: Call<RecoveryBody>) -> Result<VerifiedReply, Problem> {
        let Bundle { policy, keys, table, minter, .. } = bundle;
        let cx = call.context(policy, keys);
        let subject = Subject::user(call.caller.user);

        let rule = |snapshot: &_| recovery::redeem(snapshot, call.body.code.as_ref(), &cx);
        let redeemed = table.decide_recovery(subject, keys, call.now, rule).await?;

        let access_token = minter.mint(call.caller.user, &call.claims, &redeemed.verified)?;
        Ok(VerifiedReply::new("Recovery code verification successful", access_token).with_codes_left(redeemed.left))
    }
}
