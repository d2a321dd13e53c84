use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Deserializer, de};
use serde_json::{Map, Value};

/// The claims of a token that was checked.
#[derive(Clone)]
pub struct Claims {
    all: Map<String, Value>,
    login: String,
}

impl Claims {
    /// The claims of `token`.
    pub(super) fn of(UniqueClaims(all): UniqueClaims, token: &str) -> Self {
        let mut claims = Self { all, login: String::new() };
        claims.login = claims.session().or_else(|| claims.identifier("jti")).unwrap_or_else(|| {
            let hash = digest(&SHA256, token.as_bytes());
            data_encoding::BASE64URL_NOPAD.encode(hash.as_ref())
        });
        claims
    }

    /// What names the login that the token belongs to: `sessionId`, `sid` or `jti`, else a hash of the token.
    #[must_use]
    pub fn login(&self) -> &str {
        &self.login
    }

    /// A claim, where it is there; `null` is there.
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

    /// The user id as the application writes it: `sub`, else `id`.
    #[must_use]
    pub fn user_name(&self) -> &str {
        self.text("sub").or_else(|| self.text("id")).unwrap_or_default()
    }

    /// The session that the application names: `sessionId`, else `sid`.
    #[must_use]
    pub fn session(&self) -> Option<String> {
        ["sessionId", "sid"].into_iter().find_map(|name| self.identifier(name))
    }

    fn identifier(&self, name: &str) -> Option<String> {
        match self.get(name)? {
            Value::String(text) if !text.is_empty() => Some(text.clone()),
            // A fraction, or a number past 64 bits, may be another one once it was written and read again.
            Value::Number(number) if number.is_u64() || number.is_i64() => Some(number.to_string()),
            _ => None,
        }
    }

    /// The claims that a token minted here keeps: all but those that only its signer may set. Where they name no session,
    /// `sid` does: the login stays the same one (`docs/decisions/0008-login-claim.md`).
    #[must_use]
    pub fn kept(&self) -> Map<String, Value> {
        let kept = self.all.iter().filter(|(name, _)| !is_never_copied(name));
        let sid = self.session().is_none().then(|| ("sid".to_owned(), self.login().into()));
        kept.map(|(name, value)| (name.clone(), value.clone())).chain(sid).collect()
    }
}

/// A claim of the caller's must never become a proof, nor the life or purpose of another token.
fn is_never_copied(name: &str) -> bool {
    const NEVER: [&str; 13] =
        ["amr", "acr", "auth_time", "iat", "nbf", "exp", "jti", "type", "token_use", "nonce", "at_hash", "cnf", "act"];
    let lower = name.to_ascii_lowercase();
    lower.starts_with("ismfa") || lower.starts_with("mfa") || NEVER.contains(&lower.as_str())
}

/// A JSON object in which no name occurs twice: two readers might each believe another one.
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

// Claims may hold addresses: only their names are printed.
impl fmt::Debug for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.all.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(json: &str) -> Claims {
        Claims::of(serde_json::from_str(json).expect("claims"), "token")
    }

    #[test]
    fn a_claim_that_occurs_twice_spoils_the_token() {
        assert!(serde_json::from_str::<UniqueClaims>(r#"{"sub":"a","sub":"b"}"#).is_err());
        assert!(serde_json::from_str::<UniqueClaims>(r#"{"su\u0062":"a","sub":"a"}"#).is_err());
    }

    #[test]
    fn a_login_is_named_by_session_then_token_then_hash() {
        assert_eq!(claims(r#"{"jti":"t","sid":"b","sessionId":"a"}"#).login(), "a");
        assert_eq!(claims(r#"{"jti":"t","sid":"b"}"#).login(), "b");
        assert_eq!(claims(r#"{"jti":"t","sid":""}"#).login(), "t");
        assert_eq!(claims(r#"{"sessionId":7}"#).login(), "7");
        let other = Claims::of(serde_json::from_str("{}").expect("claims"), "another token");
        assert_eq!(claims("{}").login().len(), 43);
        assert_ne!(claims("{}").login(), other.login());
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
