//! The logins in front of the service: whose tokens are accepted, and what they say where.

use std::collections::BTreeSet;

use jsonwebtoken::{
    Algorithm, AlgorithmFamily, DecodingKey,
    jwk::{Jwk, ThumbprintHash},
};
use lambda_http::http::Uri;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::{
    ClaimName, JwtConfig, KeySet, POLICY_CLAIMS, Part, Variables, all_differ, development, is_local, is_never_copied,
    own_keys, pem, presets::Preset, reader::Reader,
};
use crate::json::Unique;

/// The claims that name a login, if the configuration does not say which: the first that a token
/// has.
///
/// `session_id` is Supabase's, `origin_jti` Cognito's, and `auth_time` is when the user signed in
/// (`OpenID` Connect Core 2).
pub const LOGIN_CLAIMS: [&str; 6] = ["sessionId", "sid", "session_id", "origin_jti", "auth_time", "jti"];

/// Claims that say whether the e-mail address beside them was verified, as providers name them.
pub const EMAIL_MARKS: [&str; 5] =
    ["email_verified", "emailVerified", "emailVerifiedAt", "email_confirmed_at", "xms_edov"];
/// The same for a phone number.
pub const PHONE_MARKS: [&str; 5] =
    ["phone_number_verified", "phone_verified", "phoneNumberVerified", "phoneVerifiedAt", "phone_confirmed_at"];

/// A login whose tokens are accepted.
#[derive(Clone)]
pub struct LoginConfig {
    /// What `MFA_LOGINS` calls it. Empty if it is the only one.
    pub name: String,
    /// The space that its user ids belong to. Users of two logins are the same only in one space.
    /// That of a bundle with one login is empty.
    pub users: String,
    /// The one algorithm that its tokens are signed with.
    pub algorithm: Algorithm,
    /// What checks them.
    pub key: LoginKeyConfig,
    /// The issuer that they must name, if one is configured.
    pub issuer: Option<String>,
    /// The audiences of which they must name one. Empty if none is configured.
    pub audiences: Vec<String>,
    /// Whether every token that the key signs is an access token.
    pub any_token: bool,
    /// The claim that names a user. If none is configured, `sub` does, or `id` where there is no
    /// `sub`.
    pub user_claim: Option<ClaimName>,
    /// The claims that name a login. The first one that a token has counts.
    pub login_claims: Vec<ClaimName>,
    /// The values of `amr` by which the login says that it asked for a second factor itself.
    pub trusted_amr: Vec<String>,
    /// The claims that say whether a user must use MFA.
    pub policy_claims: PolicyClaims,
    /// The claim with the network address of the person, if a backend makes the calls.
    pub source_claim: Option<ClaimName>,
    /// The claims that say in which language the person reads. The first text counts.
    pub locale_claims: Vec<ClaimName>,
    /// Where the addresses are.
    pub contact: ContactConfig,
}

/// The claims that say whether a user must use MFA.
#[derive(Clone)]
pub struct PolicyClaims {
    /// That the user must.
    pub required: ClaimName,
    /// From when on the user must.
    pub required_from: ClaimName,
    /// That `MFA_REQUIRED` is not meant for the user.
    pub exempt: ClaimName,
}

impl PolicyClaims {
    fn all(&self) -> [&ClaimName; 3] {
        [&self.required, &self.required_from, &self.exempt]
    }
}

/// Where a token carries addresses, and which of them are used.
#[derive(Clone)]
pub struct ContactConfig {
    /// The claims that can hold an e-mail address. The first one with an address counts.
    pub email_claims: Vec<ClaimName>,
    /// The claims that can hold a phone number.
    pub phone_claims: Vec<ClaimName>,
    /// What is missing before a number without a plus, such as `+`. May be empty.
    pub phone_prefix: String,
    /// Which addresses are used.
    pub verified: VerifiedContact,
}

/// Which addresses of a token are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum VerifiedContact {
    /// All of them.
    Any,
    /// Those that no mark of the token calls unverified.
    #[default]
    NotDenied,
    /// Those that a mark of the token calls verified, and none unverified.
    Marked,
}

/// What checks login tokens.
#[derive(Clone)]
pub enum LoginKeyConfig {
    /// A secret or a public key.
    One(DecodingKey),
    /// A key set in the configuration itself.
    Set(KeySet),
    /// The address of a key set.
    At(String),
}

impl Default for LoginKeyConfig {
    fn default() -> Self {
        Self::Set(KeySet::default())
    }
}

/// Reads the logins, and the keys of our own tokens.
pub(super) fn read(read: &mut Reader<'_>) -> JwtConfig {
    let several = read.part(Part::Users, several);
    let (logins, shared) = several.map_or_else(
        || {
            let (login, secret) = one(read);
            let shared = is_shared_secret(login.algorithm).then_some((login.algorithm, secret));
            (vec![login], shared)
        },
        |logins| (logins, None),
    );
    let (signing_key, public_keys) = own_keys::read(read, shared);
    let login_keys: Vec<_> = logins.iter().flat_map(|login| thumbprints(login.algorithm, &login.key)).collect();
    if public_keys.iter().any(|key| key.common.key_id.as_ref().is_some_and(|id| login_keys.contains(id))) {
        read.fault("MFA_SIGNING_KEY", "is the key of a login: nobody could tell its tokens from ours");
    }
    let issuer = read.parsed("MFA_ISSUER", "must be an https:// address without a slash at its end", issuer);
    if issuer.is_some() && logins.iter().any(|login| login.issuer == issuer) {
        read.fault("MFA_ISSUER", "is the issuer of a login: nobody could tell its tokens from ours");
    }
    if issuer.is_some() && public_keys.is_empty() {
        read.fault("MFA_ISSUER", "is nothing without MFA_SIGNING_KEY: nobody could check the tokens by its key set");
    }
    let wrong = "must be a JSON object of claims that we neither read nor set";
    let added_claims = read.parsed("MFA_ADD_CLAIMS", wrong, |text| added_claims(text, &logins));
    JwtConfig { logins, issuer, added_claims: added_claims.unwrap_or_default(), signing_key, public_keys }
}

fn issuer(text: &str) -> Option<String> {
    let uri = safe_address(text).filter(|uri| uri.query().is_none() && !text.contains('#'));
    (uri.is_some() && !text.ends_with('/')).then(|| text.to_owned())
}

/// An address over HTTPS, or one on this machine.
fn safe_address(text: &str) -> Option<Uri> {
    let is_safe = text.starts_with("https://") || text.starts_with("http://") && is_local(text);
    text.parse().ok().filter(|_| is_safe)
}

/// The claims that our tokens get in addition. None of them may be one that somebody reads as
/// something else: an id, an address or its mark, a lifetime, a proof.
fn added_claims(text: &str, logins: &[LoginConfig]) -> Option<Map<String, Value>> {
    const READ: [&str; 10] = ["sub", "id", "iss", "aud", "azp", "client_id", "cid", "events", "typ", "token_type"];
    let Unique(claims) = serde_json::from_str(text).ok()?;
    let claims = claims.as_object()?;
    let is_read_by = |login: &LoginConfig, name: &str| {
        let ContactConfig { email_claims, phone_claims, .. } = &login.contact;
        let one = login.user_claim.iter().chain(&login.source_claim).chain(login.policy_claims.all());
        let several = login.login_claims.iter().chain(&login.locale_claims).chain(email_claims).chain(phone_claims);
        let mut all = one.chain(several);
        all.any(|claim| claim.is_in(name))
    };
    let is_taken = |name: &String| {
        is_never_copied(name)
            || READ.contains(&name.as_str())
            || EMAIL_MARKS.iter().chain(&PHONE_MARKS).any(|mark| name.rsplit('/').next() == Some(*mark))
            || logins.iter().any(|login| is_read_by(login, name))
    };
    (!claims.keys().any(is_taken)).then(|| claims.clone())
}

/// The one login that the variables describe, and its shared secret. That is empty if the algorithm
/// has none.
fn one(read: &mut Reader<'_>) -> (LoginConfig, Zeroizing<String>) {
    let wrong =
        "must be cognito, auth0, firebase, supabase, keycloak, clerk, okta, entra, zitadel, nest-auth or custom";
    read.preset = read.parsed("MFA_LOGIN", wrong, Preset::named);
    let wrong = "must be HS256, HS384, HS512, RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384 or EdDSA";
    let algorithm = read.parsed("MFA_JWT_ALGORITHM", wrong, |text| text.parse().ok()).unwrap_or(Algorithm::HS256);
    let secret = read.part(Part::Users, |read| jwt_secret(read, algorithm));
    let key = read.part(Part::Users, |read| {
        if is_shared_secret(algorithm) {
            refuse_public_login_keys(read);
            return LoginKeyConfig::One(DecodingKey::from_secret(secret.as_bytes()));
        }
        asymmetric_login_key(read, algorithm)
    });
    if !read.is_local && thumbprints(algorithm, &key).iter().any(|print| development::KEYS.contains(&print.as_str())) {
        read.fault(PUBLIC_LOGIN_KEYS[0], development::REFUSED);
    }
    let issuer = read.text("MFA_JWT_ISSUER");
    let audiences = read.parsed("MFA_JWT_AUDIENCE", "must be a comma list of audiences, each once", names);
    if read.preset.is_some_and(|preset| preset.needs_audience) && read.text("MFA_JWT_AUDIENCE").is_none() {
        read.fault(
            "MFA_JWT_AUDIENCE",
            "is required with this MFA_LOGIN: nothing else tells its access tokens from others",
        );
    }
    let any_token = read.switch("MFA_JWT_ANY_TOKEN", false);
    let user_claim =
        read.parsed("MFA_JWT_USER_CLAIM", KEPT_CLAIM, |text| ClaimName::parse(text).filter(ClaimName::is_kept));
    let login_claims = read.parsed("MFA_JWT_LOGIN_CLAIM", CLAIMS, claim_names);
    let trusted_amr = read.parsed("MFA_JWT_TRUSTED_AMR", "must be a comma list of values, each once", names);
    let source_claim = read.parsed("MFA_JWT_SOURCE_IP_CLAIM", CLAIM, ClaimName::parse);
    if source_claim.is_some() && !is_shared_secret(algorithm) {
        read.fault("MFA_JWT_SOURCE_IP_CLAIM", "is read only from tokens that your own backend signs with HS256");
    }
    let locale_claims = read.parsed("MFA_JWT_LOCALE_CLAIM", CLAIMS, claim_names);
    let login = LoginConfig {
        name: String::new(),
        users: String::new(),
        algorithm,
        key,
        issuer,
        audiences: audiences.unwrap_or_default(),
        any_token,
        user_claim,
        login_claims: login_claims.unwrap_or_else(|| known_names(&LOGIN_CLAIMS)),
        trusted_amr: trusted_amr.unwrap_or_default(),
        policy_claims: policy_claims(read),
        source_claim,
        locale_claims: locale_claims.unwrap_or_else(|| known_names(&["locale"])),
        contact: contact(read),
    };
    (login, secret)
}

const CLAIM: &str = "must be the name of one claim that users cannot write (docs/configuration.md)";
const KEPT_CLAIM: &str =
    "must be the name of one claim that our tokens keep and that users cannot write (docs/configuration.md)";
const CLAIMS: &str = "must be a comma list of claims, each once, that users cannot write (docs/configuration.md)";

/// The logins of `MFA_LOGINS`: a JSON list of objects with `name`, perhaps `users`, and the
/// variables of one login by their names.
fn several(read: &mut Reader<'_>) -> Option<Vec<LoginConfig>> {
    let wrong = "must be a JSON list of objects, each with a `name` and the settings of a login";
    let entries = read.parsed("MFA_LOGINS", wrong, |text| {
        let Unique(list) = serde_json::from_str(text).ok()?;
        let entries: Option<Vec<_>> = list.as_array()?.iter().map(|entry| entry.as_object().cloned()).collect();
        entries.filter(|entries| !entries.is_empty())
    })?;
    let is_of_a_login = |name: &str| name == "MFA_LOGIN" || name == VERIFIED_CONTACT || name.starts_with("MFA_JWT_");
    if read.any_is_set(is_of_a_login) {
        read.fault(
            "MFA_LOGINS",
            "replaces MFA_LOGIN, MFA_JWT_… and MFA_REQUIRE_VERIFIED_CONTACT: set these in its entries",
        );
    }
    let mut keys = Vec::new();
    let logins: Vec<_> = entries.into_iter().map(|entry| named(read, entry, &mut keys)).collect();
    if !all_differ(logins.iter().map(|login| &login.name)) {
        read.fault("MFA_LOGINS", "has two entries with one name");
    }
    for (second, keys_of_second) in logins.iter().zip(&keys) {
        for (first, keys_of_first) in logins.iter().zip(&keys).take_while(|(first, _)| first.name != second.name) {
            // One token has one algorithm.
            let share_keys = first.algorithm == second.algorithm && !keys_of_first.is_disjoint(keys_of_second);
            if share_keys && !are_told_apart(first, second) {
                let (first, second) = (&first.name, &second.name);
                let wrong = "share a key, a key set or an issuer, so each needs audiences, and none in common";
                read.fault("MFA_LOGINS", format!("entries `{first}` and `{second}` {wrong}"));
            }
        }
    }
    Some(logins)
}

/// Whether no token can name an audience of the one alone and pass for one of the other.
fn are_told_apart(first: &LoginConfig, second: &LoginConfig) -> bool {
    let (first, second) = (&first.audiences, &second.audiences);
    !first.is_empty() && !second.is_empty() && first.iter().all(|audience| !second.contains(audience))
}

/// One entry of `MFA_LOGINS`. Adds what its tokens are checked with to `keys`.
fn named(read: &mut Reader<'_>, entry: Map<String, Value>, keys: &mut Vec<BTreeSet<String>>) -> LoginConfig {
    let mut settings = Variables::new();
    for (setting, value) in entry.into_iter().filter(|(_, value)| !value.is_null()) {
        match plain(&setting, &value) {
            Some(text) => drop(settings.insert(setting, text)),
            None => read.fault("MFA_LOGINS", format!("{setting} in an entry must be a text, a number or a boolean")),
        }
    }
    let name = settings.remove("name").unwrap_or_default();
    let users = settings.remove("users").unwrap_or_else(|| name.clone());
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if !(1..=32).contains(&name.len()) || !name.chars().all(is_plain) || users.len() > 64 {
        read.fault("MFA_LOGINS", "needs entries with a `name` of 1 to 32 letters, digits, `-` or `_`");
    }
    let mut of_entry = Reader::new(read.parts(), &settings);
    of_entry.is_local = read.is_local;
    let (login, _) = one(&mut of_entry);
    for unknown in of_entry.ignored(|_| true) {
        of_entry.fault(unknown, "is no setting of a login");
    }
    keys.push(checked_with(&of_entry, &login));
    for (setting, wrong) in of_entry.into_faults() {
        read.fault("MFA_LOGINS", format!("entry `{name}`: {setting} {wrong}"));
    }
    LoginConfig { name, users, ..login }
}

/// A setting as a variable holds it. A key set may be written as JSON.
fn plain(name: &str, value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        Value::Object(_) if name == "MFA_JWT_KEY_SET" => Some(value.to_string()),
        Value::Object(_) | Value::Array(_) | Value::Null => None,
    }
}

/// The issuer of a login, and each key, key set or address that checks its tokens.
fn checked_with(read: &Reader<'_>, login: &LoginConfig) -> BTreeSet<String> {
    let names = ["MFA_JWT_ISSUER", "MFA_JWT_SECRET", "MFA_JWT_KEY_SET_URL"];
    let texts = names.into_iter().filter_map(|name| Some(format!("{name} {}", read.text(name)?)));
    texts.chain(thumbprints(login.algorithm, &login.key)).collect()
}

/// The thumbprints of public keys (RFC 7638).
fn thumbprints(algorithm: Algorithm, key: &LoginKeyConfig) -> Vec<String> {
    let keys: Vec<_> = match key {
        LoginKeyConfig::One(key) => vec![key],
        LoginKeyConfig::Set(set) => set.keys().collect(),
        LoginKeyConfig::At(_) => Vec::new(),
    };
    let thumbprint = |key: &DecodingKey| {
        let jwk = Jwk::from_decoding_key(key, Some(algorithm)).ok()?;
        jwk.thumbprint(ThumbprintHash::SHA256).ok()
    };
    keys.into_iter().filter_map(thumbprint).collect()
}

/// The claims of policy. Each must be kept by our own tokens: one that they leave out would require
/// MFA of a login, and not of its own session.
fn policy_claims(read: &mut Reader<'_>) -> PolicyClaims {
    let mut name = |variable, default: &str| {
        let name = read.parsed(variable, KEPT_CLAIM, |text| ClaimName::parse(text).filter(ClaimName::is_kept));
        name.unwrap_or_else(|| ClaimName::known(default))
    };
    let [required, required_from, exempt] = POLICY_CLAIMS;
    let claims = PolicyClaims {
        required: name("MFA_JWT_REQUIRED_CLAIM", required),
        required_from: name("MFA_JWT_REQUIRED_FROM_CLAIM", required_from),
        exempt: name("MFA_JWT_EXEMPT_CLAIM", exempt),
    };
    if !all_differ(claims.all().map(ClaimName::as_str)) {
        read.fault("MFA_JWT_REQUIRED_CLAIM", "and the claims of the date and of the exemption must be three");
    }
    claims
}

const VERIFIED_CONTACT: &str = "MFA_REQUIRE_VERIFIED_CONTACT";

fn contact(read: &mut Reader<'_>) -> ContactConfig {
    let kept = |text: &str| claim_names(text).filter(|names| names.iter().all(ClaimName::is_kept));
    let email_claims = read.parsed("MFA_JWT_EMAIL_CLAIM", CLAIMS, kept);
    let phone_claims = read.parsed("MFA_JWT_PHONE_CLAIM", CLAIMS, kept);
    let phone_prefix = read.parsed("MFA_JWT_PHONE_PREFIX", "must be a plus and up to three digits", |text| {
        let digits = text.strip_prefix('+')?;
        (digits.len() <= 3 && digits.bytes().all(|b| b.is_ascii_digit())).then(|| text.to_owned())
    });
    let verified = read.parsed(VERIFIED_CONTACT, "must be true, false or marked", |text| match text {
        "true" => Some(VerifiedContact::NotDenied),
        "false" => Some(VerifiedContact::Any),
        "marked" => Some(VerifiedContact::Marked),
        _ => None,
    });
    ContactConfig {
        email_claims: email_claims.unwrap_or_else(|| known_names(&["email"])),
        phone_claims: phone_claims.unwrap_or_else(|| known_names(&["phone_number", "phone"])),
        phone_prefix: phone_prefix.unwrap_or_default(),
        verified: verified.unwrap_or_default(),
    }
}

/// A comma list of names, each once and none of them empty.
fn names(text: &str) -> Option<Vec<String>> {
    let names: Vec<_> = text.split(',').map(|name| name.trim().to_owned()).collect();
    (all_differ(&names) && names.iter().all(|name| !name.is_empty())).then_some(names)
}

pub(super) fn claim_names(text: &str) -> Option<Vec<ClaimName>> {
    let names: Option<Vec<_>> = text.split(',').map(|name| ClaimName::parse(name.trim())).collect();
    names.filter(|names| all_differ(names.iter().map(ClaimName::as_str)))
}

fn known_names(names: &[&str]) -> Vec<ClaimName> {
    names.iter().map(|name| ClaimName::known(name)).collect()
}

/// Whether the application and this service share the key (RFC 7518 3.2).
fn is_shared_secret(algorithm: Algorithm) -> bool {
    algorithm.family() == AlgorithmFamily::Hmac
}

/// The secret that the application signs with. Empty if the algorithm has none.
fn jwt_secret(read: &mut Reader<'_>, algorithm: Algorithm) -> Zeroizing<String> {
    // RFC 7518 3.2 asks for the length of the hash. 32 bytes cannot be guessed with any of them.
    let secret = read.parsed("MFA_JWT_SECRET", "must be at least 32 bytes", |text| {
        (text.len() >= 32).then(|| Zeroizing::new(text.to_owned()))
    });
    let is_printed = |secret: &Zeroizing<String>| development::PRINTED_SECRETS.contains(&secret.as_str());
    if !read.is_local && secret.as_ref().is_some_and(is_printed) {
        read.fault("MFA_JWT_SECRET", development::REFUSED);
    }
    if read.is_padded("MFA_JWT_SECRET") {
        read.fault("MFA_JWT_SECRET", "must not begin or end with white space: the application would have another key");
    }
    if is_shared_secret(algorithm) {
        return read.required("MFA_JWT_SECRET", secret);
    }
    // The local server always has that of development.
    let is_of_development = read.is_local && secret.is_some_and(|secret| secret.as_str() == development::JWT_SECRET);
    if read.is_set("MFA_JWT_SECRET") && !is_of_development {
        read.fault("MFA_JWT_SECRET", "is of no use: MFA_JWT_ALGORITHM, or that of MFA_LOGIN, has public keys");
    }
    Zeroizing::default()
}

/// The variables that can tell the public keys of login tokens.
const PUBLIC_LOGIN_KEYS: [&str; 3] = ["MFA_JWT_PUBLIC_KEY", "MFA_JWT_KEY_SET", "MFA_JWT_KEY_SET_URL"];

/// An operator would believe that a key which is ignored checks tokens.
fn refuse_public_login_keys(read: &mut Reader<'_>) {
    if PUBLIC_LOGIN_KEYS.into_iter().any(|name| read.is_set(name)) {
        read.fault("MFA_JWT_ALGORITHM", "has no public keys: name the algorithm of the login tokens");
    }
}

/// A public key, a key set, or the address of a key set: exactly one of them is set, or else
/// `MFA_LOGIN` knows the address.
fn asymmetric_login_key(read: &mut Reader<'_>, algorithm: Algorithm) -> LoginKeyConfig {
    let [public_key_name, set_name, url_name] = PUBLIC_LOGIN_KEYS;
    let set_themselves = PUBLIC_LOGIN_KEYS.into_iter().filter(|name| read.is_set(name)).count();
    if set_themselves > 1 || set_themselves == 0 && read.text(url_name).is_none() {
        let needs_issuer = set_themselves == 0 && read.preset.is_some_and(|preset| preset.name != "custom");
        if needs_issuer && read.text("MFA_JWT_ISSUER").is_none() {
            read.fault("MFA_JWT_ISSUER", "is required with MFA_LOGIN: the address of the key set follows from it");
        } else {
            read.fault(public_key_name, "or MFA_JWT_KEY_SET or MFA_JWT_KEY_SET_URL is required, exactly one of them");
        }
    }
    let public_key = read.parsed(public_key_name, "must be a PEM public key that fits MFA_JWT_ALGORITHM", |text| {
        public_key(algorithm, &pem::tidy(text)?).map(LoginKeyConfig::One)
    });
    let set = read.parsed(set_name, "must be a JWK set with a key that fits MFA_JWT_ALGORITHM", |text| {
        KeySet::parse(text.as_bytes(), algorithm).map(LoginKeyConfig::Set)
    });
    if let Some(key) = public_key.or(set) {
        return key;
    }
    let url = read.parsed(url_name, "must begin with https://", |text| {
        safe_address(text).map(|_| LoginKeyConfig::At(text.to_owned()))
    });
    if url.is_some() && read.text("MFA_JWT_ISSUER").is_none() {
        // Some providers serve one set for all of their customers.
        read.fault("MFA_JWT_ISSUER", "is required with MFA_JWT_KEY_SET_URL: the same keys may sign for others");
    }
    url.unwrap_or_default()
}

/// A public key (PEM) for `algorithm`. The library reads keys of every curve and length, and then
/// refuses every signature.
pub(super) fn public_key(algorithm: Algorithm, pem: &str) -> Option<DecodingKey> {
    let pem = pem.as_bytes();
    let (key, allowed) = match algorithm {
        // RFC 7518 3.3: 2048 bits or more.
        _ if algorithm.family() == AlgorithmFamily::Rsa => (DecodingKey::from_rsa_pem(pem), 256..=4096),
        // Uncompressed points of P-256 and P-384.
        Algorithm::ES256 => (DecodingKey::from_ec_pem(pem), 65..=65),
        Algorithm::ES384 => (DecodingKey::from_ec_pem(pem), 97..=97),
        Algorithm::EdDSA => (DecodingKey::from_ed_pem(pem), 32..=32),
        _ => return None,
    };
    key.ok().filter(|key| key.try_get_as_bytes().is_ok_and(|bytes| allowed.contains(&bytes.len())))
}
