//! Which tokens are access tokens. Tokens of other kinds are signed by the same keys and must not
//! pass for them (RFC 8725 3.11).

use serde_json::Value;

use super::{Claims, TokenError};
use crate::config::LoginConfig;

/// Claims that say what a token is for, and of which `access` is the only good value.
const MARKS: [&str; 3] = ["type", "token_use", "token_type"];

/// What `typ` of the claims may say: Keycloak's word for an access token, and what others put there
/// instead of into the header. Keycloak's other tokens say `ID`, `Refresh`, `Offline` or `Logout`.
const KINDS: [&str; 4] = ["bearer", "access", "jwt", "at+jwt"];

/// Fails unless this is an access token of the configured audience. `header_type` is `typ` of the
/// header.
pub(super) fn check(header_type: Option<&str>, claims: &Claims, config: &LoginConfig) -> Result<(), TokenError> {
    let is_rfc_9068 = match header_type.map(plain_type).as_deref() {
        None | Some("jwt") => false,
        Some("at+jwt") => true,
        Some(_) => return Err(TokenError::Invalid("another type of token in the header")),
    };
    // OpenID Connect Back-Channel Logout 2.4.
    if claims.get("events").is_some() {
        return Err(TokenError::Invalid("it tells of events"));
    }
    let names_us = !config.audiences.is_empty();
    if names_us && !names_audience(claims, &config.audiences) {
        return Err(TokenError::Invalid("another audience"));
    }
    let mut is_marked = is_rfc_9068;
    for (name, value) in MARKS.iter().filter_map(|name| Some((*name, claims.get(name)?))) {
        match value.as_str() {
            Some("access") => is_marked = true,
            // Cognito: the audience of an ID token is the client, as that of an access token.
            Some("id") if name == "token_use" && names_us && claims.get("aud").is_some() => {}
            _ => return Err(TokenError::Invalid("not an access token")),
        }
    }
    let is_known_kind =
        |kind: &Value| kind.as_str().is_some_and(|kind| KINDS.contains(&kind.to_ascii_lowercase().as_str()));
    if claims.get("typ").is_some_and(|kind| !is_known_kind(kind)) {
        return Err(TokenError::Invalid("not an access token"));
    }
    if is_marked || names_us || config.any_token {
        Ok(())
    } else {
        Err(TokenError::Invalid("nothing says that it is an access token"))
    }
}

/// Whether the token is meant for a configured audience. Where `aud` is absent, the client is
/// (Cognito, Keycloak, Okta).
fn names_audience(claims: &Claims, audiences: &[String]) -> bool {
    let meant = ["aud", "client_id", "azp", "cid"].into_iter().find_map(|name| claims.get(name));
    let is_ours = |name: &Value| name.as_str().is_some_and(|name| audiences.iter().any(|ours| ours == name));
    match meant {
        Some(Value::Array(list)) => list.iter().any(is_ours),
        Some(one) => is_ours(one),
        None => false,
    }
}

/// A media type as RFC 7515 4.1.9 compares it.
fn plain_type(name: &str) -> String {
    let lower = name.to_ascii_lowercase();
    lower.strip_prefix("application/").map_or_else(|| lower.clone(), ToOwned::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::config::Config;

    fn judged(audiences: &[&str], any_token: bool, header_type: Option<&str>, claims: &Value) -> bool {
        let settings = [("MFA_JWT_AUDIENCE", audiences.join(",")), ("MFA_JWT_ANY_TOKEN", any_token.to_string())];
        let settings = settings.map(|(name, value)| (name.to_owned(), value));
        let config = Config::from_vars(&[], &settings.into()).expect("a configuration");
        check(header_type, &Claims::for_test(&claims.to_string()), &config.jwt.logins[0]).is_ok()
    }

    #[test]
    fn a_token_needs_a_mark_an_audience_or_a_key_that_signs_nothing_else() {
        for mark in MARKS {
            assert!(judged(&[], false, None, &json!({ mark: "access" })), "{mark}");
            for other in [json!("refresh"), json!("id"), json!(null), json!(1), json!(["access"])] {
                for header in [None, Some("at+jwt")] {
                    assert!(!judged(&[], true, header, &json!({ mark: other, "type2": "access" })), "{mark} {other}");
                }
            }
        }
        assert!(!judged(&[], false, None, &json!({})));
        assert!(!judged(&[], false, Some("JWT"), &json!({ "aud": "api" })), "no audience is configured");
        assert!(judged(&[], false, Some("at+jwt"), &json!({})));
        assert!(judged(&[], false, Some("application/AT+JWT"), &json!({})));
        assert!(judged(&[], true, None, &json!({})));
        assert!(judged(&["api"], false, None, &json!({ "aud": "api" })));
    }

    #[test]
    fn a_token_of_another_kind_is_refused_whatever_else_it_says() {
        let good = json!({ "type": "access", "aud": "api" });
        for header in ["logout+jwt", "dpop+jwt", "secevent+jwt", "refresh", ""] {
            assert!(!judged(&["api"], true, Some(header), &good), "{header}");
        }
        assert!(judged(&["api"], true, Some("JWT"), &good));
        for (name, value) in [("events", json!({})), ("typ", json!("Refresh")), ("typ", json!("ID")), ("typ", json!(7))]
        {
            let mut claims = good.clone();
            claims[name] = value;
            assert!(!judged(&["api"], true, None, &claims), "{claims}");
        }
        assert!(judged(&["account"], false, Some("JWT"), &json!({ "typ": "Bearer", "aud": "account" })));
    }

    #[test]
    fn where_the_audience_is_absent_the_client_is_meant() {
        let of = |claims: Value| judged(&["web", "mobile"], false, None, &claims);
        for name in ["aud", "client_id", "azp", "cid"] {
            assert!(of(json!({ name: "mobile" })), "{name}");
            assert!(!of(json!({ name: "other" })), "{name}");
        }
        assert!(of(json!({ "aud": ["x", "web"] })));
        assert!(!of(json!({ "aud": "other", "client_id": "web" })), "it is meant for somebody else");
        assert!(!of(json!({ "aud": null, "client_id": "web" })));
        assert!(!of(json!({ "type": "access" })), "a mark is no audience");
        assert!(of(json!({ "token_use": "id", "aud": "web" })), "an ID token of Cognito for this client");
        assert!(!of(json!({ "token_use": "id", "client_id": "web" })));
        assert!(!judged(&[], true, None, &json!({ "token_use": "id", "aud": "web" })));
    }
}
