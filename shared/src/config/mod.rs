//! The configuration. It is read once at start into types, and all its faults are reported
//! together.

mod claim_name;
mod key_set;
mod login;
mod messages;
mod own_keys;
mod passkeys;
mod pem;
mod presets;
mod reader;
mod sender;
mod settings;
mod sms;

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    hash::Hash,
    sync::Arc,
    time::Duration,
};

use aws_sdk_dynamodb::config::SharedHttpClient;
use jsonwebtoken::jwk::Jwk;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

pub(crate) use claim_name::is_never_copied;
pub use claim_name::{ClaimName, POLICY_CLAIMS};
pub use key_set::KeySet;
pub use login::{
    ContactConfig, EMAIL_MARKS, LOGIN_CLAIMS, LoginConfig, LoginKeyConfig, PHONE_MARKS, PolicyClaims, VerifiedContact,
};
pub use own_keys::SigningKey;
pub use passkeys::PasskeyConfig;
pub use presets::{PRESETS, Preset};
pub use reader::ConfigErrors;
pub use sms::{DltIds, EndUserMessagingConfig, OriginationIdentity, SmsConfig, SmsService, SnsConfig};

use crate::{
    domain::{
        Countries, Method, Notices, Policy,
        access::RouteRequirements,
        keys::{Keys, SealingKey},
    },
    messages::{MessageSettings, gsm7_septets},
    tls,
};
use reader::Reader;

/// Keys for development. Everybody knows them, so they are refused unless the table is on this
/// machine.
pub mod development {
    /// `MFA_JWT_SECRET` of development.
    pub const JWT_SECRET: &str = "mfa-development-secret-known-to-everybody";
    /// `MFA_HASH_KEY` of development.
    pub const HASH_KEY: &str = "bWZhLWRldmVsb3BtZW50LWhhc2gta2V5LTAwMDAwMDA=";
    /// `MFA_SEALING_KEYS` of development.
    pub const SEALING_KEYS: &str = "dev:bWZhLWRldmVsb3BtZW50LXNlYWxpbmcta2V5LTAwMDA=";
    /// The thumbprints (RFC 7638) of the key pairs in `local/keys/`: EC, Ed25519 and RSA.
    pub const KEYS: [&str; 3] = [
        "jGYGleJEFC6q7OKSSgfB3NuzwfkJdBoMrECJo9mEsAg",
        "wEbdWWHAl7wL0H2DI3IAoPJ3y_63dIqJwzyhd1n2UbM",
        "C80a3I4ealIBioDhuIDfKlXqm4ioPPXmShwj439zoMA",
    ];

    /// Texts that stood in a document as an example of `MFA_JWT_SECRET`, and were taken for one.
    pub(super) const PRINTED_SECRETS: [&str; 7] = [
        JWT_SECRET,
        "the HS256 secret of your login tokens, at least 32 bytes",
        "the secret of the staff's login, at least 32 bytes",
        "a secret for development, not for users",
        // https://jwt.io
        "a-string-secret-at-least-256-bits-long",
        "a-valid-string-secret-that-is-at-least-384-bits-long",
        "a-valid-string-secret-that-is-at-least-512-bits-long-which-is-very-long",
    ];

    pub(super) const REFUSED: &str =
        "is a key that a document prints, and only a DynamoDB on this machine may be used with it";
}

/// A part of the configuration that some functions use and others do not. A function reads the
/// variables of its own parts only, so its environment need not hold the others' keys.
///
/// The numbers and switches of [`Policy`] and the public halves of our own keys are no part: every
/// function reads them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Knows users: checks bearer tokens, and computes keyed hashes.
    Users,
    /// Reads and writes the table.
    Table,
    /// Seals secrets and opens them: of authenticators, and the claims of sessions.
    SealingKeys,
    /// Signs access tokens.
    SigningKey,
    /// Says the application's name.
    AppName,
    /// Sends codes by e-mail and text message.
    Sending,
    /// Registers passkeys and checks their answers.
    Passkeys,
    /// Knows what the application's own routes demand.
    RouteRequirements,
    /// Tells owners and the application of changes: computes keyed hashes, but checks no token.
    Notices,
}

impl Part {
    /// Every part.
    pub const ALL: [Self; 9] = [
        Self::Users,
        Self::Table,
        Self::SealingKeys,
        Self::SigningKey,
        Self::AppName,
        Self::Sending,
        Self::Passkeys,
        Self::RouteRequirements,
        Self::Notices,
    ];
}

/// Variables of an environment, by name.
pub type Variables = BTreeMap<String, String>;

/// What an operator chooses, as far as the function uses it: the rest is empty.
#[derive(Clone)]
pub struct Config {
    /// The numbers and switches of the rules.
    pub policy: Policy,
    /// The application's name, in authenticators and messages: 1 to 32 characters that a text
    /// message can hold.
    pub app_name: String,
    /// The table.
    pub table: String,
    /// The name of the stack, which its metrics carry. Without it, the log holds none.
    pub stack: Option<Arc<str>>,
    /// How to reach AWS.
    pub aws: AwsConfig,
    /// How codes are sent by e-mail, if the method is offered.
    pub email: Option<EmailConfig>,
    /// How codes are sent by text message, if the method is offered.
    pub sms: Option<SmsConfig>,
    /// Whom passkeys belong to, if the method is offered.
    pub passkeys: Option<PasskeyConfig>,
    /// What messages say.
    pub messages: MessageSettings,
    /// The ARN of the event bus that the application is told of changes on, if there is one.
    pub event_bus: Option<String>,
    /// How bearer tokens are checked and made.
    pub jwt: JwtConfig,
    /// What the application's own routes demand. The authorizer reads it.
    pub route_requirements: RouteRequirements,
    /// The claims that the authorizer hands on to the application.
    pub authorizer_claims: Vec<ClaimName>,
    hash_key: Zeroizing<Vec<u8>>,
    sealing_keys: Vec<NamedKey>,
}

/// How to reach AWS. Lambda sets the region and the credentials.
#[derive(Clone)]
pub struct AwsConfig {
    /// The region.
    pub region: String,
    /// The access key id.
    pub access_key_id: String,
    /// The secret access key.
    pub secret_access_key: Zeroizing<String>,
    /// The session token, for temporary credentials.
    pub session_token: Option<Zeroizing<String>>,
    /// The address of a `DynamoDB` other than the region's.
    pub dynamodb_endpoint: Option<String>,
    /// The address of a SES other than the region's.
    pub ses_endpoint: Option<String>,
    /// The address of an SNS other than the region's.
    pub sns_endpoint: Option<String>,
    /// The address of an End User Messaging other than the region's.
    pub end_user_messaging_endpoint: Option<String>,
    /// The address of an `EventBridge` other than the region's.
    pub eventbridge_endpoint: Option<String>,
    /// The address of another AWS, for every service that has none of its own here.
    pub endpoint: Option<String>,
    /// The longest that one attempt of a call may take.
    ///
    /// Defaults to 2 s. Allowed: 100 ms to 60 s.
    pub timeout: Duration,
    /// The longest that a connection may take to open: half of `timeout`. One that fails then proves
    /// that nothing was sent.
    pub connect_timeout: Duration,
    /// Connects to them by TLS. Beside Amazon's root certificates, it trusts the machine's if
    /// `MFA_NATIVE_ROOTS` says so: proxies and emulators need it.
    pub https: SharedHttpClient,
}

/// How codes are sent by e-mail.
#[derive(Clone)]
pub struct EmailConfig {
    /// The value of the header `From`: an address, or a name and an address, of an identity that
    /// SES has verified.
    pub from: String,
    /// The address that answers go to.
    pub reply_to: Option<String>,
    /// The configuration set of SES, which says what becomes of bounces and complaints.
    pub configuration_set: Option<String>,
}

/// How bearer tokens are checked and made.
#[derive(Clone)]
pub struct JwtConfig {
    /// The logins whose tokens are accepted.
    pub logins: Vec<LoginConfig>,
    /// The issuer that our own tokens name. If none is configured, they keep that of the login.
    pub issuer: Option<String>,
    /// Claims that our own tokens have in addition.
    pub added_claims: Map<String, Value>,
    /// The key that signs our own tokens, if the function signs.
    pub signing_key: Option<SigningKey>,
    /// The public halves of our own keys: first of the key that signs, then of the one that will
    /// sign next or that signed until recently. They are published, and check our own tokens.
    pub public_keys: Vec<Jwk>,
}

impl JwtConfig {
    /// The login that a token of ours says it is from. Tokens from before there were several are of
    /// the one whose users have the space of a single login.
    #[must_use]
    pub fn login_named(&self, name: &str) -> Option<&LoginConfig> {
        let by_name = self.logins.iter().find(|login| login.name == name);
        by_name.or_else(|| self.logins.iter().find(|login| name.is_empty() && login.users.is_empty()))
    }
}

/// Reads the process environment. Nothing else does.
#[expect(clippy::disallowed_methods, reason = "the one reader of the environment")]
fn environment() -> Variables {
    let ours = std::env::vars_os().filter_map(|(name, value)| {
        let name = name.into_string().ok().filter(|name| name.starts_with("MFA_") || name.starts_with("AWS_"))?;
        Some((name, value.to_string_lossy().into_owned()))
    });
    ours.collect()
}

impl AwsConfig {
    /// Reads from the process environment how to reach AWS, and nothing else.
    ///
    /// # Errors
    /// [`ConfigErrors`] lists all faults at once.
    pub fn from_env() -> Result<Self, ConfigErrors> {
        let vars = environment();
        let mut read = Reader::new(&[Part::Table], &vars);
        let config = aws(&mut read);
        read.finish(config)
    }
}

impl Config {
    /// Reads the process environment.
    ///
    /// # Errors
    /// [`ConfigErrors`] lists all faults at once.
    pub fn from_env(parts: &[Part]) -> Result<Self, ConfigErrors> {
        Self::from_vars(parts, &environment())
    }

    /// Reads these parts of the configuration from `vars`. An empty value counts as not set.
    /// `MFA_SETTINGS` can hold further variables. A variable `MFA_…` that no part has is a fault: a
    /// misspelt one would otherwise be ignored.
    ///
    /// # Errors
    /// [`ConfigErrors`] lists all faults at once, by variable name, never by value.
    pub fn from_vars(parts: &[Part], vars: &Variables) -> Result<Self, ConfigErrors> {
        let (vars, faults) = settings::expand(vars);
        let mut read = Reader::new(parts, &vars);
        for wrong in faults {
            read.fault(settings::NAME, wrong);
        }
        let config = Self::read(&mut read);
        refuse_unknown_variables(&mut read);
        read.finish(config)
    }

    /// The names of all variables that there are.
    #[must_use]
    pub fn variables() -> BTreeSet<&'static str> {
        let none = Variables::new();
        let mut read = Reader::new(&Part::ALL, &none);
        Self::read(&mut read);
        let mut names = read.into_asked();
        names.insert(settings::NAME);
        names
    }

    fn read(read: &mut Reader<'_>) -> Self {
        let event_bus = event_bus(read);
        let policy = policy(read, event_bus.is_some());
        let aws = aws(read);
        read.is_local = aws.dynamodb_endpoint.as_deref().is_some_and(is_local);
        let stack = read.parsed("MFA_STACK", "must be 1 to 128 letters, digits, `-` or `_`", stack);
        let app_name = read.part(Part::AppName, app_name);
        read.part(Part::Users, |read| require_senders(read, &policy));
        let (email, sms, messages) = read.part(Part::Sending, |read| sending(read, &policy, &app_name));
        let passkeys = read.part(Part::Passkeys, |read| passkeys::read(read, &policy));
        let jwt = login::read(read);
        let (route_requirements, authorizer_claims) = read.part(Part::RouteRequirements, route_requirements);
        let hashes = if read.uses(Part::Users) { Part::Users } else { Part::Notices };
        let hash_key = read.part(hashes, hash_key);
        let sealing_keys = read.part(Part::SealingKeys, sealing_keys);
        let table = read.part(Part::Table, table);
        refuse_development_keys(read, &jwt);
        Self {
            policy,
            app_name,
            table,
            stack,
            aws,
            email,
            sms,
            passkeys,
            messages,
            event_bus,
            jwt,
            route_requirements,
            authorizer_claims,
            hash_key,
            sealing_keys,
        }
    }

    /// The keys that it configures.
    #[must_use]
    pub fn keys(&self) -> Keys {
        let sealing = self.sealing_keys.iter().filter_map(|(id, key)| SealingKey::new(id, key)).collect();
        Keys::derive(&self.hash_key, sealing)
    }
}

// It holds secrets, so nothing of it is printed.
impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Config(table {}, …)", self.table)
    }
}

/// A name of a stack, as `CloudFormation` allows it, and similar ones.
fn stack(text: &str) -> Option<Arc<str>> {
    let is_plain = text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    (text.len() <= 128 && is_plain).then(|| text.into())
}

/// The bus is read by every function: those that change users must know whether anybody is told.
fn event_bus(read: &mut Reader<'_>) -> Option<String> {
    // It says which stream the template connects. No function reads it.
    let wrong = "must be the ARN of a stream of a DynamoDB table";
    read.parsed("MFA_TABLE_STREAM", wrong, |text| {
        (text.starts_with("arn:") && text.contains("/stream/")).then_some(())
    });
    // By its ARN, which the template puts into the permission.
    read.parsed("MFA_EVENT_BUS", "must be the ARN of an event bus", |text| {
        let (_, name) = text.split_once(":event-bus/").filter(|_| text.starts_with("arn:"))?;
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
        ((1..=256).contains(&name.len()) && name.chars().all(is_plain)).then(|| text.to_owned())
    })
}

fn notices(read: &mut Reader<'_>) -> Notices {
    let has_sender = read.is_set("MFA_EMAIL_FROM");
    let chosen = read.parsed("MFA_NOTICES", "must be all, important or off", Notices::parse);
    if chosen.is_some_and(|chosen| chosen != Notices::Off) && !has_sender {
        read.fault("MFA_EMAIL_FROM", "is required if MFA_NOTICES is not off");
    }
    chosen.unwrap_or(if has_sender { Notices::Important } else { Notices::Off })
}

fn policy(read: &mut Reader<'_>, event_feed: bool) -> Policy {
    let default = Policy::default();
    let methods = read.parsed("MFA_METHODS", "must be a comma list of totp, email, sms and passkey", |text| {
        let methods: Option<Vec<_>> = text.split(',').map(|name| Method::parse(name.trim())).collect();
        methods.filter(|methods| all_differ(methods))
    });
    let countries = read.parsed("MFA_SMS_COUNTRIES", "must be a comma list such as `+1,+44,!+4470`", |text| {
        Countries::parse(text).ok()
    });
    let mut methods = methods.unwrap_or(default.methods);
    let sms_countries = countries.unwrap_or_default();
    methods.retain(|method| match method {
        Method::Email | Method::Totp | Method::Passkey => true,
        Method::Sms => !sms_countries.is_empty(),
    });
    if methods.is_empty() {
        read.fault("MFA_SMS_COUNTRIES", "is required if sms is the only method of MFA_METHODS");
    }
    Policy {
        enabled: read.switch("MFA_ENABLED", default.enabled),
        required: read.switch("MFA_REQUIRED", default.required),
        allow_user_toggle: read.switch("MFA_ALLOW_USER_TOGGLE", default.allow_user_toggle),
        allow_method_selection: read.switch("MFA_ALLOW_METHOD_SELECTION", default.allow_method_selection),
        methods,
        sms_countries,
        sms_per_day: read.number("MFA_SMS_PER_DAY", default.sms_per_day, 1..=10_000_000),
        bind_addresses: read.switch("MFA_BIND_ADDRESSES", default.bind_addresses),
        enrol_with_code: read.switch("MFA_ENROL_WITH_CODE", default.enrol_with_code),
        code_length: read.number("MFA_CODE_LENGTH", default.code_length, 6..=10),
        code_lifetime: read.seconds("MFA_CODE_LIFETIME", default.code_lifetime, 60..=600),
        access_token_lifetime: read.seconds("MFA_ACCESS_TOKEN_LIFETIME", default.access_token_lifetime, 60..=900),
        sessions: read.switch("MFA_SESSIONS", default.sessions),
        session_lifetime: read.seconds("MFA_SESSION_LIFETIME", default.session_lifetime, 300..=43_200),
        trusted_devices: read.switch("MFA_TRUSTED_DEVICES", default.trusted_devices),
        known_networks: read.switch("MFA_KNOWN_NETWORKS", default.known_networks),
        forwarded_hops: read.number("MFA_FORWARDED_HOPS", default.forwarded_hops, 0..=5),
        notices: notices(read),
        event_feed,
    }
}

fn app_name(read: &mut Reader<'_>) -> String {
    let name = read.parsed(
        "MFA_APP_NAME",
        "must be 1 to 32 letters, digits, blanks or plain punctuation of GSM 03.38, without a colon",
        |text| {
            let plain = text.chars().count() <= 32 && !text.chars().any(|c| c.is_control() || c == ':');
            let good = plain && gsm7_septets(text).is_some();
            good.then(|| text.to_owned())
        },
    );
    read.required("MFA_APP_NAME", name)
}

fn sending(
    read: &mut Reader<'_>,
    policy: &Policy,
    app_name: &str,
) -> (Option<EmailConfig>, Option<SmsConfig>, MessageSettings) {
    let style = messages::style(read);
    let email = messages::email(read, &style);
    let sms = sms::read(read);
    let settings = messages::settings(read, policy, (app_name, sms.as_ref()), style);
    (email, sms, settings)
}

/// What the authorizer tells the application besides the claims that it hands on.
const TOLD_BY_AUTHORIZER: [&str; 7] = ["sub", "login", "amr", "method", "authTime", "satisfiedByLogin", "reason"];

fn route_requirements(read: &mut Reader<'_>) -> (RouteRequirements, Vec<ClaimName>) {
    let wrong = "must be a list such as `POST /transfers = mfa max_age=300 methods=totp,sms; $default = token`";
    let routes = read.parsed("MFA_AUTHORIZER_ROUTES", wrong, RouteRequirements::parse);
    let wrong = "must be a comma list of claims, each once, none of them a name that the authorizer itself tells, or \
                 that looks like a proof";
    let is_ours = |name: &ClaimName| TOLD_BY_AUTHORIZER.contains(&name.as_str()) || name.looks_like_a_proof();
    let claims = read.parsed("MFA_AUTHORIZER_CLAIMS", wrong, |text| {
        login::claim_names(text).filter(|names| !names.iter().any(is_ours))
    });
    (routes.unwrap_or_default(), claims.unwrap_or_default())
}

fn table(read: &mut Reader<'_>) -> String {
    let table = read.text("MFA_TABLE");
    read.required("MFA_TABLE", table)
}

fn hash_key(read: &mut Reader<'_>) -> Zeroizing<Vec<u8>> {
    let key = read.parsed("MFA_HASH_KEY", "must be base64 of at least 32 bytes", parse_hash_key);
    read.required("MFA_HASH_KEY", key)
}

/// Reads a hash key: base64 of at least 32 bytes.
#[must_use]
pub fn parse_hash_key(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    base64_bytes(text).filter(|key| key.len() >= 32)
}

/// What a method is sent with must be there. Every function that knows users asks for it: otherwise
/// `toggle` would switch MFA on for a method that `challenge` cannot send by.
fn require_senders(read: &mut Reader<'_>, policy: &Policy) {
    for method in &policy.methods {
        let needed = match method {
            Method::Totp => Vec::new(),
            Method::Passkey => vec![("MFA_PASSKEY_RP_ID", "is required if MFA_METHODS holds passkey")],
            Method::Email => vec![("MFA_EMAIL_FROM", "is required if MFA_METHODS holds email")],
            Method::Sms => sms::needed(read),
        };
        for (name, wrong) in needed {
            if !read.is_set(name) {
                read.fault(name, wrong);
            }
        }
    }
}

#[expect(clippy::similar_names, reason = "SES and SNS are called so")]
fn aws(read: &mut Reader<'_>) -> AwsConfig {
    let calls_aws = read.uses(Part::Table) || read.uses(Part::Sending);
    let mut credential = |name| {
        let value = read.text(name);
        if calls_aws { read.required(name, value) } else { value.unwrap_or_default() }
    };
    let region = credential("AWS_REGION");
    let access_key_id = credential("AWS_ACCESS_KEY_ID");
    let secret_access_key = Zeroizing::new(credential("AWS_SECRET_ACCESS_KEY"));
    let session_token = read.text("AWS_SESSION_TOKEN").map(Zeroizing::new);
    let mut endpoint = |name| {
        read.parsed(name, "must begin with http:// or https://", |text| {
            (text.starts_with("http://") || text.starts_with("https://")).then(|| text.to_owned())
        })
    };
    let endpoint_of_all = endpoint("AWS_ENDPOINT_URL");
    let names = [
        "MFA_DYNAMODB_ENDPOINT",
        "MFA_SES_ENDPOINT",
        "MFA_SNS_ENDPOINT",
        "MFA_END_USER_MESSAGING_ENDPOINT",
        "MFA_EVENTBRIDGE_ENDPOINT",
    ];
    let [dynamodb_endpoint, ses_endpoint, sns_endpoint, end_user_messaging_endpoint, eventbridge_endpoint] =
        names.map(&mut endpoint).map(|own| own.or_else(|| endpoint_of_all.clone()));
    let timeout = Duration::from_millis(read.number("MFA_AWS_TIMEOUT_MS", 2000, 100..=60_000));
    let connect_timeout = timeout / 2;
    let native_roots = read.switch("MFA_NATIVE_ROOTS", false);
    AwsConfig {
        region,
        access_key_id,
        secret_access_key,
        session_token,
        dynamodb_endpoint,
        ses_endpoint,
        sns_endpoint,
        end_user_messaging_endpoint,
        eventbridge_endpoint,
        endpoint: endpoint_of_all,
        timeout,
        connect_timeout,
        https: tls::client(connect_timeout, native_roots),
    }
}

fn base64_bytes(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    data_encoding::BASE64.decode(text.as_bytes()).ok().map(Zeroizing::new)
}

type NamedKey = (String, Zeroizing<Vec<u8>>);

/// The sealing keys, and first the one that seals. It is named apart from the list, so that every
/// function can know a new key before one uses it.
fn sealing_keys(read: &mut Reader<'_>) -> Vec<NamedKey> {
    let wrong = "must be a comma list of `id:base64 of 32 bytes`, every id once";
    let keys = read.parsed("MFA_SEALING_KEYS", wrong, parse_sealing_keys);
    let mut keys = read.required("MFA_SEALING_KEYS", keys);
    if let Some(wanted) = read.text("MFA_SEALING_KEY")
        && !keys.is_empty()
    {
        match keys.iter().position(|(id, _)| *id == wanted) {
            Some(place) => {
                let wanted = keys.remove(place);
                keys.insert(0, wanted);
            }
            None => read.fault("MFA_SEALING_KEY", "must be an id of MFA_SEALING_KEYS"),
        }
    }
    keys
}

fn parse_sealing_keys(text: &str) -> Option<Vec<NamedKey>> {
    let keys: Option<Vec<_>> = text
        .split(',')
        .map(|entry| {
            let (id, key) = entry.trim().split_once(':')?;
            let key = base64_bytes(key)?;
            SealingKey::new(id, &key)?;
            Some((id.to_owned(), key))
        })
        .collect();
    keys.filter(|keys| all_differ(keys.iter().map(|(id, _)| id)))
}

fn all_differ<T: Eq + Hash>(items: impl IntoIterator<Item = T>) -> bool {
    let mut seen = HashSet::new();
    items.into_iter().all(|item| seen.insert(item))
}

/// A variable that nothing reads is a misspelt one, or one of another version.
fn refuse_unknown_variables(read: &mut Reader<'_>) {
    let ignored = read.ignored(|name| name.starts_with("MFA_"));
    if ignored.is_empty() {
        return;
    }
    let known = Config::variables();
    for name in ignored.into_iter().filter(|name| !known.contains(name.as_str())) {
        let nearest = known.iter().min_by_key(|known| strsim::osa_distance(known, &name));
        let wrong = format!("is unknown. The nearest known name is {}", nearest.copied().unwrap_or_default());
        read.fault(name, wrong);
    }
}

/// Everybody knows the development keys. They protect nothing, so only a table on this machine may
/// use them. `login` refuses those of login tokens.
fn refuse_development_keys(read: &mut Reader<'_>, jwt: &JwtConfig) {
    if read.is_local {
        return;
    }
    let known = [
        (Part::Users, "MFA_HASH_KEY", development::HASH_KEY),
        (Part::SealingKeys, "MFA_SEALING_KEYS", development::SEALING_KEYS),
    ];
    for (part, name, value) in known {
        // Compares the key itself, wherever it stands in a list and whatever its id.
        let key = value.rsplit(':').next().unwrap_or(value);
        if read.uses(part) && read.text(name).is_some_and(|text| text.contains(key)) {
            read.fault(name, development::REFUSED);
        }
    }
    let is_known = |key: &Jwk| key.common.key_id.as_deref().is_some_and(|id| development::KEYS.contains(&id));
    if jwt.public_keys.iter().any(is_known) {
        read.fault("MFA_SIGNING_KEY", development::REFUSED);
    }
}

/// Whether an endpoint's host is loopback, or the host machine as a container sees it.
fn is_local(endpoint: &str) -> bool {
    let Ok(uri) = endpoint.parse::<lambda_http::http::Uri>() else { return false };
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let loopback = host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    loopback || matches!(host, "localhost" | "host.docker.internal")
}

#[cfg(test)]
mod tests;
