//! `DELETE /auth/mfa/trusted-devices/{id}`: takes the trust from a device.

use lambda_http::http::Method;
use mfa::{
    Bundle,
    domain::{Refusal, gate, trust},
    http::{Bearer, Call, Endpoint, Message, NoBody, Problem},
    storage::Subject,
};

/// The endpoint.
pub struct RevokeTrustedDevice;

impl Endpoint for RevokeTrustedDevice {
    const NAME: &'static str = "revoke-trusted-device";
    const METHOD: Method = Method::DELETE;
    const PATH: &'static str = "/auth/mfa/trusted-devices/{id}";
    type Who = Bearer;
    type Body = NoBody;
    type Reply = Message;

    async fn handle(&self, bundle: &Bundle, call: Call<NoBody>) -> Result<Message, Problem> {
        let Bundle { policy, keys, table, .. } = bundle;
        let user = call.who.caller.user;
        let snapshot = table.snapshot_of(Subject::user(user).and_trusted(), call.now).await?;
        gate::pass(&snapshot, &call.context(policy, keys))?;

        let list = trust::list(&snapshot, policy, call.now);
        let record = list.into_iter().find(|record| record.id.to_string() == call.path_parameter);
        table.delete_trust(user, record.ok_or(Refusal::DeviceNotFound)?.id).await?;
        Ok(Message::new("Trusted device revoked successfully"))
    }
}
