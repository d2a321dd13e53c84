use super::{
    CodeId, CodeTag, DeviceId, Ledger, LoginId, Timestamp, ledger::Device, recovery::RecoveryRecord, trust::TrustRecord,
};

/// What one load of a user found.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The ledger; a fresh one where the table has none yet.
    pub ledger: Ledger,
    /// Whether the table has the ledger.
    pub stored: bool,
    /// The items of devices, verified or not. Only what the ledger names exists.
    pub devices: Vec<DeviceRecord>,
    /// The items of recovery sets. Only the one that the ledger names counts.
    pub recovery: Vec<RecoveryRecord>,
    /// The item of the code that the caller's login has outstanding, where it was asked for.
    pub code: Option<CodeRecord>,
    /// The items of trusted devices, where they were asked for.
    pub trusted: Vec<TrustRecord>,
}

impl Snapshot {
    /// A user that the table knows nothing of. `seed` as for [`Ledger::fresh`].
    #[must_use]
    pub fn empty(seed: u64) -> Self {
        Self {
            ledger: Ledger::fresh(seed),
            stored: false,
            devices: Vec::new(),
            recovery: Vec::new(),
            code: None,
            trusted: Vec::new(),
        }
    }

    /// The item of a device.
    #[must_use]
    pub fn device(&self, id: DeviceId) -> Option<&DeviceRecord> {
        self.devices.iter().find(|device| device.id == id)
    }

    /// The verified devices that the ledger names, each with its item.
    pub fn verified_devices(&self) -> impl Iterator<Item = (&Device, &DeviceRecord)> {
        self.ledger.devices.iter().filter_map(|device| Some((device, self.device(device.id)?)))
    }

    /// The items of the set-ups that the ledger names and that are still open.
    pub fn open_setups(&self, now: Timestamp) -> impl Iterator<Item = &DeviceRecord> {
        self.ledger.setups.iter().filter(move |setup| setup.until > now).filter_map(|setup| self.device(setup.id))
    }

    /// The item of the recovery set that the ledger names.
    #[must_use]
    pub fn recovery_set(&self) -> Option<&RecoveryRecord> {
        let named = self.ledger.recovery.as_ref()?;
        self.recovery.iter().find(|record| record.id == named.id)
    }

    /// Whether the user has a recovery code that was not used.
    #[must_use]
    pub fn has_recovery_code(&self) -> bool {
        self.recovery_set().is_some() && self.ledger.recovery.as_ref().is_some_and(|set| set.left() > 0)
    }

    /// The item of the code that the ledger names for `login`.
    #[must_use]
    pub fn outstanding_code(&self, login: LoginId) -> Option<&CodeRecord> {
        let named = self.ledger.code_of(login)?;
        self.code.as_ref().filter(|code| code.id == named.id)
    }

    /// Whether everything that the ledger names is here. If not, the read was stale or torn.
    ///
    /// `login` is the one whose code was asked for, if any.
    #[must_use]
    pub fn is_whole(&self, login: Option<LoginId>, now: Timestamp) -> bool {
        let devices = self.ledger.devices.iter().all(|device| self.device(device.id).is_some());
        let setups = self.ledger.setups.iter().all(|s| s.until <= now || self.device(s.id).is_some());
        let code =
            login.is_none_or(|login| self.ledger.code_of(login).is_none() || self.outstanding_code(login).is_some());
        let recovery = self.ledger.recovery.is_none() || self.recovery_set().is_some();
        devices && setups && recovery && code
    }
}

/// The item of a device: data, never authority.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceRecord {
    /// Its id.
    pub id: DeviceId,
    /// The name in the list.
    pub name: String,
    /// The sealed TOTP secret.
    pub secret: Vec<u8>,
    /// When the set-up began.
    pub created: Timestamp,
}

/// The item of a code that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodeRecord {
    /// Which code; it counts only while the ledger names it.
    pub id: CodeId,
    /// Keyed hash over user, id, method, destination and code.
    pub tag: CodeTag,
    /// When it was announced.
    pub announced: Timestamp,
    /// When it ends.
    pub until: Timestamp,
}
