//! The answer to API Gateway.

use std::collections::BTreeMap;

use mfa::{
    config::ClaimName,
    http::{AuthorizerRequest, BearerToken},
};
use serde::Serialize;
use serde_json::{Value, json};

/// The answer, in the form of the event's payload.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Verdict {
    /// The simple response of an HTTP API, payload 2.0.
    #[serde(rename_all = "camelCase")]
    Simple {
        /// Whether the request passes.
        is_authorized: bool,
        /// What the application finds in `requestContext.authorizer.lambda`, and the log of the API
        /// in `$context.authorizer`.
        context: Context,
    },
    /// The response of a REST API, and of an HTTP API with payload 1.0.
    #[serde(rename_all = "camelCase")]
    Policy {
        /// The user id, or `unknown`.
        principal_id: String,
        /// An IAM policy for this one method.
        policy_document: Value,
        /// What the application finds in `requestContext.authorizer`, and gateway responses in
        /// `$context.authorizer`. Every value is a text, a number or a boolean.
        context: Context,
    },
}

/// What the application is told, by name.
pub type Context = BTreeMap<String, Value>;

/// Why a request does not pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The token is missing or invalid.
    Token,
    /// The route demands another second factor, or a fresher one.
    SecondFactor,
}

impl Refused {
    /// The error code of RFC 6750 3.1 or RFC 9470 3.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Token => "invalid_token",
            Self::SecondFactor => "insufficient_user_authentication",
        }
    }
}

impl Verdict {
    /// The answer to a request that passes. `claims` are handed on.
    pub(crate) fn passed(request: &AuthorizerRequest, bearer: &BearerToken, claims: &[ClaimName]) -> Self {
        let BearerToken { caller, claims: token } = bearer;
        let handed_on =
            claims.iter().filter_map(|name| Some((name.as_str().to_owned(), token.find(name).and_then(as_text)?)));
        let mut context: Context = handed_on.map(|(name, text)| (name, text.into())).collect();
        context.insert("sub".to_owned(), token.user_name().into());
        if !token.from().is_empty() {
            // The same `sub` may be another person's at another login.
            context.insert("login".to_owned(), token.from().into());
        }
        let methods = caller.proof.map_or(&[][..], |proof| proof.method.authentication_methods());
        // A REST API takes no lists.
        let amr = if request.method_arn.is_some() { methods.join(" ").into() } else { json!(methods) };
        context.insert("amr".to_owned(), amr);
        if let Some(proof) = caller.proof {
            context.insert("method".to_owned(), proof.method.told().into());
            context.insert("authTime".to_owned(), proof.auth_time.as_secs().into());
        } else if let Some(factor) = caller.login_factor {
            context.insert("satisfiedByLogin".to_owned(), true.into());
            context.extend(factor.auth_time.map(|at| ("authTime".to_owned(), at.as_secs().into())));
        }
        Self::of(request, token.user_name(), true, context)
    }

    /// The answer to a request that does not pass.
    pub(crate) fn refused(request: &AuthorizerRequest, why: Refused) -> Self {
        let context = Context::from([("reason".to_owned(), why.as_str().into())]);
        Self::of(request, "unknown", false, context)
    }

    fn of(request: &AuthorizerRequest, user: &str, is_authorized: bool, context: Context) -> Self {
        let Some(arn) = &request.method_arn else { return Self::Simple { is_authorized, context } };
        // IAM reads these two as wildcards, so the policy would be one for other paths too.
        let is_one_method = !arn.contains(['*', '?']);
        let effect = if is_authorized && is_one_method { "Allow" } else { "Deny" };
        let statement = json!({ "Action": "execute-api:Invoke", "Effect": effect, "Resource": arn });
        let policy_document = json!({ "Version": "2012-10-17", "Statement": [statement] });
        Self::Policy { principal_id: user.to_owned(), policy_document, context }
    }
}

/// A claim as API Gateway's own JWT authorizer hands it on: always a text, and a list as `[a b]`.
fn as_text(claim: &Value) -> Option<String> {
    match claim {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        Value::Array(items) => {
            let items: Vec<_> = items.iter().filter_map(as_text).collect();
            Some(format!("[{}]", items.join(" ")))
        }
        other => Some(other.to_string()),
    }
}
