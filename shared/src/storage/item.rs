//! Writes, reads and deletes the items of a user.

use serde::{Serialize, de::DeserializeOwned};

use super::{
    StoreError, Table, device,
    ledger::Commit,
    notice, passkey, recovery, session,
    table::{Item, PrimaryKey, number, text},
    trust,
};
use crate::{
    domain::{ItemKey, Timestamp, UserId, Write, setup_totp},
    metrics::{self, Metric},
};

impl Table {
    /// Puts one item. `Lost` if an item that it relies on is gone, because the snapshot was stale.
    pub(super) async fn put(&self, user: UserId, write: &Write) -> Result<Commit, StoreError> {
        match write {
            Write::Device(record) => self.put_device(user, record, Some(setup_totp::setup_ends(record))).await,
            Write::ActiveDevice(record) | Write::RestoredDevice(record) => self.put_device(user, record, None).await,
            Write::KeptDevice(id) => self.keep_device(user, *id).await,
            Write::Passkey(record) | Write::RestoredPasskey(record) => self.put_passkey(user, record).await,
            Write::Credential(record) | Write::RestoredCredential(record) => self.put_credential(user, record).await,
            Write::Recovery(record) | Write::RestoredRecovery(record) => self.put_recovery(user, record).await,
            Write::Session(record) => self.put_session(user, record).await,
            Write::Trust(record) => self.put_trust(user, record).await,
            Write::NoticeTo(address) => self.put_notice_to(user, address).await,
        }
    }

    /// Deletes one item, if it exists.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn delete(&self, user: UserId, key: ItemKey) -> Result<(), StoreError> {
        let call = match key {
            ItemKey::Device(_) => "DeleteItem device",
            ItemKey::Passkey(_) => "DeleteItem passkey",
            ItemKey::Credential(_) => "DeleteItem credential",
            ItemKey::Recovery(_) => "DeleteItem recovery",
            ItemKey::Session(_) => "DeleteItem session",
            ItemKey::Trust(_) => "DeleteItem trust",
            ItemKey::NoticeTo => "DeleteItem notice",
        };
        self.delete_item(call, primary_key(user, key)).await
    }
}

/// Where an item is.
pub(super) fn primary_key(user: UserId, key: ItemKey) -> PrimaryKey {
    match key {
        ItemKey::Device(id) => device::key(user, id),
        ItemKey::Passkey(id) => passkey::key(user, id),
        ItemKey::Credential(id) => passkey::credential_key(user, id),
        ItemKey::Recovery(id) => recovery::key(user, id),
        ItemKey::Session(id) => session::key(user, id),
        ItemKey::Trust(id) => trust::key(user, id),
        ItemKey::NoticeTo => notice::key(user),
    }
}

/// The item that a sort key names, if [`Write`] can put such an item.
pub(super) fn key_of(sort_key: &str) -> Option<ItemKey> {
    let parsers = [
        device::parse_key,
        passkey::parse_key,
        passkey::parse_credential_key,
        recovery::parse_key,
        trust::parse_key,
        session::parse_key,
    ];
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

/// The newest schema of items that this version reads. An item without the attribute `schema` has
/// the first one.
///
/// A change that an older version must not ignore raises it: whatever grants something, limits
/// something, or must end with a reset (`docs/versions.md`). A version writes a schema only one
/// release after the version that can read it, so that neither a roll-out nor a roll-back of one
/// release meets an item that it cannot read.
///
/// | Schema | Since it, an item may be |
/// |---|---|
/// | 1 | of any kind |
/// | 2 | an authenticator that names its variant |
/// | 3 | a ledger that names a passkey, and what belongs to passkeys |
pub(super) const SCHEMA: u64 = 3;

/// Why an item cannot be read.
#[derive(Debug)]
pub(super) enum ReadError {
    /// A newer version wrote it.
    Newer(u64),
    /// An attribute is missing or malformed. Names the attribute, never its value, which may be a
    /// name.
    Malformed(String),
}

impl ReadError {
    /// The error of the item with this name.
    pub(super) fn of_item(self, name: &str) -> StoreError {
        match self {
            Self::Newer(schema) => StoreError::Unavailable(format!(
                "item {name}: a newer version wrote it (schema {schema}, and this version reads {SCHEMA})"
            )),
            Self::Malformed(cause) => {
                metrics::count(Metric::UnreadableItems, 1.0);
                StoreError::Broken(format!("item {name}: {cause}"))
            }
        }
    }
}

/// The schema of an item. `newest` is the newest one that the reader knows.
pub(super) fn schema_of(item: &Item, newest: u64) -> Result<u64, ReadError> {
    let Some(schema) = item.get("schema") else { return Ok(1) };
    let schema = schema.as_n().ok().and_then(|schema| schema.parse().ok());
    match schema.ok_or_else(|| ReadError::Malformed("attribute `schema` is malformed".to_owned()))? {
        newer if newer > newest => Err(ReadError::Newer(newer)),
        known => Ok(known),
    }
}

/// Reads a record. `id` comes from the item's key, if the record has an id.
pub(super) fn read<T: DeserializeOwned>(mut item: Item, id: Option<String>) -> Result<T, ReadError> {
    schema_of(&item, SCHEMA)?;
    if let Some(id) = id {
        item.insert("id".to_owned(), text(id));
    }
    serde_dynamo::from_item(item.clone()).map_err(|error| {
        let malformed = item.into_iter().find_map(|(name, value)| {
            // Tried alone, a good attribute fails only because the others are missing.
            let alone = serde_dynamo::from_item::<_, T>(Item::from([(name.clone(), value)]));
            alone.err().filter(|error| !is_missing(error)).map(|_| format!("attribute `{name}` is malformed"))
        });
        ReadError::Malformed(malformed.unwrap_or_else(|| error_kind(&error)))
    })
}

fn is_missing(error: &serde_dynamo::Error) -> bool {
    error.to_string().starts_with("missing field")
}

/// The text of an error without the value that caused it.
fn error_kind(error: &serde_dynamo::Error) -> String {
    if is_missing(error) { error.to_string() } else { "malformed".to_owned() }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use uuid::Uuid;

    use super::*;
    use crate::domain::{DeviceId, PasskeyId, RecoveryId, SessionId, TrustId};

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Sample {
        #[serde(skip_serializing)]
        id: String,
        count: u64,
    }

    fn sample() -> Sample {
        Sample { id: "x".to_owned(), count: 7 }
    }

    /// What is read of the sample with another value of an attribute, or without it.
    fn read_with(name: &str, value: Option<aws_sdk_dynamodb::types::AttributeValue>) -> Result<Sample, ReadError> {
        let mut item = write(&sample(), None).expect("an item");
        item.remove(name);
        item.extend(value.map(|value| (name.to_owned(), value)));
        read(item, Some("x".to_owned()))
    }

    #[test]
    fn an_item_expires_only_if_it_has_a_time_to_live() {
        let ttl = |time| write(&sample(), time).expect("an item").remove("ttl");
        assert_eq!(ttl(Some(Timestamp::from_millis(1_999))), Some(number(1)));
        assert_eq!(ttl(None), None);
    }

    #[test]
    fn an_item_of_a_newer_schema_is_not_read() {
        for known in 1..=SCHEMA {
            assert_eq!(read_with("schema", Some(number(known))).expect("a sample"), sample());
        }
        let newer = read_with("schema", Some(number(SCHEMA + 1)));
        assert!(matches!(newer, Err(ReadError::Newer(schema)) if schema == SCHEMA + 1), "{newer:?}");
        let malformed = read_with("schema", Some(text("one")));
        assert!(matches!(malformed, Err(ReadError::Malformed(_))), "{malformed:?}");
    }

    #[test]
    fn an_item_that_cannot_be_read_is_told_by_its_attribute_and_without_the_value() {
        for (value, expected) in [
            (Some(text("secret")), "the table is broken: item X: attribute `count` is malformed"),
            (None, "the table is broken: item X: missing field `count`"),
        ] {
            let error = read_with("count", value).map_err(|error| error.of_item("X"));
            assert_eq!(error.expect_err("it cannot be read").to_string(), expected);
        }
        assert!(matches!(ReadError::Newer(2).of_item("X"), StoreError::Unavailable(_)), "a later version reads it");
    }

    #[test]
    fn the_sort_key_of_each_item_names_it_and_no_other_does() {
        let user = UserId([1; 16]);
        let (device, set) = (DeviceId(Uuid::from_u128(1)), RecoveryId([1; 8]));
        let (session, trust) = (SessionId([1; 16]), TrustId([1; 16]));
        let own = PasskeyId([1; 8]);
        for (key, item) in [
            (device::key(user, device), ItemKey::Device(device)),
            (passkey::key(user, own), ItemKey::Passkey(own)),
            (passkey::credential_key(user, own), ItemKey::Credential(own)),
            (recovery::key(user, set), ItemKey::Recovery(set)),
            (session::key(user, session), ItemKey::Session(session)),
            (trust::key(user, trust), ItemKey::Trust(trust)),
        ] {
            assert_eq!((key_of(&key.sk), &*key.pk), (Some(item), "USER#AQEBAQEBAQEBAQEBAQEBAQ"), "{}", key.sk);
        }
        for other in ["", "MFA#LEDGER", "MFA#DEVICE#", "TRUST#!", "SESSION#AQ", "CODE#AQEBAQEBAQE"] {
            assert_eq!(key_of(other), None, "{other}");
        }
    }
}
