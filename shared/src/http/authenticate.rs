use std::future::{Future, ready};

use lambda_http::http::{HeaderMap, header};

use super::{ErrorCode, LogLine, Problem, source};
use crate::{
    App,
    domain::{Caller, Source, Timestamp},
    tokens::Claims,
};

/// Decides from the headers whether an endpoint answers the caller.
pub trait Authenticate: Sized + Send {
    /// The errors that it may answer.
    const ERRORS: &'static [ErrorCode];

    /// Finds out who calls. `source` is where the request comes from.
    ///
    /// # Errors
    /// A [`Problem`] if the endpoint does not answer this caller.
    fn from_request(
        app: &App,
        headers: &HeaderMap,
        source: &Source,
        now: Timestamp,
    ) -> impl Future<Output = Result<Self, Problem>> + Send;

    /// Adds the caller to the log line.
    fn log(&self, app: &App, line: &mut LogLine);
}

/// A user who sent a bearer token.
pub struct BearerToken {
    /// The user, the login and the proof.
    pub caller: Caller,
    /// The claims of the token. New tokens keep them.
    pub claims: Claims,
}

impl BearerToken {
    /// Reads and checks the token of a request, wherever the request comes from.
    ///
    /// # Errors
    /// A [`Problem`] if it has no valid token, or if the token cannot be judged.
    pub async fn read(app: &App, headers: &HeaderMap, now: Timestamp) -> Result<Self, Problem> {
        Self::check(app, bearer_token(headers)?, now).await
    }

    /// The same, but a token without the scheme is taken too, as API Gateway's own authorizer does.
    ///
    /// # Errors
    /// The same.
    pub async fn read_bare(app: &App, headers: &HeaderMap, now: Timestamp) -> Result<Self, Problem> {
        let bare = authorization(headers)?.trim();
        let token = if bare.contains(' ') { bearer_token(headers)? } else { bare };
        Self::check(app, token, now).await
    }

    async fn check(app: &App, token: &str, now: Timestamp) -> Result<Self, Problem> {
        let (caller, claims) = app.verifier.authenticate(token, now).await?;
        Ok(Self { caller, claims })
    }
}

impl Authenticate for BearerToken {
    // Without the key set of the application, no token can be judged.
    const ERRORS: &'static [ErrorCode] =
        &[ErrorCode::NoAuthProvided, ErrorCode::InvalidToken, ErrorCode::ServiceUnavailable];

    async fn from_request(app: &App, headers: &HeaderMap, source: &Source, now: Timestamp) -> Result<Self, Problem> {
        let Self { caller, claims } = Self::read(app, headers, now).await?;
        let source = app.verifier.noted_source(&claims).map_or_else(|| source.clone(), source::of_text);
        Ok(Self { caller: Caller { source: Some(source), ..caller }, claims })
    }

    fn log(&self, app: &App, line: &mut LogLine) {
        line.of_user(self.caller.user);
        if let (Some(noted), Some(_)) = (&self.caller.source, app.verifier.noted_source(&self.claims)) {
            line.of_network(app, noted);
        }
        if self.caller.proof.is_none() && self.claims.login().claim.is_empty() && app.verifier.tells_of_unnamed_login()
        {
            line.warn(
                "no claim of the login token names the login, so a renewed token is another login: \
                 set MFA_JWT_LOGIN_CLAIM (logged once)",
            );
        }
    }
}

/// Anybody. Either the reply is public, or the body says who calls.
pub struct Public;

impl Authenticate for Public {
    const ERRORS: &'static [ErrorCode] = &[];

    fn from_request(
        _: &App,
        _: &HeaderMap,
        _: &Source,
        _: Timestamp,
    ) -> impl Future<Output = Result<Self, Problem>> + Send {
        ready(Ok(Self))
    }

    fn log(&self, _: &App, _: &mut LogLine) {}
}

/// The token of `Authorization: Bearer …` (RFC 6750 2.1). The scheme may be in upper or lower case.
fn bearer_token(headers: &HeaderMap) -> Result<&str, Problem> {
    match authorization(headers)?.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") && !token.trim().is_empty() => Ok(token.trim()),
        _ => Err(Problem::NoAuth),
    }
}

/// The header `Authorization`, if it occurs exactly once and is not blank.
fn authorization(headers: &HeaderMap) -> Result<&str, Problem> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(Problem::NoAuth);
    };
    value.to_str().ok().filter(|value| !value.trim().is_empty()).ok_or(Problem::NoAuth)
}
