//! `GET /.well-known/jwks.json`: the public keys of our own tokens (RFC 7517): the current key and
//! the next.

use lambda_http::http::Method;
use mfa::{
    App,
    config::Part,
    http::{Call, Endpoint, ErrorCode, NoBody, Problem, Public},
};
use serde_json::{Value, json};

/// The endpoint.
pub struct Jwks;

impl Endpoint for Jwks {
    const NAME: &'static str = "jwks";
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/.well-known/jwks.json";
    const ERRORS: &'static [ErrorCode] = &[];
    const ANSWERS_WHEN_OFF: bool = true;
    const USES: &'static [Part] = &[];
    // The longest lifetime of an access token. A new key is published for longer before it signs
    // (docs/operations.md).
    const CACHE_CONTROL: &'static str = "public, max-age=900";
    type Auth = Public;
    type Body = NoBody;
    type Reply = Value;

    async fn handle(&self, app: &App, _: Call<NoBody, Public>) -> Result<Value, Problem> {
        Ok(json!({ "keys": app.config.jwt.public_keys }))
    }
}
