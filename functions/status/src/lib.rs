//! `GET /auth/mfa/status`: what MFA looks like for the caller.

use lambda_http::http::Method as HttpMethod;
use mfa::{
    App,
    domain::{Method, Policy, Snapshot, gate},
    http::{self, BearerToken, Call, Endpoint, ErrorCode, MfaDevice, NoBody, Problem},
};
use serde::Serialize;

/// The endpoint.
pub struct Status;

/// `MfaStatus` of docs/openapi.yaml.
#[expect(clippy::struct_excessive_bools, reason = "the contract's fields")]
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MfaStatus {
    is_enabled: bool,
    verified_methods: Vec<Method>,
    configured_methods: Vec<Method>,
    allow_user_toggle: bool,
    allow_method_selection: bool,
    totp_devices: Vec<MfaDevice>,
    has_recovery_code: bool,
    required: bool,
    can_toggle: bool,
}

impl Endpoint for Status {
    const NAME: &'static str = "status";
    const METHOD: HttpMethod = HttpMethod::GET;
    const PATH: &'static str = "/auth/mfa/status";
    const ERRORS: &'static [ErrorCode] = &[];
    const ANSWERS_WHEN_OFF: bool = true;
    type Auth = BearerToken;
    type Body = NoBody;
    type Reply = MfaStatus;

    async fn handle(&self, app: &App, call: Call<NoBody>) -> Result<MfaStatus, Problem> {
        let App { policy, keys, table, .. } = app;
        if !policy.enabled {
            return Ok(MfaStatus::off(policy));
        }
        let snapshot = table.snapshot(call.auth.caller.user, call.now).await?;
        let verified_methods = gate::usable_methods(&snapshot, &call.context(policy, keys));
        Ok(MfaStatus::of(&snapshot, verified_methods, policy, &call))
    }
}

impl MfaStatus {
    fn of(snapshot: &Snapshot, verified_methods: Vec<Method>, policy: &Policy, call: &Call<NoBody>) -> Self {
        Self {
            is_enabled: snapshot.ledger.enabled || policy.required,
            verified_methods,
            configured_methods: policy.methods.clone(),
            allow_user_toggle: policy.allow_user_toggle,
            allow_method_selection: policy.allow_method_selection,
            totp_devices: http::devices(snapshot, call.now),
            has_recovery_code: snapshot.has_recovery_code(),
            required: policy.required,
            can_toggle: policy.allow_user_toggle && !policy.required,
        }
    }

    /// Where MFA is off for the application: nothing is there, and nothing is said of the user.
    fn off(policy: &Policy) -> Self {
        Self {
            is_enabled: false,
            verified_methods: Vec::new(),
            configured_methods: Vec::new(),
            allow_user_toggle: false,
            allow_method_selection: policy.allow_method_selection,
            totp_devices: Vec::new(),
            has_recovery_code: false,
            required: false,
            can_toggle: false,
        }
    }
}
