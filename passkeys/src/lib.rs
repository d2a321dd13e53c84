//! Registering passkeys and checking their answers, by `webauthn-rs`. Only the functions of passkeys
//! link this crate.
//!
//! What the library leaves to its caller, and where it is met:
//!
//! - The state of a ceremony stays on the server, and none counts twice: it lies sealed in the item of
//!   the challenge, and the ledger says which challenges are spent
//!   ([`Challenge`]).
//! - No user has a credential id twice: [`verify_passkey_setup`](mfa::domain::verify_passkey_setup).
//! - A counter that does not rise is refused: [`verify_passkey`](mfa::domain::verify_passkey).
//! - What an authenticator says of copies is kept: the same commit writes it to the ledger.
//! - A key without user verification is only one of two factors: the other is the login of the
//!   application.

use mfa::{
    App,
    config::PasskeyConfig,
    domain::{
        Policy, Timestamp, UserId,
        challenge_passkey::Ticket,
        keys::CannotSeal,
        ledger::Backup,
        passkey::{Challenge, ChallengeRecord, CredentialRecord, NotAnswered, PasskeyAnswer, challenge_ends},
        verify_passkey_setup::Registered,
    },
    http::Problem,
    random,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use url::Url;
use uuid::Uuid;
use webauthn_rs::prelude::{
    AttestationFormat, AttestationMetadata, AuthenticationResult, Credential, ParsedAttestation, ParsedAttestationData,
    Passkey, PasskeyAuthentication, PasskeyRegistration, PublicKeyCredential, SecurityKey, SecurityKeyAuthentication,
    SecurityKeyRegistration, Webauthn, WebauthnBuilder, WebauthnError,
};

/// Registers passkeys and asks them, for one relying party.
pub struct Ceremonies {
    webauthn: Result<Webauthn, NotMade>,
    security_keys: bool,
}

/// What a browser is asked, and the state that its answer is checked with.
#[derive(Debug)]
pub struct Ceremony {
    /// `PublicKeyCredentialCreationOptionsJSON` or `PublicKeyCredentialRequestOptionsJSON` of
    /// `WebAuthn` Level 3.
    pub public_key: Value,
    /// The state, as [`Challenge::state`].
    pub state: String,
}

/// What a browser is to be asked with, and for how long.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AskReply {
    /// As [`Ceremony::public_key`].
    public_key: Value,
    /// How many seconds the challenge counts.
    expires_in: u64,
}

/// Something that cannot be encoded, or a configuration that the library refuses.
#[derive(Clone, Debug)]
pub struct NotMade(String);

impl From<NotMade> for Problem {
    fn from(NotMade(cause): NotMade) -> Self {
        Self::internal(format!("no passkey can be asked: {cause}"))
    }
}

/// The state of a ceremony. It names its flow, so that a setting that changes in between does no harm.
#[derive(Serialize, Deserialize)]
enum State {
    Setup(PasskeyRegistration),
    SetupOfKey(SecurityKeyRegistration),
    Use(PasskeyAuthentication),
    UseOfKey(SecurityKeyAuthentication),
}

impl Ceremonies {
    /// The ceremonies of a bundle. If it offers no passkeys, no rule lets them begin.
    #[must_use]
    pub fn of(app: &App) -> Self {
        Self::new(app.config.passkeys.as_ref(), &app.config.app_name)
    }

    /// The ceremonies of a configuration. People see `app_name`.
    #[must_use]
    pub fn new(config: Option<&PasskeyConfig>, app_name: &str) -> Self {
        let configured = config.ok_or_else(|| NotMade("passkeys are not configured".to_owned()));
        Self {
            webauthn: configured.and_then(|config| webauthn(config, app_name)),
            security_keys: config.is_some_and(|config| config.security_keys),
        }
    }

    fn webauthn(&self) -> Result<&Webauthn, NotMade> {
        self.webauthn.as_ref().map_err(Clone::clone)
    }

    /// Asks for a new passkey of `user`, whom the authenticator shows as `account`. One that has a
    /// credential of `known` already makes no other.
    ///
    /// # Errors
    /// [`NotMade`].
    pub fn set_up(&self, user: UserId, account: &str, known: &[&CredentialRecord]) -> Result<Ceremony, NotMade> {
        let id = Uuid::from_bytes(user.0);
        let known: Result<Vec<_>, _> = known.iter().map(|record| Ok(credential(record)?.cred_id)).collect();
        let known = Some(known?);
        let (options, state) = if self.security_keys {
            let started = self.webauthn()?.start_securitykey_registration(id, account, account, known, None, None);
            let (options, state) = started.map_err(refused)?;
            (options, State::SetupOfKey(state))
        } else {
            let (options, state) =
                self.webauthn()?.start_passkey_registration(id, account, account, known).map_err(refused)?;
            (options, State::Setup(state))
        };
        let mut public_key = options.public_key;
        // With security keys, every other kind of passkey is welcome too.
        public_key.hints = None;
        // Chromium refuses a call that asks for a key which works only with verification, and does not
        // demand verification.
        if let Some(extensions) = public_key.extensions.as_mut().filter(|_| self.security_keys) {
            extensions.cred_protect = None;
        }
        // The ledger tells whether a credential is known. In the state, they would make the item large.
        Ceremony::of(&public_key, &state, "exclude_credentials")
    }

    /// What was registered by an answer to [`Self::set_up`].
    ///
    /// # Errors
    /// [`NotAnswered`].
    pub fn registered(&self, state: &str, answer: &Value) -> Result<Registered, NotAnswered> {
        let webauthn = self.webauthn().map_err(|_| NotAnswered::Wrong("passkeys are not configured"))?;
        let answer = Deserialize::deserialize(answer).map_err(|_| NotAnswered::Wrong("malformed"))?;
        let registered = match serde_json::from_str(state) {
            Ok(State::Setup(state)) => webauthn.finish_passkey_registration(&answer, &state).map(Credential::from),
            Ok(State::SetupOfKey(state)) => {
                webauthn.finish_securitykey_registration(&answer, &state).map(Credential::from)
            }
            _ => return Err(NotAnswered::Wrong("no state of a registration")),
        };
        let mut credential = registered.map_err(|error| wrong(&error, &[]))?;
        // Nothing is asked of attestations, and a chain of certificates would make the item large.
        credential.attestation =
            ParsedAttestation { data: ParsedAttestationData::None, metadata: AttestationMetadata::None };
        credential.attestation_format = AttestationFormat::None;
        let answer = PasskeyAnswer {
            credential_id: credential.cred_id.clone(),
            counter: credential.counter,
            backup: backup(credential.backup_eligible, credential.backup_state),
        };
        let credential = serde_json::to_string(&credential).map_err(|_| NotAnswered::Wrong("not encodable"))?;
        Ok(Registered { answer, credential })
    }

    /// Asks for the answer of one of these credentials.
    ///
    /// # Errors
    /// [`NotMade`].
    pub fn ask(&self, credentials: &[&CredentialRecord]) -> Result<Ceremony, NotMade> {
        let credentials: Vec<_> = credentials.iter().map(|record| credential(record)).collect::<Result<_, _>>()?;
        let (options, state) = if self.security_keys {
            let keys: Vec<_> = credentials.into_iter().map(SecurityKey::from).collect();
            let (options, state) = self.webauthn()?.start_securitykey_authentication(&keys).map_err(refused)?;
            (options, State::UseOfKey(state))
        } else {
            let keys: Vec<_> = credentials.into_iter().map(Passkey::from).collect();
            let (options, state) = self.webauthn()?.start_passkey_authentication(&keys).map_err(refused)?;
            (options, State::Use(state))
        };
        let mut public_key = options.public_key;
        public_key.hints = None;
        // The credentials have items of their own, and those that count are read again.
        Ceremony::of(&public_key, &state, "credentials")
    }

    /// What an answer to [`Self::ask`] said, if its signature is that of one of these credentials.
    ///
    /// # Errors
    /// [`NotAnswered`].
    pub fn answered(
        &self,
        state: &str,
        credentials: &[&CredentialRecord],
        answer: &Value,
    ) -> Result<PasskeyAnswer, NotAnswered> {
        let webauthn = self.webauthn().map_err(|_| NotAnswered::Wrong("passkeys are not configured"))?;
        let mut state: Value = serde_json::from_str(state).map_err(|_| NotAnswered::Wrong("no state"))?;
        let known: Result<Vec<Value>, _> =
            credentials.iter().map(|record| serde_json::from_str(&record.credential)).collect();
        let known = known.map_err(|_| NotAnswered::Wrong("a credential cannot be read"))?;
        let place = inner(&mut state).and_then(|inner| inner.get_mut("credentials"));
        *place.ok_or(NotAnswered::Wrong("no state of a use"))? = known.into();
        let answer: PublicKeyCredential =
            Deserialize::deserialize(answer).map_err(|_| NotAnswered::Wrong("malformed"))?;
        let result = match serde_json::from_value(state) {
            Ok(State::Use(state)) => webauthn.finish_passkey_authentication(&answer, &state),
            Ok(State::UseOfKey(state)) => webauthn.finish_securitykey_authentication(&answer, &state),
            _ => return Err(NotAnswered::Wrong("no state of a use")),
        };
        let result: AuthenticationResult = result.map_err(|error| wrong(&error, &answer.raw_id))?;
        Ok(PasskeyAnswer {
            credential_id: result.cred_id().clone(),
            counter: result.counter(),
            backup: backup(result.backup_eligible(), result.backup_state()),
        })
    }
}

fn webauthn(config: &PasskeyConfig, app_name: &str) -> Result<Webauthn, NotMade> {
    let urls: Result<Vec<_>, _> = config.origins.iter().map(|origin| Url::parse(origin)).collect();
    let urls = urls.map_err(|error| NotMade(format!("MFA_PASSKEY_ORIGINS: {error}")))?;
    // The library asks of the first alone whether it is one of the domain. The others may be related
    // origins and apps.
    let builder_of = |url| WebauthnBuilder::new(&config.rp_id, url).ok().map(|builder| (url, builder));
    let (first, builder) = urls
        .iter()
        .find_map(builder_of)
        .ok_or_else(|| NotMade("MFA_PASSKEY_ORIGINS has no origin of MFA_PASSKEY_RP_ID".to_owned()))?;
    let others = urls.iter().filter(|url| *url != first);
    let builder = others.fold(builder.rp_name(app_name), WebauthnBuilder::append_allowed_origin);
    builder.build().map_err(refused)
}

/// Stores the challenge of a ceremony, if its limit allows one more, and replies with what the browser is to
/// be asked. `name` is that of a passkey that is to be registered.
///
/// # Errors
/// [`Problem`], if the limit is reached or the challenge cannot be stored.
pub async fn store(
    app: &App,
    user: UserId,
    ticket: Ticket,
    ceremony: Ceremony,
    name: Option<String>,
    made: Timestamp,
) -> Result<AskReply, Problem> {
    let App { keys, table, .. } = app;
    let Ticket { security_epoch, slot, limit } = ticket;
    table.charge_challenge(&limit, made).await?;
    let Ceremony { public_key, state } = ceremony;
    let challenge = Challenge { made, security_epoch, name, state };
    let sealed = keys.seal_challenge(user, slot, &challenge, random::bytes()?);
    let sealed = sealed.map_err(|CannotSeal| Problem::internal("a challenge cannot be sealed"))?;
    table.put_challenge(user, &ChallengeRecord { slot, until: challenge_ends(made), sealed }).await?;
    Ok(AskReply { public_key, expires_in: Policy::PASSKEY_CHALLENGE_LIFETIME.as_secs() })
}

impl Ceremony {
    /// A ceremony whose state leaves out the list `emptied`.
    fn of(public_key: &impl Serialize, state: &State, emptied: &str) -> Result<Self, NotMade> {
        let not_made = |error: serde_json::Error| NotMade(error.to_string());
        let public_key = serde_json::to_value(public_key).map_err(not_made)?;
        let mut state = serde_json::to_value(state).map_err(not_made)?;
        let place = inner(&mut state).and_then(|inner| inner.get_mut(emptied));
        *place.ok_or_else(|| NotMade(format!("a state without {emptied}")))? = json!([]);
        Ok(Self { public_key, state: state.to_string() })
    }
}

/// The state proper, inside the name of its flow and the library's wrapper.
fn inner(state: &mut Value) -> Option<&mut Value> {
    let flow = state.as_object_mut()?.values_mut().next()?.as_object_mut()?;
    flow.iter_mut().find(|(name, _)| matches!(name.as_str(), "rs" | "ast")).map(|(_, inner)| inner)
}

fn credential(record: &CredentialRecord) -> Result<Credential, NotMade> {
    serde_json::from_str(&record.credential)
        .map_err(|_| NotMade(format!("the credential {} cannot be read", record.id)))
}

const fn backup(eligible: bool, synced: bool) -> Backup {
    match (eligible, synced) {
        (false, _) => Backup::Never,
        (true, false) => Backup::Eligible,
        (true, true) => Backup::Synced,
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is handed to `map_err`")]
fn refused(error: WebauthnError) -> NotMade {
    NotMade(error.to_string())
}

/// Why an answer with this credential id does not count. The log names the kind of fault alone: what
/// the browser sent may hold anything.
fn wrong(error: &WebauthnError, credential_id: &[u8]) -> NotAnswered {
    match error {
        WebauthnError::CredentialPossibleCompromise => NotAnswered::Copied(credential_id.to_owned()),
        WebauthnError::MismatchedChallenge => NotAnswered::Wrong("of another challenge"),
        WebauthnError::InvalidClientDataType => NotAnswered::Wrong("of another kind"),
        WebauthnError::InvalidRPOrigin => NotAnswered::Wrong("of another origin (MFA_PASSKEY_ORIGINS)"),
        WebauthnError::InvalidRPIDHash => NotAnswered::Wrong("of another relying party (MFA_PASSKEY_RP_ID)"),
        WebauthnError::CredentialCrossOrigin => NotAnswered::Wrong("from a frame of another origin"),
        WebauthnError::UserNotPresent => NotAnswered::Wrong("nobody was present"),
        WebauthnError::UserNotVerified => NotAnswered::Wrong("nobody was verified by PIN or body"),
        WebauthnError::CredentialNotFound => NotAnswered::Wrong("of a credential that was not asked"),
        WebauthnError::CredentialAlteredAlgFromRequest => {
            NotAnswered::Wrong("of an algorithm that was not asked for, or of a known credential")
        }
        WebauthnError::AuthenticationFailure => NotAnswered::Wrong("the signature does not match"),
        _ => NotAnswered::Wrong("malformed or not supported"),
    }
}
