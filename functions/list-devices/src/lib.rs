//! `GET /auth/mfa/devices`: the caller's authenticators.

use lambda_http::http::Method;
use mfa::{
    App,
    http::{self, BearerToken, Call, Endpoint, ErrorCode, MfaDevice, NoBody, Problem},
};

/// The endpoint.
pub struct ListDevices;

impl Endpoint for ListDevices {
    const NAME: &'static str = "list-devices";
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/auth/mfa/devices";
    const ERRORS: &'static [ErrorCode] = &[];
    type Auth = BearerToken;
    type Body = NoBody;
    type Reply = Vec<MfaDevice>;

    async fn handle(&self, app: &App, call: Call<NoBody>) -> Result<Vec<MfaDevice>, Problem> {
        let snapshot = app.table.snapshot(call.auth.caller.user, call.now).await?;
        Ok(http::devices(&snapshot, call.now))
    }
}
