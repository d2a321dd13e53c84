//! `PATCH /auth/mfa/devices/{deviceId}`: renames an authenticator.

use lambda_http::http::Method;
use mfa::{
    App,
    domain::{DeviceId, DeviceName, Policy, rename_device},
    http::{BearerToken, Call, Endpoint, ErrorCode, Fields, Message, Problem, ReadBody},
    storage::UserQuery,
};

/// The endpoint.
pub struct RenameDevice;

/// `{deviceName}`.
#[derive(Debug)]
pub struct RenameBody {
    device_name: DeviceName,
}

impl ReadBody for RenameBody {
    fn read(fields: &Fields, _: &Policy) -> Result<Self, Problem> {
        Ok(Self { device_name: fields.device_name("deviceName")? })
    }
}

impl Endpoint for RenameDevice {
    const NAME: &'static str = "rename-device";
    const METHOD: Method = Method::PATCH;
    const PATH: &'static str = "/auth/mfa/devices/{deviceId}";
    const ERRORS: &'static [ErrorCode] = &[
        ErrorCode::MissingRequiredField,
        ErrorCode::MfaRequired,
        ErrorCode::MfaDeviceNotFound,
        ErrorCode::RateLimited,
    ];
    type Auth = BearerToken;
    type Body = RenameBody;
    type Reply = Message;

    async fn handle(&self, app: &App, call: Call<RenameBody>) -> Result<Message, Problem> {
        let App { policy, keys, table, .. } = app;
        let cx = call.context(policy, keys);
        let user = call.auth.caller.user;

        let id = DeviceId::parse(&call.path_parameter);
        let rule = |snapshot: &_| rename_device::rename(snapshot, id, &cx);
        let device = table.decide(UserQuery::user(user), call.now, rule).await?;
        // Written before the commit, the name would be that of a caller whose commit is refused.
        table.rename(user, device, &call.body.device_name).await?;
        Ok(Message::new("MFA device renamed successfully"))
    }
}
