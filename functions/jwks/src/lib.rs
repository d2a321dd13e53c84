//! What others check our tokens by: `GET /.well-known/jwks.json`, the public keys (RFC 7517), the
//! current one and the next; and `GET /.well-known/openid-configuration`, by which verifiers find
//! them from the issuer (`OpenID` Connect Discovery 1.0).

use lambda_http::http::Method;
use mfa::{
    App,
    config::Part,
    http::{Call, Endpoint, ErrorCode, NoBody, Problem, Public},
};
use serde_json::{Value, json};

// The longest lifetime of an access token. A new key is published for longer before it signs
// (docs/operations.md).
const CACHE_CONTROL: &str = "public, max-age=900";

/// The endpoint of the keys.
pub struct Jwks;

impl Endpoint for Jwks {
    const NAME: &'static str = "jwks";
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/.well-known/jwks.json";
    const ERRORS: &'static [ErrorCode] = &[];
    const ANSWERS_WHEN_OFF: bool = true;
    const USES: &'static [Part] = &[];
    const CACHE_CONTROL: &'static str = CACHE_CONTROL;
    type Auth = Public;
    type Body = NoBody;
    type Reply = Value;

    async fn handle(&self, app: &App, _: Call<NoBody, Public>) -> Result<Value, Problem> {
        Ok(json!({ "keys": app.config.jwt.public_keys }))
    }
}

/// The endpoint by which verifiers find the keys. Without `MFA_ISSUER` there is nothing to find.
pub struct OpenidConfiguration;

impl Endpoint for OpenidConfiguration {
    const NAME: &'static str = "openid-configuration";
    const FUNCTION: &'static str = Jwks::NAME;
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/.well-known/openid-configuration";
    const ERRORS: &'static [ErrorCode] = &[ErrorCode::NotFound];
    const ANSWERS_WHEN_OFF: bool = true;
    const USES: &'static [Part] = Jwks::USES;
    const CACHE_CONTROL: &'static str = CACHE_CONTROL;
    type Auth = Public;
    type Body = NoBody;
    type Reply = Value;

    async fn handle(&self, app: &App, _: Call<NoBody, Public>) -> Result<Value, Problem> {
        let jwt = &app.config.jwt;
        let issuer = jwt.issuer.as_ref().ok_or(Problem::NotFound)?;
        let algorithms: Vec<_> = jwt.public_keys.iter().filter_map(|key| key.common.key_algorithm).collect();
        Ok(json!({
            "issuer": issuer,
            "jwks_uri": format!("{issuer}{}", Jwks::PATH),
            "id_token_signing_alg_values_supported": algorithms,
            // The document must have these two. No endpoint of ours gives tokens to a browser.
            "response_types_supported": [],
            "subject_types_supported": ["public"],
        }))
    }
}
