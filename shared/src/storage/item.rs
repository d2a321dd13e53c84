//! How items are written and read, and where the items of a user lie.

use serde::{Serialize, de::DeserializeOwned};

use super::{
    StoreError, Table, device,
    ledger::Commit,
    recovery, session,
    table::{Item, number, text},
    trust,
};
use crate::domain::{ItemKey, Timestamp, UserId, Write};

impl Table {
    /// Puts one item. `Lost` if the item that it relies on is gone: then the snapshot was stale.
    pub(super) async fn put(&self, user: UserId, write: &Write) -> Result<Commit, StoreError> {
        match write {
            Write::Device(record) => self.put_device(user, record).await,
            Write::KeptDevice(id) => self.keep_device(user, *id).await,
            Write::Recovery(record) => self.put_recovery(user, record).await,
            Write::Session(record) => self.put_session(user, record).await,
            Write::Trust(record) => self.put_trust(user, record).await,
        }
    }

    /// Deletes one item, if it is there.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn delete(&self, user: UserId, key: ItemKey) -> Result<(), StoreError> {
        match key {
            ItemKey::Device(id) => self.delete_item("DeleteItem device", device::key(user, id)).await,
            ItemKey::Recovery(id) => self.delete_item("DeleteItem recovery", recovery::key(user, id)).await,
            ItemKey::Session(id) => self.delete_item("DeleteItem session", session::key(user, id)).await,
            ItemKey::Trust(id) => self.delete_item("DeleteItem trust", trust::key(user, id)).await,
        }
    }
}

/// Which item of a user a sort key names, if it is an item that [`Write`] puts.
pub(super) fn key_of(sort_key: &str) -> Option<ItemKey> {
    let parsers = [device::parse_key, recovery::parse_key, trust::parse_key, session::parse_key];
    parsers.iter().find_map(|parse| parse(sort_key))
}

/// The attributes of a record. `DynamoDB` deletes the item some time after `ttl`.
pub(super) fn write(record: &impl Serialize, ttl: Option<Timestamp>) -> Result<Item, StoreError> {
    let item = serde_dynamo::to_item(record);
    let mut item: Item =
        item.map_err(|error| StoreError::Broken(format!("an item cannot be written: {}", error_kind(&error))))?;
    if let Some(ttl) = ttl {
        item.insert("ttl".to_owned(), number(ttl.as_secs()));
    }
    Ok(item)
}

/// Reads a record. `id` is what the item's key says, if the record has an id.
///
/// # Errors
/// A text that names the attribute that is missing or malformed, never a value: values may be names.
pub(super) fn read<T: DeserializeOwned>(mut item: Item, id: Option<String>) -> Result<T, String> {
    if let Some(id) = id {
        item.insert("id".to_owned(), text(id));
    }
    serde_dynamo::from_item(item.clone()).map_err(|error| {
        let malformed = item.into_iter().find_map(|(name, value)| {
            // Alone, a good attribute only misses the others.
            let alone = serde_dynamo::from_item::<_, T>(Item::from([(name.clone(), value)]));
            alone.err().filter(|error| !is_missing(error)).map(|_| format!("attribute `{name}` is malformed"))
        });
        malformed.unwrap_or_else(|| error_kind(&error))
    })
}

fn is_missing(error: &serde_dynamo::Error) -> bool {
    error.to_string().starts_with("missing field")
}

/// What an error says without the value that caused it.
fn error_kind(error: &serde_dynamo::Error) -> String {
    if is_missing(error) { error.to_string() } else { "malformed".to_owned() }
}
