//! `USER#<user>` / `TRUST#<hash>`: a trusted device. It counts only in the security epoch in which it was trusted.

use futures_util::future::join;

use super::{
    StoreError, Table, item,
    ledger::Commit,
    table::{PrimaryKey, number},
};
use crate::domain::{ItemKey, Refusal, Timestamp, TrustId, UserId, Write, trust::TrustRecord};

const PREFIX: &str = "TRUST#";

impl Table {
    /// Writes the item of a device that is trusted from now on.
    pub(super) async fn put_trust(&self, user: UserId, record: &TrustRecord) -> Result<Commit, StoreError> {
        let put = self.put_item(key(user, record.id), item::write(record, Some(record.until))?).send().await;
        put.map(|_| Commit::Done).map_err(|error| StoreError::of("PutItem trust", &error))
    }

    /// Notes that a trusted device stood in for a code, and writes the session that this opens at the same time.
    ///
    /// # Errors
    /// [`Refusal::DeviceNotFound`] if it was revoked in the meantime. A note that cannot be written is not an error: the
    /// time of the last use is shown in a list and decides nothing.
    pub async fn use_trust(
        &self,
        user: UserId,
        id: TrustId,
        now: Timestamp,
        alongside: &[Write],
    ) -> Result<(), StoreError> {
        let update = self
            .update_item(key(user, id))
            .update_expression("SET used = :now")
            .condition_expression("attribute_exists(pk)")
            .expression_attribute_values(":now", number(now.as_millis()));
        let (noted, ()) = join(update.send(), self.put_alongside(user, alongside)).await;
        match noted {
            Err(error) if StoreError::is_failed_condition(&error) => Err(Refusal::DeviceNotFound.into()),
            _ => Ok(()),
        }
    }

    /// Takes the trust from a device.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn delete_trust(&self, user: UserId, id: TrustId) -> Result<(), StoreError> {
        self.delete(user, ItemKey::Trust(id)).await
    }
}

pub(super) fn key(user: UserId, id: TrustId) -> PrimaryKey {
    PrimaryKey::of_user(user, format!("{PREFIX}{id}"))
}

pub(super) fn parse_key(sort_key: &str) -> Option<ItemKey> {
    TrustId::parse(sort_key.strip_prefix(PREFIX)?).map(ItemKey::Trust)
}
