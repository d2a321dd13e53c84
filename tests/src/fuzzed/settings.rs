//! Settings that an operator writes.

use std::{
    collections::{BTreeSet, HashMap},
    net::IpAddr,
    sync::{Arc, LazyLock},
};

use futures_util::FutureExt;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use mfa::{
    config::{Config, KeySet, LoginKeyConfig, Part, Variables, development},
    domain::{
        Countries, Factor, LoginId, Method, Phone, Proof, SessionId,
        access::{RouteCall, RouteRequirements, Shown},
    },
    messages::{Locale, Messages, is_one_segment},
    tokens::{Minter, Verifier},
};
use serde_json::{Map, Value, json};

use super::{
    host::{right_totp, session, set_settings, variables},
    text,
};
use crate::START;

const EC: &str = include_str!("../../it/keys/ec.pem");
const ED: &str = include_str!("../../it/keys/ed.pem");
const RSA: &str = include_str!("../../it/keys/rsa.pem");

/// The environment. Each line `NAME=value` changes a variable of the development environment.
/// `<ec>` and `<ed>` stand for private keys.
///
/// A configuration that is accepted works, and is within the documented bounds. One that is refused
/// names variables, and never a value.
pub fn settings(data: &[u8]) {
    let Some(text) = text(data) else { return };
    let mut vars = variables();
    for (name, value) in text.lines().filter_map(|line| line.split_once('=')) {
        vars.insert(name.to_owned(), value.replace("<ec>", EC).replace("<ed>", ED));
    }
    let shown = match Config::from_vars(&Part::ALL, &vars) {
        Ok(config) => return assert_config(&config, &vars),
        Err(faults) => faults.to_string(),
    };
    let known = Config::variables();
    let faults: Vec<_> = shown.lines().skip(1).map(|line| line.trim().split(' ').next().unwrap_or_default()).collect();
    let together = vars.get("MFA_SETTINGS").cloned().unwrap_or_default();
    let is_named = |name: &&str| known.contains(name) || vars.contains_key(*name) || together.contains(*name);
    assert!(!faults.is_empty() && faults.iter().all(is_named), "{shown}");

    for name in faults {
        let Some(value) = vars.get(name).cloned() else { continue };
        vars.insert(name.to_owned(), format!("{value}canary"));
        if let Err(faults) = Config::from_vars(&Part::ALL, &vars) {
            assert!(!faults.to_string().contains("canary"), "{faults}");
        }
        vars.insert(name.to_owned(), value);
    }
}

fn assert_config(config: &Config, vars: &Variables) {
    assert_eq!(format!("{config:?}"), format!("Config(table {}, …)", config.table), "only the table is shown");
    let policy = &config.policy;
    assert!((6..=10).contains(&policy.code_length) && (60..=600).contains(&policy.code_lifetime.as_secs()));
    assert!((60..=900).contains(&policy.access_token_lifetime.as_secs()));
    assert!((300..=43_200).contains(&policy.session_lifetime.as_secs()));
    assert!(policy.forwarded_hops <= 5 && (100..=60_000).contains(&config.aws.timeout.as_millis()));
    assert!(!policy.offers(Method::Email) || config.email.is_some());
    if policy.offers(Method::Sms) {
        assert!(config.sms.is_some() && !policy.sms_countries.is_empty());
        let longest = "0".repeat(usize::from(policy.code_length));
        let messages = Messages::new(config.messages.clone());
        for locale in Locale::ALL {
            assert!(is_one_segment(&messages.sms(locale, &longest)), "one segment");
        }
    }
    for (name, key) in [
        ("MFA_JWT_SECRET", development::JWT_SECRET),
        ("MFA_HASH_KEY", development::HASH_KEY),
        ("MFA_SEALING_KEYS", development::SEALING_KEYS),
    ] {
        let is_known = vars.get(name).is_some_and(|value| value.contains(key));
        assert!(!is_known || config.aws.dynamodb_endpoint.as_deref().is_some_and(is_on_this_machine), "{name}");
    }
    if let Some(email) = &config.email {
        assert!(!email.from.contains(['\r', '\n']), "{:?}", email.from);
    }
    assert_makes_tokens_that_it_takes(config);
}

fn is_on_this_machine(endpoint: &str) -> bool {
    let rest = endpoint.split_once("://").map_or(endpoint, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    let host = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    let is_loopback = host.parse().is_ok_and(|address: IpAddr| address.is_loopback());
    is_loopback || ["localhost", "host.docker.internal"].contains(&host)
}

fn assert_makes_tokens_that_it_takes(config: &Config) {
    let keys = Arc::new(config.keys());
    let login = &config.jwt.logins[0];
    let user = keys.user_id_in(&login.users, "alice");
    let id = SessionId([7; 16]);
    let sealed = keys.seal_claims(user, id, b"{}", [1; 12]).expect("a key that seals");
    assert_eq!(keys.claims(user, id, &sealed).as_deref().map(Vec::as_slice), Some(&b"{}"[..]));

    let name = login.user_claim.as_ref().map_or("sub", |claim| claim.as_str());
    let from = json!({ "from": login.name });
    let mut claims = Map::from_iter([(name.to_owned(), json!("alice")), ("mfa".to_owned(), from)]);
    claims.extend(login.issuer.iter().map(|issuer| ("iss".to_owned(), issuer.as_str().into())));
    claims.extend(login.audiences.first().map(|audience| ("aud".to_owned(), audience.as_str().into())));
    let minter = Minter::new(Arc::new(config.clone()), Arc::clone(&keys));
    let token = minter.mint(user, claims, &right_totp(), session(LoginId([7; 8]), None), START, None).expect("a token");
    if token.len() > 16 * 1024 {
        return;
    }
    let verifier = Verifier::new(Arc::new(config.clone()), keys);
    let outcome = verifier.authenticate(&token, START).now_or_never().expect("a key of our own is at hand");
    assert!(outcome.expect("a token of ours is taken").0.proof.is_some());
}

/// Countries that text messages may go to. The longest prefix decides; the order of the list does
/// not matter.
pub fn countries(data: &[u8]) {
    let Some(text) = text(data) else { return };
    let countries = match Countries::parse(text) {
        Ok(countries) => countries,
        Err(entry) => return assert!(!entry.is_empty() && text.contains(&entry)),
    };
    let entries: Vec<_> = text.split(',').map(str::trim).filter(|entry| !entry.is_empty()).collect();
    let prefixes: Vec<_> = entries.iter().map(|entry| entry.trim_start_matches('!')).collect();
    // If a prefix is both allowed and refused, the last entry counts.
    let is_unique = prefixes.iter().collect::<BTreeSet<_>>().len() == prefixes.len();
    let reversed: Vec<_> = entries.iter().rev().copied().collect();
    let reversed = Countries::parse(&reversed.join(",")).expect("the same entries");
    let numbers = prefixes.iter().flat_map(|prefix| ["2345678", "00000000000"].map(|rest| format!("{prefix}{rest}")));
    for phone in numbers.filter_map(|number| Phone::parse(&number)) {
        let allowed = countries.allow(&phone);
        assert!(!allowed || !countries.is_empty(), "{text}");
        let longest = entries.iter().rev().filter(|entry| phone.as_str().starts_with(entry.trim_start_matches('!')));
        let longest = longest.max_by_key(|entry| entry.trim_start_matches('!').len()).expect("its own prefix");
        if is_unique {
            assert_eq!(allowed, !longest.starts_with('!'), "{text} {}", phone.as_str());
            assert_eq!(reversed.allow(&phone), allowed, "{text} {}", phone.as_str());
        }
    }
}

/// Route requirements. A list is read as a whole or refused, its order does not matter, and a login
/// without a second factor never meets a requirement of one.
pub fn route_requirements(data: &[u8]) {
    let Some((text, demands)) = text(data).and_then(|text| Some((text, RouteRequirements::parse(text)?))) else {
        return;
    };
    let entries: Vec<_> = text.split(';').filter(|entry| !entry.trim().is_empty()).collect();
    let reversed: Vec<_> = entries.iter().rev().copied().collect();
    let reversed = RouteRequirements::parse(&reversed.join(";")).expect("the same entries");
    let parameters = HashMap::new();
    let met_at = |routes: &RouteRequirements, key: &str, proof: Option<&Proof>, now| {
        let (method, path) = key.split_once(' ').unwrap_or(("GET", "/no/such/route"));
        let call = RouteCall { key, method, path, parameters: &parameters, stage: None };
        routes.are_met(&call, &Shown { proof, demanded: true, login_factor: None }, now)
    };
    let met = |routes: &_, key: &_, proof| met_at(routes, key, proof, START);
    let login = Proof {
        security_epoch: 1,
        method: Factor::Code(Method::Totp),
        auth_time: START,
        session: session(LoginId([7; 8]), None),
    };
    let is_lax = |entry: &&str| entry.split_once('=').is_some_and(|(_, demand)| demand.trim() == "token");
    let all_are_lax = entries.iter().all(is_lax);
    for entry in entries {
        let (route, demand) = entry.split_once('=').expect("a demand");
        let (route, demand) = (route.trim(), demand.trim());
        for proof in [None, Some(&login)] {
            assert_eq!(met(&demands, route, proof), met(&reversed, route, proof), "{entry}");
        }
        // `$default` alone may have no say, because a route with placeholders matches everything.
        let has_a_say = route != "$default";
        assert!(!has_a_say || !demand.starts_with("mfa") || !met(&demands, route, None), "{entry}");
        assert!(!met(&demands, route, None) || met(&demands, route, Some(&login)), "{entry}");
        assert!(!all_are_lax || met(&demands, route, None), "{entry}");
        let max_age = demand.split_whitespace().find_map(|word| word.strip_prefix("max_age=")?.parse().ok());
        if let Some(max_age) = max_age.map(std::time::Duration::from_secs).filter(|_| has_a_say) {
            let late = START.plus(max_age).plus(std::time::Duration::from_secs(1));
            // Timestamps end before the end of a very long age.
            assert!(late.since(START) <= max_age || !met_at(&demands, route, Some(&login), late), "{entry}");
        }
    }
    // This name is as long as the whole input, so that no entry can list it.
    let unlisted = "X".repeat(text.len());
    for proof in [None, Some(&login)] {
        assert_eq!(met(&demands, &unlisted, proof), met(&demands, "$default", proof));
    }
}

/// Tokens of somebody whose key is in a key set only by chance, and the member of a set that would
/// hold the public key.
struct Stranger {
    algorithm: Algorithm,
    tokens: [String; 2],
    public: Value,
}

static STRANGERS: LazyLock<[Stranger; 3]> = LazyLock::new(|| {
    let stranger = |key: EncodingKey, algorithm, member| {
        let jwk = jsonwebtoken::jwk::Jwk::from_encoding_key(&key, algorithm).expect("a JWK");
        let public = serde_json::to_value(jwk).expect("JSON")[member].clone();
        let claims = json!({ "sub": "mallory", "type": "access", "exp": START.as_secs() + 60 });
        let tokens = [None, Some("a".to_owned())].map(|kid| {
            jsonwebtoken::encode(&Header { kid, ..Header::new(algorithm) }, &claims, &key).expect("a token")
        });
        Stranger { algorithm, tokens, public }
    };
    let ec = EncodingKey::from_ec_pem(EC.as_bytes()).expect("a key");
    let ed = EncodingKey::from_ed_pem(ED.as_bytes()).expect("a key");
    let rsa = EncodingKey::from_rsa_pem(RSA.as_bytes()).expect("a key");
    [stranger(ec, Algorithm::ES256, "x"), stranger(ed, Algorithm::EdDSA, "x"), stranger(rsa, Algorithm::RS256, "n")]
});

/// JWK sets. Only keys of the algorithm count, a shared secret never does, and nobody whose key is
/// not in the set gets in.
pub fn key_sets(data: &[u8]) {
    assert!(KeySet::parse(data, Algorithm::HS256).is_none());
    for Stranger { algorithm, tokens, public } in &*STRANGERS {
        let Some(set) = KeySet::parse(data, *algorithm) else { continue };
        let json: Value = serde_json::from_slice(data).expect("JSON");
        let keys = json["keys"].as_array().expect("keys");
        let kind = match algorithm {
            Algorithm::ES256 => ["EC", "P-256"],
            Algorithm::EdDSA => ["OKP", "Ed25519"],
            _ => ["RSA", ""],
        };
        let fits = |key: &&Value| key["kty"] == kind[0] && (kind[1].is_empty() || key["crv"] == kind[1]);
        assert!(keys.iter().any(|key| fits(&key)), "{json}");

        let verifier = verifier(set, *algorithm);
        for token in tokens {
            let taken = verifier.authenticate(token, START).now_or_never().expect("a set at hand");
            assert!(taken.is_err() || keys.iter().any(|key| key.get("x").or(key.get("n")) == Some(public)), "{json}");
        }
    }
}

static SET_CONFIG: LazyLock<Config> = LazyLock::new(|| {
    let mut vars = variables();
    let some = super::host::login_key_set();
    vars.extend(set_settings(&some).map(|(name, value)| (name.to_owned(), value)));
    Config::from_vars(&Part::ALL, &vars).expect("a configuration")
});

fn verifier(set: KeySet, algorithm: Algorithm) -> Verifier {
    let mut config = SET_CONFIG.clone();
    config.jwt.logins[0].key = LoginKeyConfig::Set(set);
    config.jwt.logins[0].algorithm = algorithm;
    // Our own key may be the stranger's key. It is not tried, because the tokens do not name it.
    let keys = Arc::new(config.keys());
    Verifier::new(Arc::new(config), keys)
}
