//! `POST /auth/mfa/verify`: judges a code and, where it is right, proves it to the application by a token.

use lambda_http::http::Method as HttpMethod;
use mfa::{
    Bundle,
    domain::{Caller, DeviceId, Method, Policy, Refusal, Snapshot, Timestamp, code::Otp, verify, verify::Guess},
    http::{Bearer, Call, Endpoint, Fields, Grant, Problem, ReadBody, VerifiedReply},
    random,
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
        let method = fields.method()?;
        let otp = fields.otp(if method == Method::Totp { Policy::TOTP_DIGITS } else { policy.code_length })?;
        let trust_device = fields.trust_device()?;
        let device = fields
            .optional_text("deviceId", 64)?
            .map(|text| DeviceId::parse(text).ok_or_else(|| Problem::invalid("deviceId must be a UUID")))
            .transpose()?;
        Ok(Self { method, otp, device, trust_device })
    }
}

impl VerifyBody {
    /// The guess that was made, where the method is one that this caller may use.
    fn guess(&self, caller: &Caller, policy: &Policy) -> Result<Guess, Problem> {
        if !policy.offers(self.method) {
            return Err(Refusal::MethodNotAvailable.into());
        }
        let otp = self.otp.clone();
        if self.method == Method::Totp {
            return Ok(Guess::Totp { otp, device: self.device });
        }
        let address = caller.contact.address(self.method, policy).ok_or(Refusal::MethodNotAvailable)?;
        Ok(Guess::Sent { otp, address })
    }
}

impl Endpoint for Verify {
    const NAME: &'static str = "verify";
    const METHOD: HttpMethod = HttpMethod::POST;
    const PATH: &'static str = "/auth/mfa/verify";
    type Who = Bearer;
    type Body = VerifyBody;
    type Reply = VerifiedReply;

    async fn handle(&self, bundle: &Bundle, call: Call<VerifyBody>) -> Result<VerifiedReply, Problem> {
        let Bundle { policy, keys, table, .. } = bundle;
        let guess = call.body.guess(&call.who.caller, policy)?;
        let cx = call.context(policy, keys);
        let grant = Grant::prepare(bundle, &call, call.body.trust_device)?;
        let subject = match guess {
            Guess::Totp { .. } => grant.subject(),
            Guess::Sent { .. } => grant.subject().and_code_of(call.who.caller.login),
        };

        // Judged and counted in one commit: nobody learns the verdict of a guess that was not paid for.
        let rule = |snapshot: &Snapshot| {
            verify::judge(snapshot, &guess, &cx).beside(|verified| grant.items(snapshot, verified))
        };
        let verified = table.decide(subject, call.now, rule).await?;

        if let Some(device) = verified.sealed_by_old_key {
            reseal(bundle, &call.who.caller, device, call.now).await;
        }
        grant.reply("2FA verification successful", &verified)
    }
}

/// Seals the secret of `device` anew where an old key had sealed it. Only housekeeping: the answer does not wait
/// on its success.
async fn reseal(bundle: &Bundle, caller: &Caller, device: DeviceId, now: Timestamp) -> Option<()> {
    let Bundle { keys, table, .. } = bundle;
    let snapshot = table.snapshot(caller.user, now).await.ok()?;
    let record = snapshot.device(device).filter(|record| keys.is_sealed_by_an_old_key(record))?;
    let secret = keys.totp_secret(caller.user, record)?;
    let sealed = keys.seal_totp(caller.user, device, &secret, random::bytes().ok()?).ok()?;
    table.reseal_device(caller.user, record, sealed).await.ok()
}
