//! `POST /auth/mfa/verify-trusted-device`: accepts a trusted device as the second factor. It passes
//! a lock.

use lambda_http::http::Method;
use mfa::{
    App,
    config::Part,
    domain::{
        Factor, Refusal,
        trust::{self, TrustToken},
    },
    http::{BearerToken, Call, Endpoint, ErrorCode, LogLine, NoBody, Problem, VerifiedReply},
    step_up::StepUp,
};

/// The endpoint.
pub struct VerifyTrustedDevice;

impl Endpoint for VerifyTrustedDevice {
    const NAME: &'static str = "verify-trusted-device";
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/auth/mfa/verify-trusted-device";
    const USES: &'static [Part] = &[Part::Users, Part::Table, Part::SealingKeys, Part::SigningKey];
    const ERRORS: &'static [ErrorCode] =
        &[ErrorCode::MissingRequiredField, ErrorCode::MfaDeviceNotFound, ErrorCode::RateLimited];
    type Auth = BearerToken;
    type Body = NoBody;
    type Reply = VerifiedReply;

    fn describe(&self, _: &App, _: &NoBody, log: &mut LogLine) {
        log.of_factor(Factor::TrustedDevice);
    }

    async fn handle(&self, app: &App, call: Call<NoBody>) -> Result<VerifiedReply, Problem> {
        let App { policy, keys, table, .. } = app;
        let user = call.auth.caller.user;
        let id = TrustToken::parse(call.trust_token()?).map(|token| keys.trust_id(user, &token));
        let id = id.ok_or(Refusal::DeviceNotFound)?;
        let BearerToken { caller, claims } = &call.auth;
        let step_up = StepUp::prepare(app, caller, claims, call.user_agent(), false, call.now)?;

        // Read strongly, because the trust may have been revoked, or its epoch ended, a moment ago.
        let snapshot = table.snapshot_of(step_up.query().and_trusted(), call.now).await?;
        let (device, verified) = trust::prove(&snapshot, id, policy, call.now)?;

        table.use_trust(user, device, step_up.session(&verified).as_ref(), call.now).await?;
        Ok(VerifiedReply::new("2FA verification successful", step_up.tokens(&verified)?))
    }
}
