//! `POST /auth/mfa/challenge-passkey`: asks the browser for the answer of a passkey.

use lambda_http::http::Method as HttpMethod;
use mfa::{
    App,
    config::Part,
    domain::{Method, Snapshot, challenge_passkey, trust::TrustToken},
    http::{BearerToken, Call, Endpoint, ErrorCode, LogLine, NoBody, Problem},
    storage::UserQuery,
};
use mfa_passkeys::{AskReply, Ceremonies, store};

/// The endpoint.
pub struct ChallengePasskey {
    ceremonies: Ceremonies,
}

impl ChallengePasskey {
    /// Builds the endpoint of `app`.
    #[must_use]
    pub fn new(app: &App) -> Self {
        Self { ceremonies: Ceremonies::of(app) }
    }
}

impl Endpoint for ChallengePasskey {
    const NAME: &'static str = "challenge-passkey";
    const METHOD: HttpMethod = HttpMethod::POST;
    const PATH: &'static str = "/auth/mfa/challenge-passkey";
    const USES: &'static [Part] = &[Part::Users, Part::Table, Part::SealingKeys, Part::AppName, Part::Passkeys];
    const ERRORS: &'static [ErrorCode] = &[ErrorCode::MfaMethodNotAvailable, ErrorCode::RateLimited];
    type Auth = BearerToken;
    type Body = NoBody;
    type Reply = AskReply;

    fn describe(&self, _: &App, _: &NoBody, log: &mut LogLine) {
        log.of_method(Method::Passkey);
    }

    async fn handle(&self, app: &App, call: Call<NoBody>) -> Result<AskReply, Problem> {
        let App { policy, keys, table, .. } = app;
        let user = call.auth.caller.user;
        let trust_token = call.trust_token().ok().and_then(TrustToken::parse);
        let trusted_device = trust_token.map(|token| keys.trust_id(user, &token));
        let cx = call.context(policy, keys);

        let rule = |snapshot: &Snapshot| {
            let asked = challenge_passkey::ask(snapshot, trusted_device, &cx)?;
            Ok((asked.ticket, self.ceremonies.ask(&asked.credentials)))
        };
        let query = UserQuery::user(user).and_credentials();
        let query = if trusted_device.is_some() { query.and_trusted() } else { query };
        let (ticket, ceremony) = table.ask(query, call.now, rule).await?;

        store(app, user, ticket, ceremony?, None, call.now).await
    }
}
