//! `POST /auth/mfa/setup-passkey`: asks the browser for a new passkey.

use lambda_http::http::Method;
use mfa::{
    App,
    config::Part,
    domain::{DeviceName, Policy, Snapshot, setup_passkey},
    http::{BearerToken, Call, Endpoint, ErrorCode, Fields, Problem, ReadBody},
    storage::UserQuery,
};
use mfa_passkeys::{AskReply, Ceremonies, store};

/// The endpoint.
pub struct SetupPasskey {
    ceremonies: Ceremonies,
}

/// `{deviceName?}`.
#[derive(Debug)]
pub struct SetupBody {
    device_name: Option<DeviceName>,
}

impl ReadBody for SetupBody {
    fn read(fields: &Fields, _: &Policy) -> Result<Self, Problem> {
        Ok(Self { device_name: fields.optional_device_name("deviceName")? })
    }
}

impl SetupPasskey {
    /// Builds the endpoint of `app`.
    #[must_use]
    pub fn new(app: &App) -> Self {
        Self { ceremonies: Ceremonies::of(app) }
    }
}

impl Endpoint for SetupPasskey {
    const NAME: &'static str = "setup-passkey";
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/auth/mfa/setup-passkey";
    const USES: &'static [Part] = &[Part::Users, Part::Table, Part::SealingKeys, Part::AppName, Part::Passkeys];
    const ERRORS: &'static [ErrorCode] = &[
        ErrorCode::MfaMethodNotAvailable,
        ErrorCode::MfaRequired,
        ErrorCode::MfaDeviceLimitReached,
        ErrorCode::RateLimited,
    ];
    type Auth = BearerToken;
    type Body = SetupBody;
    type Reply = AskReply;

    async fn handle(&self, app: &App, call: Call<SetupBody>) -> Result<AskReply, Problem> {
        let App { policy, keys, table, .. } = app;
        let BearerToken { caller, claims } = &call.auth;
        let account = caller.account(claims.user_name());
        let cx = call.context(policy, keys);

        let rule = |snapshot: &Snapshot| {
            let asked = setup_passkey::ask(snapshot, &cx)?;
            Ok((asked.ticket, self.ceremonies.set_up(caller.user, &account, &asked.credentials)))
        };
        let query = UserQuery::user(caller.user).and_credentials();
        let (ticket, ceremony) = table.ask(query, call.now, rule).await?;

        let name = call.body.device_name.map(|name| name.to_string());
        store(app, caller.user, ticket, ceremony?, name, call.now).await
    }
}
