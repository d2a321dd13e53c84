//! What the claims `mfa_required`, `mfa_required_from` and `mfa_exempt` of a login token change.

use std::{sync::Arc, time::Duration};

use lambda_http::http::Method;
use mfa::http::ErrorCode;
use mfa_tests::{Login, Person, TestApp, claims_of};
use serde_json::{Value, json};

use crate::authorizer::passes;

const ROUTES: &str = "GET /reports = mfa-if-enabled; $default = token";

/// Two deployments with one table: without and with `MFA_REQUIRED`.
async fn without_and_with_the_setting() -> [Arc<TestApp>; 2] {
    let without = TestApp::start_with(&[("MFA_AUTHORIZER_ROUTES", ROUTES)]).await;
    let with = without.redeployed_with(&[("MFA_REQUIRED", "true")]);
    [without, with]
}

fn claiming(person: &Person, claims: &Value) -> Person {
    let claims = claims.as_object().expect("claims").iter();
    claims.fold(person.clone(), |person, (name, value)| person.with(name, value.clone()))
}

/// What a user has before the token with the claims comes.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Has {
    Nothing,
    Address,
    Authenticator,
    MfaOn,
}

/// A user who has this, and the first authenticator if there is one.
async fn user(mfa: &Arc<TestApp>, sub: &str, has: Has) -> Person {
    let person = mfa.user(sub);
    match has {
        Has::Nothing => person,
        Has::Address => person.with_email(&format!("{sub}@example.com")),
        Has::Authenticator | Has::MfaOn => {
            let before = person.login();
            before.enrol().await;
            if has == Has::MfaOn {
                before.toggle(true).await.assert_ok();
            }
            person
        }
    }
}

fn is_gated(answer: &mfa_tests::Response) -> bool {
    answer.code() == Some("MFA_REQUIRED")
}

#[tokio::test]
async fn every_gated_route_the_status_and_the_authorizer_follow_the_setting_and_the_claims() {
    let deployments = without_and_with_the_setting().await;
    let now = deployments[0].clock.now();
    let (past, to_come) = (now.to_rfc3339(), now.plus(Duration::from_mins(1)).to_rfc3339());
    // The claims, and who requires MFA: of a user without a factor and of one with a factor, first
    // without the setting and then with it.
    let application = Some("application");
    let policies = [
        (json!({}), [[None, None], [application, application]]),
        (json!({ "mfa_required": true }), [[Some("claim"); 2], [application; 2]]),
        (json!({ "mfa_required": "true" }), [[Some("claim"); 2], [application; 2]]),
        (json!({ "mfa_required": false }), [[None; 2], [application; 2]]),
        (json!({ "mfa_required_from": past }), [[Some("claim"); 2], [application; 2]]),
        (json!({ "mfa_required_from": "soon" }), [[Some("claim"); 2], [application; 2]]),
        (json!({ "mfa_required_from": to_come }), [[None; 2], [None, application]]),
        (json!({ "mfa_required_from": to_come, "mfa_required": true }), [[None, Some("claim")], [None, application]]),
        (json!({ "mfa_exempt": true }), [[None; 2], [None, application]]),
        (json!({ "mfa_exempt": "true" }), [[None; 2], [application; 2]]),
        (json!({ "mfa_exempt": true, "mfa_required": true }), [[Some("claim"); 2], [application; 2]]),
    ];
    let mut cases = 0;
    for (number, (claims, required_by)) in policies.iter().enumerate() {
        for (mfa, [of_nobody, of_others]) in deployments.iter().zip(required_by) {
            for has in [Has::Nothing, Has::Address, Has::Authenticator, Has::MfaOn] {
                let has_factor = matches!(has, Has::Authenticator | Has::MfaOn);
                let required_by = if has_factor { *of_others } else { *of_nobody };
                let demanded = required_by.is_some() || has == Has::MfaOn;
                let gated = has == Has::MfaOn || required_by.is_some() && has != Has::Nothing;
                let case = format!("{claims}, required by {required_by:?}, {has:?}");

                let sub = |of: &str| format!("{number}-{has:?}-{}-{of}", mfa.app.policy.required);
                let person = user(&deployments[0], &sub("status"), has).await;
                let login = claiming(&person, claims).login().at(mfa);
                let status = login.status().await;
                assert_eq!(status["required"], required_by.is_some(), "{case}: {status}");
                assert_eq!(status["requiredBy"].as_str(), required_by, "{case}");
                assert_eq!(
                    (&status["isEnabled"], &status["canToggle"]),
                    (&json!(demanded), &json!(required_by.is_none()))
                );
                let is_to_come = claims["mfa_required_from"] == to_come.as_str() && !demanded;
                assert_eq!(status["enrollBy"].as_str(), is_to_come.then_some(&*to_come), "{case}");
                assert_eq!(passes(mfa, "GET /reports", &login).await, !demanded, "{case}: the authorizer");

                for route in mfa.routes().iter().filter(|route| route.errors.contains(&ErrorCode::MfaRequired)) {
                    // A call that the gate lets pass changes its user.
                    let login = if gated {
                        login.clone()
                    } else {
                        let person = user(&deployments[0], &sub(route.name), has).await;
                        claiming(&person, claims).login().at(mfa)
                    };
                    let answer = mfa.replay_sample(route.name, Some(&login)).await;
                    assert_eq!(is_gated(&answer), gated, "{case}: {}: {}", route.name, answer.body);
                    cases += 1;
                }
            }
        }
    }
    assert!(cases >= 11 * 2 * 4 * 9, "{cases}");
}

/// Every token that a user with an authenticator and the claim can show: that of the login, and ours
/// by a code, by a refresh token, by a trusted device and by a code on a token of ours.
async fn every_token(mfa: &Arc<TestApp>, person: &Person) -> Vec<(&'static str, Login)> {
    let login = person.login();
    let device = login.enrol().await;
    let answer = login.verify("totp", &device.advance_to_next_code(mfa)).await;
    let by_code = login.with(answer.text("accessToken"));
    let refreshed = mfa.refresh(&answer.text("refreshToken")).await;
    let trust_token = by_code.trust("totp", &device.advance_to_next_code(mfa)).await;
    let trusted = person.login().verify_trusted(&trust_token).await;
    let again = by_code.verify("totp", &device.advance_to_next_code(mfa)).await;
    vec![
        ("the login", login.clone()),
        ("a code", by_code),
        ("a refresh token", login.with(refreshed.text("accessToken"))),
        ("a trusted device", login.with(trusted.text("accessToken"))),
        ("a code on our token", login.with(again.text("accessToken"))),
    ]
}

#[tokio::test]
async fn no_token_that_a_user_chooses_lifts_the_requirement_of_the_login() {
    let mfa = TestApp::start_with(&[("MFA_AUTHORIZER_ROUTES", ROUTES)]).await;
    let person = mfa.user("alice").with("mfa_required", true);
    for (token, login) in every_token(&mfa, &person).await {
        let status = login.status().await;
        assert_eq!((&status["required"], &status["requiredBy"]), (&json!(true), &json!("claim")), "{token}");
        let answer = login.toggle(false).await;
        assert!(matches!(answer.code(), Some("MFA_TOGGLING_NOT_ALLOWED" | "MFA_REQUIRED")), "{token}: {}", answer.body);
    }
    assert!(mfa.ledger("alice").await.expect("a ledger").enabled);
}

#[tokio::test]
async fn a_session_carries_the_claims_of_its_login_to_its_end() {
    let mfa = TestApp::start().await;
    let from = mfa.clock.now().as_secs() + 3600;
    let person = mfa.user("alice").with("mfa_required_from", from).with("mfa_exempt", true);
    let login = person.clone().with("exp", mfa.clock.now().as_secs() + 300).login();
    let device = login.enrol().await;
    let answer = login.verify("totp", &device.advance_to_next_code(&mfa)).await;
    let mut refresh_token = answer.text("refreshToken");
    for (seconds, required) in [(600, false), (2400, false), (600, true), (3600, true)] {
        mfa.advance(seconds);
        let renewed = mfa.refresh(&refresh_token).await.assert_ok();
        refresh_token = renewed["refreshToken"].as_str().expect("a token").to_owned();
        let token = renewed["accessToken"].as_str().expect("a token");
        let claims = claims_of(token);
        assert_eq!((&claims["mfa_required_from"], &claims["mfa_exempt"]), (&json!(from), &json!(true)));
        let status = login.with(token).status().await;
        assert_eq!(status["required"], required, "{seconds}: {status}");
        assert_eq!(status.get("enrollBy").is_some(), !required, "{seconds}: {status}");
    }
}

#[tokio::test]
async fn who_enrols_before_the_date_has_mfa_on_if_the_application_requires_it() {
    let [_, mfa] = without_and_with_the_setting().await;
    let to_come = mfa.clock.now().as_secs() + 3600;
    let person = mfa.user("alice").with_email("alice@example.com").with("mfa_required_from", to_come);
    let login = person.login();
    assert_eq!(login.status().await["isEnabled"], false);
    login.enrol().await;
    let status = login.status().await;
    assert_eq!((&status["isEnabled"], &status["required"], status.get("enrollBy")), (&json!(true), &json!(true), None));
    login.generate_recovery_codes().await; // by the grace of switching on
    person.login().setup().await.assert_problem(401, "MFA_REQUIRED");
}

#[tokio::test]
async fn an_exemption_that_comes_later_opens_the_gate_of_nobody_who_has_a_factor() {
    let [without, with] = without_and_with_the_setting().await;
    for (mfa, claims) in [
        (&with, json!({ "mfa_exempt": true })),
        (&with, json!({ "mfa_required_from": "2999-01-01" })),
        (&without, json!({ "mfa_required_from": "2999-01-01", "mfa_required": true })),
    ] {
        let person = without.user(&claims.to_string());
        let device = person.login().enrol().await; // and never switched MFA on
        let thief = claiming(&person.with_email("thief@example.net"), &claims).login().at(mfa);
        thief.setup().await.assert_problem(401, "MFA_REQUIRED");
        thief.remove(&device.device_id).await.assert_problem(401, "MFA_REQUIRED");
        thief.challenge("email").await.assert_problem(400, "MFA_METHOD_NOT_AVAILABLE");
        assert!(!passes(mfa, "GET /reports", &thief).await, "{claims}");
    }
}

#[tokio::test]
async fn the_claims_cost_no_read() {
    let [without, with] = without_and_with_the_setting().await;
    let reads = |mfa: &Arc<TestApp>| mfa.fault_proxy.take_calls().len();
    // The first call of each deployment asks for the hash key of the table.
    for mfa in [&without, &with] {
        mfa.user("alice").login().at(mfa).status().await;
    }
    reads(&without);
    for (mfa, claims, of_authorizer) in [
        (&without, json!({}), 1),
        (&without, json!({ "mfa_required": true }), 0),
        (&with, json!({}), 0),
        (&with, json!({ "mfa_exempt": true }), 1),
        (&with, json!({ "mfa_required_from": "2999-01-01" }), 1),
        (&with, json!({ "mfa_required": true, "mfa_exempt": true }), 0),
    ] {
        let login = claiming(&mfa.user("alice"), &claims).login().at(mfa);
        login.call(Method::GET, "/auth/mfa/status", Vec::new()).await.assert_ok();
        assert_eq!(reads(mfa), 1, "{claims}");
        passes(mfa, "GET /reports", &login).await;
        assert_eq!(reads(mfa), of_authorizer, "{claims}");
    }
}

#[tokio::test]
async fn where_mfa_is_off_for_the_application_no_claim_requires_it() {
    let mfa = TestApp::start_with(&[("MFA_ENABLED", "false"), ("MFA_AUTHORIZER_ROUTES", ROUTES)]).await;
    let login = mfa.user("alice").with("mfa_required", true).login();
    let status = login.status().await;
    assert_eq!((&status["required"], status.get("requiredBy"), status.get("enrollBy")), (&json!(false), None, None));
    assert!(passes(&mfa, "GET /reports", &login).await);
}

#[tokio::test]
async fn a_claim_is_read_under_its_configured_name_and_kept_in_our_tokens() {
    let names = [("MFA_JWT_REQUIRED_CLAIM", "app/mfa"), ("MFA_JWT_EXEMPT_CLAIM", "https://acme.example/mfa_exempt")];
    let mfa = TestApp::start_with(&names).await;
    let person = mfa.user("alice").with_email("alice@example.com").with("app", json!({ "mfa": 1 }));
    let login = person.login();
    let code = login.receive_code("email").await;
    let proven = login.prove("email", &code).await;
    for login in [&login, &proven] {
        assert_eq!(login.status().await["requiredBy"], "claim");
    }
    let by_default = mfa.user("bob").with("mfa_required", true).login();
    assert_eq!(by_default.status().await["required"], false, "the name is another");
}
