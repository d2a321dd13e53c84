use std::future::Future;

use lambda_http::http::Method;
use serde::Serialize;

use super::{Problem, ReadBody};
use crate::{
    Bundle,
    domain::{Caller, Context, Policy, Timestamp, keys::Keys},
    tokens::Claims,
};

/// One operation of the API: a typed thing that the pipeline runs.
pub trait Endpoint: Send + Sync + 'static {
    /// The operation's stem: the function's folder, its event, its template resource, its operation id.
    const NAME: &'static str;
    /// The method that it answers.
    const METHOD: Method;
    /// The path that it is served at.
    const PATH: &'static str;
    /// Whether it answers where MFA is off for the application. Only `status` does.
    const ANSWERS_WHEN_OFF: bool = false;
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
        call: Call<Self::Body>,
    ) -> impl Future<Output = Result<Self::Reply, Problem>> + Send;
}

/// A call that passed the pipeline's checks.
#[derive(Debug)]
pub struct Call<B> {
    /// Who calls.
    pub caller: Caller,
    /// What the bearer token says; new tokens keep it.
    pub claims: Claims,
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
        Context { caller: &self.caller, policy, keys, now: self.now }
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
