use std::future::{Future, ready};

use lambda_http::http::{HeaderMap, header};

use super::{ErrorCode, LogLine, Problem};
use crate::{
    App,
    domain::{Caller, Timestamp},
    tokens::Claims,
};

/// Whom an endpoint answers, as the headers of a request tell.
pub trait Authenticate: Sized + Send {
    /// The errors that it may answer.
    const ERRORS: &'static [ErrorCode];

    /// Finds out who calls.
    ///
    /// # Errors
    /// A [`Problem`] where the endpoint does not answer this caller.
    fn from_request(
        app: &App,
        headers: &HeaderMap,
        now: Timestamp,
    ) -> impl Future<Output = Result<Self, Problem>> + Send;

    /// Says in the log who it is.
    fn log(&self, app: &App, line: &mut LogLine);
}

/// A user, by the bearer token that was sent.
pub struct BearerToken {
    /// Who it is.
    pub caller: Caller,
    /// What the token says; new tokens keep it.
    pub claims: Claims,
}

impl Authenticate for BearerToken {
    // The application's key set may be out of reach.
    const ERRORS: &'static [ErrorCode] =
        &[ErrorCode::NoAuthProvided, ErrorCode::InvalidToken, ErrorCode::ServiceUnavailable];

    async fn from_request(app: &App, headers: &HeaderMap, now: Timestamp) -> Result<Self, Problem> {
        let (caller, claims) = app.verifier.authenticate(bearer_token(headers)?, now).await?;
        Ok(Self { caller, claims })
    }

    fn log(&self, app: &App, line: &mut LogLine) {
        line.of_user(self.caller.user);
        if self.caller.proof.is_none() && self.claims.login().claim.is_empty() && app.verifier.tells_of_unnamed_login()
        {
            line.warn(
                "no claim of the login token names the login, so a renewed token is another login: \
                 set MFA_JWT_LOGIN_CLAIM (logged once)",
            );
        }
    }
}

/// Anybody: what is asked for is public, or the body says who asks.
pub struct Public;

impl Authenticate for Public {
    const ERRORS: &'static [ErrorCode] = &[];

    fn from_request(_: &App, _: &HeaderMap, _: Timestamp) -> impl Future<Output = Result<Self, Problem>> + Send {
        ready(Ok(Self))
    }

    fn log(&self, _: &App, _: &mut LogLine) {}
}

/// The token of `Authorization: Bearer …` (RFC 6750 2.1), the scheme in any case.
fn bearer_token(headers: &HeaderMap) -> Result<&str, Problem> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(Problem::NoAuth);
    };
    let value = value.to_str().map_err(|_| Problem::NoAuth)?;
    match value.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") && !token.trim().is_empty() => Ok(token.trim()),
        _ => Err(Problem::NoAuth),
    }
}
