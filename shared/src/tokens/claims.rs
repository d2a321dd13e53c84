use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Deserializer, de};
use serde_json::{Map, Value};

/// Claims whose value two logins of one user can share: those of the same second, or all of them.
const SHARED: [&str; 4] = ["sub", "auth_time", "jti", "iat"];

/// The claims of a token whose signature was checked.
#[derive(Clone)]
pub struct Claims {
    all: Map<String, Value>,
    login: LoginName,
}

/// What names the login that a token belongs to. A renewed token has the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginName {
    /// The name of the claim. Empty if no claim names the login. Then the token itself does, and a
    /// renewed token is another login.
    pub claim: String,
    /// The value of the claim, or a hash of the token.
    pub value: String,
}

impl LoginName {
    /// Whether somebody else who signs in as the same user can get the same name.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        self.claim.is_empty() || SHARED.contains(&self.claim.as_str())
    }
}

impl Claims {
    /// Reads the claims of `token`. The first of `login_claims` that it has names its login.
    pub(super) fn of(UniqueClaims(all): UniqueClaims, token: &str, login_claims: &[String]) -> Self {
        let named = |claim: &String| identifier(&all, claim).map(|value| LoginName { claim: claim.clone(), value });
        let login = login_claims.iter().find_map(named).unwrap_or_else(|| {
            // The signature is left out: some algorithms make many signatures for one text.
            let signed = token.rsplit_once('.').map_or(token, |(signed, _)| signed);
            let value = data_encoding::BASE64URL_NOPAD.encode(digest(&SHA256, signed.as_bytes()).as_ref());
            LoginName { claim: String::new(), value }
        });
        Self { all, login }
    }

    /// What names the login that the token belongs to.
    #[must_use]
    pub const fn login(&self) -> &LoginName {
        &self.login
    }

    /// All claims.
    pub(super) const fn all(&self) -> &Map<String, Value> {
        &self.all
    }

    /// A claim, if the token has it. `null` counts as a value.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.all.get(name)
    }

    /// A claim that is a string.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name)?.as_str()
    }

    /// A moment as a claim gives it: a JSON number of seconds from 0 to 2⁵³. In milliseconds.
    #[must_use]
    pub fn millis(&self, name: &str) -> Option<u64> {
        const LIMIT: f64 = 9_007_199_254_740_992.0;
        let seconds = self.get(name)?.as_f64().filter(|seconds| (0.0..=LIMIT).contains(seconds))?;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked above; `as` saturates")]
        Some((seconds * 1000.0) as u64)
    }

    /// The user id as the application writes it: `sub`, or `id` if there is no `sub`.
    #[must_use]
    pub fn user_name(&self) -> &str {
        self.text("sub").or_else(|| self.text("id")).unwrap_or_default()
    }

    /// The claims that a token minted here keeps: all but those that only its signer may set.
    #[must_use]
    pub fn kept(&self) -> Map<String, Value> {
        let kept = self.all.iter().filter(|(name, _)| !is_never_copied(name));
        kept.map(|(name, value)| (name.clone(), value.clone())).collect()
    }
}

fn identifier(claims: &Map<String, Value>, name: &str) -> Option<String> {
    match claims.get(name)? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        // A fraction, or a number beyond 64 bits, may change when it is written and read again.
        Value::Number(number) if number.is_u64() || number.is_i64() => Some(number.to_string()),
        _ => None,
    }
}

/// A claim of the caller must never become a proof, or set the lifetime or purpose of another
/// token.
fn is_never_copied(name: &str) -> bool {
    const NEVER: [&str; 13] =
        ["amr", "acr", "auth_time", "iat", "nbf", "exp", "jti", "type", "token_use", "nonce", "at_hash", "cnf", "act"];
    let lower = name.to_ascii_lowercase();
    lower.starts_with("ismfa") || lower.starts_with("mfa") || NEVER.contains(&lower.as_str())
}

/// A JSON object in which no name occurs twice. If one did, two readers could each believe another
/// value.
#[derive(Debug)]
pub(super) struct UniqueClaims(Map<String, Value>);

impl<'de> Deserialize<'de> for UniqueClaims {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(UniqueVisitor)
    }
}

struct UniqueVisitor;

impl<'de> de::Visitor<'de> for UniqueVisitor {
    type Value = UniqueClaims;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: de::MapAccess<'de>>(self, mut entries: A) -> Result<UniqueClaims, A::Error> {
        let mut claims = Map::new();
        while let Some((name, value)) = entries.next_entry::<String, Value>()? {
            if claims.insert(name, value).is_some() {
                return Err(de::Error::custom("a claim occurs twice"));
            }
        }
        Ok(UniqueClaims(claims))
    }
}

// Claims may hold addresses, so only their names are printed.
impl fmt::Debug for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.all.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::LOGIN_CLAIMS;

    fn claims_of_token(json: &str, token: &str, names: &[&str]) -> Claims {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        Claims::of(serde_json::from_str(json).expect("claims"), token, &names)
    }

    fn claims(json: &str) -> Claims {
        claims_of_token(json, "a.b.c", &LOGIN_CLAIMS)
    }

    #[test]
    fn a_claim_that_occurs_twice_spoils_the_token() {
        assert!(serde_json::from_str::<UniqueClaims>(r#"{"sub":"a","sub":"b"}"#).is_err());
        assert!(serde_json::from_str::<UniqueClaims>(r#"{"su\u0062":"a","sub":"a"}"#).is_err());
    }

    #[test]
    fn a_login_is_named_by_the_first_claim_of_the_list_that_the_token_has() {
        let all = r#"{"jti":"t","auth_time":5,"origin_jti":"o","session_id":"c","sid":"b","sessionId":"a"}"#;
        let mut left: Map<String, Value> = serde_json::from_str(all).expect("claims");
        for (name, is_shared) in LOGIN_CLAIMS.into_iter().zip([false, false, false, false, true, true]) {
            let value = identifier(&left, name).expect("a value");
            let login = claims(&Value::Object(left.clone()).to_string()).login().clone();
            assert_eq!((login.claim.as_str(), &login.value, login.is_shared()), (name, &value, is_shared));
            left.remove(name);
        }
        assert_eq!(claims(r#"{"jti":"t","sid":""}"#).login().value, "t", "an empty value names nothing");
        assert_eq!(claims(r#"{"sessionId":7}"#).login().value, "7");
    }

    #[test]
    fn a_configured_claim_names_the_login_and_is_shared_if_others_can_have_its_value() {
        let json = r#"{"sub":"u","iat":1,"login":"x","sessionId":"a"}"#;
        for (name, value, is_shared) in [("login", "x", false), ("sub", "u", true), ("iat", "1", true)] {
            let login = claims_of_token(json, "a.b.c", &[name]).login().clone();
            assert_eq!((login.value.as_str(), login.is_shared()), (value, is_shared), "{name}");
        }
    }

    #[test]
    fn without_any_of_the_claims_the_signed_text_of_the_token_names_the_login() {
        let of = |token| claims_of_token("{}", token, &LOGIN_CLAIMS).login().clone();
        assert!(of("a.b.c").claim.is_empty() && of("a.b.c").is_shared());
        assert_eq!(of("a.b.c"), of("a.b.d"), "another signature");
        assert_ne!(of("a.b.c"), of("a.d.c"));
    }

    #[test]
    fn a_moment_is_a_number_and_nothing_else() {
        assert_eq!(claims(r#"{"exp":1.5}"#).millis("exp"), Some(1500));
        assert_eq!(claims(r#"{"exp":9007199254740992}"#).millis("exp"), Some(9_007_199_254_740_992_000));
        for bad in [r#""1""#, "null", "-1", "1e23", "[1]", "9007199254740994", "true"] {
            assert_eq!(claims(&format!(r#"{{"exp":{bad}}}"#)).millis("exp"), None, "{bad}");
        }
    }

    #[test]
    fn no_claim_that_could_be_taken_for_a_proof_is_kept() {
        let all = claims(
            r#"{"sub":"a","role":"admin","isMfaVerified":true,"isMfaEnabled":true,"mfa":{},"mfa_x":1,"MFA":1,"amr":[],
                "acr":"x","auth_time":1,"iat":1,"nbf":1,"exp":1,"jti":"x","type":"access","token_use":"x","nonce":"x",
                "at_hash":"x","cnf":{},"act":{},"sessionId":"s"}"#,
        );
        let kept: Vec<_> = all.kept().keys().cloned().collect();
        assert_eq!(kept, ["role", "sessionId", "sub"]);
    }

    #[test]
    fn debug_output_shows_names_only() {
        assert_eq!(format!("{:?}", claims(r#"{"email":"alice@example.com"}"#)), r#"["email"]"#);
    }
}
