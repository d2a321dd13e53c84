//! `POST /auth/mfa/verify-passkey`: takes the answer of a passkey as the second factor. It passes a lock,
//! and works once.

use lambda_http::http::Method;
use mfa::{
    App,
    config::Part,
    domain::{
        Factor, Policy, Snapshot,
        passkey::{Challenge, CredentialRecord},
        verify_passkey,
    },
    http::{BearerToken, Call, Endpoint, ErrorCode, Fields, LogLine, Problem, ReadBody, VerifiedReply},
    owner,
    step_up::StepUp,
};
use mfa_passkeys::Ceremonies;
use serde_json::Value;

/// The endpoint.
pub struct VerifyPasskey {
    ceremonies: Ceremonies,
}

/// `{credential, trustDevice?, rememberDevice?}`.
pub struct VerifyBody {
    /// What `navigator.credentials.get()` gave. Whatever is wrong with it has one answer.
    credential: Value,
    trust_device: bool,
}

impl ReadBody for VerifyBody {
    fn read(fields: &Fields, _: &Policy) -> Result<Self, Problem> {
        Ok(Self { credential: fields.json("credential")?.clone(), trust_device: fields.trust_device()? })
    }
}

impl VerifyPasskey {
    /// Builds the endpoint of `app`.
    #[must_use]
    pub fn new(app: &App) -> Self {
        Self { ceremonies: Ceremonies::of(app) }
    }
}

impl Endpoint for VerifyPasskey {
    const NAME: &'static str = "verify-passkey";
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/auth/mfa/verify-passkey";
    const USES: &'static [Part] =
        &[Part::Users, Part::Table, Part::SealingKeys, Part::SigningKey, Part::AppName, Part::Passkeys];
    const ERRORS: &'static [ErrorCode] = &[
        ErrorCode::MissingRequiredField,
        ErrorCode::MfaMethodNotAvailable,
        ErrorCode::MfaPasskeyInvalid,
        ErrorCode::MfaPasskeyExpired,
        ErrorCode::RateLimited,
    ];
    type Auth = BearerToken;
    type Body = VerifyBody;
    type Reply = VerifiedReply;

    fn describe(&self, _: &App, _: &VerifyBody, log: &mut LogLine) {
        log.of_factor(Factor::passkey(false));
    }

    async fn handle(&self, app: &App, call: Call<VerifyBody>) -> Result<VerifiedReply, Problem> {
        let App { keys, table, .. } = app;
        let BearerToken { caller, claims } = &call.auth;
        let VerifyBody { credential, trust_device } = &call.body;
        let step_up = StepUp::prepare(app, caller, claims, call.user_agent(), *trust_device, call.now)?;
        let cx = step_up.context();
        let owner = owner(app, &call)?;
        let check = |challenge: &Challenge, known: &[&CredentialRecord]| {
            self.ceremonies.answered(&challenge.state, known, credential)
        };

        // Judged and spent in one commit: of a thousand uses of one answer, one succeeds.
        let rule = |snapshot: &Snapshot| {
            let judged = owner.noted(verify_passkey::judge(snapshot, &cx, check), snapshot, &cx);
            judged.on_success(|verified| step_up.items(snapshot, verified))
        };
        let query = step_up.query().and_credentials().and_challenges_of(caller.login);
        let verified = table.decide_possession(query, keys, call.now, rule).await?;

        let tokens = step_up.tokens(&verified)?;
        Ok(VerifiedReply::new("2FA verification successful", tokens).with_stopped(verified.stopped))
    }
}
