//! `POST /auth/mfa/verify-passkey-setup`: registers a passkey by the answer of its authenticator.

use lambda_http::http::Method as HttpMethod;
use mfa::{
    App,
    config::Part,
    domain::{Method, Policy, Snapshot, passkey::Challenge, verify_passkey_setup},
    http::{BearerToken, Call, Endpoint, ErrorCode, Fields, LogLine, Problem, ReadBody, SwitchReply},
    owner, random,
    step_up::StepUp,
    storage::UserQuery,
};
use mfa_passkeys::Ceremonies;
use serde_json::Value;

/// The endpoint.
pub struct VerifyPasskeySetup {
    ceremonies: Ceremonies,
}

/// `{credential}`.
pub struct ConfirmBody {
    /// What `navigator.credentials.create()` gave. Whatever is wrong with it has one answer.
    credential: Value,
}

impl ReadBody for ConfirmBody {
    fn read(fields: &Fields, _: &Policy) -> Result<Self, Problem> {
        Ok(Self { credential: fields.json("credential")?.clone() })
    }
}

impl VerifyPasskeySetup {
    /// Builds the endpoint of `app`.
    #[must_use]
    pub fn new(app: &App) -> Self {
        Self { ceremonies: Ceremonies::of(app) }
    }
}

impl Endpoint for VerifyPasskeySetup {
    const NAME: &'static str = "verify-passkey-setup";
    const METHOD: HttpMethod = HttpMethod::POST;
    const PATH: &'static str = "/auth/mfa/verify-passkey-setup";
    const USES: &'static [Part] =
        &[Part::Users, Part::Table, Part::SealingKeys, Part::SigningKey, Part::AppName, Part::Passkeys];
    const ERRORS: &'static [ErrorCode] = &[
        ErrorCode::MissingRequiredField,
        ErrorCode::MfaMethodNotAvailable,
        ErrorCode::MfaPasskeyInvalid,
        ErrorCode::MfaPasskeyExpired,
        ErrorCode::MfaRequired,
        ErrorCode::MfaDeviceLimitReached,
        ErrorCode::RateLimited,
    ];
    type Auth = BearerToken;
    type Body = ConfirmBody;
    type Reply = SwitchReply;

    fn describe(&self, _: &App, _: &ConfirmBody, log: &mut LogLine) {
        // The first answer of a passkey shows that it works, and stands for no factor.
        log.of_method(Method::Passkey);
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
        let check = |challenge: &Challenge| self.ceremonies.registered(&challenge.state, &call.body.credential);

        let owner = owner(app, &call)?;
        let random = random::bytes()?;
        let rule = |snapshot: &Snapshot| {
            let confirmed = verify_passkey_setup::confirm(snapshot, random, &cx, check);
            let noted = owner.noted(confirmed, snapshot, &cx);
            noted.on_success(|verified| {
                step_up.as_ref().map(|step_up| step_up.items(snapshot, verified)).unwrap_or_default()
            })
        };
        let query = UserQuery::user(caller.user).and_challenges_of(caller.login);
        let verified = table.decide_possession(query, keys, call.now, rule).await?;

        let tokens = step_up.map(|step_up| step_up.tokens(&verified)).transpose()?;
        Ok(SwitchReply::new("Device setup successfully", tokens, verified.stopped))
    }
}
