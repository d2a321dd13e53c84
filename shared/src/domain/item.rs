//! The items that stand in the table next to a user's ledger.

use super::{
    DeviceId, DeviceRecord, PasskeyId, RecoveryId, SessionId, TrustId,
    notice_to::SealedNoticeTo,
    passkey::{CredentialRecord, PasskeyRecord},
    recovery::RecoveryRecord,
    session::SessionRecord,
    trust::TrustRecord,
};

/// Names one item of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ItemKey {
    /// A verified device or an open set-up.
    Device(DeviceId),
    /// What a list shows of a passkey.
    Passkey(PasskeyId),
    /// The credential of a passkey. Only the routes of passkeys load it.
    Credential(PasskeyId),
    /// A set of recovery codes.
    Recovery(RecoveryId),
    /// A session.
    Session(SessionId),
    /// A trusted device.
    Trust(TrustId),
    /// The addresses for notices.
    NoticeTo,
}

/// One item that a commit puts.
#[derive(Clone, Debug)]
pub enum Write {
    /// A new set-up. It expires unless it is confirmed.
    Device(DeviceRecord),
    /// A set-up that is about to be confirmed. It must no longer expire.
    KeptDevice(DeviceId),
    /// An authenticator that the operator brings. It does not expire.
    ActiveDevice(DeviceRecord),
    /// An authenticator that comes back from a backup, under the id that it had.
    RestoredDevice(DeviceRecord),
    /// A new passkey.
    Passkey(PasskeyRecord),
    /// The credential of a new passkey.
    Credential(CredentialRecord),
    /// A passkey that comes back from a backup, under the id that it had.
    RestoredPasskey(PasskeyRecord),
    /// The credential of such a passkey.
    RestoredCredential(CredentialRecord),
    /// A set of recovery codes that comes back from a backup, under the id that it had.
    RestoredRecovery(RecoveryRecord),
    /// A new set of recovery codes.
    Recovery(RecoveryRecord),
    /// A new session.
    Session(SessionRecord),
    /// A device that is trusted from now on.
    Trust(TrustRecord),
    /// One more address for notices.
    NoticeTo(SealedNoticeTo),
}

impl Write {
    /// The item that it puts.
    #[must_use]
    pub const fn key(&self) -> ItemKey {
        match self {
            Self::Device(record) | Self::ActiveDevice(record) | Self::RestoredDevice(record) => {
                ItemKey::Device(record.id)
            }
            Self::KeptDevice(id) => ItemKey::Device(*id),
            Self::Passkey(record) | Self::RestoredPasskey(record) => ItemKey::Passkey(record.id),
            Self::Credential(record) | Self::RestoredCredential(record) => ItemKey::Credential(record.id),
            Self::Recovery(record) | Self::RestoredRecovery(record) => ItemKey::Recovery(record.id),
            Self::Session(record) => ItemKey::Session(record.id),
            Self::Trust(record) => ItemKey::Trust(record.id),
            Self::NoticeTo(_) => ItemKey::NoticeTo,
        }
    }

    /// The item to delete if the commit does not happen. A kept device was there before, and its
    /// set-up stays open. What comes back from a backup has an id that is not new, so another
    /// request may have committed it. The item of addresses for notices may hold others.
    #[must_use]
    pub const fn undo(&self) -> Option<ItemKey> {
        match self {
            Self::KeptDevice(_)
            | Self::RestoredDevice(_)
            | Self::RestoredPasskey(_)
            | Self::RestoredCredential(_)
            | Self::RestoredRecovery(_)
            | Self::NoticeTo(_) => None,
            Self::Device(_)
            | Self::ActiveDevice(_)
            | Self::Passkey(_)
            | Self::Credential(_)
            | Self::Recovery(_)
            | Self::Session(_)
            | Self::Trust(_) => Some(self.key()),
        }
    }
}

/// An item that is in the table and cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnreadableItem {
    /// The item.
    pub key: ItemKey,
    /// What is wrong with it, for the log. Names attributes, never values.
    pub cause: String,
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::domain::{Timestamp, TotpVariant};

    #[test]
    fn a_commit_that_does_not_happen_takes_back_all_it_put_but_a_device_that_was_there() {
        let device = DeviceId(Uuid::from_u128(1));
        let record = DeviceRecord {
            id: device,
            name: String::new(),
            secret: Vec::new(),
            created: Timestamp::default(),
            variant: TotpVariant::default(),
        };
        let recovery = RecoveryRecord { id: RecoveryId([1; 8]), tags: Vec::new() };
        for (write, key, undo) in [
            (Write::KeptDevice(device), ItemKey::Device(device), None),
            (Write::Device(record), ItemKey::Device(device), Some(ItemKey::Device(device))),
            (
                Write::Recovery(recovery),
                ItemKey::Recovery(RecoveryId([1; 8])),
                Some(ItemKey::Recovery(RecoveryId([1; 8]))),
            ),
        ] {
            assert_eq!((write.key(), write.undo()), (key, undo), "{write:?}");
        }
    }
}
