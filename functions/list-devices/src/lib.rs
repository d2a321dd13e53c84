//! `GET /auth/mfa/devices`: the caller's authenticators.

use lambda_http::http::Method;
use mfa::{
    Bundle,
    http::{self, Bearer, Call, Endpoint, MfaDevice, NoBody, Problem},
};

/// The endpoint.
pub struct ListDevices;

impl Endpoint for ListDevices {
    const NAME: &'static str = "list-devices";
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/auth/mfa/devices";
    type Who = Bearer;
    type Body = NoBody;
    type Reply = Vec<MfaDevice>;

    async fn handle(&self, bundle: &Bundle, call: Call<NoBody>) -> Result<Vec<MfaDevice>, Problem> {
        let snapshot = bundle.table.snapshot(call.who.caller.user, call.now).await?;
        Ok(http::devices(&snapshot, call.now))
    }
}
