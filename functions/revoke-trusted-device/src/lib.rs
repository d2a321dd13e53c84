//! `DELETE /auth/mfa/trusted-devices/{id}`: ends the trust in a device.

use lambda_http::http::Method;
use mfa::{
    App,
    domain::{ItemKey, Refusal, gate, trust},
    http::{BearerToken, Call, Endpoint, ErrorCode, Message, NoBody, Problem},
    storage::UserQuery,
};

/// The endpoint.
pub struct RevokeTrustedDevice;

impl Endpoint for RevokeTrustedDevice {
    const NAME: &'static str = "revoke-trusted-device";
    const METHOD: Method = Method::DELETE;
    const PATH: &'static str = "/auth/mfa/trusted-devices/{id}";
    const ERRORS: &'static [ErrorCode] = &[ErrorCode::MfaRequired, ErrorCode::MfaDeviceNotFound];
    type Auth = BearerToken;
    type Body = NoBody;
    type Reply = Message;

    async fn handle(&self, app: &App, call: Call<NoBody>) -> Result<Message, Problem> {
        let App { policy, keys, table, .. } = app;
        let user = call.auth.caller.user;
        let snapshot = table.snapshot_of(UserQuery::user(user).and_trusted(), call.now).await?;
        gate::require_fresh_factor(&snapshot, &call.context(policy, keys))?;

        let list = trust::list(&snapshot, policy, call.now);
        let record = list.into_iter().find(|record| record.id.to_string() == call.path_parameter);
        let record = record.ok_or(Refusal::DeviceNotFound)?;
        // First the trust, so that it opens no session in between.
        table.delete(user, ItemKey::Trust(record.id)).await?;
        for session in &record.sessions {
            table.delete(user, ItemKey::Session(*session)).await?;
        }
        Ok(Message::new("Trusted device revoked successfully"))
    }
}
