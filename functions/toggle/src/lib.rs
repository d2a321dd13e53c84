//! `POST /auth/mfa/toggle`: switches MFA on or off for the caller.

use lambda_http::http::Method;
use mfa::{
    App,
    domain::{self, Policy, Snapshot, Switch},
    http::{BearerToken, Call, Endpoint, ErrorCode, Fields, Problem, ReadBody, StoppedReply},
    step_up::StepUp,
    storage::UserQuery,
};
use serde::Serialize;

/// The endpoint.
pub struct Toggle;

/// `{enabled}`.
#[derive(Debug)]
pub struct ToggleBody {
    wanted: Switch,
}

/// What was done, and what stopped counting. With tokens if the caller's own login gave a right code in the last quarter
/// of an hour: nobody has to enter a second one right after enrolling.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ToggleReply {
    message: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    access_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    #[serde(flatten)]
    stopped: StoppedReply,
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
    const ERRORS: &'static [ErrorCode] = &[
        ErrorCode::MissingRequiredField,
        ErrorCode::MfaRequired,
        ErrorCode::MfaTogglingNotAllowed,
        ErrorCode::MfaCannotEnableWithoutMethod,
        ErrorCode::RateLimited,
    ];
    type Auth = BearerToken;
    type Body = ToggleBody;
    type Reply = ToggleReply;

    async fn handle(&self, app: &App, call: Call<ToggleBody>) -> Result<ToggleReply, Problem> {
        let App { policy, keys, table, .. } = app;
        let BearerToken { caller, claims } = &call.auth;
        let step_up = StepUp::prepare(app, caller, claims, call.user_agent(), false, call.now)?;
        let cx = call.context(policy, keys);

        let rule = |snapshot: &Snapshot| {
            let toggled = domain::toggle(snapshot, call.body.wanted, &cx);
            toggled.on_success(|toggled| {
                let items = toggled.verified.as_ref().map(|verified| step_up.items(snapshot, verified));
                items.unwrap_or_default()
            })
        };
        let toggled = table.decide(UserQuery::user(caller.user), call.now, rule).await?;

        let tokens = toggled.verified.map(|verified| step_up.tokens(&verified)).transpose()?;
        let message = match toggled.switch {
            Switch::On => "MFA enabled successfully",
            Switch::Off => "MFA disabled successfully",
        };
        let (access_token, refresh_token) = tokens.map(|tokens| (tokens.access, tokens.refresh)).unzip();
        Ok(ToggleReply { message, access_token, refresh_token, stopped: toggled.stopped.into() })
    }
}
