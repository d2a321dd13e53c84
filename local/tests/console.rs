//! What the console page asks the local server for, besides the routes of the bundle.
#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::ConnectInfo,
    http::{HeaderMap, Method, Request, StatusCode, header},
};
use lambda_http::tower::ServiceExt;
use mfa::{
    App,
    config::{Config, Part},
};
use mfa_local::{
    Inbox, LocalTable, Server, Services, StartServices, clock::LocalClock, environment, router, stream::Stream,
};
use serde_json::{Value, json};

/// A local server, as `cargo run` starts it.
struct Local {
    router: Router,
    inbox: Inbox,
}

struct Response {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
}

impl Response {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).expect("JSON")
    }

    fn ok(self) -> Value {
        assert_eq!(self.status, StatusCode::OK, "{}", self.text);
        self.json()
    }

    fn refused(&self) -> (u16, String) {
        (self.status.as_u16(), self.json()["code"].as_str().unwrap_or_default().to_owned())
    }
}

impl Local {
    async fn start() -> Self {
        Self::start_with(StartServices::default(), true).await
    }

    async fn start_with(services: StartServices, table_is_scratch: bool) -> Self {
        let clock = LocalClock::wall();
        let services = StartServices { watch: true, ..services };
        let services = Services::start(services, &clock).await.expect("services");
        let variables: BTreeMap<_, _> = environment::variables(&services.endpoints)
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        let config = Config::from_vars(&Part::ALL, &variables).expect("a configuration");
        let table = LocalTable::new(&services.endpoints.dynamodb, &config.table);
        table.create(false).await.expect("a table");
        let inbox = services.inbox.clone();
        let stream = Stream::Watched(services.writes.expect("a watched table"));
        let router = router(Server {
            stream,
            app: Some(App::new(config, clock.for_app())),
            inbox: services.inbox,
            table,
            clock,
            clock_is_adjustable: true,
            table_is_scratch,
            jwt_secret: variables["MFA_JWT_SECRET"].clone(),
            login: None,
            allow_origin: None,
            log: |_, _, _| {},
        });
        Self { router, inbox }
    }

    async fn call(&self, method: Method, path: &str, token: Option<&str>, body: Option<&Value>) -> Response {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(token) = token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let body = body.map(ToString::to_string);
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let mut request = request.body(body.map_or_else(Body::empty, Body::from)).expect("a request");
        request.extensions_mut().insert(ConnectInfo(SocketAddr::from(([127, 0, 0, 1], 1))));
        let response = self.router.clone().oneshot(request).await.expect("infallible");
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.expect("a body");
        let text = String::from_utf8(body.to_vec()).expect("text");
        Response { status: parts.status, headers: parts.headers, text }
    }

    async fn get(&self, path: &str) -> Response {
        self.call(Method::GET, path, None, None).await
    }

    async fn post(&self, path: &str, body: Value) -> Response {
        self.call(Method::POST, path, None, Some(&body)).await
    }

    async fn sign_in(&self) -> String {
        let person = json!({ "sub": "alice", "email": "alice@example.com", "phone": "+12025550143" });
        self.post("/__local/token", person).await.ok()["accessToken"].as_str().expect("a token").to_owned()
    }

    async fn send_code(&self, token: &str, method: &str) -> Response {
        self.call(Method::POST, "/auth/mfa/challenge", Some(token), Some(&json!({ "method": method }))).await
    }

    async fn ledger(&self) -> Value {
        self.get("/__local/ledger/alice").await.ok()
    }

    async fn now(&self) -> f64 {
        self.get("/__local/clock").await.ok()["unix"].as_f64().expect("a number")
    }
}

#[tokio::test]
async fn the_page_is_three_files_that_load_nothing_from_elsewhere_and_run_nothing_else() {
    let local = Local::start().await;
    for (path, media_type) in
        [("/", "text/html"), ("/__local/console.css", "text/css"), ("/__local/console.js", "text/javascript")]
    {
        let file = local.get(path).await;
        assert_eq!(file.status, StatusCode::OK, "{path}");
        assert_eq!(file.headers[header::CONTENT_TYPE], format!("{media_type}; charset=utf-8"), "{path}");
        let policy = file.headers[header::CONTENT_SECURITY_POLICY].to_str().expect("text");
        assert!(policy.contains("default-src 'none'") && policy.contains("script-src 'self'"), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
        assert!(!file.text.contains("https://"), "{path} names another place");
    }
    let page = local.get("/").await.text;
    assert!(!page.contains("<style") && !page.contains(" style=") && !page.contains("<script>"), "nothing is inline");
}

#[tokio::test]
async fn a_mail_is_shown_as_it_looks_and_may_run_and_load_nothing() {
    let local = Local::start().await;
    let token = local.sign_in().await;
    local.send_code(&token, "email").await.ok();
    let mail = local.get("/__local/inbox/1").await;
    assert_eq!(Some(&mail.text), local.inbox.messages()[0].html.as_ref());
    let policy = mail.headers[header::CONTENT_SECURITY_POLICY].to_str().expect("text");
    assert!(policy.contains("default-src 'none'") && policy.contains("sandbox"), "{policy}");
    assert_eq!(local.get("/__local/inbox/2").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn nobody_signs_in_without_an_id() {
    let local = Local::start().await;
    for body in [json!({}), json!({ "sub": "" }), json!({ "sub": "  " }), json!({ "sub": null })] {
        assert_eq!(local.post("/__local/token", body.clone()).await.status, StatusCode::BAD_REQUEST, "{body}");
    }
}

#[tokio::test]
async fn the_ledger_of_a_user_is_shown_without_secrets() {
    let local = Local::start().await;
    assert_eq!(local.ledger().await, Value::Null);
    let token = local.sign_in().await;
    let set_up = local.call(Method::POST, "/auth/mfa/setup-totp", Some(&token), Some(&json!({}))).await.ok();
    local.send_code(&token, "email").await.ok();
    let ledger = local.ledger().await;
    assert_eq!(ledger["isEnabled"], false);
    assert!(ledger["version"].is_string(), "a browser rounds large numbers");
    assert_eq!(ledger["authenticators"][0]["state"], "set-up");
    assert_eq!(ledger["outstandingCodes"].as_array().map(Vec::len), Some(1));
    let text = ledger.to_string();
    for secret in [set_up["secret"].as_str().expect("text"), "alice@example.com"] {
        assert!(!text.contains(secret), "{secret}");
    }
    let code = local.inbox.messages()[0].code.clone().expect("a code");
    assert!(!text.contains(&format!("\"{code}\"")));
}

#[tokio::test]
async fn while_ses_is_down_no_mail_goes_out_and_the_send_is_given_back() {
    let local = Local::start().await;
    let token = local.sign_in().await;
    let troubles = local.post("/__local/troubles", json!({ "sesIsDown": true })).await.ok();
    assert_eq!(troubles, json!({ "sesIsDown": true, "snsThrottles": false }));
    let answer = local.send_code(&token, "email").await;
    assert_eq!(answer.refused(), (503, "MFA_DELIVERY_FAILED".to_owned()));
    assert_eq!(local.ledger().await["refundedSends"].as_array().map(Vec::len), Some(1));
    local.send_code(&token, "sms").await.ok();

    local.post("/__local/troubles", json!({ "sesIsDown": false })).await.ok();
    local.post("/__local/clock", json!({ "advance": 60 })).await.ok();
    local.send_code(&token, "email").await.ok();
    assert_eq!(local.inbox.messages().len(), 2);
}

#[tokio::test]
async fn while_sns_throttles_no_text_message_goes_out() {
    let local = Local::start().await;
    let token = local.sign_in().await;
    local.post("/__local/troubles", json!({ "snsThrottles": true })).await.ok();
    let answer = local.send_code(&token, "sms").await;
    assert_eq!(answer.refused(), (503, "MFA_DELIVERY_FAILED".to_owned()));
    assert!(local.inbox.messages().is_empty());
    local.send_code(&token, "email").await.ok();
}

#[tokio::test]
async fn a_service_elsewhere_cannot_be_troubled_and_a_misspelt_trouble_is_refused() {
    let elsewhere = || Some("http://127.0.0.1:9".to_owned());
    let [none, ses, sns, end_user_messaging] = std::array::from_fn(|_| StartServices::default());
    for (services, ses_is_down, sns_throttles) in [
        (none, json!(true), json!(true)),
        (StartServices { ses: elsewhere(), ..ses }, json!(null), json!(true)),
        (StartServices { sns: elsewhere(), ..sns }, json!(true), json!(null)),
        (StartServices { end_user_messaging: elsewhere(), ..end_user_messaging }, json!(true), json!(null)),
    ] {
        let local = Local::start_with(services, true).await;
        let troubles = local.post("/__local/troubles", json!({ "sesIsDown": true, "snsThrottles": true })).await.ok();
        assert_eq!(troubles, json!({ "sesIsDown": ses_is_down, "snsThrottles": sns_throttles }));
        assert_eq!(local.post("/__local/troubles", json!({ "ses": true })).await.status, StatusCode::BAD_REQUEST);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_thousand_guesses_of_the_page_five_are_judged_and_the_account_is_locked() {
    let local = Local::start().await;
    let token = local.sign_in().await;
    local.send_code(&token, "email").await.ok();
    let body = json!({ "method": "email", "count": 1000 });
    let answer = local.call(Method::POST, "/__local/guesses", Some(&token), Some(&body)).await;
    assert_eq!(answer.status, StatusCode::OK);
    let told: Vec<Value> = answer.text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(told.len(), 1000);
    let judged: Vec<_> = told.iter().filter_map(|line| line["attemptsLeft"].as_u64()).collect();
    assert_eq!(judged.iter().sum::<u64>(), 4 + 3 + 2 + 1, "each of the five was told how many are left");
    assert_eq!(judged.len(), 5);
    assert!(told.iter().all(|line| line["status"] != 200));
    let ledger = local.ledger().await;
    assert_eq!(ledger["wrongCodes"]["inARow"], 5);
    assert!(ledger["lockedUntil"].is_string());

    let too_many = json!({ "method": "email", "count": 1001 });
    let answer = local.call(Method::POST, "/__local/guesses", Some(&token), Some(&too_many)).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn starting_anew_undoes_everything() {
    let local = Local::start().await;
    let before = local.now().await;
    let token = local.sign_in().await;
    local.send_code(&token, "email").await.ok();
    local.post("/__local/troubles", json!({ "sesIsDown": true, "snsThrottles": true })).await.ok();
    local.post("/__local/clock", json!({ "advance": 86_400 })).await.ok();

    let answer = local.post("/__local/start-anew", json!({})).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    assert_eq!(local.ledger().await, Value::Null);
    assert!(local.inbox.messages().is_empty());
    assert_eq!(local.get("/__local/troubles").await.ok(), json!({ "sesIsDown": false, "snsThrottles": false }));
    let elapsed = local.now().await - before;
    assert!(elapsed < Duration::from_hours(1).as_secs_f64(), "the clock is back: {elapsed}");
    let left = local.get("/__local/table").await.ok();
    let kinds: Vec<_> = left.as_array().expect("a list").iter().map(|item| &item["pk"]["S"]).collect();
    assert_eq!(kinds, ["BUNDLE"]);
    local.send_code(&local.sign_in().await, "email").await.ok();
}

#[tokio::test]
async fn a_table_that_is_kept_is_not_emptied() {
    let local = Local::start_with(StartServices::default(), false).await;
    let token = local.sign_in().await;
    local.send_code(&token, "email").await.ok();
    assert_eq!(local.post("/__local/start-anew", json!({})).await.status, StatusCode::CONFLICT);
    assert!(local.ledger().await.is_object());
}

#[tokio::test]
async fn a_page_of_another_origin_changes_nothing_without_asking_first() {
    let local = Local::start().await;
    for path in ["/__local/start-anew", "/__local/troubles", "/__local/guesses", "/__local/clock"] {
        // A browser sends this to any server: no body of JSON, no header of one's own.
        let answer = local.call(Method::POST, path, None, None).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path}");
    }
}
