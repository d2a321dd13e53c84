//! Each function reads its own part of the environment, and holds no secret that it does not use.

use std::collections::{BTreeMap, BTreeSet};

use lambda_http::http::{HeaderMap, Method};
use mfa::config::Part;
use mfa_admin_function::Access;
use mfa_tests::TestApp;
use serde_json::json;

use crate::contract::{assert_table_up_to_date, function_resource, yaml};

const PRIVATE: &str = include_str!("keys/ec.pem");
const PUBLIC: &str = include_str!("keys/ec.pub.pem");

/// The secrets of a bundle, and the parts that use each.
const SECRETS: [(&str, Part); 5] = [
    ("MFA_HASH_KEY", Part::Users),
    ("MFA_JWT_SECRET", Part::Users),
    ("MFA_LOGINS", Part::Users),
    ("MFA_SEALING_KEYS", Part::SealingKeys),
    ("MFA_SIGNING_KEY", Part::SigningKey),
];

/// The secrets that a function with these parts is given.
fn secrets_of(parts: &[Part]) -> BTreeSet<&'static str> {
    SECRETS.into_iter().filter(|(_, part)| parts.contains(part)).map(|(name, _)| name).collect()
}

/// The functions that have no route and use the keys of the bundle.
fn without_route() -> [(&'static str, &'static [Part]); 3] {
    [("admin", Access::Change.uses()), ("admin-read", Access::Read.uses()), ("authorizer", &mfa_authorizer::USES)]
}

#[tokio::test]
async fn each_function_works_with_its_own_secrets_alone() {
    let all = TestApp::start_with(&[("MFA_SIGNING_KEY", PRIVATE), ("MFA_SIGNING_PUBLIC_KEY", PUBLIC)]).await;
    let mfa = all.with_environments(|parts| {
        let own = secrets_of(parts);
        let keeps = |name: &String| !SECRETS.iter().any(|(secret, _)| secret == name) || own.contains(name.as_str());
        all.variables.clone().into_iter().filter(|(name, _)| keeps(name)).collect::<BTreeMap<_, _>>()
    });

    let jwks = mfa.request(Method::GET, "/.well-known/jwks.json", HeaderMap::new(), Vec::new()).await.assert_ok();
    assert_eq!(jwks["keys"].as_array().map(Vec::len), Some(1));
    let alice = mfa.user("alice").with_email("alice@example.com").with_phone("+442079460018").login();
    let device = alice.enrol().await;
    alice.toggle(true).await.assert_ok();
    let trust = alice.trust("totp", &device.advance_to_next_code(&mfa)).await;
    alice.verify_trusted(&trust).await.assert_ok();
    let answer = alice.verify("totp", &device.advance_to_next_code(&mfa)).await;
    let proven = alice.with(answer.text("accessToken"));
    assert_eq!(proven.devices().await.as_array().map(Vec::len), Some(1));
    let sent = proven.receive_code("email").await;
    let by_email = proven.prove("email", &sent).await;
    mfa.advance(30);
    let sent = proven.receive_code("sms").await;
    proven.prove("sms", &sent).await;
    mfa.refresh(&answer.text("refreshToken")).await.assert_ok();
    assert_ne!(by_email.sessions().await.assert_ok(), json!([]));
    let trusted = by_email.trusted_devices().await.assert_ok();
    by_email.revoke(trusted[0]["id"].as_str().expect("an id")).await.assert_ok();
    by_email.end_session("others").await.assert_ok();
    let codes = by_email.generate_recovery_codes().await;
    alice.recover(&codes[0]).await.assert_ok();
    alice.reset(&codes[1]).await.assert_ok();
    assert_eq!(alice.status().await["totpDevices"], json!([]));
}

#[tokio::test]
async fn the_documentation_tells_the_secrets_of_each_function() {
    let mfa = TestApp::start().await;
    let functions = mfa.routes().iter().map(|route| (route.function, route.uses));
    let functions: BTreeMap<_, _> = functions.chain(without_route()).collect();
    let rows = functions.iter().map(|(name, parts)| {
        let secrets: Vec<_> = secrets_of(parts).into_iter().map(|name| format!("`{name}`")).collect();
        let secrets = if secrets.is_empty() { "none".to_owned() } else { secrets.join(", ") };
        format!("| `{name}` | {secrets} |")
    });
    let rows = rows.map(|row| row.replace(", `MFA_LOGINS`", ""));
    assert_table_up_to_date("docs/configuration.md", "| Function | Secrets |", rows);
}

#[tokio::test]
async fn the_template_gives_each_function_its_own_secrets_alone() {
    let template = yaml("template.yaml");
    let mfa = TestApp::start().await;
    let functions = mfa.routes().iter().map(|route| (route.function, route.uses));
    let functions: BTreeMap<_, _> = functions.chain(without_route()).collect();
    let shared = template["Globals"]["Function"]["Environment"]["Variables"].as_object().expect("variables");
    for (function, parts) in functions {
        let mut given = shared.clone();
        let own = &function_resource(&template, function)["Properties"]["Environment"]["Variables"];
        given.extend(own.as_object().cloned().unwrap_or_default());
        let secrets = SECRETS.into_iter().map(|(name, _)| name).chain(["MFA_NEXT_SIGNING_KEY"]);
        let given: BTreeSet<_> = secrets.filter(|name| given.get(*name).is_some_and(|value| value != "")).collect();
        assert_eq!(given, secrets_of(parts), "{function}");
    }
}
