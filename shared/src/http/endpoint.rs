use std::{collections::BTreeSet, future::Future};

use lambda_http::http::{HeaderMap, Method, header};
use serde::Serialize;

use super::{Authenticate, BearerToken, ErrorCode, LogLine, Problem, ReadBody};
use crate::{
    App,
    config::Part,
    domain::{Context, Policy, Source, Timestamp, keys::Keys},
};

/// One operation of the API, which the pipeline runs.
pub trait Endpoint: Send + Sync + 'static {
    /// The operation's stem. It names the function's folder, its event and the operation id.
    const NAME: &'static str;
    /// The function that serves it, if that has another name.
    const FUNCTION: &'static str = Self::NAME;
    /// The method that it answers.
    const METHOD: Method;
    /// The path that it is served at.
    const PATH: &'static str;
    /// Whether it answers although MFA is off for the application. Only `status` and what `jwks`
    /// serves do.
    const ANSWERS_WHEN_OFF: bool = false;
    /// The parts of the configuration that it uses. It reads no other, and if it uses the table,
    /// the connection is opened while the function starts.
    const USES: &'static [Part] = &[Part::Users, Part::Table];
    /// The `cache-control` of a reply. An error is never stored.
    const CACHE_CONTROL: &'static str = "no-store";
    /// The errors of its own body and rules. [`errors_of`] adds those of the pipeline.
    const ERRORS: &'static [ErrorCode];
    /// Who may call it: [`BearerToken`], or [`Public`](super::Public).
    type Auth: Authenticate;
    /// The fields of the body.
    type Body: ReadBody + Send;
    /// The reply with status 200.
    type Reply: Serialize;

    /// Advice to change the configuration, which the function logs once when it starts.
    fn advice(&self) -> Option<String> {
        None
    }

    /// Adds to the log line what the body says of the call: the method, or the user if no bearer
    /// token names one.
    fn describe(&self, _: &App, _: &Self::Body, _: &mut LogLine) {}

    /// Answers one call.
    ///
    /// # Errors
    /// A [`Problem`], which the pipeline turns into the documented error.
    fn handle(
        &self,
        app: &App,
        call: Call<Self::Body, Self::Auth>,
    ) -> impl Future<Output = Result<Self::Reply, Problem>> + Send;
}

/// Whether the body of a request with this method is read. The body of any other is ignored.
#[must_use]
pub fn reads_body(method: &Method) -> bool {
    *method == Method::POST || *method == Method::PATCH
}

/// Every error that `E` may answer: its own, and those of the pipeline.
///
/// Debug builds panic if an endpoint answers another, and a test compares the API description.
#[must_use]
pub fn errors_of<E: Endpoint>() -> BTreeSet<ErrorCode> {
    let mut errors =
        BTreeSet::from([ErrorCode::MethodNotAllowed, ErrorCode::PayloadTooLarge, ErrorCode::InternalError]);
    errors.extend(E::ERRORS);
    errors.extend(E::Auth::ERRORS);
    if reads_body(&E::METHOD) {
        errors.extend([ErrorCode::UnsupportedMediaType, ErrorCode::InvalidInput]);
    }
    if !E::ANSWERS_WHEN_OFF {
        errors.insert(ErrorCode::MfaNotEnabled);
    }
    if E::USES.contains(&Part::Table) {
        errors.insert(ErrorCode::ServiceUnavailable);
    }
    errors
}

/// A call that passed the pipeline's checks. Holds secrets: it cannot be printed.
pub struct Call<B, A = BearerToken> {
    /// Who calls.
    pub auth: A,
    /// The headers.
    pub headers: HeaderMap,
    /// The value of the path parameter. Empty if the path has none.
    pub path_parameter: String,
    /// The body.
    pub body: B,
    /// When it arrived.
    pub now: Timestamp,
    /// Where the call comes from.
    pub source: Source,
}

impl<B> Call<B> {
    /// What a rule needs in addition to the snapshot.
    pub const fn context<'a>(&'a self, policy: &'a Policy, keys: &'a Keys) -> Context<'a> {
        let caller = &self.auth.caller;
        Context { caller, provenance: caller.provenance, policy, keys, now: self.now.whole_seconds() }
    }
}

/// The header of the token of a trusted device. Some proxies drop names with underscores, so the
/// second is a synonym.
const TRUST_HEADERS: [&str; 2] = ["nest_auth_device_trust", "nest-auth-device-trust"];

impl<B, A> Call<B, A> {
    /// The token of a trusted device.
    ///
    /// # Errors
    /// [`Problem::MissingField`].
    pub fn trust_token(&self) -> Result<&str, Problem> {
        let [name, synonym] = TRUST_HEADERS;
        self.header(name).or_else(|| self.header(synonym)).ok_or(Problem::MissingField(name))
    }

    /// A header, if it occurs exactly once and is text. It is trimmed, and a blank one is `None`.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.get_all(name).iter();
        let (Some(value), None) = (values.next(), values.next()) else { return None };
        value.to_str().ok().map(str::trim).filter(|text| !text.is_empty())
    }

    /// The `User-Agent` (RFC 9110 10.1.5), or an empty string.
    pub fn user_agent(&self) -> &str {
        self.header(header::USER_AGENT.as_str()).unwrap_or_default()
    }
}

/// The reply `{"message": "…"}`.
#[derive(Debug, Serialize)]
pub struct Message {
    /// The sentence, for people.
    pub message: &'static str,
}

impl Message {
    /// A reply that says `message`.
    #[must_use]
    pub const fn new(message: &'static str) -> Self {
        Self { message }
    }
}
