use serde::{Deserialize, Serialize};

use super::{
    CodeId, CodeTag, DeviceId, ItemKey, Ledger, LoginId, PasskeyId, Refusal, Timestamp, TotpVariant, UnreadableItem,
    ledger::{Device, Passkey, RecoverySet},
    passkey::{ChallengeRecord, CredentialRecord, PasskeyRecord},
    recovery::RecoveryRecord,
    session::SessionRecord,
    trust::TrustRecord,
};

/// What one load of a user found.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The ledger, or a fresh one if the table has none yet.
    pub ledger: Ledger,
    /// Whether the table has the ledger.
    pub stored: bool,
    /// The items of devices, verified or not. Only what the ledger names exists.
    pub devices: Vec<DeviceRecord>,
    /// What lists show of the passkeys. Only what the ledger names exists.
    pub passkeys: Vec<PasskeyRecord>,
    /// The credentials of the passkeys, if they were asked for.
    pub credentials: Vec<CredentialRecord>,
    /// The challenges of the caller's login, if they were asked for.
    pub challenges: Vec<ChallengeRecord>,
    /// The items of recovery sets. Only the one that the ledger names counts.
    pub recovery: Vec<RecoveryRecord>,
    /// The items of the codes that the caller's login has outstanding, if they were asked for.
    pub codes: Vec<CodeRecord>,
    /// The items of trusted devices, if they were asked for.
    pub trusted: Vec<TrustRecord>,
    /// The items of sessions, if they were asked for.
    pub sessions: Vec<SessionRecord>,
    /// The items that are there and cannot be read. They never count as absent: one lost attribute
    /// would silently remove a user's authenticator.
    pub unreadable: Vec<UnreadableItem>,
}

impl Snapshot {
    /// A user who is new to the table. `seed` as for [`Ledger::fresh`].
    #[must_use]
    pub fn empty(seed: u64) -> Self {
        Self {
            ledger: Ledger::fresh(seed),
            stored: false,
            devices: Vec::new(),
            passkeys: Vec::new(),
            credentials: Vec::new(),
            challenges: Vec::new(),
            recovery: Vec::new(),
            codes: Vec::new(),
            trusted: Vec::new(),
            sessions: Vec::new(),
            unreadable: Vec::new(),
        }
    }

    /// Whether what was made in `security_epoch` still counts. Nothing counts for a ledger that is
    /// not stored, because it has just drawn its epoch.
    #[must_use]
    pub const fn is_of_epoch(&self, security_epoch: u64) -> bool {
        self.stored && self.ledger.security_epoch == security_epoch
    }

    /// The item of a device, if it can be read.
    #[must_use]
    pub fn device(&self, id: DeviceId) -> Option<&DeviceRecord> {
        self.devices.iter().find(|device| device.id == id)
    }

    /// What lists show of a passkey, if its item can be read.
    #[must_use]
    pub fn passkey(&self, id: PasskeyId) -> Option<&PasskeyRecord> {
        self.passkeys.iter().find(|record| record.id == id)
    }

    /// Whether an item that the ledger can name is there, readable or not.
    fn holds(&self, key: ItemKey) -> bool {
        let is_readable = match key {
            ItemKey::Device(id) => self.device(id).is_some(),
            ItemKey::Passkey(id) => self.passkey(id).is_some(),
            ItemKey::Credential(id) => self.credentials.iter().any(|record| record.id == id),
            ItemKey::Recovery(id) => self.recovery.iter().any(|record| record.id == id),
            ItemKey::Trust(id) => self.trusted.iter().any(|record| record.id == id),
            ItemKey::Session(id) => self.sessions.iter().any(|record| record.id == id),
            ItemKey::NoticeTo => false,
        };
        is_readable || self.unreadable.iter().any(|item| item.key == key)
    }

    /// Refuses if the item of `key` is there and cannot be read.
    ///
    /// # Errors
    /// [`Refusal::Unreadable`].
    pub fn require_readable(&self, key: ItemKey) -> Result<(), Refusal> {
        match self.unreadable.iter().find(|item| item.key == key) {
            Some(item) => Err(Refusal::Unreadable(item.cause.clone())),
            None => Ok(()),
        }
    }

    /// The verified devices that the ledger names and whose items are there.
    pub fn verified_devices(&self) -> impl Iterator<Item = &Device> {
        self.ledger.devices.iter().filter(|device| self.holds(ItemKey::Device(device.id)))
    }

    /// The verified devices that are methods: no other login switched MFA on since they were used.
    pub fn active_devices(&self) -> impl Iterator<Item = &Device> {
        self.verified_devices().filter(|device| !device.inactive)
    }

    /// The passkeys that the ledger names and whose items are there.
    pub fn named_passkeys(&self) -> impl Iterator<Item = &Passkey> {
        self.ledger.passkeys.iter().filter(|passkey| self.holds(ItemKey::Passkey(passkey.id)))
    }

    /// The passkeys that are methods, as [`Self::active_devices`].
    pub fn active_passkeys(&self) -> impl Iterator<Item = &Passkey> {
        self.named_passkeys().filter(|passkey| !passkey.inactive)
    }

    /// The ids of the set-ups that the ledger names, that are still open and whose items are there.
    pub fn open_setups(&self, now: Timestamp) -> impl Iterator<Item = DeviceId> {
        let open = self.ledger.setups.iter().filter(move |setup| setup.until > now);
        open.map(|setup| setup.id).filter(|id| self.holds(ItemKey::Device(*id)))
    }

    /// The item of the recovery set that the ledger names.
    ///
    /// # Errors
    /// [`Refusal::Unreadable`].
    pub fn recovery_set(&self) -> Result<Option<&RecoveryRecord>, Refusal> {
        let Some(named) = &self.ledger.recovery else { return Ok(None) };
        self.require_readable(ItemKey::Recovery(named.id))?;
        Ok(self.recovery.iter().find(|record| record.id == named.id))
    }

    /// How many recovery codes were not used, if the user has a set.
    #[must_use]
    pub fn recovery_codes_left(&self) -> Option<u32> {
        let set = self.ledger.recovery.as_ref().filter(|set| self.holds(ItemKey::Recovery(set.id)));
        set.map(RecoverySet::left)
    }

    /// Whether the user has a recovery code that was not used.
    #[must_use]
    pub fn has_recovery_code(&self) -> bool {
        self.recovery_codes_left().is_some_and(|left| left > 0)
    }

    /// The items of the codes that the ledger names for `login`.
    pub fn outstanding_codes(&self, login: LoginId) -> impl Iterator<Item = &CodeRecord> {
        let named = self.ledger.codes_of(login);
        named.filter_map(|sent| self.codes.iter().find(|record| record.code.id == sent.id))
    }

    /// Whether everything that the ledger names is here. If not, the read was stale or torn.
    ///
    /// `login` is the one whose codes were asked for, if any, and `credentials` whether those of the
    /// passkeys were.
    #[must_use]
    pub fn is_whole(&self, login: Option<LoginId>, credentials: bool, now: Timestamp) -> bool {
        let is_over = |key| self.ledger.setups.iter().any(|s| ItemKey::Device(s.id) == key && s.until <= now);
        let asked_for = |key: &ItemKey| credentials || !matches!(key, ItemKey::Credential(_));
        let named = self.ledger.named_items().filter(asked_for).all(|key| self.holds(key) || is_over(key));
        let has_codes = |login| self.outstanding_codes(login).count() == self.ledger.codes_of(login).count();
        named && login.is_none_or(has_codes)
    }
}

/// The item of a device: data, never authority.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceRecord {
    /// Its id, which stands in the item's key.
    #[serde(skip_serializing)]
    pub id: DeviceId,
    /// The name in the list.
    pub name: String,
    /// The sealed TOTP secret.
    #[serde(with = "serde_bytes")]
    pub secret: Vec<u8>,
    /// When the set-up began.
    pub created: Timestamp,
    /// How its codes are made. An item without it has the default.
    #[serde(default, skip_serializing_if = "TotpVariant::is_default")]
    pub variant: TotpVariant,
}

/// The item of the newest code in one place of a login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodeRecord {
    /// The newest code. It counts only while the ledger names it.
    pub code: StoredCode,
    /// When the ledger reserved it.
    pub reserved_at: Timestamp,
    /// The codes that it superseded, newest first. Whoever types one of them has the mailbox, and is
    /// not guessing.
    pub superseded: Vec<StoredCode>,
}

/// What is stored of one code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredCode {
    /// Its id.
    pub id: CodeId,
    /// Keyed hash over user, id, method, destination and code.
    pub tag: CodeTag,
    /// When it ends.
    pub until: Timestamp,
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::{
        Factor, Method, RecoveryId, SessionId, TrustId,
        ledger::{SentCode, Setup},
        scenario::{NOW, OTHER, OWN, Scenario},
    };

    const SET: RecoveryId = RecoveryId([1; 8]);
    const CODE: StoredCode = StoredCode { id: CodeId([1; 8]), tag: CodeTag([0; 32]), until: NOW };

    /// A user with an authenticator, an open set-up, one that is over, recovery codes and a code of
    /// the login, and all their items but that of the set-up that is over.
    fn whole_user() -> Snapshot {
        let mut scenario = Scenario::new();
        scenario.add_device(1, OWN);
        let id = scenario.add_device_item(2);
        let mut user = scenario.user;
        let over = Setup { id: DeviceId(uuid::Uuid::from_u128(3)), until: NOW };
        user.ledger.setups = vec![Setup { id, until: NOW.plus(Duration::from_secs(1)) }, over];
        user.ledger.recovery = Some(RecoverySet { id: SET, used_mask: 0, created: NOW, made_by: Some(OWN) });
        user.recovery.push(RecoveryRecord { id: SET, tags: Vec::new() });
        user.ledger.codes.push(SentCode { id: CODE.id, login: OWN, known: false, until: NOW });
        user.codes.push(CodeRecord { code: CODE, reserved_at: NOW, superseded: Vec::new() });
        user
    }

    #[test]
    fn a_read_that_lacks_what_the_ledger_names_is_not_whole() {
        let is_whole = |change: fn(&mut Snapshot), login| {
            let mut user = whole_user();
            change(&mut user);
            user.is_whole(login, false, NOW)
        };
        assert!(is_whole(|_| (), Some(OWN)));
        assert!(!is_whole(|user| _ = user.devices.remove(0), Some(OWN)), "an authenticator");
        assert!(!is_whole(|user| _ = user.devices.remove(1), Some(OWN)), "an open set-up");
        assert!(!is_whole(|user| user.recovery.clear(), Some(OWN)), "the recovery codes");
        assert!(!is_whole(|user| user.recovery[0].id = RecoveryId([9; 8]), Some(OWN)), "those of another set came");
        for (login, whole) in [(Some(OWN), false), (Some(OTHER), true), (None, true)] {
            assert_eq!(is_whole(|user| user.codes.clear(), login), whole, "a code that {login:?} asked for");
            assert_eq!(is_whole(|user| user.codes[0].code.id = CodeId([9; 8]), login), whole, "another code");
        }
    }

    #[test]
    fn an_item_that_cannot_be_read_is_there_and_is_refused_where_it_is_needed() {
        let mut user = whole_user();
        user.trusted.push(trust_record());
        user.sessions.push(session_record());
        let device = |number| ItemKey::Device(DeviceId(uuid::Uuid::from_u128(number)));
        for (readable, other) in [
            (device(1), device(9)),
            (ItemKey::Recovery(SET), ItemKey::Recovery(RecoveryId([9; 8]))),
            (ItemKey::Trust(TrustId([1; 16])), ItemKey::Trust(TrustId([9; 16]))),
            (ItemKey::Session(SessionId([1; 16])), ItemKey::Session(SessionId([9; 16]))),
        ] {
            assert!(user.holds(readable) && user.require_readable(readable) == Ok(()), "{readable:?}");
            assert!(!user.holds(other) && user.require_readable(other) == Ok(()), "absent: {other:?}");
            user.unreadable.push(UnreadableItem { key: other, cause: "broken".to_owned() });
            assert!(user.holds(other), "{other:?}");
            assert_eq!(user.require_readable(other), Err(Refusal::Unreadable("broken".to_owned())));
        }
    }

    #[test]
    fn only_set_ups_that_are_named_open_and_there_are_open() {
        let mut user = whole_user();
        let open = |user: &Snapshot| -> Vec<_> { user.open_setups(NOW).map(|id| id.0.as_u128()).collect() };
        assert_eq!(open(&user), [2]);
        user.ledger.setups[0].until = NOW;
        assert_eq!(open(&user), []);
        user.ledger.setups[0].until = NOW.plus(Duration::from_secs(1));
        user.devices.remove(1);
        assert_eq!(open(&user), []);
    }

    #[test]
    fn recovery_codes_are_left_until_all_ten_are_used() {
        let mut user = whole_user();
        for (used_mask, left, has_one) in [(0, 10, true), (0x1FF, 1, true), (0x3FF, 0, false)] {
            user.ledger.recovery = user.ledger.recovery.map(|set| RecoverySet { used_mask, ..set });
            assert_eq!((user.recovery_codes_left(), user.has_recovery_code()), (Some(left), has_one));
        }
        assert_eq!(user.recovery_set().map(|set| set.map(|set| set.id)), Ok(Some(SET)));
        user.recovery.clear();
        assert_eq!((user.recovery_codes_left(), user.recovery_set()), (None, Ok(None)), "their item is gone");
        let cause = "broken".to_owned();
        user.unreadable.push(UnreadableItem { key: ItemKey::Recovery(SET), cause: cause.clone() });
        assert_eq!((user.recovery_codes_left(), user.recovery_set()), (Some(0), Err(Refusal::Unreadable(cause))));
    }

    fn trust_record() -> TrustRecord {
        let (id, sessions) = (TrustId([1; 16]), Vec::new());
        let (created, auth_time, until) = (NOW, NOW, NOW);
        let (label, last_used_at, security_epoch) = (String::new(), None, 1);
        TrustRecord { id, label, created, last_used_at, security_epoch, auth_time, until, sessions }
    }

    fn session_record() -> SessionRecord {
        SessionRecord {
            id: SessionId([1; 16]),
            label: String::new(),
            created: NOW,
            login: OWN,
            provenance: None,
            security_epoch: 1,
            factor: Factor::Code(Method::Totp),
            auth_time: NOW,
            claims: Vec::new(),
            generation: 0,
            rotated_at: NOW,
            until: NOW,
        }
    }
}
