//! Login tokens as identity providers make them (`tests/logins/*.json`), for trying the bundle out
//! behind a login before anything is deployed.

use std::collections::BTreeMap;

use jsonwebtoken::{EncodingKey, Header, jwk::Jwk};
use mfa::config::{LoginConfig, development};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::environment::SIGNING_KEY;

/// Keys of development, which everybody knows.
const EC: &str = include_str!("../keys/ec.pem");
const RSA: &str = include_str!("../keys/rsa.pem");

/// The shape of each preset of `MFA_LOGIN`, by its name.
pub const SHAPES: [(&str, &str); 11] = [
    ("auth0", include_str!("../../tests/logins/auth0-access.json")),
    ("clerk", include_str!("../../tests/logins/clerk-session.json")),
    ("cognito", include_str!("../../tests/logins/cognito-access.json")),
    ("cognito-id", include_str!("../../tests/logins/cognito-id.json")),
    ("entra", include_str!("../../tests/logins/entra-access.json")),
    ("firebase", include_str!("../../tests/logins/firebase-id.json")),
    ("keycloak", include_str!("../../tests/logins/keycloak-access.json")),
    ("nest-auth", include_str!("../../tests/logins/nest-auth.json")),
    ("okta", include_str!("../../tests/logins/okta-access.json")),
    ("supabase", include_str!("../../tests/logins/supabase-es256.json")),
    ("zitadel", include_str!("../../tests/logins/zitadel-access.json")),
];

/// What the tokens of a login look like.
#[derive(Clone, Debug, Deserialize)]
pub struct LoginShape {
    /// The header.
    pub header: Map<String, Value>,
    /// The claims. `{login}`, `{token}`, `{now}`, `{a little ahead}`, `{login time}` and `{expires}`
    /// are filled in.
    pub claims: Map<String, Value>,
    /// The variables that an operator sets for it, its keys aside.
    pub settings: BTreeMap<String, String>,
}

/// What is filled in.
#[derive(Clone, Copy, Debug)]
pub struct Filling<'a> {
    /// What tells one login of a user from another.
    pub login: &'a str,
    /// When the user signed in, in seconds since 1970.
    pub signed_in_at: u64,
    /// What tells one token from another.
    pub token: &'a str,
    /// The time, in seconds since 1970.
    pub now: u64,
    /// The lifetime of the token in seconds.
    pub lifetime: u64,
}

impl LoginShape {
    /// The shape of a name of [`SHAPES`].
    ///
    /// # Errors
    /// The sentence for the person who chose the name.
    pub fn named(name: &str) -> Result<Self, String> {
        let (_, text) = SHAPES.iter().find(|(of, _)| *of == name).ok_or_else(|| {
            let names: Vec<_> = SHAPES.iter().map(|(name, _)| *name).collect();
            format!("must be {}", names.join(", "))
        })?;
        serde_json::from_str(text).map_err(|error| error.to_string())
    }

    /// The variables of a bundle behind it, with keys of development.
    ///
    /// # Errors
    /// If the header names no algorithm of the development keys.
    pub fn variables(&self) -> Result<BTreeMap<String, String>, String> {
        let mut variables = self.settings.clone();
        if !self.is_shared_secret() {
            let header = self.filled_header()?;
            let jwk = Jwk::from_encoding_key(&self.key(development::JWT_SECRET)?, header.alg);
            let mut jwk = jwk.map_err(|error| error.to_string())?;
            jwk.common.key_id = header.kid;
            variables.insert("MFA_JWT_KEY_SET".to_owned(), json!({ "keys": [jwk] }).to_string());
            variables.insert("MFA_JWT_SECRET".to_owned(), String::new());
            variables.insert("MFA_SIGNING_KEY".to_owned(), SIGNING_KEY.to_owned());
        }
        Ok(variables)
    }

    /// The claims of a token, filled in.
    #[must_use]
    pub fn filled(&self, filling: &Filling<'_>) -> Map<String, Value> {
        self.claims.iter().map(|(name, value)| (name.clone(), filled(value, filling))).collect()
    }

    /// The claims of a token for a person whom the request describes by `sub`, `email` and `phone`,
    /// or by any claims of the shape. `login` says where the shape has user and addresses.
    #[must_use]
    pub fn claims_of(
        &self,
        login: &LoginConfig,
        mut asked: Map<String, Value>,
        filling: &Filling<'_>,
    ) -> Map<String, Value> {
        let mut claims = self.filled(filling);
        let user = login.user_claim.as_ref().map_or("sub", |claim| claim.as_str());
        if !asked.contains_key(user) {
            let name = asked.remove("sub");
            asked.extend(name.map(|name| (user.to_owned(), name)));
        }
        // Where no claim is configured, `id` and `sub` name the user alike.
        if login.user_claim.is_none() && claims.contains_key("id") && !asked.contains_key("id") {
            asked.extend(asked.get("sub").cloned().map(|name| ("id".to_owned(), name)));
        }
        let contact = &login.contact;
        for (field, names) in [("email", &contact.email_claims), ("phone", &contact.phone_claims)] {
            let Some(address) = asked.remove(field) else { continue };
            let Some(name) = names.iter().find(|name| claims.contains_key(name.as_str())) else { continue };
            let bare = address.as_str().and_then(|text| text.strip_prefix(contact.phone_prefix.as_str()));
            let is_bare = field == "phone" && !contact.phone_prefix.is_empty();
            claims.insert(name.as_str().to_owned(), bare.filter(|_| is_bare).map_or(address.clone(), Into::into));
        }
        claims.extend(asked);
        claims
    }

    /// Signs claims with the key of development, or with `secret` if the shape has a shared one.
    ///
    /// # Errors
    /// If the header cannot be read.
    pub fn sign(&self, claims: &Map<String, Value>, secret: &str) -> Result<String, String> {
        let header = self.filled_header()?;
        jsonwebtoken::encode(&header, claims, &self.key(secret)?).map_err(|error| error.to_string())
    }

    /// Whether one secret signs and checks its tokens.
    #[must_use]
    pub fn is_shared_secret(&self) -> bool {
        self.algorithm().starts_with("HS")
    }

    fn filled_header(&self) -> Result<Header, String> {
        serde_json::from_value(Value::Object(self.header.clone())).map_err(|error| error.to_string())
    }

    fn algorithm(&self) -> &str {
        self.header.get("alg").and_then(Value::as_str).unwrap_or_default()
    }

    fn key(&self, secret: &str) -> Result<EncodingKey, String> {
        let key = match self.algorithm() {
            name if name.starts_with("HS") => Ok(EncodingKey::from_secret(secret.as_bytes())),
            "ES256" => EncodingKey::from_ec_pem(EC.as_bytes()),
            _ => EncodingKey::from_rsa_pem(RSA.as_bytes()),
        };
        key.map_err(|error| error.to_string())
    }
}

fn filled(value: &Value, filling: &Filling<'_>) -> Value {
    let Filling { login, signed_in_at, token, now, lifetime } = *filling;
    match value.as_str() {
        Some("{now}") => now.into(),
        Some("{a little ahead}") => (now + 10).into(),
        Some("{login time}") => signed_in_at.into(),
        Some("{expires}") => now.saturating_add(lifetime).into(),
        Some(text) => text.replace("{login}", login).replace("{token}", token).into(),
        None => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use mfa::config::Config;

    use super::*;

    #[test]
    fn a_person_is_put_where_the_tokens_of_the_provider_have_user_and_addresses() {
        let filling = Filling { login: "l", signed_in_at: 1, token: "t", now: 2, lifetime: 3 };
        let asked = json!({ "sub": "alice", "email": "alice@example.org", "phone": "+12025550123" });
        for (name, expected) in [
            ("cognito", json!({ "sub": "alice" })),
            ("okta", json!({ "uid": "alice", "sub": "alice@example.com" })),
            ("entra", json!({ "oid": "alice", "email": "alice@example.org" })),
            ("nest-auth", json!({ "id": "alice", "sub": "alice", "email": "alice@example.org" })),
            ("supabase", json!({ "sub": "alice", "email": "alice@example.org", "phone": "12025550123" })),
            ("auth0", json!({ "sub": "alice", "https://example.com/email": "alice@example.org" })),
        ] {
            let shape = LoginShape::named(name).expect("a shape");
            let mut variables = shape.variables().expect("variables");
            variables.insert("MFA_DYNAMODB_ENDPOINT".to_owned(), "http://127.0.0.1".to_owned());
            let config = Config::from_vars(&[], &variables).expect("a configuration");
            let asked = asked.as_object().expect("an object").clone();
            let claims = shape.claims_of(&config.jwt.logins[0], asked, &filling);
            for (claim, value) in expected.as_object().expect("an object") {
                assert_eq!(claims.get(claim), Some(value), "{name}: {claim}");
            }
            assert_eq!(claims.contains_key("email"), shape.claims.contains_key("email"), "{name}: nothing is made up");
            let renewed = shape.claims_of(&config.jwt.logins[0], claims.clone(), &filling);
            assert_eq!(renewed, claims, "{name}: a renewed token is of the same person");
        }
    }
}
