//! `DELETE /auth/mfa/devices/{deviceId}`: removes an authenticator.

use lambda_http::http::Method;
use mfa::{
    App,
    domain::{DeviceId, remove_device},
    http::{BearerToken, Call, Endpoint, ErrorCode, Message, NoBody, Problem},
    storage::UserQuery,
};

/// The endpoint.
pub struct RemoveDevice;

impl Endpoint for RemoveDevice {
    const NAME: &'static str = "remove-device";
    const METHOD: Method = Method::DELETE;
    const PATH: &'static str = "/auth/mfa/devices/{deviceId}";
    const ERRORS: &'static [ErrorCode] =
        &[ErrorCode::MfaRequired, ErrorCode::MfaDeviceNotFound, ErrorCode::MfaLastMethod, ErrorCode::RateLimited];
    type Auth = BearerToken;
    type Body = NoBody;
    type Reply = Message;

    async fn handle(&self, app: &App, call: Call<NoBody>) -> Result<Message, Problem> {
        let App { policy, keys, table, .. } = app;
        let cx = call.context(policy, keys);
        let query = UserQuery::user(call.auth.caller.user);

        // A malformed id gets the same answers as an unknown one: first that of the gate, then the
        // 404.
        let id = DeviceId::parse(&call.path_parameter);
        let rule = |snapshot: &_| remove_device::remove(snapshot, id, &cx);
        table.decide(query, call.now, rule).await?;
        Ok(Message::new("MFA device removed successfully"))
    }
}
