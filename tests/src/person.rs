use std::sync::Arc;

use jsonwebtoken::{EncodingKey, Header};
use lambda_http::http::{HeaderMap, HeaderValue, Method, header};
use serde_json::{Map, Value, json};
use totp_rs::{Builder, Secret};

use crate::{Response, SoftKey, TestApp, app::HOME};

/// Somebody with an account at the application.
#[derive(Clone)]
pub struct Person {
    mfa: Arc<TestApp>,
    claims: Map<String, Value>,
}

/// One sign-in of a person: the application's login token, or one of ours.
#[derive(Clone)]
pub struct Login {
    mfa: Arc<TestApp>,
    /// The bearer token.
    pub token: String,
    /// The claims of an application that renews its token before every call. Empty if the token is
    /// fixed.
    renewed: Map<String, Value>,
    /// The address that its requests come from.
    source_ip: String,
}

/// An authenticator app with one account in it.
#[derive(Clone, Debug)]
pub struct Authenticator {
    /// The secret in base 32.
    pub secret: String,
    /// The device's id.
    pub device_id: String,
}

impl Person {
    pub(crate) fn new(mfa: Arc<TestApp>, sub: &str) -> Self {
        Self { mfa, claims: Map::new() }.with("sub", sub).with("type", "access")
    }

    /// Puts a claim into every login token of this person.
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.claims.insert(name.to_owned(), value.into());
        self
    }

    /// Gives the person an e-mail address.
    pub fn with_email(self, email: &str) -> Self {
        self.with("email", email)
    }

    /// Whether the login tokens of this person carry an e-mail address.
    pub fn has_email(&self) -> bool {
        self.claims.contains_key("email")
    }

    /// Gives the person a phone number.
    pub fn with_phone(self, phone: &str) -> Self {
        self.with("phone", phone)
    }

    /// Leaves a claim out of every login token of this person.
    pub fn without(mut self, name: &str) -> Self {
        self.claims.remove(name);
        self
    }

    /// Signs in. The token lives for a year and has its own session, unless the claims say
    /// otherwise. A claim with the value `(none)` is left out. Every call sends a renewed token, as
    /// identity providers make one every few minutes.
    pub fn login(&self) -> Login {
        let mut claims = self.claims.clone();
        let session = uuid::Uuid::from_bytes(mfa::random::bytes().expect("randomness")).to_string();
        claims.entry("sessionId").or_insert(session.into());
        claims.entry("exp").or_insert((self.mfa.clock.now().as_secs() + 366 * 86_400).into());
        claims.retain(|_, value| *value != json!("(none)"));
        Login {
            mfa: Arc::clone(&self.mfa),
            token: sign(&self.mfa, &claims),
            renewed: claims,
            source_ip: HOME.to_owned(),
        }
    }

    /// Signs any claims as the application does.
    pub fn sign(&self, claims: &Map<String, Value>) -> String {
        sign(&self.mfa, claims)
    }
}

fn sign(mfa: &TestApp, claims: &Map<String, Value>) -> String {
    let secret = mfa.variables.get("MFA_JWT_SECRET").expect("a secret");
    jsonwebtoken::encode(&Header::default(), claims, &EncodingKey::from_secret(secret.as_bytes())).expect("a token")
}

impl Login {
    /// A login with this token.
    pub fn with_token(mfa: &Arc<TestApp>, token: impl Into<String>) -> Self {
        Self { mfa: Arc::clone(mfa), token: token.into(), renewed: Map::new(), source_ip: HOME.to_owned() }
    }

    /// The same login with another token.
    pub fn with(&self, token: impl Into<String>) -> Self {
        Self { source_ip: self.source_ip.clone(), ..Self::with_token(&self.mfa, token) }
    }

    /// The same login from another address.
    pub fn from(&self, source_ip: &str) -> Self {
        Self { source_ip: source_ip.to_owned(), ..self.clone() }
    }

    /// The same login at another bundle.
    pub fn at(&self, mfa: &Arc<TestApp>) -> Self {
        Self { mfa: Arc::clone(mfa), ..self.clone() }
    }

    /// Calls a route with one more header.
    pub async fn call_with(&self, method: Method, path: &str, name: &'static str, value: &str) -> Response {
        let mut headers = self.headers();
        headers.insert(name, HeaderValue::from_str(value).expect("a header value"));
        self.mfa.request_from(&self.source_ip, method, path, headers, Vec::new()).await
    }

    /// The token that the next call sends: another one than before, of the same login.
    fn renewed_token(&self) -> String {
        if self.renewed.is_empty() {
            return self.token.clone();
        }
        let mut claims = self.renewed.clone();
        // What names a token and no login: Entra's claim.
        let id = uuid::Uuid::from_bytes(mfa::random::bytes().expect("randomness")).to_string();
        claims.insert("uti".to_owned(), id.into());
        claims.entry("iat").or_insert(self.mfa.clock.now().as_secs().into());
        sign(&self.mfa, &claims)
    }

    fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let bearer = HeaderValue::from_str(&format!("Bearer {}", self.renewed_token())).expect("a header value");
        headers.insert(header::AUTHORIZATION, bearer);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::USER_AGENT, HeaderValue::from_static("Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"));
        headers
    }

    /// Calls a route.
    pub async fn call(&self, method: Method, path: &str, body: Vec<u8>) -> Response {
        self.mfa.request_from(&self.source_ip, method, path, self.headers(), body).await
    }

    /// Posts JSON.
    pub async fn post(&self, path: &str, body: Value) -> Response {
        self.call(Method::POST, path, body.to_string().into_bytes()).await
    }

    /// `GET status`.
    pub async fn status(&self) -> Value {
        self.call(Method::GET, "/auth/mfa/status", Vec::new()).await.assert_ok()
    }

    /// `GET devices`.
    pub async fn devices(&self) -> Value {
        self.call(Method::GET, "/auth/mfa/devices", Vec::new()).await.assert_ok()
    }

    /// `POST toggle`.
    pub async fn toggle(&self, enabled: bool) -> Response {
        self.post("/auth/mfa/toggle", json!({ "enabled": enabled })).await
    }

    /// `POST challenge`.
    pub async fn challenge(&self, method: &str) -> Response {
        self.post("/auth/mfa/challenge", json!({ "method": method })).await
    }

    /// `POST setup-totp` with an empty body.
    pub async fn setup(&self) -> Response {
        self.call(Method::POST, "/auth/mfa/setup-totp", Vec::new()).await
    }

    /// `POST verify-totp-setup`.
    pub async fn confirm(&self, otp: &str, secret: &str) -> Response {
        self.post("/auth/mfa/verify-totp-setup", json!({ "otp": otp, "secret": secret })).await
    }

    /// `POST verify`.
    pub async fn verify(&self, method: &str, otp: &str) -> Response {
        self.post("/auth/mfa/verify", json!({ "method": method, "otp": otp })).await
    }

    /// `PATCH devices/{id}`.
    pub async fn rename(&self, device_id: &str, name: &str) -> Response {
        let body = json!({ "deviceName": name }).to_string().into_bytes();
        self.call(Method::PATCH, &format!("/auth/mfa/devices/{device_id}"), body).await
    }

    /// `DELETE devices/{id}`.
    pub async fn remove(&self, device_id: &str) -> Response {
        self.call(Method::DELETE, &format!("/auth/mfa/devices/{device_id}"), Vec::new()).await
    }

    /// `POST generate-recovery-code`.
    pub async fn generate_recovery_codes(&self) -> Vec<String> {
        let answer = self.call(Method::POST, "/auth/mfa/generate-recovery-code", Vec::new()).await.assert_ok();
        let codes = answer["codes"].as_array().expect("codes").iter();
        codes.map(|code| code.as_str().expect("a code").to_owned()).collect()
    }

    /// `POST verify-recovery-code`.
    pub async fn recover(&self, code: &str) -> Response {
        self.post("/auth/mfa/verify-recovery-code", json!({ "code": code })).await
    }

    /// `POST reset-totp`.
    pub async fn reset(&self, code: &str) -> Response {
        self.post("/auth/mfa/reset-totp", json!({ "code": code })).await
    }

    /// `POST verify` with `trustDevice`. Returns the trust token.
    pub async fn trust(&self, method: &str, otp: &str) -> String {
        let body = json!({ "method": method, "otp": otp, "trustDevice": true });
        let answer = self.post("/auth/mfa/verify", body).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.text("trustToken")
    }

    /// `POST verify-trusted-device`.
    pub async fn verify_trusted(&self, trust_token: &str) -> Response {
        let path = "/auth/mfa/verify-trusted-device";
        self.call_with(Method::POST, path, "nest_auth_device_trust", trust_token).await
    }

    /// `POST challenge`, with the token of a trusted device.
    pub async fn challenge_trusted(&self, method: &str, trust_token: &str) -> Response {
        self.challenge_with(method, "nest_auth_device_trust", trust_token).await
    }

    /// `POST challenge`, with a header in place of its own or in addition.
    pub async fn challenge_with(&self, method: &str, name: &'static str, value: &str) -> Response {
        let mut headers = self.headers();
        headers.insert(name, HeaderValue::from_bytes(value.as_bytes()).expect("a header value"));
        let body = json!({ "method": method }).to_string().into_bytes();
        self.mfa.request_from(&self.source_ip, Method::POST, "/auth/mfa/challenge", headers, body).await
    }

    /// `GET trusted-devices`.
    pub async fn trusted_devices(&self) -> Response {
        self.call(Method::GET, "/auth/mfa/trusted-devices", Vec::new()).await
    }

    /// `DELETE trusted-devices/{id}`.
    pub async fn revoke(&self, id: &str) -> Response {
        self.call(Method::DELETE, &format!("/auth/mfa/trusted-devices/{id}"), Vec::new()).await
    }

    /// Lists the sessions.
    pub async fn sessions(&self) -> Response {
        self.call(Method::GET, "/auth/mfa/sessions", Vec::new()).await
    }

    /// Ends a session by its id, or `current`, or `others`.
    pub async fn end_session(&self, id: &str) -> Response {
        self.call(Method::DELETE, &format!("/auth/mfa/sessions/{id}"), Vec::new()).await
    }

    /// Opens a set-up.
    pub async fn open_authenticator(&self) -> Authenticator {
        let answer = self.setup().await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        Authenticator { secret: answer.text("secret"), device_id: answer.text("deviceId") }
    }

    /// Sets up an authenticator and confirms it with its current code.
    pub async fn enrol(&self) -> Authenticator {
        let authenticator = self.open_authenticator().await;
        let code = authenticator.code(&self.mfa);
        self.confirm(&code, &authenticator.secret).await.assert_ok();
        authenticator
    }

    /// `POST setup-passkey` with an empty body.
    pub async fn setup_passkey(&self) -> Response {
        self.call(Method::POST, "/auth/mfa/setup-passkey", Vec::new()).await
    }

    /// `POST verify-passkey-setup`.
    pub async fn confirm_passkey(&self, credential: &Value) -> Response {
        self.post("/auth/mfa/verify-passkey-setup", json!({ "credential": credential })).await
    }

    /// `POST challenge-passkey`.
    pub async fn challenge_passkey(&self) -> Response {
        self.call(Method::POST, "/auth/mfa/challenge-passkey", Vec::new()).await
    }

    /// `POST verify-passkey`.
    pub async fn verify_passkey(&self, credential: &Value) -> Response {
        self.post("/auth/mfa/verify-passkey", json!({ "credential": credential })).await
    }

    /// Registers a new key on the bundle's own page. Then the clock moves on, because each challenge
    /// must be later than the registration.
    pub async fn register(&self) -> SoftKey {
        let mut key = SoftKey::at("https://login.example.com");
        let asked = self.setup_passkey().await.assert_ok();
        self.confirm_passkey(&key.create(&asked["publicKey"])).await.assert_ok();
        self.mfa.advance(1);
        key
    }

    /// Asks for a challenge and has the key answer it.
    pub async fn answer_with(&self, key: &mut SoftKey) -> Value {
        key.get(&self.challenge_passkey().await.assert_ok()["publicKey"])
    }

    /// Uses a key. The clock moves on, as after [`Self::register`].
    pub async fn use_key(&self, key: &mut SoftKey) -> Response {
        let answer = self.answer_with(key).await;
        let response = self.verify_passkey(&answer).await;
        self.mfa.advance(1);
        response
    }

    /// Asks for a code and reads it from the inbox.
    pub async fn receive_code(&self, method: &str) -> String {
        self.challenge(method).await.assert_ok();
        self.mfa.inbox.messages().last().and_then(|message| message.code.clone()).expect("a code in the inbox")
    }

    /// Gives a right code. Returns the same login with the token that proves the code.
    pub async fn prove(&self, method: &str, otp: &str) -> Self {
        let answer = self.verify(method, otp).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        Self::with_token(&self.mfa, answer.text("accessToken"))
    }
}

impl Authenticator {
    /// The current code, by the bundle's clock.
    pub fn code(&self, mfa: &TestApp) -> String {
        totp_code(&self.secret, mfa.clock.now().as_secs())
    }

    /// Moves the bundle's clock to the next step, for everybody, and returns the code of that step.
    pub fn advance_to_next_code(&self, mfa: &TestApp) -> String {
        mfa.advance(30);
        self.code(mfa)
    }
}

/// The TOTP code of a base-32 secret at a moment, in seconds since the epoch.
pub fn totp_code(secret: &str, unix_seconds: u64) -> String {
    let secret = Secret::try_from_base32(secret).expect("base 32");
    Builder::new().with_secret(secret).build_noncompliant().generate(unix_seconds).to_string()
}

/// Six digits that differ from `right`. Each `n` gives other digits.
pub fn wrong_code(right: &str, n: usize) -> String {
    let right: usize = right.parse().expect("digits");
    format!("{:06}", (right + 1 + n) % 1_000_000)
}

/// The claims of a token. Its signature is not checked.
pub fn claims_of(token: &str) -> Map<String, Value> {
    let payload = token.split('.').nth(1).expect("a payload");
    let payload = data_encoding::BASE64URL_NOPAD.decode(payload.as_bytes()).expect("base 64");
    serde_json::from_slice(&payload).expect("claims")
}
