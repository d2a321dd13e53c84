//! `USER#<user>` / `MFA#DEVICE#<uuid>`: an authenticator, or an open set-up of one. Only the ledger
//! makes it count.

use super::{
    StoreError, Table, item,
    ledger::Commit,
    table::{self, PrimaryKey, binary},
};
use crate::domain::{DeviceId, DeviceRecord, ItemKey, Timestamp, UserId};

const PREFIX: &str = "MFA#DEVICE#";

impl Table {
    /// Writes the item of an authenticator. That of a set-up has a TTL until it is confirmed.
    pub(super) async fn put_device(
        &self,
        user: UserId,
        record: &DeviceRecord,
        ttl: Option<Timestamp>,
    ) -> Result<Commit, StoreError> {
        let item = item::write(record, ttl)?;
        let put = table::put(self.put_item(key(user, record.id), item)).await;
        put.map(|_| Commit::Done).map_err(|error| StoreError::of("PutItem device", &error))
    }

    /// Removes the `ttl` of a set-up that is about to be confirmed. `Lost` if the item has expired
    /// meanwhile.
    pub(super) async fn keep_device(&self, user: UserId, id: DeviceId) -> Result<Commit, StoreError> {
        let update = self
            .update_item(key(user, id))
            .update_expression("REMOVE #ttl")
            .condition_expression("attribute_exists(pk)")
            .expression_attribute_names("#ttl", "ttl");
        match table::update(update).await {
            Ok(_) => Ok(Commit::Done),
            Err(error) if StoreError::is_failed_condition(&error) => Ok(Commit::Lost),
            Err(error) => Err(StoreError::of("UpdateItem device", &error)),
        }
    }

    /// Replaces the sealed secret of a device, unless another request has replaced it.
    ///
    /// # Errors
    /// [`StoreError`]. The old sealed secret stays, and still opens.
    pub async fn reseal_device(&self, user: UserId, old: &DeviceRecord, sealed: Vec<u8>) -> Result<(), StoreError> {
        let update = self
            .update_item(key(user, old.id))
            .update_expression("SET secret = :new")
            .condition_expression("secret = :old")
            .expression_attribute_values(":new", binary(sealed))
            .expression_attribute_values(":old", binary(old.secret.clone()));
        table::update(update).await.map(|_| ()).map_err(|error| StoreError::of("UpdateItem device", &error))
    }
}

pub(super) fn key(user: UserId, id: DeviceId) -> PrimaryKey {
    PrimaryKey::of_user(user, format!("{PREFIX}{id}"))
}

pub(super) fn parse_key(sort_key: &str) -> Option<ItemKey> {
    DeviceId::parse(sort_key.strip_prefix(PREFIX)?).map(ItemKey::Device)
}
