//! `POST /auth/mfa/toggle`: switches MFA on or off for the caller.

use lambda_http::http::Method;
use mfa::{
    App,
    config::Part,
    domain::{self, Policy, Snapshot, Switch},
    http::{BearerToken, Call, Endpoint, ErrorCode, Fields, Problem, ReadBody, SwitchReply},
    owner,
    step_up::StepUp,
    storage::UserQuery,
};

/// The endpoint.
pub struct Toggle;

/// `{enabled}`.
#[derive(Debug)]
pub struct ToggleBody {
    wanted: Switch,
}

impl ReadBody for ToggleBody {
    fn read(fields: &Fields, _: &Policy) -> Result<Self, Problem> {
        let wanted = if fields.bool("enabled")? { Switch::On } else { Switch::Off };
        Ok(Self { wanted })
    }
}

impl Endpoint for Toggle {
    const NAME: &'static str = "toggle";
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/auth/mfa/toggle";
    const USES: &'static [Part] = &[Part::Users, Part::Table, Part::SealingKeys, Part::SigningKey];
    const ERRORS: &'static [ErrorCode] = &[
        ErrorCode::MissingRequiredField,
        ErrorCode::MfaRequired,
        ErrorCode::MfaTogglingNotAllowed,
        ErrorCode::MfaCannotEnableWithoutMethod,
        ErrorCode::RateLimited,
    ];
    type Auth = BearerToken;
    type Body = ToggleBody;
    type Reply = SwitchReply;

    async fn handle(&self, app: &App, call: Call<ToggleBody>) -> Result<SwitchReply, Problem> {
        let App { policy, keys, table, .. } = app;
        let BearerToken { caller, claims } = &call.auth;
        // Only switching on gives tokens.
        let step_up = match call.body.wanted {
            Switch::On => Some(StepUp::prepare(app, caller, claims, call.user_agent(), false, call.now)?),
            Switch::Off => None,
        };
        let cx = call.context(policy, keys);
        let owner = owner(app, &call)?;

        let rule = |snapshot: &Snapshot| {
            let toggled = domain::toggle(snapshot, call.body.wanted, &cx);
            let noted = owner.noted(toggled, snapshot, &cx);
            noted.on_success(|toggled| {
                let given = step_up.as_ref().zip(toggled.verified.as_ref());
                given.map(|(step_up, verified)| step_up.items(snapshot, verified)).unwrap_or_default()
            })
        };
        let toggled = table.decide(UserQuery::user(caller.user), call.now, rule).await?;

        // Nobody has to enter a second code right after enrolling.
        let tokens = step_up.zip(toggled.verified).map(|(step_up, verified)| step_up.tokens(&verified)).transpose()?;
        let message = match toggled.switch {
            Switch::On => "MFA enabled successfully",
            Switch::Off => "MFA disabled successfully",
        };
        Ok(SwitchReply::new(message, tokens, toggled.stopped))
    }
}
