//! `BUNDLE` / `HASH_KEY`: the fingerprint of the hash key, which names every user of the table.
//!
//! With another hash key every user would be a new one, without MFA.

use aws_sdk_dynamodb::{primitives::Blob, types::ReturnValue};

use super::{
    StoreError, Table,
    table::{self, Item, PrimaryKey, binary},
};

impl Table {
    /// Opens the connection, so that the first request does not have to, and compares the hash key
    /// with the one that the table was begun with. Every load does so too, but once it is the same,
    /// nothing is read again.
    ///
    /// # Errors
    /// [`StoreError::OtherHashKey`], or that the table cannot be read.
    pub async fn open(&self) -> Result<(), StoreError> {
        if self.is_ours.get().is_some() {
            return Ok(());
        }
        match self.get_item("GetItem hash key", key(), false).await? {
            Some(item) => self.compare(&item),
            // Nobody has MFA yet. The first ledger claims the table.
            None => Ok(()),
        }
    }

    /// Makes this hash key the one of the table, unless the table has one.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn claim(&self) -> Result<(), StoreError> {
        if self.is_ours.get().is_some() {
            return Ok(());
        }
        let update = self
            .update_item(key())
            .update_expression("SET fingerprint = if_not_exists(fingerprint, :ours)")
            .expression_attribute_values(":ours", binary(self.hash_key))
            .return_values(ReturnValue::AllNew);
        let updated = table::update(update).await.map_err(|error| StoreError::of("UpdateItem hash key", &error))?;
        self.compare(&updated.attributes.unwrap_or_default())
    }

    fn compare(&self, item: &Item) -> Result<(), StoreError> {
        let stored = item.get("fingerprint").and_then(|stored| stored.as_b().ok()).map(Blob::as_ref);
        if stored != Some(&self.hash_key[..]) {
            return Err(StoreError::OtherHashKey);
        }
        let _ = self.is_ours.set(());
        Ok(())
    }
}

fn key() -> PrimaryKey {
    PrimaryKey { pk: "BUNDLE".to_owned(), sk: "HASH_KEY".to_owned() }
}
