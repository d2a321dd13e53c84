//! The one small item that every rule about a user is decided from.

use serde::{Deserialize, Serialize};

use super::{
    AddressTag, CodeId, CommitId, DeviceId, LoginId, Policy, RecoveryId, Timestamp, failures::Failures, sends::Sends,
};

/// Everything that counts about a user. What it does not name does not exist.
///
/// Stays under 1 KB, so that reading and writing it costs one unit each: the names within its lists are short when stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// Raised by every commit; each is conditional on the one that it was decided from.
    pub version: u64,
    /// Raised when MFA is switched on or off, a recovery code is used, and by a reset. Proofs carry it.
    pub epoch: u64,
    /// Whether the user switched MFA on.
    pub enabled: bool,
    /// The verified devices.
    #[serde(default)]
    pub devices: Vec<Device>,
    /// The open set-ups, oldest first.
    #[serde(default)]
    pub setups: Vec<Setup>,
    /// The codes that were sent and not used, one a login at most.
    #[serde(default)]
    pub codes: Vec<SentCode>,
    /// The recovery codes.
    #[serde(default)]
    pub recovery: Option<RecoverySet>,
    /// The wrong answers.
    #[serde(default)]
    pub failures: Failures,
    /// The sends.
    #[serde(default)]
    pub sends: Sends,
    /// The addresses that codes go to without a proof while MFA is on, oldest first.
    #[serde(default)]
    pub proven: Vec<AddressTag>,
    /// The logins that gave a right code lately, oldest first.
    #[serde(default)]
    pub recent: Vec<Recent>,
    /// The login that switched MFA on and counts as proven until then.
    #[serde(default)]
    pub grace: Option<Grace>,
    /// The last four commits, oldest first.
    #[serde(default)]
    pub commits: Vec<CommitId>,
}

/// A verified device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// Which.
    #[serde(rename = "d")]
    pub id: DeviceId,
    /// The TOTP step of the last code that was accepted; the set-up code counts.
    #[serde(rename = "s")]
    pub step: u64,
    /// When a code was last accepted, the set-up code aside.
    #[serde(rename = "u", default, skip_serializing_if = "Option::is_none")]
    pub used: Option<Timestamp>,
    /// The login that confirmed or last used it, until MFA is switched on: only that login's devices go on. `None`:
    /// the device was confirmed behind the MFA gate, or was kept then.
    #[serde(rename = "l", default, skip_serializing_if = "Option::is_none")]
    pub by: Option<LoginId>,
}

/// A set-up that waits for its first code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setup {
    /// The device that it would become.
    #[serde(rename = "d")]
    pub id: DeviceId,
    /// Until when.
    #[serde(rename = "t")]
    pub until: Timestamp,
}

/// A code that was sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentCode {
    /// Which.
    #[serde(rename = "c")]
    pub id: CodeId,
    /// The login that asked for it, the only one that may use it.
    #[serde(rename = "l")]
    pub login: LoginId,
    /// From this moment on it is refused.
    #[serde(rename = "t")]
    pub until: Timestamp,
}

/// The set of recovery codes that counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecoverySet {
    /// Which.
    #[serde(rename = "r")]
    pub id: RecoveryId,
    /// The used ones: bit *n* for the *n*-th.
    #[serde(rename = "u")]
    pub used: u16,
    /// When it was made.
    #[serde(rename = "t")]
    pub created: Timestamp,
}

impl RecoverySet {
    /// How many codes were not used.
    #[must_use]
    pub fn left(&self) -> u32 {
        u32::try_from(Policy::RECOVERY_CODES).unwrap_or(0).saturating_sub(self.used.count_ones())
    }
}

/// An item beside the ledger that it can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ItemName {
    /// A verified device or an open set-up.
    Device(DeviceId),
    /// A set of recovery codes.
    Recovery(RecoveryId),
}

/// A login that confirmed a set-up or gave a right code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recent {
    /// Which.
    #[serde(rename = "l")]
    pub login: LoginId,
    /// When.
    #[serde(rename = "t")]
    pub at: Timestamp,
}

/// The login that switched MFA on, while it counts as proven.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grace {
    /// Which.
    #[serde(rename = "l")]
    pub login: LoginId,
    /// Until when.
    #[serde(rename = "t")]
    pub until: Timestamp,
}

impl Ledger {
    /// The ledger of a user that the table knows nothing of.
    ///
    /// `seed` is random: version and epoch never match what an old writer or an old proof of an erased ledger holds.
    /// Both leave room to be counted up, and the epoch to be a JSON number.
    #[must_use]
    pub fn fresh(seed: u64) -> Self {
        Self {
            version: seed >> 1,
            epoch: seed & 0xFFFF_FFFF,
            enabled: false,
            devices: Vec::new(),
            setups: Vec::new(),
            codes: Vec::new(),
            recovery: None,
            failures: Failures::default(),
            sends: Sends::default(),
            proven: Vec::new(),
            recent: Vec::new(),
            grace: None,
            commits: Vec::new(),
        }
    }

    /// The same ledger as the next commit writes it.
    #[must_use]
    pub fn committed_as(mut self, commit: CommitId) -> Self {
        self.version = self.version.wrapping_add(1);
        push_bounded(&mut self.commits, commit, 4);
        self
    }

    /// The items that it names.
    pub fn named_items(&self) -> impl Iterator<Item = ItemName> {
        let devices = self.devices.iter().map(|device| device.id).chain(self.setups.iter().map(|setup| setup.id));
        devices.map(ItemName::Device).chain(self.recovery.iter().map(|set| ItemName::Recovery(set.id)))
    }

    /// Whether `commit` is one of the last four.
    #[must_use]
    pub fn holds(&self, commit: CommitId) -> bool {
        self.commits.contains(&commit)
    }

    /// The code that `login` has outstanding, expired or not.
    #[must_use]
    pub fn code_of(&self, login: LoginId) -> Option<&SentCode> {
        self.codes.iter().find(|code| code.login == login)
    }

    /// Makes `code` the one outstanding of its login. Where as many other logins as allowed have one, nothing
    /// changes: a stranger with the password must not void the owner's. `Err` is when the first of those ends.
    ///
    /// # Errors
    /// When there is no room.
    pub fn announce(&mut self, code: SentCode, now: Timestamp) -> Result<(), Timestamp> {
        let mut others: Vec<_> = self.codes.iter().filter(|other| other.login != code.login).cloned().collect();
        if others.len() >= Policy::MAX_OUTSTANDING_CODES {
            others.retain(|other| other.until > now);
        }
        if others.len() >= Policy::MAX_OUTSTANDING_CODES {
            return Err(others.iter().map(|other| other.until).min().unwrap_or(now));
        }
        others.push(code);
        self.codes = others;
        Ok(())
    }

    /// Remembers that `login` gave a right code.
    pub fn remember(&mut self, login: LoginId, now: Timestamp) {
        self.recent.retain(|recent| recent.login != login && now.since(recent.at) < Policy::PROOF_FRESH_FOR);
        push_bounded(&mut self.recent, Recent { login, at: now }, 3);
    }

    /// Remembers an address as proven.
    pub fn prove(&mut self, address: AddressTag) {
        self.proven.retain(|known| *known != address);
        push_bounded(&mut self.proven, address, Policy::MAX_PROVEN_ADDRESSES);
    }
}

/// Pushes, and drops the oldest where there are more than `most`.
fn push_bounded<T>(list: &mut Vec<T>, item: T, most: usize) {
    list.push(item);
    if list.len() > most {
        list.remove(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login(n: u8) -> LoginId {
        LoginId([n; 12])
    }

    fn code(login_number: u8, until: u64) -> SentCode {
        SentCode { id: CodeId([login_number; 8]), login: login(login_number), until: Timestamp::from_secs(until) }
    }

    #[test]
    fn a_fourth_login_gets_no_code_until_one_of_the_three_ends() {
        let mut ledger = Ledger::fresh(7);
        let now = Timestamp::from_secs(100);
        for n in 1..=3 {
            assert_eq!(ledger.announce(code(n, 200 + u64::from(n)), now), Ok(()));
        }
        assert_eq!(ledger.announce(code(4, 300), now), Err(Timestamp::from_secs(201)));
        assert_eq!(ledger.codes.len(), 3);
        assert_eq!(ledger.announce(code(2, 400), now), Ok(()), "a login may replace its own");
        assert_eq!(ledger.announce(code(4, 300), Timestamp::from_secs(201)), Ok(()));
        assert!(ledger.code_of(login(1)).is_none());
        assert!(ledger.code_of(login(2)).is_some_and(|c| c.until == Timestamp::from_secs(400)));
    }

    #[test]
    fn the_last_four_commits_are_kept_and_the_version_counts_up() {
        let mut ledger = Ledger::fresh(40);
        for n in 0..6 {
            ledger = ledger.committed_as(CommitId([n; 8]));
        }
        assert_eq!(ledger.version, 26);
        assert!(!ledger.holds(CommitId([1; 8])));
        assert!((2..6).all(|n| ledger.holds(CommitId([n; 8]))));
    }

    #[test]
    fn the_four_newest_addresses_stay_proven() {
        let mut ledger = Ledger::fresh(0);
        for n in [1, 2, 3, 4, 1, 5] {
            ledger.prove(AddressTag([n; 12]));
        }
        assert_eq!(ledger.proven, [3, 4, 1, 5].map(|n| AddressTag([n; 12])));
    }
}
