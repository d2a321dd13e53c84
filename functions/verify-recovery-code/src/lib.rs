//! `POST /auth/mfa/verify-recovery-code`: takes a recovery code as the second factor. It passes a lock, and works once.

use lambda_http::http::Method;
use mfa::{
    Bundle,
    domain::{
        Policy, Snapshot,
        recovery::{self, RecoveryCode},
    },
    http::{Bearer, Call, Endpoint, Fields, Grant, Problem, ReadBody, VerifiedReply},
};

/// The endpoint.
pub struct VerifyRecoveryCode;

/// `{code, trustDevice?, rememberDevice?}`.
pub struct RecoveryBody {
    /// `None` where what came has not the form of one: it is answered like a wrong one.
    code: Option<RecoveryCode>,
    trust_device: bool,
}

impl ReadBody for RecoveryBody {
    fn read(fields: &Fields, _: &Policy) -> Result<Self, Problem> {
        Ok(Self { code: fields.recovery_code()?, trust_device: fields.trust_device()? })
    }
}

impl Endpoint for VerifyRecoveryCode {
    const NAME: &'static str = "verify-recovery-code";
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/auth/mfa/verify-recovery-code";
    type Who = Bearer;
    type Body = RecoveryBody;
    type Reply = VerifiedReply;

    async fn handle(&self, bundle: &Bundle, call: Call<RecoveryBody>) -> Result<VerifiedReply, Problem> {
        let Bundle { policy, keys, table, .. } = bundle;
        let cx = call.context(policy, keys);
        let grant = Grant::prepare(bundle, &call, call.body.trust_device)?;

        let rule = |snapshot: &Snapshot| {
            let redeemed = recovery::redeem(snapshot, call.body.code.as_ref(), &cx);
            redeemed.beside(|redeemed| grant.items(snapshot, &redeemed.verified))
        };
        let redeemed = table.decide_recovery(grant.subject(), keys, call.now, rule).await?;

        let reply = grant.reply("Recovery code verification successful", &redeemed.verified)?;
        Ok(reply.with_codes_left(redeemed.left))
    }
}
