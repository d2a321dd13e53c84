//! `USER#<user>` / `MFA#RECOVERY#<set>`: the keyed hashes of a set of recovery codes. The ledger
//! says which were used.

use super::{
    StoreError, Table, item,
    ledger::Commit,
    table::{self, PrimaryKey},
};
use crate::domain::{ItemKey, RecoveryId, UserId, recovery::RecoveryRecord};

const PREFIX: &str = "MFA#RECOVERY#";

impl Table {
    /// Writes the item of a new set.
    pub(super) async fn put_recovery(&self, user: UserId, record: &RecoveryRecord) -> Result<Commit, StoreError> {
        let put = table::put(self.put_item(key(user, record.id), item::write(record, None)?)).await;
        put.map(|_| Commit::Done).map_err(|error| StoreError::of("PutItem recovery", &error))
    }
}

pub(super) fn key(user: UserId, id: RecoveryId) -> PrimaryKey {
    PrimaryKey::of_user(user, format!("{PREFIX}{id}"))
}

pub(super) fn parse_key(sort_key: &str) -> Option<ItemKey> {
    RecoveryId::parse(sort_key.strip_prefix(PREFIX)?).map(ItemKey::Recovery)
}
