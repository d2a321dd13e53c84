//! `mfa-local explain-token`: what the settings of a login read in a token, on this machine alone.

use std::fmt::Write;

use data_encoding::BASE64URL_NOPAD;
use mfa::{
    config::{ClaimName, Config, LoginConfig, PRESETS, PolicyClaims, Preset, Variables},
    domain::{Address, Method, Timestamp},
    tokens::{Explained, TokenError},
};
use serde_json::{Map, Value};

use crate::environment::{ON_THIS_MACHINE, SIGNING_PUBLIC_KEY};

type Sign = fn(&Map<String, Value>) -> bool;

/// What shows that a token is of a provider.
const SIGNS: [(&str, Sign); 10] = [
    ("cognito", |claims| issuer(claims).contains("//cognito-idp.")),
    ("auth0", |claims| issuer(claims).contains(".auth0.com/")),
    ("firebase", |claims| issuer(claims).starts_with("https://securetoken.google.com/")),
    ("supabase", |claims| issuer(claims).ends_with("/auth/v1") && claims.contains_key("session_id")),
    ("keycloak", |claims| issuer(claims).contains("/realms/")),
    ("clerk", |claims| claims.contains_key("sts") || issuer(claims).contains("clerk")),
    ("okta", |claims| claims.contains_key("uid") && claims.contains_key("cid")),
    ("entra", |claims| claims.contains_key("oid") && claims.contains_key("tid")),
    ("zitadel", |claims| issuer(claims).contains("zitadel")),
    ("nest-auth", |claims| claims.contains_key("sessionId") && claims.contains_key("type")),
];

fn issuer(claims: &Map<String, Value>) -> &str {
    claims.get("iss").and_then(Value::as_str).unwrap_or_default()
}

/// Explains a token to a person. `settings` are the variables of the login, perhaps none.
///
/// # Errors
/// The sentence for the person, if the text is no token or the settings have faults.
pub fn explain(token: &str, settings: &Variables, now: Timestamp) -> Result<String, String> {
    let token = token.trim();
    let token = match token.split_at_checked(7) {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer ") => token.trim(),
        _ => token,
    };
    let claims = claims_of(token).ok_or("this is no JWT: three parts, separated by dots, in base64url")?;
    let fitting = fitting_preset(&claims);
    if settings.contains_key("MFA_LOGINS") {
        return Err("MFA_LOGINS is not explained: give the settings of one of its entries".to_owned());
    }
    let mut text = String::new();
    let guessed = settings.is_empty().then(|| suggested(fitting, token, &claims));
    let settings = guessed.as_ref().unwrap_or(settings);
    if let Some(settings) = &guessed {
        text.push_str("No settings were given. These fit the token:\n\n");
        for (name, value) in settings {
            line(&mut text, name, value);
        }
        if fitting.is_none() {
            line(&mut text, "and its key", key_of(settings));
        }
        text.push('\n');
    } else if let Some(preset) =
        fitting.filter(|preset| settings.get("MFA_LOGIN").is_none_or(|name| name != preset.name))
    {
        line(&mut text, "would fit too", &format!("MFA_LOGIN={}", preset.name));
    }
    // A function with no parts knows no keys, so it can read the rest of a login without them.
    let config = Config::from_vars(&[], &with_public_half(settings)).map_err(|faults| faults.to_string())?;
    let login = config.jwt.logins.first().ok_or("no login is configured")?;
    match Explained::read(token, login, now) {
        Err(TokenError::Invalid(cause)) => line(&mut text, "accepted", &format!("no: {cause}")),
        Err(error) => line(&mut text, "accepted", &format!("no: {error}")),
        Ok(explained) => {
            line(&mut text, "accepted", "yes, if its signature is good: that was not checked");
            describe(&mut text, &explained, login, now);
        }
    }
    Ok(text)
}

fn claims_of(token: &str) -> Option<Map<String, Value>> {
    let mut parts = token.split('.');
    let payload = BASE64URL_NOPAD.decode(parts.nth(1)?.as_bytes()).ok()?;
    parts.next().filter(|_| parts.next().is_none())?;
    serde_json::from_slice(&payload).ok()
}

fn fitting_preset(claims: &Map<String, Value>) -> Option<&'static Preset> {
    let (name, _) = SIGNS.iter().find(|(_, is_of)| is_of(claims))?;
    PRESETS.iter().find(|preset| preset.name == *name)
}

/// The lines that an operator would set for a token of this provider, or of a login of their own.
fn suggested(preset: Option<&Preset>, token: &str, claims: &Map<String, Value>) -> Variables {
    let mut settings = Variables::new();
    let mut set = |name: &str, value: &str| settings.insert(name.to_owned(), value.to_owned());
    set("MFA_LOGIN", preset.map_or("custom", |preset| preset.name));
    if !issuer(claims).is_empty() {
        set("MFA_JWT_ISSUER", issuer(claims));
    }
    let audience = ["aud", "client_id", "azp", "cid"].into_iter().find_map(|name| claims.get(name));
    let audience = audience.and_then(|value| value.as_str().or_else(|| value.as_array()?.first()?.as_str()));
    let own: &[_] = &[("MFA_JWT_ALGORITHM", "HS256")];
    let known = preset.map_or(own, |preset| preset.settings);
    let has = |name: &str| known.iter().find(|(of, _)| *of == name).map(|(_, value)| *value);
    if let Some(audience) = audience.filter(|_| has("MFA_JWT_AUDIENCE").is_none()) {
        set("MFA_JWT_AUDIENCE", audience);
    }
    let algorithm = jsonwebtoken::decode_header(token).map(|header| format!("{:?}", header.alg)).unwrap_or_default();
    if !algorithm.is_empty() && has("MFA_JWT_ALGORITHM") != Some(&algorithm) {
        set("MFA_JWT_ALGORITHM", &algorithm);
    }
    // Version 1.0 of Entra's tokens names an issuer from which the address of its keys does not follow.
    if let Some(tenant) = issuer(claims).strip_prefix("https://sts.windows.net/") {
        let tenant = tenant.trim_end_matches('/');
        set("MFA_JWT_KEY_SET_URL", &format!("https://login.microsoftonline.com/{tenant}/discovery/keys"));
    }
    settings
}

/// What else a login of one's own needs.
fn key_of(settings: &Variables) -> &'static str {
    match settings.get("MFA_JWT_ALGORITHM") {
        Some(algorithm) if !algorithm.starts_with("HS") => {
            "in MFA_JWT_KEY_SET_URL, MFA_JWT_KEY_SET or MFA_JWT_PUBLIC_KEY: the login says where its keys are"
        }
        _ => "in the secret, as jwtSecret: what the login signs with",
    }
}

/// Settings that a function without keys can start with: with public keys, it must know our own.
fn with_public_half(settings: &Variables) -> Variables {
    let mut settings = settings.clone();
    settings.entry("MFA_SIGNING_PUBLIC_KEY".to_owned()).or_insert_with(|| SIGNING_PUBLIC_KEY.to_owned());
    settings.insert("MFA_DYNAMODB_ENDPOINT".to_owned(), ON_THIS_MACHINE.to_owned());
    settings
}

fn describe(text: &mut String, explained: &Explained, login: &LoginConfig, now: Timestamp) {
    let claims = &explained.claims;
    let named_by = login
        .user_claim
        .as_ref()
        .map_or_else(|| if claims.get("sub").is_some() { "sub" } else { "id" }, |claim| claim.as_str());
    line(text, "user", &format!("{} (claim {named_by})", claims.user_name()));
    let name = explained.login();
    let share = if name.is_shared { "shared: somebody with the password can have the same" } else { "exact" };
    if name.claim.is_empty() {
        line(text, "login", "no claim names it, so a renewed token is another login: set MFA_JWT_LOGIN_CLAIM");
    } else {
        line(text, "login", &format!("{} (claim {}; {share})", name.value, name.claim));
    }
    for (method, place) in [(Method::Email, &explained.email_claim), (Method::Sms, &explained.phone_claim)] {
        let address = match explained.contact.address_for(method) {
            Ok(Address::Email(email)) => email.as_str().to_owned(),
            Ok(Address::Phone(phone)) => phone.as_str().to_owned(),
            Err(why) => format!("none: {why}"),
        };
        let place = place.as_ref().map(|(claim, marks)| match marks.as_slice() {
            [] => format!(" (claim {claim}, no mark)"),
            marks => format!(" (claim {claim}, mark {})", marks.join(", ")),
        });
        line(text, if method == Method::Email { "e-mail" } else { "phone" }, &(address + &place.unwrap_or_default()));
    }
    for sentence in policy(explained, login, now) {
        line(text, "MFA", &sentence);
    }
    if let Some(ends) = claims.millis("exp").map(Timestamp::from_millis) {
        line(text, "ends", &format!("{}, in {} s", ends.to_rfc3339(), ends.since(now).as_secs()));
    }
}

/// What the claims of policy mean, and which of them mean nothing.
fn policy(explained: &Explained, login: &LoginConfig, now: Timestamp) -> Vec<String> {
    let PolicyClaims { required, required_from, exempt } = &login.policy_claims;
    let (required, from, exempt) = (required.as_str(), required_from.as_str(), exempt.as_str());
    let policy = explained.policy;
    let mut said = Vec::new();
    if policy.required {
        said.push(format!("required (claim {required})"));
    }
    match policy.required_from {
        None => {}
        Some(date) if date == Timestamp::default() => said.push(format!("required (claim {from} is no date)")),
        Some(date) if date > now => {
            let date = date.to_rfc3339();
            said.push(format!("not required before {date} of a user who has no factor (claim {from})"));
        }
        Some(date) => said.push(format!("required since {} (claim {from})", date.to_rfc3339())),
    }
    if policy.exempt && policy.requires(now) {
        said.push(format!("claim {exempt} means nothing beside a claim that requires MFA"));
    } else if policy.exempt {
        said.push(format!("not required by MFA_REQUIRED of a user who has no factor (claim {exempt})"));
    }
    let PolicyClaims { required, exempt, .. } = &login.policy_claims;
    let is_there = |name: &ClaimName| explained.claims.find(name).is_some();
    let unread = [(required, policy.required), (exempt, policy.exempt)];
    let unread = unread.into_iter().filter(|(name, is_read)| !is_read && is_there(name));
    said.extend(unread.map(|(name, _)| format!("claim {} says nothing by its value", name.as_str())));
    if said.is_empty() {
        said.push("as MFA_REQUIRED says: no claim speaks of it".to_owned());
    }
    said
}

fn line(text: &mut String, name: &str, value: &str) {
    // Writing to a text cannot fail.
    let _ = writeln!(text, "{name:<18} {value}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Filling, LoginShape, SHAPES};

    const NOW: Timestamp = Timestamp::from_secs(1_900_000_000);

    fn token(shape: &LoginShape) -> String {
        let now = NOW.as_secs();
        let filling = Filling { login: "l1", signed_in_at: now - 60, token: "t1", now, lifetime: 300 };
        shape.sign(&shape.filled(&filling), "a secret of the login, of many more bytes than 32").expect("a token")
    }

    #[test]
    fn the_token_of_each_provider_is_known_and_read_by_the_lines_that_are_suggested() {
        for (name, _) in SHAPES {
            let shape = LoginShape::named(name).expect("a shape");
            let text = explain(&token(&shape), &Variables::new(), NOW).expect("an explanation");
            let preset = name.strip_suffix("-id").unwrap_or(name);
            assert!(text.contains("accepted           yes"), "{name}: {text}");
            assert!(text.contains(&format!("MFA_LOGIN          {preset}\n")), "{name}: {text}");
            assert!(text.contains("\nends               2030-03-17T17:51:40.000Z, in 300 s\n"), "{name}: {text}");
        }
    }

    #[test]
    fn a_token_of_no_provider_is_read_by_the_lines_of_a_login_of_ones_own() {
        let token = |header: &str, claims: &str| {
            let part = |text: &str| BASE64URL_NOPAD.encode(text.as_bytes());
            format!("{}.{}.{}", part(header), part(claims), part("signature"))
        };
        let claims = r#"{"iss":"https://id.acme.example","sub":"u1","aud":"web","sid":"s1","exp":1900000600}"#;
        let text = explain(&token(r#"{"alg":"RS256","kid":"1"}"#, claims), &Variables::new(), NOW).expect("a text");
        for expected in [
            "accepted           yes",
            "MFA_LOGIN          custom",
            "MFA_JWT_ALGORITHM  RS256",
            "MFA_JWT_ISSUER     https://id.acme.example",
            "MFA_JWT_AUDIENCE   web",
            "and its key        in MFA_JWT_KEY_SET_URL",
            "login              s1 (claim sid; exact)",
        ] {
            assert!(text.contains(expected), "{expected}: {text}");
        }
        let plain = token(r#"{"alg":"HS256"}"#, r#"{"sub":"u1","type":"access","exp":1900000600}"#);
        let text = explain(&plain, &Variables::new(), NOW).expect("a text");
        assert!(text.contains("jwtSecret") && text.contains("login              no claim names it"), "{text}");
        let old =
            r#"{"iss":"https://sts.windows.net/t1/","oid":"o1","tid":"t1","sub":"u1","aud":"web","exp":1900000600}"#;
        let text = explain(&token(r#"{"alg":"RS256","kid":"1"}"#, old), &Variables::new(), NOW).expect("a text");
        assert!(text.contains("https://login.microsoftonline.com/t1/discovery/keys\n"), "{text}");
        let unsigned = explain(&token(r#"{"alg":"none"}"#, claims), &Variables::new(), NOW).expect("a text");
        assert!(unsigned.contains("accepted           no: "), "{unsigned}");
    }

    #[test]
    fn what_the_claims_of_policy_mean_is_told() {
        let told = |claims: &str| {
            let part = |text: &str| BASE64URL_NOPAD.encode(text.as_bytes());
            let claims = format!(r#"{{"sub":"u1","sid":"s1","type":"access","exp":1900000600{claims}}}"#);
            let token = format!("{}.{}.{}", part(r#"{"alg":"HS256"}"#), part(&claims), part("signature"));
            let text = explain(&token, &Variables::new(), NOW).expect("a text");
            let lines = text.lines().filter_map(|line| line.strip_prefix("MFA                "));
            lines.map(ToOwned::to_owned).collect::<Vec<_>>()
        };
        for (claims, expected) in [
            ("", &["as MFA_REQUIRED says: no claim speaks of it"][..]),
            (r#","mfa_required":true"#, &["required (claim mfa_required)"]),
            (r#","mfa_required":"yes""#, &["claim mfa_required says nothing by its value"]),
            (
                r#","mfa_required_from":"2030-01-01""#,
                &["required since 2030-01-01T00:00:00.000Z (claim mfa_required_from)"],
            ),
            (r#","mfa_required_from":"soon""#, &["required (claim mfa_required_from is no date)"]),
            (
                r#","mfa_required_from":"2031-01-01""#,
                &["not required before 2031-01-01T00:00:00.000Z of a user who has no factor (claim mfa_required_from)"],
            ),
            (r#","mfa_exempt":true"#, &["not required by MFA_REQUIRED of a user who has no factor (claim mfa_exempt)"]),
            (r#","mfa_exempt":"true""#, &["claim mfa_exempt says nothing by its value"]),
            (
                r#","mfa_required":1,"mfa_exempt":true"#,
                &["required (claim mfa_required)", "claim mfa_exempt means nothing beside a claim that requires MFA"],
            ),
        ] {
            assert_eq!(told(claims), expected, "{claims}");
        }
    }

    #[test]
    fn a_token_that_is_refused_is_told_why() {
        let shape = LoginShape::named("okta").expect("a shape");
        let with = |name: &str, value: &str| {
            let mut settings = shape.settings.clone();
            settings.insert(name.to_owned(), value.to_owned());
            explain(&token(&shape), &settings, NOW).expect("an explanation")
        };
        assert!(with("MFA_JWT_AUDIENCE", "other").contains("no: another audience"));
        assert!(with("MFA_JWT_ISSUER", "https://other.example").contains("no: another issuer"));
        assert!(with("MFA_JWT_ALGORITHM", "RS512").contains("no: another algorithm"));
        assert!(with("MFA_JWT_USER_CLAIM", "nothing").contains("no: no claim names the user"));
        let renamed = with("MFA_JWT_USER_CLAIM", "sub");
        assert!(renamed.contains("(claim sub)") && !renamed.contains("would fit too"), "{renamed}");
        let later = explain(&token(&shape), &shape.settings, Timestamp::from_secs(1_900_000_300));
        assert!(later.expect("an explanation").contains("no: expired"));
        assert!(explain("x.y", &Variables::new(), NOW).is_err() && explain("", &Variables::new(), NOW).is_err());
    }
}
