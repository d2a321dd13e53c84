//! `POST /auth/mfa/verify-trusted-device`: takes a trusted device as the second factor. It passes a lock.

use lambda_http::http::Method;
use mfa::{
    Bundle,
    domain::{
        Refusal,
        trust::{self, TrustToken},
    },
    http::{Bearer, Call, Endpoint, Grant, NoBody, Problem, VerifiedReply},
};

/// The endpoint.
pub struct VerifyTrustedDevice;

/// The header of the trust token. Some proxies drop names with underscores: the second is a synonym.
const HEADERS: [&str; 2] = ["nest_auth_device_trust", "nest-auth-device-trust"];

impl Endpoint for VerifyTrustedDevice {
    const NAME: &'static str = "verify-trusted-device";
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/auth/mfa/verify-trusted-device";
    type Who = Bearer;
    type Body = NoBody;
    type Reply = VerifiedReply;

    async fn handle(&self, bundle: &Bundle, call: Call<NoBody>) -> Result<VerifiedReply, Problem> {
        let Bundle { policy, keys, table, .. } = bundle;
        let user = call.who.caller.user;
        let token = HEADERS.into_iter().find_map(|name| call.header(name)).ok_or(Problem::MissingField(HEADERS[0]))?;
        let id = TrustToken::parse(token).map(|token| keys.trust_id(user, &token));
        let id = id.ok_or(Refusal::DeviceNotFound)?;
        let grant = Grant::prepare(bundle, &call, false)?;

        // Strongly read: the trust may have been revoked, or its epoch ended, a moment ago.
        let snapshot = table.snapshot_of(grant.subject().and_trusted(), call.now).await?;
        let verified = trust::prove(&snapshot, id, policy, call.now)?;

        table.use_trust(user, id, call.now, &grant.items(&snapshot, &verified)).await?;
        grant.reply("2FA verification successful", &verified)
    }
}
