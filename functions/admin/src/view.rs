//! What an operator sees of a user. It holds no secret, and no address: the table has only hashes.

use mfa::{
    domain::{DeviceId, LoginId, Snapshot, Timestamp, ledger::Unreachable, listing},
    storage::StoredItem,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A user. Times are in UTC.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UserView {
    /// The user's key in the table and in the log.
    pub key: String,
    /// Whether the user switched MFA on.
    pub is_enabled: bool,
    /// Until when codes are not judged.
    pub locked_until: Option<String>,
    /// How often codes were wrong.
    pub wrong_codes: WrongCodes,
    /// The authenticators, passkeys and open set-ups.
    pub authenticators: Vec<Authenticator>,
    /// The recovery codes, if there are any.
    pub recovery_codes: Option<RecoveryCodes>,
    /// The addresses that get codes, or that are known to get none.
    pub addresses: Vec<AddressView>,
    /// The codes that were sent and not used.
    pub outstanding_codes: Vec<OutstandingCode>,
    /// When codes were sent within the last hour.
    pub sends: Vec<Send>,
    /// When sends were given back within the last hour, because the provider took none.
    pub refunded_sends: Vec<String>,
    /// The sessions that go on.
    pub sessions: Vec<SessionView>,
    /// The trusted devices that count.
    pub trusted_devices: Vec<TrustedDevice>,
    /// The logins that gave a right code lately.
    pub recent_logins: Vec<RecentLogin>,
    /// The networks that right codes came from.
    pub networks: Vec<Network>,
    /// Who began the security epoch and counts as proven for a while.
    pub grace: Option<GraceView>,
    /// The security epoch. What was made in an earlier one has ended.
    pub security_epoch: u64,
    /// The version of the ledger.
    pub version: u64,
    /// How many of the last commits the ledger remembers.
    pub commits: usize,
    /// Items that cannot be read.
    pub unreadable: Vec<String>,
}

/// How often codes were wrong.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WrongCodes {
    /// Since the last right one.
    pub in_a_row: u8,
    /// Of the long-term budget, not forgiven yet.
    pub unforgiven: u8,
    /// Since when the next one is being forgiven.
    pub forgiven_since: Option<String>,
    /// How often the lock has doubled.
    pub lock_level: u8,
    /// In which half minute the last one was.
    pub last_at: Option<String>,
}

/// An authenticator, a passkey or an open set-up.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Authenticator {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// `totp` or `passkey`.
    pub method: String,
    /// `active`, `inactive` or `set-up`.
    pub state: String,
    /// When the set-up began.
    pub created_at: String,
    /// When a code was last accepted.
    pub last_used_at: Option<String>,
    /// The last time step of a code that was accepted, of an authenticator.
    pub last_step: Option<u64>,
    /// The login that confirmed or last used it, or `operator`.
    pub confirmed_by: Option<String>,
}

/// The recovery codes.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecoveryCodes {
    /// How many are left.
    pub left: u32,
    /// When they were made.
    pub created_at: String,
    /// The login that made them or last used one.
    pub made_by: Option<String>,
}

/// An address, by the method that sends codes there. The table knows only a hash of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AddressView {
    /// `email` or `sms`.
    pub method: String,
    /// A keyed hash.
    pub hash: String,
    /// Whether a code that went there was right.
    pub is_proven: bool,
    /// The login that gave that code, or `operator`.
    pub proven_by: Option<String>,
    /// Whether the provider refused it for good.
    pub is_refused: bool,
    /// Until when a number is no method, because the provider took no code for it.
    #[serde(default)]
    pub unreachable_until: Option<String>,
    /// Whether MFA was switched on with it before any code was right.
    pub is_untried: bool,
}

/// A code that was sent and not used.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OutstandingCode {
    /// The login that asked for it.
    pub login: String,
    /// Whether a known caller asked for it.
    pub is_of_known_caller: bool,
    /// From when on it is refused.
    pub until: String,
}

/// A send.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Send {
    /// When.
    pub at: String,
    /// Whether a known caller asked for it.
    pub is_of_known_caller: bool,
    /// Whether it counts in the share of known callers.
    pub is_in_reserve: bool,
}

/// A session.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionView {
    /// Its id.
    pub id: String,
    /// What its owner knows it by.
    pub label: String,
    /// The factor that it rests on.
    pub method: String,
    /// When it was opened.
    pub created_at: String,
    /// When it was last refreshed.
    pub last_used_at: Option<String>,
    /// When it ends.
    pub until: String,
}

/// A trusted device.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TrustedDevice {
    /// Its id.
    pub id: String,
    /// What its owner knows it by.
    pub label: String,
    /// When it was trusted.
    pub created_at: String,
    /// When it last stood in for a code.
    pub last_used_at: Option<String>,
    /// When it ends.
    pub until: String,
}

/// A login that gave a right code.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecentLogin {
    /// Its keyed hash.
    pub login: String,
    /// With which factor.
    pub method: String,
    /// When.
    pub at: String,
}

/// A network.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Network {
    /// Its keyed hash.
    pub hash: String,
    /// When the last right code came from it.
    pub used_at: String,
}

/// A grace.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GraceView {
    /// The keyed hash of the session or login that has it.
    pub holder: String,
    /// When it ends.
    pub until: String,
}

/// Everything that the table holds about a user, without secrets.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Export {
    /// The id in the application's tokens.
    pub user: String,
    /// When it was exported.
    pub exported_at: String,
    /// What the items mean.
    #[serde(flatten)]
    pub view: UserView,
    /// The items as they are stored. A binary value is withheld: it is sealed, or a keyed hash, or a
    /// list that is shown above.
    pub items: Vec<Item>,
}

/// One item of the table.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Item {
    /// Its sort key.
    pub sort_key: String,
    /// The other attributes.
    pub attributes: Map<String, Value>,
}

impl From<StoredItem> for Item {
    fn from(item: StoredItem) -> Self {
        Self { sort_key: item.sort_key, attributes: item.attributes }
    }
}

impl UserView {
    /// What is seen of `snapshot`, which is of the user whose key is `key` and has all their items.
    #[must_use]
    pub fn of(snapshot: &Snapshot, key: &str, now: Timestamp) -> Self {
        let ledger = &snapshot.ledger;
        let failures = &ledger.failures;
        let goes_on = |epoch, until| snapshot.is_of_epoch(epoch) && until > now;
        Self {
            key: key.to_owned(),
            is_enabled: ledger.enabled,
            locked_until: failures.lock_end(now).map(Timestamp::to_rfc3339),
            wrong_codes: WrongCodes {
                in_a_row: failures.consecutive,
                unforgiven: failures.unforgiven,
                forgiven_since: (failures.unforgiven > 0).then(|| failures.forgiven_since.to_rfc3339()),
                lock_level: failures.lock_level,
                last_at: failures.last_at().map(Timestamp::to_rfc3339),
            },
            authenticators: authenticators(snapshot, now),
            recovery_codes: ledger.recovery.as_ref().map(|set| RecoveryCodes {
                left: set.left(),
                created_at: set.created.to_rfc3339(),
                made_by: set.made_by.map(login),
            }),
            addresses: addresses(snapshot, now),
            outstanding_codes: ledger
                .codes
                .iter()
                .map(|code| OutstandingCode {
                    login: code.login.to_string(),
                    is_of_known_caller: code.known,
                    until: code.until.to_rfc3339(),
                })
                .collect(),
            sends: ledger
                .sends
                .sent
                .iter()
                .map(|send| Send {
                    at: send.at.to_rfc3339(),
                    is_of_known_caller: send.known,
                    is_in_reserve: send.reserve,
                })
                .collect(),
            refunded_sends: ledger.sends.refunded_at.iter().map(|at| at.to_rfc3339()).collect(),
            sessions: snapshot
                .sessions
                .iter()
                .filter(|session| goes_on(session.security_epoch, session.until))
                .map(|session| SessionView {
                    id: session.id.to_string(),
                    label: session.label.clone(),
                    method: session.factor.told().to_owned(),
                    created_at: session.created.to_rfc3339(),
                    last_used_at: session.last_used_at().map(Timestamp::to_rfc3339),
                    until: session.until.to_rfc3339(),
                })
                .collect(),
            trusted_devices: snapshot
                .trusted
                .iter()
                .filter(|device| goes_on(device.security_epoch, device.until))
                .map(|device| TrustedDevice {
                    id: device.id.to_string(),
                    label: device.label.clone(),
                    created_at: device.created.to_rfc3339(),
                    last_used_at: device.last_used_at.map(Timestamp::to_rfc3339),
                    until: device.until.to_rfc3339(),
                })
                .collect(),
            recent_logins: ledger
                .recent
                .iter()
                .map(|recent| RecentLogin {
                    login: login(recent.login),
                    method: recent.factor.told().to_owned(),
                    at: recent.verified_at.to_rfc3339(),
                })
                .collect(),
            networks: ledger
                .networks
                .iter()
                .map(|network| Network { hash: hex(&network.tag.0), used_at: network.used_at.to_rfc3339() })
                .collect(),
            grace: ledger
                .grace
                .as_ref()
                .map(|grace| GraceView { holder: login(grace.holder), until: grace.until.to_rfc3339() }),
            security_epoch: ledger.security_epoch,
            version: ledger.version,
            commits: ledger.commits.len(),
            unreadable: snapshot.unreadable.iter().map(|item| item.cause.clone()).collect(),
        }
    }
}

fn authenticators(snapshot: &Snapshot, now: Timestamp) -> Vec<Authenticator> {
    let listed = listing::devices(snapshot, now).into_iter();
    let shown = listed.map(|device| {
        let named = snapshot.ledger.devices.iter().find(|named| named.id == device.id);
        let passkey = snapshot.ledger.passkeys.iter().find(|passkey| DeviceId::from(passkey.id) == device.id);
        let state = match (named.is_some() || passkey.is_some(), device.inactive) {
            (false, _) => "set-up",
            (true, true) => "inactive",
            (true, false) => "active",
        };
        Authenticator {
            id: device.id.to_string(),
            name: device.name,
            method: device.method.as_str().to_owned(),
            state: state.to_owned(),
            created_at: device.created.to_rfc3339(),
            last_used_at: device.last_used.map(Timestamp::to_rfc3339),
            last_step: named.map(|named| named.last_step),
            confirmed_by: named
                .and_then(|named| named.confirmed_by)
                .or_else(|| passkey.and_then(|passkey| passkey.confirmed_by))
                .map(login),
        }
    });
    shown.collect()
}

fn addresses(snapshot: &Snapshot, now: Timestamp) -> Vec<AddressView> {
    let ledger = &snapshot.ledger;
    let mut tags: Vec<_> = ledger.proven.iter().map(|proven| proven.tag).collect();
    tags.extend(ledger.marked.iter().map(|marked| marked.tag).filter(|tag| !ledger.has_proven(*tag)));
    let shown = tags.into_iter().map(|tag| {
        let proven = ledger.proven.iter().find(|proven| proven.tag == tag);
        let marked = ledger.marked.iter().find(|marked| marked.tag == tag);
        AddressView {
            method: tag.method.as_str().to_owned(),
            hash: hex(&tag.hash),
            is_proven: proven.is_some(),
            proven_by: proven.and_then(|proven| proven.by).map(login),
            is_refused: ledger.is_refused(tag, now),
            unreachable_until: ledger.unreachable(tag, now).and_then(Unreachable::until).map(Timestamp::to_rfc3339),
            is_untried: marked.is_some_and(|marked| marked.untried),
        }
    });
    shown.collect()
}

fn login(login: LoginId) -> String {
    if login == LoginId::OPERATOR { "operator".to_owned() } else { login.to_string() }
}

fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}
