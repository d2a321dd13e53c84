//! What the command-line client and the functions say to each other.

use std::{collections::BTreeMap, fmt};

use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::BASE64URL_NOPAD;
use mfa::domain::TotpVariant;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use serde_json::Value;
use zeroize::Zeroizing;

use crate::CallerProof;

/// One command.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Request {
    /// The name of the function that is to carry it out, so that nobody carries the proof of the
    /// caller to another stack.
    pub function: String,
    /// What to do.
    pub command: Command,
    /// The login whose user ids are meant. Only needed if several are configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login: Option<String>,
    /// Why, for the log: 1 to 200 characters. Needed for every change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Only says what would happen.
    #[serde(default)]
    pub dry_run: bool,
    /// Who calls. Needed for every change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller: Option<CallerProof>,
}

impl Request {
    /// What the caller signs: a hash over all of it but the proof itself.
    #[must_use]
    pub fn digest(&self) -> String {
        let Self { function, command, login, reason, dry_run, caller: _ } = self;
        // A command holds texts, numbers and lists. They can always be written.
        let signed = serde_json::to_vec(&(function, command, login, reason, dry_run)).unwrap_or_default();
        BASE64URL_NOPAD.encode(digest(&SHA256, &signed).as_ref())
    }
}

/// What to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Command {
    /// Show what the table knows about a user.
    Show(User),
    /// The same, and every item of theirs.
    Export(User),
    /// Forget a user's wrong codes.
    Unlock(User),
    /// Take every factor of a user away, and switch their MFA off.
    Reset(User),
    /// End every session and trusted device of a user.
    EndSessions(User),
    /// Delete every item of a user.
    Erase(User),
    /// Delete what a request that was under way wrote after [`Self::Erase`].
    Sweep(User),
    /// Look for items that are wrong, and count what each sealing key sealed.
    Check(Page),
    /// End every session and trusted device of all users.
    RaiseEpochs(Page),
    /// Seal every authenticator again that an old key sealed.
    Reseal(Page),
    /// Say which sealing keys there are.
    SealingKeys,
    /// Bring users back from the table of a restored backup.
    RestoreFrom(Restore),
    /// Bring users from another system.
    Import(Vec<ImportUser>),
}

/// What a command needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Reading the table.
    Read,
    /// Changing it.
    Change,
}

impl Command {
    /// Its name in the log and on the command line.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Show(_) => "show",
            Self::Export(_) => "export",
            Self::Unlock(_) => "unlock",
            Self::Reset(_) => "reset",
            Self::EndSessions(_) => "end-sessions",
            Self::Erase(_) => "erase",
            Self::Sweep(_) => "sweep",
            Self::Check(_) => "check",
            Self::RaiseEpochs(_) => "raise-epochs",
            Self::Reseal(_) => "reseal",
            Self::SealingKeys => "sealing-keys",
            Self::RestoreFrom(_) => "restore-from",
            Self::Import(_) => "import",
        }
    }

    /// Whether it concerns the users of all logins.
    #[must_use]
    pub const fn is_of_all_users(&self) -> bool {
        match self {
            Self::Check(_) | Self::RaiseEpochs(_) | Self::Reseal(_) | Self::SealingKeys | Self::RestoreFrom(_) => true,
            Self::Show(_)
            | Self::Export(_)
            | Self::Unlock(_)
            | Self::Reset(_)
            | Self::EndSessions(_)
            | Self::Erase(_)
            | Self::Sweep(_)
            | Self::Import(_) => false,
        }
    }

    /// Whether it changes something. A change needs a reason and a caller.
    #[must_use]
    pub const fn is_change(&self) -> bool {
        matches!(self.access(), Access::Change) && !matches!(self, Self::SealingKeys)
    }

    /// What it needs. Only the function that changes has the sealing keys.
    #[must_use]
    pub const fn access(&self) -> Access {
        match self {
            Self::Show(_) | Self::Export(_) | Self::Check(_) => Access::Read,
            Self::Unlock(_)
            | Self::Reset(_)
            | Self::EndSessions(_)
            | Self::Erase(_)
            | Self::Sweep(_)
            | Self::RaiseEpochs(_)
            | Self::Reseal(_)
            | Self::SealingKeys
            | Self::RestoreFrom(_)
            | Self::Import(_) => Access::Change,
        }
    }
}

/// A user, by the id in the application's tokens.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// The id.
    pub user: String,
}

/// Some users of the table.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Page {
    /// Which part of the table, from 0.
    pub segment: u16,
    /// How many parts there are: 1 or more.
    pub of: u16,
    /// [`PageReply::next`] of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<String>,
    /// These users instead of those of a part, by their keys: [`PageReply::failed`] of earlier pages.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub users: Vec<String>,
}

impl Page {
    /// The next page of a part.
    #[must_use]
    pub const fn of_part(segment: u16, of: u16, start: Option<String>) -> Self {
        Self { segment, of, start, users: Vec::new() }
    }

    /// Users that failed before.
    #[must_use]
    pub const fn of_users(users: Vec<String>) -> Self {
        Self { segment: 0, of: 1, start: None, users }
    }
}

/// Where users are restored from.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Restore {
    /// The table of the backup.
    pub table: String,
    /// Whether recovery codes count again of users whom the stack's table has lost.
    pub keep_recovery: bool,
    /// Users who were erased. They stay erased.
    #[serde(default)]
    pub erased: Vec<ErasedUser>,
    /// Which of them.
    pub page: Page,
}

/// A user who was erased.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ErasedUser {
    /// The login that the id is of, if several are configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login: Option<String>,
    /// The id in the application's tokens.
    pub user: String,
}

/// A user of another system.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ImportUser {
    /// Where the user stands in the file, for what is told about them.
    pub line: u64,
    /// The id in the application's tokens.
    pub user: String,
    /// The login that the id is of, if the file says so. [`Request::login`] otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login: Option<String>,
    /// The authenticators.
    #[serde(default)]
    pub authenticators: Vec<ImportAuthenticator>,
    /// An e-mail address that the user proved by a code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proven_email: Option<String>,
    /// A phone number that the user proved by a code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proven_phone: Option<String>,
    /// Whether MFA is on from now on.
    pub enabled: bool,
}

/// An authenticator of another system.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ImportAuthenticator {
    /// The secret.
    pub secret: Secret,
    /// How its codes are made.
    pub variant: TotpVariant,
    /// Its name in the list of its owner.
    pub name: String,
    /// The last step, of its own period, whose code was used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_step: Option<u64>,
}

/// A secret on its way. It is written as base 64.
#[derive(Clone)]
pub struct Secret(pub Zeroizing<Vec<u8>>);

// A stray `{:?}` must not write a secret to a log.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&Zeroizing::new(BASE64URL_NOPAD.encode(&self.0)))
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Zeroizing::new(String::deserialize(deserializer)?);
        // The error of the decoder names a place and no value, but nothing of a secret is needed.
        let secret = BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_| D::Error::custom("a secret is malformed"))?;
        Ok(Self(Zeroizing::new(secret)))
    }
}

/// What a page of a command that concerns all users did.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PageReply {
    /// How many users it looked at.
    pub users: u64,
    /// What it did, and to how many.
    pub counts: BTreeMap<String, u64>,
    /// What it found.
    pub findings: Vec<UserFinding>,
    /// The users that it failed for, and why. The command can be repeated for them.
    pub failed: Vec<UserFinding>,
    /// Where the next page starts, if there is one.
    pub next: Option<String>,
    /// The read units of the table that it took.
    pub read_units: f64,
    /// The write units.
    pub write_units: f64,
}

/// Something about one user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserFinding {
    /// The user's key in the table and in the log. For an import, the line of the file.
    pub user: String,
    /// The sort key of the item that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<String>,
    /// What is the matter.
    pub what: String,
}

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Reply {
    /// What the table knows about a user.
    Shown(Value),
    /// It is done, or would be, in a dry run.
    Done,
    /// So many items are deleted, or would be, in a dry run.
    Deleted(usize),
    /// The table has no such user.
    UnknownUser,
    /// These sealing keys are there. The first one seals.
    SealingKeys(Vec<String>),
    /// A page of users is done.
    Page(PageReply),
    /// It was not done, and the same may succeed later. The sentence says why.
    TryAgain(String),
    /// It was not done. The sentence says why, and what to do.
    Refused(String),
}
