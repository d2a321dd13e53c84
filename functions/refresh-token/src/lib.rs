//! `POST /auth/refresh-token`: a new access token for a session, and the refresh token that takes
//! the old one's place.

use lambda_http::http::Method;
use mfa::{
    App,
    config::Part,
    domain::{
        Policy, Refusal,
        session::{self, SessionRecord},
    },
    http::{Call, Endpoint, ErrorCode, Fields, LogLine, Problem, Public, ReadBody},
    metrics::{self, Metric},
    storage::StoreError,
};
use serde::Serialize;

/// The endpoint.
pub struct RefreshToken;

/// `{refreshToken}`.
pub struct RefreshBody {
    refresh_token: String,
}

/// The tokens that a session goes on with.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RefreshReply {
    access_token: String,
    refresh_token: String,
}

impl ReadBody for RefreshBody {
    fn read(fields: &Fields, _: &Policy) -> Result<Self, Problem> {
        Ok(Self { refresh_token: fields.text("refreshToken", 512)?.to_owned() })
    }
}

impl Endpoint for RefreshToken {
    const NAME: &'static str = "refresh-token";
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/auth/refresh-token";
    const USES: &'static [Part] = &[Part::Users, Part::Table, Part::SealingKeys, Part::SigningKey];
    const ERRORS: &'static [ErrorCode] =
        &[ErrorCode::MissingRequiredField, ErrorCode::RefreshTokenInvalid, ErrorCode::RefreshTokenExpired];
    type Auth = Public;
    type Body = RefreshBody;
    type Reply = RefreshReply;

    fn describe(&self, app: &App, body: &RefreshBody, log: &mut LogLine) {
        if let Some(token) = session::RefreshToken::parse(&body.refresh_token, &app.keys) {
            log.of_user(token.user);
        }
    }

    async fn handle(&self, app: &App, call: Call<RefreshBody, Public>) -> Result<RefreshReply, Problem> {
        let App { policy, keys, table, minter, .. } = app;
        let Some(token) = session::RefreshToken::parse(&call.body.refresh_token, keys) else {
            metrics::count(Metric::InvalidTokens, 1.0);
            return Err(Refusal::SessionInvalid.into());
        };
        if !policy.sessions {
            return Err(Refusal::SessionInvalid.into());
        }

        let open = |session: &SessionRecord| {
            let claims = keys.claims(token.user, session.id, &session.claims)?;
            serde_json::from_slice(&claims).ok()
        };
        let used = table.use_refresh_token(token, call.now, open).await;
        metrics::sample(Metric::RefreshTokensRefused, matches!(used, Err(StoreError::Refused(_))));
        let (session, claims, ledger) = used?;

        let verified = session.verified(&ledger);
        let access_token = minter.mint(token.user, claims, &verified, session.proof_session(), call.now, None)?;
        Ok(RefreshReply { access_token, refresh_token: token.successor().to_text(keys) })
    }
}
