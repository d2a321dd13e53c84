//! `POST /auth/mfa/setup-totp`: opens the set-up of an authenticator and shows its secret once.

use lambda_http::http::Method;
use mfa::{
    App,
    config::Part,
    domain::{DeviceId, DeviceName, DeviceRecord, Policy, keys::CannotSeal, setup_totp},
    http::{BearerToken, Call, Endpoint, ErrorCode, Fields, Problem, ReadBody},
    random,
    storage::UserQuery,
};
use serde::Serialize;
use totp_rs::{Totp, TotpError};

/// The endpoint.
pub struct SetupTotp;

/// `{label?, deviceName?}`.
#[derive(Debug)]
pub struct SetupBody {
    label: Option<String>,
    device_name: DeviceName,
}

/// The secret for the authenticator app, as a QR code, as an address and as text.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SetupReply {
    secret: String,
    qr_code: String,
    otp_auth_url: String,
    issuer: String,
    account: String,
    device_id: String,
    expires_in: u64,
}

impl ReadBody for SetupBody {
    fn read(fields: &Fields, _: &Policy) -> Result<Self, Problem> {
        Ok(Self {
            label: fields.optional_name("label")?,
            device_name: fields.optional_device_name("deviceName")?.unwrap_or_default(),
        })
    }
}

impl Endpoint for SetupTotp {
    const NAME: &'static str = "setup-totp";
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/auth/mfa/setup-totp";
    const USES: &'static [Part] = &[Part::Users, Part::Table, Part::SealingKeys, Part::AppName];
    const ERRORS: &'static [ErrorCode] = &[
        ErrorCode::MfaMethodNotAvailable,
        ErrorCode::MfaRequired,
        ErrorCode::MfaDeviceLimitReached,
        ErrorCode::RateLimited,
    ];
    type Auth = BearerToken;
    type Body = SetupBody;
    type Reply = SetupReply;

    async fn handle(&self, app: &App, call: Call<SetupBody>) -> Result<SetupReply, Problem> {
        let App { policy, keys, table, config, .. } = app;
        let user = call.auth.caller.user;
        let secret = random::bytes::<{ Policy::TOTP_SECRET_BYTES }>()?;
        let id = DeviceId(random::uuid()?);
        let sealed = keys.seal_totp(user, id, &secret, random::bytes()?);
        let record = DeviceRecord {
            id,
            name: call.body.device_name.to_string(),
            secret: sealed.map_err(|CannotSeal| Problem::internal("a secret cannot be sealed"))?,
            created: call.now,
            variant: Policy::TOTP,
        };
        let label = call.body.label.clone().unwrap_or_else(|| call.auth.caller.account(call.auth.claims.user_name()));

        let cx = call.context(policy, keys);
        let rule = |snapshot: &_| setup_totp::open(snapshot, &record, &label, &cx);
        let account = table.decide(UserQuery::user(user), call.now, rule).await?;
        SetupReply::new(&secret, &config.app_name, account, id)
            .map_err(|error| Problem::internal(format!("no otpauth address: {error}")))
    }
}

impl SetupReply {
    fn new(secret: &[u8], issuer: &str, account: String, id: DeviceId) -> Result<Self, TotpError> {
        let totp: Totp = Policy::TOTP
            .builder()
            .with_secret(secret)
            .with_issuer(Some(issuer))
            .with_account_name(account.as_str())
            .build()?;
        Ok(Self {
            secret: totp.secret().to_base32(),
            qr_code: format!("data:image/png;base64,{}", totp.to_qr_base64()?),
            otp_auth_url: totp.to_url()?,
            issuer: issuer.to_owned(),
            account,
            device_id: id.to_string(),
            expires_in: Policy::SETUP_LIFETIME.as_secs(),
        })
    }
}
