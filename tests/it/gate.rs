//! Row 9 of the threat model: every route × who calls → what is answered.

use std::sync::Arc;

use lambda_http::http::{HeaderMap, Method};
use mfa_tests::{Authenticator, Login, Response, TestApp};
use serde_json::{Value, json};

/// A body that would go through, for each route.
fn good_body(path: &str, device: &Authenticator, mfa: &TestApp) -> Value {
    match path {
        "/auth/mfa/toggle" => json!({ "enabled": true }),
        "/auth/mfa/challenge" => json!({ "method": "totp" }),
        "/auth/mfa/verify-totp-setup" => json!({ "otp": "123456", "secret": device.secret }),
        "/auth/mfa/verify-recovery-code" | "/auth/mfa/reset-totp" => json!({ "code": "0000-0000-0000-0000-0000-0000" }),
        "/auth/mfa/verify" => json!({ "method": "totp", "otp": device.code(mfa) }),
        _ => json!({}),
    }
}

async fn call(mfa: &Arc<TestApp>, login: &Login, method: Method, path: &str, device: &Authenticator) -> Response {
    if path == "/auth/mfa/verify-trusted-device" {
        return login.verify_trusted("mfat_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA").await;
    }
    let body = if method == Method::GET { Vec::new() } else { good_body(path, device, mfa).to_string().into_bytes() };
    let path = path.replace("{deviceId}", &device.device_id).replace("{id}", "AAAAAAAAAAAAAAAAAAAAAA");
    login.call(method, &path, body).await
}

#[tokio::test]
async fn every_route_knows_whom_it_may_serve() {
    // no token, expired, plain, proof, other user
    let table: [(&str, [u16; 5]); 14] = [
        ("/auth/mfa/status", [401, 401, 200, 200, 200]),
        ("/auth/mfa/devices", [401, 401, 200, 200, 200]),
        ("/auth/mfa/challenge", [401, 401, 200, 200, 400]),
        ("/auth/mfa/toggle", [401, 401, 401, 200, 403]),
        ("/auth/mfa/setup-totp", [401, 401, 401, 200, 200]),
        ("/auth/mfa/verify-totp-setup", [401, 401, 401, 400, 400]),
        ("/auth/mfa/verify", [401, 401, 200, 200, 400]),
        ("/auth/mfa/devices/{deviceId}", [401, 401, 401, 409, 404]),
        ("/auth/mfa/generate-recovery-code", [401, 401, 401, 200, 200]),
        ("/auth/mfa/verify-recovery-code", [401, 401, 400, 400, 400]),
        ("/auth/mfa/reset-totp", [401, 401, 400, 400, 400]),
        ("/auth/mfa/verify-trusted-device", [401, 401, 404, 404, 404]),
        ("/auth/mfa/trusted-devices", [401, 401, 401, 200, 200]),
        ("/auth/mfa/trusted-devices/{id}", [401, 401, 401, 404, 404]),
    ];
    let mfa = TestApp::start().await;
    let person = mfa.user("alice");
    let owner = person.login();
    let device = owner.enrol().await;
    owner.toggle(true).await.assert_ok();
    let expired = person.clone().with("exp", mfa.clock.now().as_secs()).login();
    let plain = person.login();
    let other = mfa.user("mallory").login();

    let takes_no_token = ["/auth/refresh-token", "/.well-known/jwks.json"];
    let routes = mfa.routes().iter().filter(|route| !takes_no_token.contains(&route.path));
    let routes: Vec<_> = routes.map(|route| (route.method.clone(), route.path)).collect();
    assert_eq!(routes.len(), table.len(), "a route is missing in the table");
    for (method, path) in routes {
        let (_, [no_token, after_exp, without_proof, with_proof, of_other]) =
            table.iter().find(|(of, _)| *of == path).expect("a row for each route");
        let nobody = mfa.request(method.clone(), path, HeaderMap::new(), Vec::new()).await;
        assert_eq!((nobody.status, nobody.code()), (*no_token, Some("NO_AUTH_PROVIDED")), "{path}");
        let late = call(&mfa, &expired, method.clone(), path, &device).await;
        assert_eq!((late.status, late.code()), (*after_exp, Some("INVALID_TOKEN")), "{path}");

        mfa.advance(30);
        let answer = call(&mfa, &plain, method.clone(), path, &device).await;
        assert_eq!(answer.status, *without_proof, "{path} without a proof: {}", answer.body);
        if answer.status == 401 {
            let challenge = answer.header("www-authenticate").expect("a challenge").to_owned();
            assert!(challenge.contains("insufficient_user_authentication") && challenge.contains("max_age=\"900\""));
            answer.assert_problem(401, "MFA_REQUIRED");
        }
        let proven = plain.prove("totp", &device.advance_to_next_code(&mfa)).await;
        mfa.advance(30);
        let answer = call(&mfa, &proven, method.clone(), path, &device).await;
        assert_eq!(answer.status, *with_proof, "{path} with a proof: {}", answer.body);
        let answer = call(&mfa, &other, method, path, &device).await;
        assert_eq!(answer.status, *of_other, "{path} by another user: {}", answer.body);
    }
}

#[tokio::test]
async fn a_stale_claim_that_mfa_is_off_opens_nothing() {
    let mfa = TestApp::start().await;
    let person = mfa.user("alice").with("isMfaEnabled", false).with("isMfaVerified", true);
    let owner = person.login();
    owner.enrol().await;
    owner.toggle(true).await.assert_ok();
    let later = person.login();
    later.toggle(false).await.assert_problem(401, "MFA_REQUIRED");
    later.setup().await.assert_problem(401, "MFA_REQUIRED");
}

#[tokio::test]
async fn the_gate_rests_on_a_strong_read() {
    let mfa = TestApp::start().await;
    let person = mfa.user("alice");
    let before = person.login();
    mfa.fault_proxy.remember();
    before.setup().await.assert_ok(); // what an eventual read says from now on: nobody has MFA on
    mfa.fault_proxy.break_calls("Query", mfa_tests::InjectedFault::Stale);
    let owner = person.login();
    owner.enrol().await;
    owner.toggle(true).await.assert_ok();
    before.setup().await.assert_problem(401, "MFA_REQUIRED");
}
