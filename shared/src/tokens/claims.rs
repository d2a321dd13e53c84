use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::{Map, Value, json};

use super::TokenError;
use crate::{
    config::{ClaimName, ContactConfig, LoginConfig, is_never_copied},
    domain::LONGEST_USER_ID,
    json::Unique,
};

/// Claims whose value two logins of one user can share: those of the same second, or all of them.
const SHARED: [&str; 12] =
    ["sub", "id", "auth_time", "jti", "iat", "exp", "nbf", "iss", "aud", "azp", "client_id", "cid"];

/// The claims of a token whose signature was checked.
#[derive(Clone)]
pub struct Claims {
    all: Map<String, Value>,
    user: String,
    login: LoginName,
    /// What `MFA_LOGINS` calls the login that issued the token. Empty if there is only one.
    from: String,
}

/// What names the login that a token belongs to. A renewed token has the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginName {
    /// The name of the claim. Empty if no claim names the login. Then the token itself does, and a
    /// renewed token is another login.
    pub claim: String,
    /// The value of the claim, or a hash of the token.
    pub value: String,
    /// Whether somebody else who signs in as the same user can get the same name.
    pub is_shared: bool,
}

/// The claim in which our tokens say what they prove, and of which login they are.
const OF_LOGIN: &str = "mfa";

/// What the claim `mfa` says of the login.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct OfLogin {
    /// What `MFA_LOGINS` calls it. Empty if there is only one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) from: String,
    /// The authentication methods that it named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) amr: Vec<String>,
    /// The issuer that its tokens name, if ours name another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) iss: Option<String>,
}

impl OfLogin {
    /// Takes it out of what [`Claims::kept`] gave.
    pub(super) fn take(claims: &mut Map<String, Value>) -> Self {
        claims.remove(OF_LOGIN).and_then(|claim| serde_json::from_value(claim).ok()).unwrap_or_default()
    }
}

impl Claims {
    /// Reads the claims of `token`, as `config` says where they are.
    ///
    /// # Errors
    /// [`TokenError::Invalid`] if no claim names the user.
    pub(super) fn of(UniqueClaims(all): UniqueClaims, token: &str, config: &LoginConfig) -> Result<Self, TokenError> {
        let user = match &config.user_claim {
            Some(name) => name.find(&all).and_then(identifier),
            None => sub_or_id(&all),
        };
        let user = user.filter(|user| user.len() <= LONGEST_USER_ID);
        let user = user.ok_or(TokenError::Invalid("no claim names the user, or two differ, or it is too long"))?;
        let named = |name: &ClaimName| {
            let value = identifier(name.find(&all)?)?;
            let ContactConfig { email_claims, phone_claims, .. } = &config.contact;
            let is_of_user = config.user_claim.iter().chain(email_claims).chain(phone_claims).any(|of| of == name);
            let is_shared = SHARED.contains(&name.as_str()) || is_of_user || value == user;
            Some(LoginName { claim: name.as_str().to_owned(), value, is_shared })
        };
        let login = config.login_claims.iter().find_map(named).unwrap_or_else(|| {
            // The signature is left out: some algorithms make many signatures for one text.
            let signed = token.rsplit_once('.').map_or(token, |(signed, _)| signed);
            let value = data_encoding::BASE64URL_NOPAD.encode(digest(&SHA256, signed.as_bytes()).as_ref());
            LoginName { claim: String::new(), value, is_shared: true }
        });
        Ok(Self { all, user, login, from: config.name.clone() })
    }

    #[cfg(test)]
    pub(super) fn for_test(json: &str) -> Self {
        let mut claims: Value = serde_json::from_str(json).expect("JSON");
        if claims.get("sub").is_none() {
            claims["sub"] = "somebody".into();
        }
        let config = crate::config::Config::from_vars(&[], &crate::config::Variables::new()).expect("a configuration");
        let claims = serde_json::from_str(&claims.to_string()).expect("claims");
        Self::of(claims, "a.b.c", &config.jwt.logins[0]).expect("a user")
    }

    /// What names the login that the token belongs to.
    #[must_use]
    pub const fn login(&self) -> &LoginName {
        &self.login
    }

    /// What `MFA_LOGINS` calls the login that issued the token. Empty if there is only one.
    #[must_use]
    pub fn from(&self) -> &str {
        &self.from
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

    /// The claim of a configured name.
    #[must_use]
    pub fn find(&self, name: &ClaimName) -> Option<&Value> {
        name.find(&self.all)
    }

    /// A claim that is a string.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name)?.as_str()
    }

    /// A moment as a claim gives it: a JSON number of seconds from 0 to 2⁵³. In milliseconds.
    #[must_use]
    pub fn millis(&self, name: &str) -> Option<u64> {
        millis_of(self.get(name)?)
    }

    /// The user id as the application writes it: 1 to 255 bytes.
    #[must_use]
    pub fn user_name(&self) -> &str {
        &self.user
    }

    /// The issuer of the login. A token of ours may name another, and then says this one beside it.
    pub(super) fn login_issuer(&self) -> Option<&str> {
        let ours = self.get(OF_LOGIN).and_then(|ours| ours.get("iss")).and_then(Value::as_str);
        ours.or_else(|| self.text("iss"))
    }

    /// The authentication methods that the login itself names (RFC 8176), also in the form of
    /// Supabase, `[{"method": …}]`. Those of a token minted here are not all the login's.
    pub(super) fn login_amr(&self) -> Vec<String> {
        let ours = self.get(OF_LOGIN).and_then(|ours| ours.get("amr"));
        let list = if self.get(OF_LOGIN).is_some() { ours } else { self.get("amr") };
        let list = list.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        list.iter()
            .filter_map(|method| method.get("method").unwrap_or(method).as_str())
            .map(ToOwned::to_owned)
            .collect()
    }

    /// The claims that a token minted here keeps: all but those that only its signer may set. In
    /// place of `mfa` is what the next token says of the login.
    #[must_use]
    pub fn kept(&self) -> Map<String, Value> {
        let kept = self.all.iter().filter(|(name, _)| !is_never_copied(name));
        let mut kept: Map<_, _> = kept.map(|(name, value)| (name.clone(), value.clone())).collect();
        if let Some(issuer) = self.login_issuer() {
            kept.insert("iss".to_owned(), issuer.into());
        }
        let of_login = OfLogin { from: self.from.clone(), amr: self.login_amr(), iss: None };
        if of_login != OfLogin::default() {
            kept.insert(OF_LOGIN.to_owned(), json!(of_login));
        }
        kept
    }
}

/// A moment as the value of a claim gives it: a JSON number of seconds from 0 to 2⁵³. In
/// milliseconds.
pub(super) fn millis_of(value: &Value) -> Option<u64> {
    const LIMIT: f64 = 9_007_199_254_740_992.0;
    let seconds = value.as_f64().filter(|seconds| (0.0..=LIMIT).contains(seconds))?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked above; `as` saturates")]
    Some((seconds * 1000.0) as u64)
}

/// `sub`, or `id` where there is no `sub`. Nothing if both are there and differ, because two
/// readers could see two users.
fn sub_or_id(claims: &Map<String, Value>) -> Option<String> {
    match (claims.get("sub"), claims.get("id")) {
        (Some(one), None) | (None, Some(one)) => identifier(one),
        (Some(sub), Some(id)) => identifier(sub).filter(|sub| identifier(id).as_ref() == Some(sub)),
        (None, None) => None,
    }
}

/// A text that is not empty, or an integer as a text.
fn identifier(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        // A fraction, or a number beyond 64 bits, may change when it is written and read again.
        Value::Number(number) if number.is_u64() || number.is_i64() => Some(number.to_string()),
        _ => None,
    }
}

/// A JSON object in which no name occurs twice, in no object within it either. If one did, two
/// readers could each believe another value.
#[derive(Debug)]
pub(super) struct UniqueClaims(Map<String, Value>);

impl UniqueClaims {
    /// A claim.
    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// The login that a token of ours is from.
    pub(super) fn from(&self) -> &str {
        self.get(OF_LOGIN).and_then(|claim| claim.get("from")).and_then(Value::as_str).unwrap_or_default()
    }
}

impl<'de> Deserialize<'de> for UniqueClaims {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Unique::deserialize(deserializer)? {
            Unique(Value::Object(claims)) => Ok(Self(claims)),
            Unique(_) => Err(de::Error::custom("not an object")),
        }
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
    use crate::config::{Config, LOGIN_CLAIMS};

    fn config(settings: &[(&str, &str)]) -> LoginConfig {
        let settings = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Config::from_vars(&[], &settings.collect()).expect("a configuration").jwt.logins.remove(0)
    }

    fn of_token(claims: &Value, token: &str, settings: &[(&str, &str)]) -> Result<Claims, TokenError> {
        let mut claims = claims.clone();
        if claims.get("sub").is_none() && settings.iter().all(|(name, _)| *name != "MFA_JWT_USER_CLAIM") {
            claims["sub"] = "somebody".into();
        }
        Claims::of(serde_json::from_str(&claims.to_string()).expect("claims"), token, &config(settings))
    }

    fn claims(json: &str) -> Claims {
        Claims::for_test(json)
    }

    fn user(json: &str, settings: &[(&str, &str)]) -> Option<String> {
        let read = Claims::of(serde_json::from_str(json).expect("claims"), "a.b.c", &config(settings));
        read.ok().map(|claims| claims.user_name().to_owned())
    }

    #[test]
    fn a_user_is_named_by_one_claim() {
        for (json, name) in [
            (r#"{"sub":"a"}"#, Some("a")),
            (r#"{"sub":42}"#, Some("42")),
            (r#"{"sub":-1}"#, Some("-1")),
            (r#"{"id":42}"#, Some("42")),
            (r#"{"id":42,"sub":"42"}"#, Some("42")),
            (r#"{"id":"b","sub":"a"}"#, None),
            (r#"{"id":null,"sub":"a"}"#, None),
            (r#"{"sub":1.5}"#, None),
            (r#"{"sub":1e3}"#, None),
            (r#"{"sub":""}"#, None),
            (r#"{"sub":null}"#, None),
            (r#"{"sub":["a"]}"#, None),
            ("{}", None),
        ] {
            assert_eq!(user(json, &[]).as_deref(), name, "{json}");
        }
        for (json, name) in [
            (r#"{"sub":"a@example.com","uid":"00u1"}"#, Some("00u1")),
            (r#"{"sub":"a","id":"b","uid":7}"#, Some("7")),
            (r#"{"sub":"a"}"#, None),
        ] {
            assert_eq!(user(json, &[("MFA_JWT_USER_CLAIM", "uid")]).as_deref(), name, "{json}");
        }
        assert_eq!(user(r#"{"app":{"id":"x"}}"#, &[("MFA_JWT_USER_CLAIM", "app/id")]).as_deref(), Some("x"));
        for (length, taken) in [(255, true), (256, false)] {
            let json = json!({ "sub": "x".repeat(length) }).to_string();
            assert_eq!(user(&json, &[]).is_some(), taken, "{length} bytes");
        }
    }

    #[test]
    fn a_claim_that_occurs_twice_spoils_the_token() {
        assert!(serde_json::from_str::<UniqueClaims>(r#"{"sub":"a","sub":"b"}"#).is_err());
        assert!(serde_json::from_str::<UniqueClaims>(r#"{"su\u0062":"a","sub":"a"}"#).is_err());
        assert!(serde_json::from_str::<UniqueClaims>(r#"{"a":[{"b":{"c":1,"c":1}}]}"#).is_err());
        assert!(serde_json::from_str::<UniqueClaims>("[]").is_err());
        let all = r#"{"a":[null,true,1,-1,1.5,"x",{"b":{}}],"b":"x"}"#;
        let UniqueClaims(read) = serde_json::from_str(all).expect("claims");
        assert_eq!(Value::Object(read), serde_json::from_str::<Value>(all).expect("JSON"));
    }

    #[test]
    fn a_login_is_named_by_the_first_claim_of_the_list_that_the_token_has() {
        let mut left = json!({
            "jti": "t", "auth_time": 5, "origin_jti": "o", "session_id": "c", "sid": "b", "sessionId": "a", "sub": "u"
        });
        for (name, is_shared) in LOGIN_CLAIMS.into_iter().zip([false, false, false, false, true, true]) {
            let value = identifier(&left[name]).expect("a value");
            let login = claims(&left.to_string()).login().clone();
            assert_eq!((login.claim.as_str(), &login.value, login.is_shared), (name, &value, is_shared));
            left.as_object_mut().expect("an object").remove(name);
        }
        assert_eq!(claims(r#"{"sub":"u","jti":"t","sid":""}"#).login().value, "t", "an empty value names nothing");
        assert_eq!(claims(r#"{"sub":"u","sessionId":7}"#).login().value, "7");
    }

    #[test]
    fn a_configured_claim_names_the_login_and_is_shared_if_others_can_have_its_value() {
        let json = json!({ "sub": "u", "iat": 1, "login": "x", "sessionId": "a", "a": { "b": "deep" } });
        let by = |name| of_token(&json, "a.b.c", &[("MFA_JWT_LOGIN_CLAIM", name)]).expect("claims").login().clone();
        for (name, value, is_shared) in
            [("login", "x", false), ("a/b", "deep", false), ("sub", "u", true), ("iat", "1", true)]
        {
            let login = by(name);
            assert_eq!((login.value.as_str(), login.is_shared), (value, is_shared), "{name}");
        }
        let settings = [("MFA_JWT_LOGIN_CLAIM", "login"), ("MFA_JWT_USER_CLAIM", "login")];
        assert!(of_token(&json, "a.b.c", &settings).expect("claims").login().is_shared, "it names the user");
        let constant = json!({ "sub": "u", "uid": "u", "email": "u@example.com" });
        for name in ["uid", "email"] {
            let login = of_token(&constant, "a.b.c", &[("MFA_JWT_LOGIN_CLAIM", name)]).expect("claims").login().clone();
            assert!(login.is_shared, "{name}");
        }
    }

    #[test]
    fn without_any_of_the_claims_the_signed_text_of_the_token_names_the_login() {
        let of = |token| of_token(&json!({}), token, &[]).expect("claims").login().clone();
        assert!(of("a.b.c").claim.is_empty() && of("a.b.c").is_shared);
        assert_eq!(of("a.b.c"), of("a.b.d"), "another signature");
        assert_ne!(of("a.b.c"), of("a.d.c"));
    }

    #[test]
    fn a_moment_is_a_number_and_nothing_else() {
        assert_eq!(claims(r#"{"sub":"u","exp":1.5}"#).millis("exp"), Some(1500));
        assert_eq!(claims(r#"{"sub":"u","exp":9007199254740992}"#).millis("exp"), Some(9_007_199_254_740_992_000));
        for bad in [r#""1""#, "null", "-1", "1e23", "[1]", "9007199254740994", "true"] {
            assert_eq!(claims(&format!(r#"{{"sub":"u","exp":{bad}}}"#)).millis("exp"), None, "{bad}");
        }
    }

    #[test]
    fn no_claim_that_could_be_taken_for_a_proof_is_kept() {
        let all = claims(
            r#"{"sub":"a","role":"admin","isMfaVerified":true,"isMfaEnabled":true,"mfa":{},"mfa_x":1,"MFA":1,"amr":[],
                "mfa_required":true,"mfa_required_from":1,"mfa_exempt":true,"MFA_Required":true,
                "acr":"x","auth_time":1,"iat":1,"nbf":1,"exp":1,"jti":"x","type":"access","token_use":"x","nonce":"x",
                "at_hash":"x","cnf":{},"act":{},"sessionId":"s"}"#,
        );
        let kept: Vec<_> = all.kept().keys().cloned().collect();
        assert_eq!(kept, ["mfa_exempt", "mfa_required", "mfa_required_from", "role", "sessionId", "sub"]);
    }

    #[test]
    fn debug_output_shows_names_only() {
        assert_eq!(format!("{:?}", claims(r#"{"sub":"u","email":"alice@example.com"}"#)), r#"["email", "sub"]"#);
    }
}
