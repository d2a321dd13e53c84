//! `POST /auth/mfa/toggle`: switches MFA on or off for the caller.

use lambda_http::http::Method;
use mfa::{
    App,
    domain::{self, Policy, Switch},
    http::{BearerToken, Call, Endpoint, ErrorCode, Fields, Message, Problem, ReadBody},
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
    const ERRORS: &'static [ErrorCode] = &[
        ErrorCode::MissingRequiredField,
        ErrorCode::MfaRequired,
        ErrorCode::MfaTogglingNotAllowed,
        ErrorCode::MfaCannotEnableWithoutMethod,
        ErrorCode::RateLimited,
    ];
    type Auth = BearerToken;
    type Body = ToggleBody;
    type Reply = Message;

    async fn handle(&self, app: &App, call: Call<ToggleBody>) -> Result<Message, Problem> {
        let App { policy, keys, table, .. } = app;
        let cx = call.context(policy, keys);
        let query = UserQuery::user(call.auth.caller.user);

        let switch = table.decide(query, call.now, |snapshot| domain::toggle(snapshot, call.body.wanted, &cx)).await?;

        Ok(Message::new(match switch {
            Switch::On => "MFA enabled successfully",
            Switch::Off => "MFA disabled successfully",
        }))
    }
}
