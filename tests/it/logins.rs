//! The tokens that identity providers and frameworks really make (`tests/logins/*.json`): each is
//! read, and gets its user through the whole journey while it is renewed before every call and
//! another login of the user goes on beside it.

#![expect(clippy::print_stdout, reason = "the table is printed")]

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use lambda_http::http::Method;
use mfa::config::{PRESETS, development};
use mfa_local::{Filling, LoginShape};
use mfa_tests::{Login, TestApp, claims_of, totp_code};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::contract::assert_table_up_to_date;

/// A kind of token.
#[derive(Deserialize)]
struct Kind {
    token: String,
    #[serde(flatten)]
    shape: LoginShape,
    /// The user id that must be read.
    user: String,
    /// The addresses that may be used.
    email: Option<String>,
    phone: Option<String>,
    /// `exact` if only one login can have its name, otherwise `shared`.
    login: String,
    refused: Vec<Change>,
    /// What changes when the user is renamed.
    #[serde(default)]
    renamed: Map<String, Value>,
}

/// A token that must be refused: the kind's own, changed by this. `(none)` removes a claim.
#[derive(Default, Deserialize)]
struct Change {
    why: String,
    #[serde(default)]
    header: Map<String, Value>,
    #[serde(default)]
    claims: Map<String, Value>,
}

fn kinds() -> BTreeMap<String, Kind> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("logins");
    let files = std::fs::read_dir(folder).expect("a folder").map(|file| file.expect("a file").path());
    let read = |path: &Path| {
        let text = std::fs::read_to_string(path).expect("a text");
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    files.map(|path| (path.file_stem().expect("a name").to_string_lossy().into_owned(), read(&path))).collect()
}

/// The login of a kind: makes its tokens.
struct Issuer<'a> {
    kind: &'a Kind,
    mfa: Arc<TestApp>,
    tokens: AtomicU64,
}

impl<'a> Issuer<'a> {
    async fn start(kind: &'a Kind) -> Self {
        let mut settings = kind.shape.variables().expect("variables");
        settings.insert("MFA_METHODS".to_owned(), "totp,email,sms".to_owned());
        let settings: Vec<_> = settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        Self { kind, mfa: TestApp::start_with(&settings).await, tokens: AtomicU64::new(0) }
    }

    /// The next token of the `login`-th login.
    fn token(&self, login: u64, change: &Change) -> String {
        let serial = self.tokens.fetch_add(1, Ordering::Relaxed);
        let (name, token) = (login.to_string(), serial.to_string());
        let filling = Filling {
            login: &name,
            signed_in_at: 1_893_455_000 + login,
            token: &token,
            now: self.mfa.clock.now().as_secs(),
            lifetime: 300,
        };
        let mut shape = self.kind.shape.clone();
        let mut claims = shape.filled(&filling);
        // The renewed token differs, even if only its signature input does.
        claims.insert("x_serial".to_owned(), serial.into());
        for (all, changes) in [(&mut claims, &change.claims), (&mut shape.header, &change.header)] {
            all.extend(changes.clone());
            all.retain(|_, value| *value != json!("(none)"));
        }
        shape.sign(&claims, development::JWT_SECRET).expect("a token")
    }

    /// The `login`-th login, with its next token.
    fn renewed(&self, login: u64) -> Login {
        Login::with_token(&self.mfa, self.token(login, &Change::default()))
    }
}

#[tokio::test]
async fn each_kind_of_token_is_read_as_its_provider_means_it() {
    for (name, kind) in kinds() {
        let issuer = Issuer::start(&kind).await;
        let status = issuer.renewed(1).status().await;
        let mut methods = Vec::new();
        methods.extend(kind.email.as_ref().map(|_| "email"));
        methods.extend(kind.phone.as_ref().map(|_| "sms"));
        assert_eq!(status["verifiedMethods"], json!(methods), "{name}: {status}");
        for change in &kind.refused {
            let token = issuer.token(1, change);
            let answer = Login::with_token(&issuer.mfa, token).call(Method::GET, "/auth/mfa/status", Vec::new()).await;
            assert_eq!((answer.status, answer.code()), (401, Some("INVALID_TOKEN")), "{name}: {}", change.why);
        }
    }
}

#[tokio::test]
async fn each_kind_of_token_gets_its_user_through_the_journey_while_it_is_renewed() {
    for (name, kind) in kinds() {
        let issuer = Issuer::start(&kind).await;
        let mfa = &issuer.mfa;
        // Another login of the user goes on beside it.
        let other = issuer.renewed(2).open_authenticator().await;
        let device = issuer.renewed(1).open_authenticator().await;
        issuer.renewed(2).confirm(&other.code(mfa), &other.secret).await.assert_ok();
        let answer = issuer.renewed(1).confirm(&device.code(mfa), &device.secret).await.assert_ok();
        // Where the login is shared, the answer has a token by which it is told from others.
        let holder =
            answer["accessToken"].as_str().map_or_else(|| issuer.renewed(1), |token| Login::with_token(mfa, token));
        assert_eq!(answer["accessToken"].is_string(), kind.login == "shared", "{name}: {answer}");
        let switched = holder.toggle(true).await.assert_ok();
        assert_eq!(switched["inactiveDevices"][0]["id"], other.device_id, "{name}: the other login's is inactive");

        mfa.advance(30);
        let code = totp_code(&device.secret, mfa.clock.now().as_secs());
        let verified = issuer.renewed(1).verify("totp", &code).await;
        let proven = Login::with_token(mfa, verified.text("accessToken"));
        assert_eq!(claims_of(&proven.token)["isMfaVerified"], true, "{name}");
        for (method, address) in [("email", &kind.email), ("sms", &kind.phone)] {
            let Some(address) = address else { continue };
            // The codes of one address after another, each sent and entered under another token.
            mfa.advance(61);
            let code = proven.receive_code(method).await;
            assert_eq!(mfa.inbox.messages().pop().expect("a message").to, *address, "{name}");
            proven.verify(method, &code).await.assert_ok();
        }
        mfa.refresh(&verified.text("refreshToken")).await.assert_ok();
        assert!(mfa.ledger(&kind.user).await.is_some_and(|ledger| ledger.enabled), "{name}: the user is {}", kind.user);

        if !kind.renamed.is_empty() {
            let renamed = Change { claims: kind.renamed.clone(), ..Change::default() };
            let renamed = Login::with_token(mfa, issuer.token(3, &renamed));
            assert_eq!(renamed.status().await["isEnabled"], true, "{name}: a renamed user is the same");
        }
    }
}

#[tokio::test]
async fn a_sent_code_is_taken_under_a_renewed_token() {
    for (name, kind) in kinds().into_iter().filter(|(_, kind)| kind.email.is_some()) {
        let issuer = Issuer::start(&kind).await;
        issuer.renewed(1).challenge("email").await.assert_ok();
        let code = issuer.mfa.inbox.messages().pop().and_then(|message| message.code).expect("a code");
        let answer = issuer.renewed(1).verify("email", &code).await;
        assert_eq!(answer.status, 200, "{name}: {}", answer.body);
    }
}

#[test]
fn the_documentation_shows_each_kind() {
    let kinds = kinds();
    assert!(kinds.len() >= 20);
    let rows = kinds.into_values().map(|kind| {
        assert!(kind.shape.settings.len() <= 5, "{}: an operator sets at most five lines", kind.token);
        let settings: Vec<_> = kind.shape.settings.keys().map(|name| format!("`{name}`")).collect();
        let address = |is_there: bool| if is_there { "yes" } else { "–" };
        let [email, phone] = [kind.email.is_some(), kind.phone.is_some()].map(address);
        format!("| {} | {} | {email} | {phone} | {} |", kind.token, kind.login, settings.join(", "))
    });
    let rows = rows.inspect(|row| println!("{row}"));
    assert_table_up_to_date("docs/logins/README.md", "| Token | Name of the login | E-mail | Phone | Settings |", rows);
}

#[test]
fn the_documentation_shows_each_preset() {
    let rows = PRESETS.iter().map(|preset| {
        let settings = preset.settings.iter().map(|(name, value)| format!("`{name}={value}`"));
        let settings = settings.collect::<Vec<_>>().join("<br>");
        format!("| `{}` | {} |", preset.name, if settings.is_empty() { "–" } else { &settings })
    });
    assert_table_up_to_date("docs/logins/README.md", "| `MFA_LOGIN` | What it sets |", rows);
}

/// Two kinds of token in one bundle: `alice` of the one is not `alice` of the other.
#[tokio::test]
async fn two_kinds_at_once_share_no_users() {
    let kinds = kinds();
    let entry = |name: &str, kind: &Kind| {
        let mut entry: Map<_, _> =
            kind.shape.variables().expect("variables").into_iter().map(|(k, v)| (k, json!(v))).collect();
        entry.remove("MFA_SIGNING_KEY");
        if kind.shape.is_shared_secret() {
            entry.insert("MFA_JWT_SECRET".to_owned(), development::JWT_SECRET.into());
        }
        entry.insert("name".to_owned(), name.into());
        entry.insert("MFA_JWT_ISSUER".to_owned(), format!("https://{name}.example").into());
        entry
    };
    for (first, second) in
        [("cognito-access", "nest-auth"), ("auth0-access", "home-grown"), ("clerk-session", "supabase-hs256")]
    {
        let pair = [("a", &kinds[first]), ("b", &kinds[second])];
        let logins = json!([entry("a", pair[0].1), entry("b", pair[1].1)]).to_string();
        let mfa = TestApp::start_with(&[
            ("MFA_JWT_SECRET", ""),
            ("MFA_SIGNING_KEY", include_str!("keys/ed.pem")),
            ("MFA_LOGINS", &logins),
        ])
        .await;
        let mut states = Vec::new();
        for (n, (name, kind)) in pair.into_iter().enumerate() {
            let issuer = Issuer { kind, mfa: Arc::clone(&mfa), tokens: AtomicU64::new(0) };
            let user = kind.shape.settings.get("MFA_JWT_USER_CLAIM").map_or("sub", String::as_str);
            let same = Change {
                claims: [("iss", json!(format!("https://{name}.example"))), (user, json!("alice"))]
                    .map(|(name, value)| (name.to_owned(), value))
                    .into_iter()
                    .chain(kind.shape.claims.get("id").map(|_| ("id".to_owned(), json!("alice"))))
                    .collect(),
                ..Change::default()
            };
            let alice = Login::with_token(&mfa, issuer.token(1, &same));
            if n == 0 {
                alice.enrol().await;
            }
            states.push(alice.devices().await.as_array().map(Vec::len));
        }
        assert_eq!(states, [Some(1), Some(0)], "{first} and {second}");
    }
}
