//! `POST /auth/mfa/verify`: judges a code. If it is right, a token proves that to the application.

use lambda_http::http::Method as HttpMethod;
use mfa::{
    App,
    config::Part,
    domain::{
        Caller, Channel, DeviceId, Factor, Method, Policy, Refusal, Snapshot, Timestamp, code::Otp, verify,
        verify::Guess,
    },
    http::{BearerToken, Call, Endpoint, ErrorCode, Fields, LogLine, Problem, ReadBody, VerifiedReply},
    owner, random,
    step_up::StepUp,
};

/// The endpoint.
pub struct Verify;

/// `{method, otp, trustDevice?, rememberDevice?, deviceId?}`.
pub struct VerifyBody {
    method: Method,
    otp: Otp,
    device: Option<DeviceId>,
    trust_device: bool,
}

impl ReadBody for VerifyBody {
    fn read(fields: &Fields, policy: &Policy) -> Result<Self, Problem> {
        let method = fields.method("POST /auth/mfa/verify-passkey")?;
        let otp = fields.otp(&policy.lengths_of(method))?;
        let trust_device = fields.trust_device()?;
        let device = fields
            .optional_text("deviceId", 64)?
            .map(|text| DeviceId::parse(text).ok_or_else(|| Problem::invalid("deviceId must be a UUID")))
            .transpose()?;
        Ok(Self { method, otp, device, trust_device })
    }
}

impl VerifyBody {
    /// The guess, if this caller may use the method.
    fn guess(&self, caller: &Caller, policy: &Policy) -> Result<Guess, Problem> {
        if !policy.offers(self.method) {
            return Err(Refusal::MethodNotOffered.into());
        }
        let (otp, method) = (self.otp.clone(), self.method);
        match method.channel() {
            // It has no code.
            Channel::Browser => Err(Refusal::MethodNotOffered.into()),
            Channel::Device => Ok(Guess::Totp { otp, device: self.device }),
            Channel::Free | Channel::Paid => {
                let address = caller.contact.allowed_address(method, policy).map_err(Refusal::NoAddress)?;
                Ok(Guess::Sent { otp, method, address })
            }
        }
    }
}

impl Endpoint for Verify {
    const NAME: &'static str = "verify";
    const METHOD: HttpMethod = HttpMethod::POST;
    const PATH: &'static str = "/auth/mfa/verify";
    const USES: &'static [Part] = &[Part::Users, Part::Table, Part::SealingKeys, Part::SigningKey];
    const ERRORS: &'static [ErrorCode] = &[
        ErrorCode::MissingRequiredField,
        ErrorCode::MfaMethodNotAvailable,
        ErrorCode::MfaCodeInvalid,
        ErrorCode::VerificationCodeInvalid,
        ErrorCode::VerificationCodeExpired,
        ErrorCode::MfaDeviceNotFound,
        ErrorCode::RateLimited,
        ErrorCode::AccountLocked,
    ];
    type Auth = BearerToken;
    type Body = VerifyBody;
    type Reply = VerifiedReply;

    fn describe(&self, _: &App, body: &VerifyBody, log: &mut LogLine) {
        log.of_factor(Factor::Code(body.method));
    }

    async fn handle(&self, app: &App, call: Call<VerifyBody>) -> Result<VerifiedReply, Problem> {
        let App { policy, table, .. } = app;
        let guess = call.body.guess(&call.auth.caller, policy)?;
        let BearerToken { caller, claims } = &call.auth;
        let step_up = StepUp::prepare(app, caller, claims, call.user_agent(), call.body.trust_device, call.now)?;
        let cx = step_up.context();
        let owner = owner(app, &call)?;
        let query = match guess {
            Guess::Totp { .. } => step_up.query(),
            Guess::Sent { .. } => step_up.query().and_codes_of(caller.login),
        };

        // Judged and counted in one commit: nobody learns the verdict of a guess that was not paid
        // for.
        let rule = |snapshot: &Snapshot| {
            let judged = owner.noted(verify::judge(snapshot, &guess, &cx), snapshot, &cx);
            judged.on_success(|verified| step_up.items(snapshot, verified))
        };
        let verified = table.decide(query, call.now, rule).await?;

        if let Some(device) = verified.sealed_by_old_key {
            reseal(app, caller, device, call.now).await;
        }
        let tokens = step_up.tokens(&verified)?;
        Ok(VerifiedReply::new("2FA verification successful", tokens).with_stopped(verified.stopped))
    }
}

/// Seals the secret of `device` again if an old key had sealed it. This is housekeeping: the answer
/// does not depend on its success.
async fn reseal(app: &App, caller: &Caller, device: DeviceId, now: Timestamp) -> Option<()> {
    let App { keys, table, .. } = app;
    let snapshot = table.snapshot(caller.user, now).await.ok()?;
    let record = snapshot.device(device).filter(|record| keys.is_sealed_by_an_old_key(record))?;
    let secret = keys.totp_secret(caller.user, record)?;
    let sealed = keys.seal_totp(caller.user, device, &secret, random::bytes().ok()?).ok()?;
    table.reseal_device(caller.user, record, sealed).await.ok()
}
