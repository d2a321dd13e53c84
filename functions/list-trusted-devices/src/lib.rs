//! `GET /auth/mfa/trusted-devices`: the devices that need no code.

use lambda_http::http::Method;
use mfa::{
    App,
    domain::{
        Timestamp, gate,
        trust::{self, TrustRecord},
    },
    http::{BearerToken, Call, Endpoint, ErrorCode, NoBody, Problem},
    storage::UserQuery,
};
use serde::Serialize;

/// The endpoint.
pub struct ListTrustedDevices;

/// A trusted device as its owner sees it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TrustedDevice {
    id: String,
    label: String,
    created_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used_at: Option<String>,
    expires_at: String,
}

impl TrustedDevice {
    fn of(record: &TrustRecord) -> Self {
        Self {
            id: record.id.to_string(),
            label: record.label.clone(),
            created_at: record.created.to_rfc3339(),
            last_used_at: record.last_used_at.map(Timestamp::to_rfc3339),
            expires_at: record.until.to_rfc3339(),
        }
    }
}

impl Endpoint for ListTrustedDevices {
    const NAME: &'static str = "list-trusted-devices";
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/auth/mfa/trusted-devices";
    const ERRORS: &'static [ErrorCode] = &[ErrorCode::MfaRequired];
    type Auth = BearerToken;
    type Body = NoBody;
    type Reply = Vec<TrustedDevice>;

    async fn handle(&self, app: &App, call: Call<NoBody>) -> Result<Vec<TrustedDevice>, Problem> {
        let App { policy, keys, table, .. } = app;
        let query = UserQuery::user(call.auth.caller.user).and_trusted();
        let snapshot = table.snapshot_of(query, call.now).await?;
        gate::require_fresh_factor(&snapshot, &call.context(policy, keys))?;
        Ok(trust::list(&snapshot, policy, call.now).into_iter().map(TrustedDevice::of).collect())
    }
}
