//! Login tokens that a key set checks. The set is in the configuration or at an address.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

use axum::{Router, http::StatusCode, routing::get};
use jsonwebtoken::{Algorithm, EncodingKey, Header, jwk::Jwk};
use lambda_http::http::Method;
use mfa_tests::{Login, Response, TestApp, alarms::Watch};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::{contract::yaml, errors::one_of_each};

const RSA_PRIVATE: &str = include_str!("keys/rsa.pem");
const EC_PRIVATE: &str = include_str!("keys/ec.pem");
const ED_PRIVATE: &str = include_str!("keys/ed.pem");

const ISSUER: &str = "https://login.example";

fn ec() -> EncodingKey {
    EncodingKey::from_ec_pem(EC_PRIVATE.as_bytes()).expect("a key")
}

/// A public key, as the application's login publishes it.
fn jwk(key: &EncodingKey, algorithm: Algorithm, id: &str) -> Value {
    let mut jwk = serde_json::to_value(Jwk::from_encoding_key(key, algorithm).expect("a JWK")).expect("JSON");
    jwk["kid"] = id.into();
    jwk
}

fn set(ids: &[&str]) -> Value {
    json!({ "keys": ids.iter().map(|id| jwk(&ec(), Algorithm::ES256, id)).collect::<Vec<_>>() })
}

fn token(mfa: &TestApp, id: Option<&str>) -> String {
    let header = Header { kid: id.map(ToOwned::to_owned), ..Header::new(Algorithm::ES256) };
    let claims = json!({ "sub": "alice", "type": "access", "iss": ISSUER, "exp": mfa.clock.now().as_secs() + 86_400 });
    jsonwebtoken::encode(&header, &claims, &ec()).expect("a token")
}

async fn status(mfa: &Arc<TestApp>, id: Option<&str>) -> Response {
    Login::with_token(mfa, token(mfa, id)).call(Method::GET, "/auth/mfa/status", Vec::new()).await
}

/// A server of the login's key set that counts how often it is asked.
#[derive(Clone)]
struct KeyServer {
    url: String,
    answer: Arc<Mutex<(StatusCode, String)>>,
    asked: Arc<AtomicUsize>,
}

impl KeyServer {
    async fn start(set: &Value) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let url = format!("http://{}/keys", listener.local_addr().expect("an address"));
        let server = Self { url, answer: Arc::default(), asked: Arc::default() };
        server.answers(StatusCode::OK, &set.to_string());
        let own = server.clone();
        let keys = get(move || async move {
            own.asked.fetch_add(1, Ordering::SeqCst);
            own.answer.lock().unwrap_or_else(PoisonError::into_inner).clone()
        });
        tokio::spawn(async move { axum::serve(listener, Router::new().route("/keys", keys)).await });
        server
    }

    fn answers(&self, status: StatusCode, body: &str) {
        *self.answer.lock().unwrap_or_else(PoisonError::into_inner) = (status, body.to_owned());
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    async fn app(&self) -> Arc<TestApp> {
        configured(&[("MFA_JWT_KEY_SET_URL", &self.url), ("MFA_JWT_ISSUER", ISSUER)]).await
    }
}

async fn configured(settings: &[(&str, &str)]) -> Arc<TestApp> {
    let asymmetric = [("MFA_JWT_ALGORITHM", "ES256"), ("MFA_SIGNING_KEY", ED_PRIVATE)];
    TestApp::start_with(&[asymmetric.as_slice(), settings].concat()).await
}

#[tokio::test]
async fn a_configured_set_checks_tokens_by_the_key_that_they_name() {
    let mut keys = set(&["a"]);
    let rsa = EncodingKey::from_rsa_pem(RSA_PRIVATE.as_bytes()).expect("a key");
    let encryption = {
        let mut key = jwk(&ec(), Algorithm::ES256, "enc");
        key["use"] = "enc".into();
        key
    };
    let list = keys["keys"].as_array_mut().expect("keys");
    list.extend([jwk(&rsa, Algorithm::RS256, "rsa"), encryption, json!({ "kty": "LMS", "kid": "new" })]);
    let mfa = configured(&[("MFA_JWT_KEY_SET", &keys.to_string())]).await;
    status(&mfa, Some("a")).await.assert_ok();
    status(&mfa, None).await.assert_ok(); // one key fits
    for other in ["rsa", "enc", "new", "b"] {
        status(&mfa, Some(other)).await.assert_problem(401, "INVALID_TOKEN");
    }
    let two = configured(&[("MFA_JWT_KEY_SET", &set(&["a", "b"]).to_string())]).await;
    status(&two, Some("b")).await.assert_ok();
    status(&two, None).await.assert_problem(401, "INVALID_TOKEN");
}

#[tokio::test]
async fn a_set_that_cannot_be_fetched_is_a_503_on_every_route_that_checks_a_login() {
    let server = KeyServer::start(&set(&["a"])).await;
    server.answers(StatusCode::BAD_GATEWAY, "");
    let mfa = server.app().await;
    let alice = Login::with_token(&mfa, token(&mfa, Some("a")));
    let mut answers = one_of_each(&mfa, &alice, "mfa_x.0.x").await;
    answers.pop().expect("the answer of refresh-token").assert_problem(401, "REFRESH_TOKEN_INVALID");
    for answer in answers {
        answer.assert_problem(503, "SERVICE_UNAVAILABLE");
    }
}

#[tokio::test]
async fn a_set_is_fetched_once_and_believed_for_an_hour() {
    let server = KeyServer::start(&set(&["a"])).await;
    let mfa = server.app().await;
    assert_eq!(server.asked(), 0, "not before it is needed");
    for _ in 0..3 {
        status(&mfa, Some("a")).await.assert_ok();
    }
    assert_eq!(server.asked(), 1);
    mfa.advance(3599);
    status(&mfa, Some("a")).await.assert_ok();
    assert_eq!(server.asked(), 1);
    mfa.advance(1);
    status(&mfa, Some("a")).await.assert_ok();
    assert_eq!(server.asked(), 2);

    // A withdrawn key is refused once the hour is over.
    server.answers(StatusCode::OK, &set(&["b"]).to_string());
    mfa.advance(3600);
    status(&mfa, Some("a")).await.assert_problem(401, "INVALID_TOKEN");
}

#[tokio::test]
async fn a_new_key_is_found_and_made_up_ones_are_asked_for_once_a_minute() {
    let server = KeyServer::start(&set(&["a"])).await;
    let mfa = server.app().await;
    status(&mfa, Some("a")).await.assert_ok();
    server.answers(StatusCode::OK, &set(&["a", "b"]).to_string());
    mfa.advance(60);
    status(&mfa, Some("b")).await.assert_ok();
    assert_eq!(server.asked(), 2);
    for n in 0..50 {
        status(&mfa, Some(&format!("made up {n}"))).await.assert_problem(503, "SERVICE_UNAVAILABLE");
    }
    assert_eq!(server.asked(), 2);
    mfa.advance(60);
    for _ in 0..2 {
        status(&mfa, Some("made up")).await.assert_problem(401, "INVALID_TOKEN");
    }
    assert_eq!(server.asked(), 3);
}

#[tokio::test]
async fn while_it_is_unknown_whether_a_key_exists_nobody_is_signed_out() {
    let server = KeyServer::start(&set(&["a"])).await;
    let mfa = server.app().await;
    status(&mfa, Some("made up")).await.assert_problem(401, "INVALID_TOKEN");
    // The login rotates its key right after the set was fetched.
    server.answers(StatusCode::OK, &set(&["a", "b"]).to_string());
    mfa.advance(20);
    let answer = status(&mfa, Some("b")).await.assert_problem(503, "SERVICE_UNAVAILABLE");
    assert_eq!(answer.retry_after(), Some(40));
    mfa.advance(40);
    status(&mfa, Some("b")).await.assert_ok();
}

#[tokio::test]
async fn a_set_that_cannot_be_fetched_is_a_503_and_no_fault_of_the_token() {
    let server = KeyServer::start(&set(&["a"])).await;
    let mfa = server.app().await;
    let too_long = format!("{{\"keys\":[],\"x\":\"{}\"}}", "x".repeat(70_000));
    let answers = [
        (StatusCode::INTERNAL_SERVER_ERROR, "{}"),
        (StatusCode::FOUND, "{}"),
        (StatusCode::OK, "not JSON"),
        (StatusCode::OK, "{\"keys\":[]}"),
        (StatusCode::OK, too_long.as_str()),
    ];
    for (code, body) in answers {
        server.answers(code, body);
        status(&mfa, Some("a")).await.assert_problem(503, "SERVICE_UNAVAILABLE");
        let asked = server.asked();
        status(&mfa, Some("a")).await.assert_problem(503, "SERVICE_UNAVAILABLE");
        assert_eq!(server.asked(), asked, "a failing server is not asked again for a second");
        mfa.advance(1);
    }
    assert!(mfa.log().contains("the login's key set"), "{}", mfa.log());
    server.answers(StatusCode::OK, &set(&["a"]).to_string());
    status(&mfa, Some("a")).await.assert_ok();

    // A known key still works. Nobody can tell whether an unknown key exists.
    server.answers(StatusCode::INTERNAL_SERVER_ERROR, "");
    mfa.advance(60);
    status(&mfa, Some("b")).await.assert_problem(503, "SERVICE_UNAVAILABLE");
    status(&mfa, Some("b")).await.assert_problem(503, "SERVICE_UNAVAILABLE");
    status(&mfa, Some("a")).await.assert_ok();
    mfa.advance(3600);
    status(&mfa, Some("a")).await.assert_problem(503, "SERVICE_UNAVAILABLE");

    let nobody = configured(&[("MFA_JWT_KEY_SET_URL", "http://127.0.0.1:1/keys"), ("MFA_JWT_ISSUER", ISSUER)]).await;
    status(&nobody, Some("a")).await.assert_problem(503, "SERVICE_UNAVAILABLE");
}

#[tokio::test]
async fn a_token_cannot_say_where_its_key_is() {
    let elsewhere = KeyServer::start(&set(&["evil"])).await;
    let mfa = configured(&[("MFA_JWT_KEY_SET", &set(&["a"]).to_string())]).await;
    let mut header = Header::new(Algorithm::ES256);
    header.kid = Some("evil".to_owned());
    header.jku = Some(elsewhere.url.clone());
    header.x5u = Some(elsewhere.url.clone());
    header.jwk = Some(serde_json::from_value(jwk(&ec(), Algorithm::ES256, "evil")).expect("a JWK"));
    let claims = json!({ "sub": "alice", "type": "access", "exp": mfa.clock.now().as_secs() + 60 });
    let token = jsonwebtoken::encode(&header, &claims, &ec()).expect("a token");
    let answer = Login::with_token(&mfa, token).call(Method::GET, "/auth/mfa/status", Vec::new()).await;
    answer.assert_problem(401, "INVALID_TOKEN");
    assert_eq!(elsewhere.asked(), 0);
}

#[tokio::test]
async fn our_own_tokens_need_no_key_set() {
    let server = KeyServer::start(&set(&["a"])).await;
    let mfa = server.app().await;
    let login = Login::with_token(&mfa, token(&mfa, Some("a")));
    let device = login.enrol().await;
    let proven = login.prove("totp", &device.advance_to_next_code(&mfa)).await;
    server.answers(StatusCode::INTERNAL_SERVER_ERROR, "");
    mfa.advance(600);
    proven.status().await;
    assert_eq!(server.asked(), 1);
}

#[tokio::test]
async fn tokens_of_unknown_keys_ring_no_alarm_and_a_key_set_that_is_gone_does() {
    for (is_gone, rings) in [(false, vec![]), (true, vec!["ServerErrorAlarm"])] {
        let server = KeyServer::start(&set(&["a"])).await;
        let mfa = server.app().await;
        let mut watch = Watch::of(&yaml("template.yaml"), 0.8);
        let mut refused = 0;
        for minute in 0..20 {
            if is_gone {
                server.answers(StatusCode::SERVICE_UNAVAILABLE, "");
            }
            for n in 0..10 {
                let answer = status(&mfa, Some(&format!("unknown-{minute}-{n}"))).await;
                refused += usize::from(answer.status == 503);
                mfa.advance(5);
            }
            let now = mfa.clock.now().as_secs();
            mfa.take_log().iter().for_each(|line| watch.take(line, now));
            mfa.advance(10);
        }
        assert!(refused >= 100, "many get 503: {refused}");
        assert_eq!(watch.ringing(mfa.clock.now().as_secs()).into_iter().collect::<Vec<_>>(), rings);
    }
}
