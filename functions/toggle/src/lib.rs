//! `POST /auth/mfa/toggle`: switches MFA on or off for the caller.

use lambda_http::http::Method;
use mfa::{
    Bundle,
    domain::{self, Policy, Switch},
    http::{Bearer, Call, Endpoint, Fields, Message, Problem, ReadBody},
    storage::Subject,
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
    type Who = Bearer;
    type Body = ToggleBody;
    type Reply = Message;

    async fn handle(&self, bundle: &Bundle, call: Call<ToggleBody>) -> Result<Message, Problem> {
        let Bundle { policy, keys, table, .. } = bundle;
        let cx = call.context(policy, keys);
        let subject = Subject::user(call.who.caller.user);

        let switch =
            table.decide(subject, call.now, |snapshot| domain::toggle(snapshot, call.body.wanted, &cx)).await?;

        Ok(Message::new(match switch {
            Switch::On => "MFA enabled successfully",
            Switch::Off => "MFA disabled successfully",
        }))
    }
}
