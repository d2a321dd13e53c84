//! Passkeys and security keys (`WebAuthn` Level 3). The rules decide by what the crate `passkeys` found
//! in an answer of a browser. This crate does not link the library that reads those answers.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{
    Context, ItemKey, LoginId, PasskeyId, Policy, Refusal, Snapshot, Timestamp, gate,
    ledger::{Backup, Passkey},
    method::Method,
};

/// The name of a passkey that nobody named.
pub const DEFAULT_NAME: &str = "Passkey";

/// What lists show of a passkey: data, never authority.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PasskeyRecord {
    /// Its id, which stands in the item's key.
    #[serde(skip_serializing)]
    pub id: PasskeyId,
    /// The name in the list.
    pub name: String,
    /// When it was registered.
    pub created: Timestamp,
}

/// The credential of a passkey: its credential id and public key, as the crate `passkeys` writes them.
/// It never changes, and nothing in it is a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CredentialRecord {
    /// The id of the passkey, which stands in the item's key.
    #[serde(skip_serializing)]
    pub id: PasskeyId,
    /// The credential, as JSON.
    pub credential: String,
}

/// What a challenge is for. An answer to one of the other purpose does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Registering a passkey.
    Setup,
    /// Using one.
    Use,
}

impl Purpose {
    /// Its name, under which challenges are sealed.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Setup => "SETUP",
            Self::Use => "USE",
        }
    }
}

/// The place of a challenge. A newer one in the same place replaces it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChallengeSlot {
    /// The login that asked, the only one that may answer.
    pub login: LoginId,
    /// What it is for.
    pub purpose: Purpose,
    /// Whether it is the place of known callers, which only a login has that others can share.
    pub of_known_caller: bool,
}

/// The item of a challenge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChallengeRecord {
    /// Its place.
    pub slot: ChallengeSlot,
    /// From this moment on it does not count.
    pub until: Timestamp,
    /// The sealed [`Challenge`].
    pub sealed: Vec<u8>,
}

/// A challenge. No ledger names it, and making one costs no commit: otherwise a stranger with the
/// password could keep the ledger busy.
///
/// It counts in the security epoch in which it was made, and only if it is later than everything that
/// the ledger knows of the passkey that answers it. So it counts once.
#[derive(Clone, Serialize, Deserialize)]
pub struct Challenge {
    /// When it was made, to the millisecond.
    pub made: Timestamp,
    /// The security epoch in which it was made. `None` if the table did not have the user, whose first
    /// ledger draws its epoch.
    #[serde(rename = "epoch")]
    pub security_epoch: Option<u64>,
    /// The name of the passkey that is to be registered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The state that the library needs to check the answer, as JSON: the random challenge and what
    /// was demanded.
    pub state: String,
}

// Who knows the random challenge can prepare an answer to it.
impl fmt::Debug for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Challenge({:?}, epoch {:?}, …)", self.made, self.security_epoch)
    }
}

/// What an answer to a challenge said, once its signature was right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PasskeyAnswer {
    /// The credential id.
    pub credential_id: Vec<u8>,
    /// The signature counter, or 0 if the authenticator does not count.
    pub counter: u32,
    /// What it said of copies.
    pub backup: Backup,
}

/// Why an answer to a challenge does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotAnswered {
    /// Whatever is wrong with it. The text is for the log.
    Wrong(&'static str),
    /// The counter is not above the one that the passkey was registered with.
    Copied(Vec<u8>),
}

/// Whether the caller may be asked for a passkey, or register one.
pub(super) fn is_offered(cx: &Context<'_>) -> Result<(), Refusal> {
    if cx.policy.offers(Method::Passkey) { Ok(()) } else { Err(Refusal::MethodNotOffered) }
}

/// The passkeys that a caller may use. An inactive one may be an intruder's: it is asked only under a
/// fresh proof.
pub(super) fn usable<'a>(snapshot: &'a Snapshot, cx: &Context<'_>) -> Result<Vec<&'a Passkey>, Refusal> {
    let named: Vec<_> = snapshot.named_passkeys().collect();
    if named.is_empty() {
        return Err(Refusal::NoPasskey);
    }
    let proven = gate::is_proven(snapshot, cx);
    let usable: Vec<_> = named.into_iter().filter(|passkey| proven || !passkey.inactive).collect();
    if usable.is_empty() { Err(Refusal::InactivePasskey) } else { Ok(usable) }
}

/// The credentials of these passkeys.
///
/// # Errors
/// [`Refusal::Unreadable`].
pub(super) fn credentials<'a>(
    snapshot: &'a Snapshot,
    of: impl IntoIterator<Item = &'a Passkey>,
) -> Result<Vec<&'a CredentialRecord>, Refusal> {
    let ids: Vec<_> = of.into_iter().map(|passkey| passkey.id).collect();
    ids.iter().try_for_each(|id| snapshot.require_readable(ItemKey::Credential(*id)))?;
    Ok(snapshot.credentials.iter().filter(|record| ids.contains(&record.id)).collect())
}

/// The first challenge of `purpose` that `check` finds the answer to, and what the answer said.
pub(super) fn answered<T>(
    snapshot: &Snapshot,
    purpose: Purpose,
    cx: &Context<'_>,
    check: impl Fn(&Challenge) -> Result<T, NotAnswered>,
) -> Result<(Challenge, T), Refusal> {
    let own: Vec<_> = snapshot.challenges.iter().filter(|record| record.slot.purpose == purpose).collect();
    let live: Vec<_> = own.iter().filter(|record| record.until > cx.now).collect();
    if live.is_empty() {
        let none = Refusal::WrongPasskey("the login has no challenge");
        return Err(if own.is_empty() { none } else { Refusal::ExpiredPasskeyChallenge });
    }
    let mut wrong = Refusal::WrongPasskey("no challenge");
    for record in live {
        let cause = || "a challenge does not open with the configured sealing keys".to_owned();
        let challenge = cx.keys.challenge(cx.caller.user, record).ok_or_else(|| Refusal::Unreadable(cause()))?;
        match check(&challenge) {
            Ok(answer) if is_of_present_epoch(snapshot, &challenge) => return Ok((challenge, answer)),
            Ok(_) => wrong = Refusal::ExpiredPasskeyChallenge,
            Err(NotAnswered::Wrong(cause)) => wrong = Refusal::WrongPasskey(cause),
            Err(NotAnswered::Copied(id)) => return Err(copied(snapshot, &id, cx)),
        }
    }
    Err(wrong)
}

/// Whether a challenge is of the present epoch. One of a user who was new counts until MFA is on.
fn is_of_present_epoch(snapshot: &Snapshot, challenge: &Challenge) -> bool {
    challenge.security_epoch.map_or(!snapshot.ledger.enabled, |epoch| snapshot.is_of_epoch(epoch))
}

/// The refusal of a passkey whose counter did not rise.
fn copied(snapshot: &Snapshot, credential_id: &[u8], cx: &Context<'_>) -> Refusal {
    let unknown = Refusal::WrongPasskey("an unknown credential");
    named(snapshot, credential_id, cx).map_or(unknown, |passkey| Refusal::CopiedPasskey(passkey.id))
}

/// The passkey with this credential id.
pub(super) fn named<'a>(snapshot: &'a Snapshot, credential_id: &[u8], cx: &Context<'_>) -> Option<&'a Passkey> {
    let tag = cx.keys.credential_tag(cx.caller.user, credential_id);
    snapshot.ledger.passkeys.iter().find(|passkey| passkey.id.is_of(tag))
}

/// Until when challenges are spent once one that was made at `made` was answered. Clocks of two
/// instances differ, so the later moment counts. The ledger keeps seconds: rounded down, a challenge
/// could be used twice within its second.
pub(super) fn spent_until(made: Timestamp, cx: &Context<'_>) -> Timestamp {
    made.max(cx.now).rounded_up()
}

/// When a challenge that is made at `made` ends.
#[must_use]
pub fn challenge_ends(made: Timestamp) -> Timestamp {
    made.plus(Policy::PASSKEY_CHALLENGE_LIFETIME)
}
