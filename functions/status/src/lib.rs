//! `GET /auth/mfa/status`: the state of MFA for the caller.

use lambda_http::http::Method as HttpMethod;
use mfa::{
    App,
    domain::{Context, Method, Policy, RequiredBy, Snapshot, Timestamp, gate},
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
    /// The passkeys, if the application offers them.
    #[serde(skip_serializing_if = "Option::is_none")]
    passkeys: Option<Vec<MfaDevice>>,
    has_recovery_code: bool,
    required: bool,
    can_toggle: bool,
    /// Who requires MFA of the user, if anybody does.
    #[serde(skip_serializing_if = "Option::is_none")]
    required_by: Option<&'static str>,
    /// Until when the user may go on without MFA, if the token gives a date that is to come.
    #[serde(skip_serializing_if = "Option::is_none")]
    enroll_by: Option<String>,
    /// How many recovery codes are left, if the user has a set.
    #[serde(skip_serializing_if = "Option::is_none")]
    recovery_codes_left: Option<u32>,
    /// Until when no code is judged, while codes are locked.
    #[serde(skip_serializing_if = "Option::is_none")]
    locked_until: Option<String>,
    /// Whether the gate is shut and nothing that the user has opens it. The application's support
    /// must reset them.
    #[serde(skip_serializing_if = "Option::is_none")]
    dead_end: Option<bool>,
    /// Whether the login asked for a second factor itself, and the application trusts its word
    /// (`MFA_JWT_TRUSTED_AMR`). It opens no route of this service.
    #[serde(skip_serializing_if = "Option::is_none")]
    satisfied_by_login: Option<bool>,
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
        Ok(MfaStatus::of(&snapshot, &call.context(policy, keys)))
    }
}

impl MfaStatus {
    fn of(snapshot: &Snapshot, cx: &Context<'_>) -> Self {
        let Context { policy, now, .. } = *cx;
        let required_by = gate::required_by(&snapshot.ledger, cx);
        let lock_end = snapshot.ledger.failures.lock_end(now);
        Self {
            is_enabled: gate::is_demanded(snapshot, cx),
            verified_methods: gate::usable_methods(snapshot, cx),
            configured_methods: policy.methods.clone(),
            allow_user_toggle: policy.allow_user_toggle,
            allow_method_selection: policy.allow_method_selection,
            totp_devices: http::devices_of(Method::Totp, snapshot, now),
            passkeys: policy.offers(Method::Passkey).then(|| http::devices_of(Method::Passkey, snapshot, now)),
            has_recovery_code: snapshot.has_recovery_code(),
            required: required_by.is_some(),
            can_toggle: policy.allow_user_toggle && required_by.is_none(),
            required_by: required_by.map(RequiredBy::as_str),
            enroll_by: gate::enrol_by(snapshot, cx).map(Timestamp::to_rfc3339),
            recovery_codes_left: snapshot.recovery_codes_left(),
            locked_until: lock_end.map(Timestamp::to_rfc3339),
            dead_end: gate::is_dead_end(snapshot, cx).then_some(true),
            satisfied_by_login: cx.caller.login_factor.map(|_| true),
        }
    }

    /// The status if MFA is off for the application. It says nothing about the user.
    fn off(policy: &Policy) -> Self {
        Self {
            is_enabled: false,
            verified_methods: Vec::new(),
            configured_methods: Vec::new(),
            allow_user_toggle: false,
            allow_method_selection: policy.allow_method_selection,
            totp_devices: Vec::new(),
            passkeys: None,
            has_recovery_code: false,
            required: false,
            can_toggle: false,
            required_by: None,
            enroll_by: None,
            recovery_codes_left: None,
            locked_until: None,
            dead_end: None,
            satisfied_by_login: None,
        }
    }
}
