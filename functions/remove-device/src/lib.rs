//! `DELETE /auth/mfa/devices/{deviceId}`: removes an authenticator.

use lambda_http::http::Method;
use mfa::{
    Bundle,
    domain::{DeviceId, removal},
    http::{Bearer, Call, Endpoint, Message, NoBody, Problem},
    storage::Subject,
};

/// The endpoint.
pub struct RemoveDevice;

impl Endpoint for RemoveDevice {
    const NAME: &'static str = "remove-device";
    const METHOD: Method = Method::DELETE;
    const PATH: &'static str = "/auth/mfa/devices/{deviceId}";
    type Who = Bearer;
    type Body = NoBody;
    type Reply = Message;

    async fn handle(&self, bundle: &Bundle, call: Call<NoBody>) -> Result<Message, Problem> {
        let Bundle { policy, keys, table, .. } = bundle;
        let cx = call.context(policy, keys);
        let subject = Subject::user(call.who.caller.user);

        // What is no id is nobody's device. The gate answers first, as for any other.
        let id = DeviceId::parse(&call.path_parameter);
        let rule = |snapshot: &_| removal::remove(snapshot, id, &cx);
        table.decide(subject, call.now, rule).await?;
        Ok(Message::new("MFA device removed successfully"))
    }
}
