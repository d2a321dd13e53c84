use std::future::Future;

use lambda_http::http::{HeaderMap, Method};
use serde::Serialize;

use super::{Problem, ReadBody, Who, who::Bearer};
use crate::{
    Bundle,
    domain::{Context, Policy, Timestamp, keys::Keys},
};

/// One operation of the API: a typed thing that the pipeline runs.
pub trait Endpoint: Send + Sync + 'static {
    /// The operation's stem: the function's folder, its event, its template resource, its operation id.
    const NAME: &'static str;
    /// The method that it answers.
    const METHOD: Method;
    /// The path that it is served at.
    const PATH: &'static str;
    /// Whether it answers where MFA is off for the application. Only `status` and `jwks` do.
    const ANSWERS_WHEN_OFF: bool = false;
    /// Whether it asks the table anything: then the connection is opened while the function starts.
    const USES_TABLE: bool = true;
    /// What `cache-control` says of a reply. An error is never stored.
    const CACHE_CONTROL: &'static str = "no-store";
    /// Whom it answers: [`Bearer`], or [`Anyone`](super::Anyone).
    type Who: Who;
    /// What is read from the body.
    type Body: ReadBody + Send;
    /// What is answered with status 200.
    type Reply: Serialize;

    /// Answers one call.
    ///
    /// # Errors
    /// A [`Problem`], which the pipeline turns into the documented answer.
    fn handle(
        &self,
        bundle: &Bundle,
        call: Call<Self::Body, Self::Who>,
    ) -> impl Future<Output = Result<Self::Reply, Problem>> + Send;
}

/// A call that passed the pipeline's checks. Holds secrets: it cannot be printed.
pub struct Call<B, W = Bearer> {
    /// Who calls.
    pub who: W,
    /// The headers.
    pub headers: HeaderMap,
    /// What stands in the path in place of its parameter.
    pub path_parameter: String,
    /// The body.
    pub body: B,
    /// When.
    pub now: Timestamp,
    /// The network address that the call comes from, IPv6 by its /64.
    pub source: String,
}

impl<B> Call<B> {
    /// What a rule wants to know beside the snapshot.
    pub const fn context<'a>(&'a self, policy: &'a Policy, keys: &'a Keys) -> Context<'a> {
        Context { caller: &self.who.caller, policy, keys, now: self.now }
    }
}

impl<B, W> Call<B, W> {
    /// A header, where it is there, once, and text. Blanks around it do not count, and nothing is left of a blank one.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.get_all(name).iter();
        let (Some(value), None) = (values.next(), values.next()) else { return None };
        value.to_str().ok().map(str::trim).filter(|text| !text.is_empty())
    }
}

/// The reply `{"message": "…"}`.
#[derive(Debug, Serialize)]
pub struct Message {
    /// For people.
    pub message: &'static str,
}

impl Message {
    /// A reply that says `message`.
    #[must_use]
    pub const fn new(message: &'static str) -> Self {
        Self { message }
    }
}
