//! `POST /auth/mfa/verify-totp-setup`: confirms an authenticator with its first code.

use lambda_http::http::Method as HttpMethod;
use mfa::{
    App,
    config::Part,
    domain::{Method, Policy, Snapshot, code::Otp, pasted, verify_totp_setup},
    http::{BearerToken, Call, Endpoint, ErrorCode, Fields, LogLine, Problem, ReadBody, SwitchReply},
    owner,
    step_up::StepUp,
    storage::UserQuery,
};

/// The endpoint.
pub struct VerifyTotpSetup;

/// `{otp, secret}`.
pub struct ConfirmBody {
    otp: Otp,
    /// The secret. Empty if the text is not base 32, so that it matches no set-up.
    secret: Vec<u8>,
}

impl ReadBody for ConfirmBody {
    fn read(fields: &Fields, _: &Policy) -> Result<Self, Problem> {
        let otp = fields.otp(&[Policy::TOTP.digits.count()])?;
        let secret = fields.pasted("secret")?;
        Ok(Self { otp, secret: base32(secret) })
    }
}

/// Reads base 32 (RFC 4648) as people copy it ([`pasted::plain`]): in upper or lower case, with or
/// without padding.
fn base32(text: &str) -> Vec<u8> {
    let plain = pasted::plain(text).to_ascii_uppercase();
    data_encoding::BASE32_NOPAD.decode(plain.trim_end_matches('=').as_bytes()).unwrap_or_default()
}

impl Endpoint for VerifyTotpSetup {
    const NAME: &'static str = "verify-totp-setup";
    const METHOD: HttpMethod = HttpMethod::POST;
    const PATH: &'static str = "/auth/mfa/verify-totp-setup";
    const USES: &'static [Part] = &[Part::Users, Part::Table, Part::SealingKeys, Part::SigningKey];
    const ERRORS: &'static [ErrorCode] = &[
        ErrorCode::MissingRequiredField,
        ErrorCode::MfaMethodNotAvailable,
        ErrorCode::MfaCodeInvalid,
        ErrorCode::MfaRequired,
        ErrorCode::MfaDeviceLimitReached,
        ErrorCode::RateLimited,
        ErrorCode::AccountLocked,
    ];
    type Auth = BearerToken;
    type Body = ConfirmBody;
    type Reply = SwitchReply;

    fn describe(&self, _: &App, _: &ConfirmBody, log: &mut LogLine) {
        // The first code of an authenticator shows that it works, and stands for no factor.
        log.of_method(Method::Totp);
    }

    async fn handle(&self, app: &App, call: Call<ConfirmBody>) -> Result<SwitchReply, Problem> {
        let App { policy, keys, table, .. } = app;
        let BearerToken { caller, claims } = &call.auth;
        // If others can share the login's name, only a session tells the caller from them, and its
        // tokens are given.
        let step_up = match caller.provenance {
            Some(_) => None,
            None => Some(StepUp::prepare(app, caller, claims, call.user_agent(), false, call.now)?),
        };
        let cx = step_up.as_ref().map_or_else(|| call.context(policy, keys), StepUp::context);

        let owner = owner(app, &call)?;
        // Judged and counted in one commit: nobody learns the verdict of a guess that was not paid
        // for.
        let ConfirmBody { otp, secret } = &call.body;
        let rule = |snapshot: &Snapshot| {
            let confirmed = verify_totp_setup::confirm(snapshot, secret, otp, &cx);
            let noted = owner.noted(confirmed, snapshot, &cx);
            noted.on_success(|verified| {
                step_up.as_ref().map(|step_up| step_up.items(snapshot, verified)).unwrap_or_default()
            })
        };
        let verified = table.decide(UserQuery::user(caller.user), call.now, rule).await?;

        let tokens = step_up.map(|step_up| step_up.tokens(&verified)).transpose()?;
        Ok(SwitchReply::new("Device setup successfully", tokens, verified.stopped))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_read_as_people_copy_it() {
        assert_eq!(base32("JBSWY3DP"), b"Hello");
        assert_eq!(base32("jbsw y3dp"), b"Hello");
        assert_eq!(base32("JBSW-Y3DP===="), b"Hello");
        assert_eq!(base32("\u{feff}jbsw\u{2011}y\u{ff13}dp\r\n"), b"Hello");
        for bad in ["", "0", "JBSWY3D8", "\u{df}\u{df}"] {
            assert_eq!(base32(bad), b"", "{bad}");
        }
    }
}
