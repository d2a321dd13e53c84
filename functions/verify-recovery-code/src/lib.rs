//! `POST /auth/mfa/verify-recovery-code`: accepts a recovery code as the second factor. It passes a
//! lock, and works once.

use lambda_http::http::Method;
use mfa::{
    App,
    config::Part,
    domain::{
        Factor, Policy, Snapshot,
        recovery::{self, RecoveryCode},
    },
    http::{BearerToken, Call, Endpoint, ErrorCode, Fields, LogLine, Problem, ReadBody, VerifiedReply},
    owner,
    step_up::StepUp,
};

/// The endpoint.
pub struct VerifyRecoveryCode;

/// `{code, trustDevice?, rememberDevice?}`.
pub struct RecoveryBody {
    /// `None` if the text does not have the form of a recovery code. It gets the answer of a wrong
    /// one.
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
    const USES: &'static [Part] = &[Part::Users, Part::Table, Part::SealingKeys, Part::SigningKey];
    const ERRORS: &'static [ErrorCode] =
        &[ErrorCode::MissingRequiredField, ErrorCode::MfaRecoveryCodeInvalid, ErrorCode::RateLimited];
    type Auth = BearerToken;
    type Body = RecoveryBody;
    type Reply = VerifiedReply;

    fn describe(&self, _: &App, _: &RecoveryBody, log: &mut LogLine) {
        log.of_factor(Factor::RecoveryCode);
    }

    async fn handle(&self, app: &App, call: Call<RecoveryBody>) -> Result<VerifiedReply, Problem> {
        let App { keys, table, .. } = app;
        let BearerToken { caller, claims } = &call.auth;
        let step_up = StepUp::prepare(app, caller, claims, call.user_agent(), call.body.trust_device, call.now)?;
        let cx = step_up.context();
        let owner = owner(app, &call)?;

        let rule = |snapshot: &Snapshot| {
            let redeemed = recovery::redeem(snapshot, call.body.code.as_ref(), &cx);
            let noted = owner.noted(redeemed, snapshot, &cx);
            noted.on_success(|redeemed| step_up.items(snapshot, &redeemed.verified))
        };
        let redeemed = table.decide_possession(step_up.query(), keys, call.now, rule).await?;

        let tokens = step_up.tokens(&redeemed.verified)?;
        Ok(VerifiedReply::new("Recovery code verification successful", tokens).with_codes_left(redeemed.left))
    }
}
