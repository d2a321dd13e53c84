use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use lambda_http::http::{HeaderMap, HeaderValue, Method, header};
use mfa::{
    App,
    config::{Config, Part},
    domain::{Ledger, Timestamp},
    http::{Event, Incoming, LogLine},
    storage::Table,
};
use mfa_admin_function::{Command, Page, PageReply, Reply, Request as AdminRequest};
use mfa_local::{
    Inbox, LocalRoute, LocalTable, Services, StartServices, clock::LocalClock, environment, routes, stream::Stream,
};
use mfa_notify::Notify;
use serde_json::Value;

use crate::{FaultProxy, Login, Person, Response, runtime_api::read_event};

/// The moment at which every test begins. It lies in the future, so that no engine's own clock
/// treats an item as expired.
pub const START: Timestamp = Timestamp::from_secs(1_893_456_000);

/// Who has commands of operators carried out.
pub const OPERATOR: &str = "arn:aws:sts::123456789012:assumed-role/Support/carol";

/// The settings of a bundle that offers passkeys for `example.com`, on pages of `login.example.com`.
pub const PASSKEYS: &[(&str, &str)] = &[
    ("MFA_METHODS", "totp,email,sms,passkey"),
    ("MFA_PASSKEY_RP_ID", "example.com"),
    ("MFA_PASSKEY_ORIGINS", "https://login.example.com"),
];

/// The address that requests come from unless a test says another.
pub(crate) const HOME: &str = "203.0.113.7";

/// The bundle of one test: production code, an engine, an inbox, and a clock that only the test
/// moves.
pub struct TestApp {
    /// The bundle.
    pub app: App,
    /// Its clock.
    pub clock: LocalClock,
    /// The messages that the bundle sent.
    pub inbox: Inbox,
    /// The table as an operator uses it.
    pub table: LocalTable,
    /// The proxy in front of `DynamoDB` and of what sends messages.
    pub fault_proxy: FaultProxy,
    /// The environment variables that the bundle was configured with.
    pub variables: BTreeMap<String, String>,
    /// The table without the fault proxy.
    direct: Table,
    routes: Vec<LocalRoute>,
    log: Mutex<Vec<LogLine>>,
    /// What is written to the table, if somebody is told of it.
    stream: Option<Stream>,
    /// The records that `notify` gave back.
    unfinished: Mutex<Vec<Value>>,
}

impl TestApp {
    /// Starts a bundle with the development configuration.
    pub async fn start() -> Arc<Self> {
        Self::start_with(&[]).await
    }

    /// Starts a bundle with the development configuration, changed by these variables.
    pub async fn start_with(settings: &[(&str, &str)]) -> Arc<Self> {
        Self::start_as(settings, false).await
    }

    /// The same, with a stream of the table: [`Self::notify`] hands on what was written.
    pub async fn start_telling(settings: &[(&str, &str)]) -> Arc<Self> {
        Self::start_as(settings, true).await
    }

    async fn start_as(settings: &[(&str, &str)], watch: bool) -> Arc<Self> {
        let clock = LocalClock::standing_at(START);
        let wanted = StartServices { dynamodb: engine_under_test(), watch, ..StartServices::default() };
        let services = Services::start(wanted, &clock).await.expect("services");
        let fault_proxy = FaultProxy::start(&services.endpoints.dynamodb, &services.endpoints.ses).await;

        let mut variables: BTreeMap<String, String> = environment::variables(&services.endpoints)
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        let table = format!("test-{}", uuid::Uuid::from_bytes(mfa::random::bytes().expect("randomness")));
        variables.insert("MFA_TABLE".to_owned(), table.clone());
        for service in ["DYNAMODB", "SES", "SNS", "END_USER_MESSAGING", "EVENTBRIDGE"] {
            variables.insert(format!("MFA_{service}_ENDPOINT"), fault_proxy.url.clone());
        }
        variables.insert("MFA_STACK".to_owned(), "test".to_owned());
        variables.insert("MFA_AWS_TIMEOUT_MS".to_owned(), "30000".to_owned());
        variables.extend(settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));

        let name = table;
        let table = LocalTable::new(&services.endpoints.dynamodb, &name);
        table.create(watch && services.writes.is_none()).await.expect("a table");
        let stream = match services.writes {
            Some(writes) => Some(Stream::Watched(writes)),
            None => watch.then(|| Stream::of(&services.endpoints.dynamodb, &name)),
        };
        let config = Config::from_vars(&Part::ALL, &variables).expect("a configuration");
        let mut direct = config.clone();
        direct.aws.dynamodb_endpoint = Some(services.endpoints.dynamodb);
        let app = App::new(config, clock.for_app());
        // A table that is in use: the first ledger of a new one claims it.
        app.table.claim().await.expect("the hash key of the table");
        fault_proxy.take_calls();
        Arc::new(Self {
            routes: routes(&|_| app.clone()),
            app,
            clock,
            inbox: services.inbox,
            table,
            fault_proxy,
            variables,
            direct: Table::new(&direct, &direct.keys()),
            log: Mutex::default(),
            stream,
            unfinished: Mutex::default(),
        })
    }

    /// The same table, inbox and clock under another configuration, as after a new deployment.
    pub fn redeployed_with(self: &Arc<Self>, settings: &[(&str, &str)]) -> Arc<Self> {
        let mut variables = self.variables.clone();
        variables.extend(settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let config = Config::from_vars(&Part::ALL, &variables).expect("a configuration");
        let app = App::new(config, self.clock.for_app());
        self.serving(app.clone(), variables, routes(&|_| app.clone()))
    }

    /// The same bundle, inbox and clock on another table, as after a restore.
    pub fn on_table(self: &Arc<Self>, name: &str, table: LocalTable) -> Arc<Self> {
        let mut moved = Arc::into_inner(self.redeployed_with(&[("MFA_TABLE", name)])).expect("the only one");
        moved.table = table;
        Arc::new(moved)
    }

    /// The same, but each function reads its own environment: `environment` gives the variables of
    /// a function that uses these parts.
    pub fn with_environments(self: &Arc<Self>, environment: impl Fn(&[Part]) -> BTreeMap<String, String>) -> Arc<Self> {
        let app_with = |parts: &[Part]| {
            let variables = environment(parts);
            let config = Config::from_vars(parts, &variables).expect("a configuration");
            App::new(config, self.clock.for_app())
        };
        self.serving(self.app.clone(), self.variables.clone(), routes(&app_with))
    }

    fn serving(&self, app: App, variables: BTreeMap<String, String>, routes: Vec<LocalRoute>) -> Arc<Self> {
        Arc::new(Self {
            routes,
            app,
            clock: self.clock.clone(),
            inbox: self.inbox.clone(),
            table: self.table.clone(),
            fault_proxy: self.fault_proxy.clone(),
            variables,
            direct: self.direct.clone(),
            log: Mutex::default(),
            stream: self.stream.clone(),
            unfinished: Mutex::default(),
        })
    }

    /// A person with this user id.
    pub fn user(self: &Arc<Self>, sub: &str) -> Person {
        Person::new(Arc::clone(self), sub)
    }

    /// Hands to `notify` what was written since the last call, and what it gave back then, as Lambda
    /// does. Returns how many records it gives back now.
    pub async fn notify(&self) -> usize {
        let mut records = std::mem::take(&mut *self.unfinished.lock().unwrap_or_else(PoisonError::into_inner));
        records.extend(self.written().await);
        let event = serde_json::from_value(serde_json::json!({ "Records": &records })).expect("an event");
        let (unfinished, line) = Notify::new(&self.app).answer(&self.app, &event, "a request").await;
        self.log.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        let is_left = |record: &Value| {
            let number = record["dynamodb"]["SequenceNumber"].as_str();
            unfinished.failures.iter().any(|failure| Some(failure.sequence_number.as_str()) == number)
        };
        records.retain(is_left);
        let left = records.len();
        *self.unfinished.lock().unwrap_or_else(PoisonError::into_inner) = records;
        left
    }

    /// What was written since this or [`Self::notify`] was last called, as records of the stream.
    pub async fn written(&self) -> Vec<Value> {
        self.stream.as_ref().expect("start_telling").take(usize::MAX).await.expect("a stream")
    }

    /// The records that `notify` gave back.
    pub fn unfinished(&self) -> Vec<Value> {
        self.unfinished.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Moves the clock forward.
    pub fn advance(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    /// Every route of the bundle.
    pub fn routes(&self) -> &[LocalRoute] {
        &self.routes
    }

    /// Runs a request through the pipeline of the route at `path`, as Lambda does.
    pub async fn request(&self, method: Method, path: &str, headers: HeaderMap, body: Vec<u8>) -> Response {
        self.request_from(HOME, method, path, headers, body).await
    }

    /// As [`Self::request`], from this address.
    pub async fn request_from(
        &self,
        source_ip: &str,
        method: Method,
        path: &str,
        headers: HeaderMap,
        body: Vec<u8>,
    ) -> Response {
        let request_id = uuid::Uuid::from_bytes(mfa::random::bytes().expect("randomness")).to_string();
        let source_ip = Some(source_ip.to_owned());
        self.serve(path, Incoming { request_id, method, headers, source_ip, path_parameter: None, body: Some(body) })
            .await
    }

    /// `POST refresh-token`, which needs no bearer token.
    pub async fn refresh(&self, refresh_token: &str) -> Response {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static("application/json"));
        let body = serde_json::json!({ "refreshToken": refresh_token });
        self.request(Method::POST, "/auth/refresh-token", headers, body.to_string().into_bytes()).await
    }

    /// Has a command of an operator carried out, as the function `admin` does.
    pub async fn admin(&self, command: Command) -> Reply {
        self.admin_with(AdminRequest {
            function: "mfa-admin".to_owned(),
            command,
            login: None,
            reason: Some("a test".to_owned()),
            dry_run: false,
            caller: None,
        })
        .await
    }

    /// The same, with a whole request.
    pub async fn admin_with(&self, request: AdminRequest) -> Reply {
        let access = request.command.access();
        let caller = Ok(Some(OPERATOR.to_owned()));
        let (reply, log) = mfa_admin_function::answer(&self.app, access, &request, caller, "test").await;
        self.log.lock().unwrap_or_else(PoisonError::into_inner).push(log);
        reply
    }

    /// Has a command carried out for all users, in two parts. Returns what the pages say together.
    ///
    /// # Panics
    /// If a page is refused.
    pub async fn admin_all(&self, command: impl Fn(Page) -> Command) -> PageReply {
        let mut whole = PageReply::default();
        for segment in 0..2 {
            let mut start = None;
            loop {
                let reply = self.admin(command(Page::of_part(segment, 2, start))).await;
                let Reply::Page(page) = reply else { panic!("no page: {reply:?}") };
                whole.users += page.users;
                whole.read_units += page.read_units;
                whole.write_units += page.write_units;
                for (name, count) in page.counts {
                    *whole.counts.entry(name).or_default() += count;
                }
                whole.findings.extend(page.findings);
                whole.failed.extend(page.failed);
                start = page.next;
                if start.is_none() {
                    break;
                }
            }
        }
        whole
    }

    /// Runs the sample event of a route, by this caller in place of its own.
    pub async fn replay_sample(&self, name: &str, login: Option<&Login>) -> Response {
        let event = read_event(name);
        let (_, mut incoming) = Event::read(event.as_bytes()).request("test").expect("a request");
        let event: Value = serde_json::from_str(&event).expect("JSON");
        let path = event["rawPath"].as_str().expect("a path");
        incoming.headers.remove(header::AUTHORIZATION);
        if let Some(login) = login {
            let bearer = format!("Bearer {}", login.token);
            incoming.headers.insert(header::AUTHORIZATION, HeaderValue::from_str(&bearer).expect("a header value"));
        }
        self.serve(path, incoming).await
    }

    /// Runs a request that a host handed over.
    pub async fn serve(&self, path: &str, incoming: Incoming) -> Response {
        // Routes that share a path differ by method. If none has this one, one of them answers 405.
        let fits = |route: &&LocalRoute| parameter_of(route.path, path).is_some();
        let (same, other): (Vec<_>, Vec<_>) =
            self.routes.iter().filter(fits).partition(|route| route.method == incoming.method);
        let route = same.into_iter().chain(other).next().expect("a route");
        let path_parameter = parameter_of(route.path, path).filter(|value| !value.is_empty());
        let mut secrets = secrets_of(&incoming);
        let served = route.serve(Incoming { path_parameter, ..incoming }).await;
        let (parts, body) = served.response.into_parts();
        let body = serde_json::from_slice(&body).expect("every body is JSON");
        secrets.add(&body);
        secrets.assert_are_not_in(&served.log);
        self.log.lock().unwrap_or_else(PoisonError::into_inner).push(served.log);
        Response { status: parts.status.as_u16(), headers: parts.headers, body }
    }

    /// All log lines, as they are written.
    pub fn log(&self) -> String {
        let lines = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().map(|line| serde_json::to_string(line).expect("JSON") + "\n").collect()
    }

    /// Takes the log lines since this was last asked.
    pub fn take_log(&self) -> Vec<Value> {
        let lines = std::mem::take(&mut *self.log.lock().unwrap_or_else(PoisonError::into_inner));
        lines.iter().map(|line| serde_json::to_value(line).expect("JSON")).collect()
    }

    /// The items whose sort key begins with `prefix`, as stored.
    pub async fn items(&self, prefix: &str) -> Vec<Value> {
        let mut items = self.dump().await;
        items.retain(|item| item["sk"]["S"].as_str().is_some_and(|key| key.starts_with(prefix)));
        items
    }

    /// The user's ledger, if the table has one.
    pub async fn ledger(&self, sub: &str) -> Option<Ledger> {
        let user = self.app.keys.user_id(sub);
        let snapshot = self.direct.snapshot(user, self.clock.now()).await.expect("a snapshot");
        snapshot.stored.then_some(snapshot.ledger)
    }

    /// All items of the table, as stored.
    pub async fn dump(&self) -> Vec<Value> {
        self.table.dump().await.expect("a dump")
    }
}

/// What the log line of a request must not hold.
#[derive(Default)]
struct Secrets {
    /// Tokens, secrets and addresses, which are long enough to be searched anywhere.
    long: Vec<String>,
    /// Codes. An id can hold the same digits by chance, so they are searched in texts alone.
    codes: Vec<String>,
}

fn secrets_of(incoming: &Incoming) -> Secrets {
    let mut secrets = Secrets::default();
    for (name, value) in &incoming.headers {
        let is_secret = *name == header::AUTHORIZATION || name.as_str().contains("trust");
        let value = String::from_utf8_lossy(value.as_bytes()).trim().to_owned();
        let token = value.rsplit(' ').next().unwrap_or_default().to_owned();
        secrets.long.extend((is_secret && token.len() > 20).then_some(token));
    }
    let bearer = secrets.long.first().and_then(|token| token.split('.').nth(1)).unwrap_or_default();
    let claims = data_encoding::BASE64URL_NOPAD.decode(bearer.as_bytes()).unwrap_or_default();
    let claims: Value = serde_json::from_slice(&claims).unwrap_or_default();
    let addresses = ["email", "phone_number"].iter().filter_map(|name| claims[name].as_str());
    secrets.long.extend(addresses.filter(|address| address.len() > 9).map(ToOwned::to_owned));
    secrets.add(&serde_json::from_slice(incoming.body.as_deref().unwrap_or_default()).unwrap_or_default());
    secrets
}

impl Secrets {
    /// Adds what a body holds.
    fn add(&mut self, body: &Value) {
        let mut fields: Vec<_> = body.as_object().into_iter().flatten().collect();
        while let Some((name, value)) = fields.pop() {
            match value {
                Value::Object(inner) => fields.extend(inner),
                Value::Array(list) => fields.extend(list.iter().map(|value| (name, value))),
                Value::String(text) if matches!(name.as_str(), "otp" | "code") && text.len() >= 6 => {
                    self.codes.push(text.clone());
                }
                Value::String(text) => match name.as_str() {
                    "secret" | "accessToken" | "refreshToken" | "trustToken" | "otpauthUrl" | "codes"
                        if text.len() > 15 =>
                    {
                        self.long.push(text.clone());
                    }
                    _ => {}
                },
                _ => {}
            }
        }
    }

    #[track_caller]
    fn assert_are_not_in(&self, log: &LogLine) {
        let line = serde_json::to_string(log).expect("JSON");
        let texts =
            [Some(log.message.as_str()), log.cause.as_deref(), log.browser.as_deref(), log.message_id.as_deref()];
        for secret in &self.long {
            assert!(!line.contains(secret.as_str()), "{secret} in {line}");
        }
        // The error code of an answer stands in the field `code`, as a code that was sent does.
        for code in self.codes.iter().filter(|code| !code.contains('_')) {
            let is_told = texts.iter().flatten().any(|text| text.contains(code.as_str()));
            assert!(!is_told, "{code} in {line}");
        }
    }
}

/// The part of `path` that stands for the parameter of `pattern`. Empty if `pattern` has no
/// parameter, `None` if `path` does not match it.
fn parameter_of(pattern: &str, path: &str) -> Option<String> {
    match pattern.split_once('{') {
        None => (pattern == path).then(String::new),
        Some((start, _)) => path.strip_prefix(start).map(ToOwned::to_owned),
    }
}

/// The engine that the suite runs against: embedded, unless the environment names another.
#[expect(clippy::disallowed_methods, reason = "the suite's own switch")]
fn engine_under_test() -> Option<String> {
    std::env::var("MFA_TEST_DYNAMODB_URL").ok()
}
