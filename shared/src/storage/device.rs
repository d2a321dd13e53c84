//! `USER#<user>` / `MFA#DEVICE#<uuid>`: an authenticator, or an open set-up of one. Only the ledger
//! makes it count.

use super::{
    StoreError, Table,
    item::{self, ReadError},
    ledger::Commit,
    table::{self, Item, PrimaryKey, binary, number, text},
};
use crate::domain::{DeviceId, DeviceName, DeviceRecord, ItemKey, Refusal, Timestamp, UserId};

const PREFIX: &str = "MFA#DEVICE#";

/// The attribute that holds [`DeviceRecord::variant`].
const VARIANT: &str = "variant";

impl Table {
    /// Writes the item of an authenticator. That of a set-up has a TTL until it is confirmed.
    pub(super) async fn put_device(
        &self,
        user: UserId,
        record: &DeviceRecord,
        ttl: Option<Timestamp>,
    ) -> Result<Commit, StoreError> {
        let item = write(record, ttl)?;
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

    /// Gives a device or a passkey another name, if its item is still there. An update without that
    /// condition would make the item of a removed device anew, without a secret.
    ///
    /// # Errors
    /// [`Refusal::DeviceNotFound`] if it was removed in the meantime.
    pub async fn rename(&self, user: UserId, device: ItemKey, name: &DeviceName) -> Result<(), StoreError> {
        let update = self
            .update_item(item::primary_key(user, device))
            .update_expression("SET #name = :name")
            .condition_expression("attribute_exists(pk)")
            .expression_attribute_names("#name", "name")
            .expression_attribute_values(":name", text(name.as_str()));
        match table::update(update).await {
            Ok(_) => Ok(()),
            Err(error) if StoreError::is_failed_condition(&error) => Err(Refusal::DeviceNotFound.into()),
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

/// The schema of an item that names the variant of its codes. A version that does not know the
/// attribute would judge them as codes of the default variant, and count right ones as wrong.
const SCHEMA_OF_VARIANT: u64 = 2;

/// The attributes of a device. An authenticator that was set up here has the default variant, and
/// its item says nothing of it.
pub(super) fn write(record: &DeviceRecord, ttl: Option<Timestamp>) -> Result<Item, StoreError> {
    let mut item = item::write(record, ttl)?;
    if !record.variant.is_default() {
        item.insert("schema".to_owned(), number(SCHEMA_OF_VARIANT));
    }
    Ok(item)
}

/// Reads a device.
pub(super) fn read(item: Item, id: DeviceId) -> Result<DeviceRecord, ReadError> {
    // A lost attribute must not look like the default.
    if item::schema_of(&item, item::SCHEMA)? >= SCHEMA_OF_VARIANT && !item.contains_key(VARIANT) {
        return Err(ReadError::Malformed(format!("missing field `{VARIANT}`")));
    }
    item::read(item, Some(id.to_string()))
}

pub(super) fn key(user: UserId, id: DeviceId) -> PrimaryKey {
    PrimaryKey::of_user(user, format!("{PREFIX}{id}"))
}

pub(super) fn parse_key(sort_key: &str) -> Option<ItemKey> {
    DeviceId::parse(sort_key.strip_prefix(PREFIX)?).map(ItemKey::Device)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{TotpAlgorithm, TotpDigits, TotpPeriod, TotpVariant},
        storage::table::text,
    };

    fn record(variant: TotpVariant) -> DeviceRecord {
        let id = DeviceId(uuid::Uuid::from_u128(1));
        DeviceRecord { id, name: "Phone".to_owned(), secret: vec![1], created: Timestamp::default(), variant }
    }

    const IMPORTED: TotpVariant =
        TotpVariant { algorithm: TotpAlgorithm::Sha256, digits: TotpDigits::Eight, period: TotpPeriod::Seconds60 };

    fn item(variant: TotpVariant) -> Item {
        write(&record(variant), None).expect("an item")
    }

    #[test]
    fn an_authenticator_of_the_default_variant_is_stored_without_it_as_ever() {
        let item = item(TotpVariant::default());
        let mut names: Vec<_> = item.keys().map(String::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["created", "name", "secret"]);
        assert_eq!(read(item, record(IMPORTED).id).expect("a device"), record(TotpVariant::default()));
    }

    #[test]
    fn a_version_that_does_not_know_the_variant_of_a_device_does_not_read_it() {
        let item = item(IMPORTED);
        assert_eq!(item[VARIANT], text("SHA256/8/60"));
        assert_eq!(read(item.clone(), record(IMPORTED).id).expect("a device"), record(IMPORTED));
        let to_the_first_version = item::schema_of(&item, SCHEMA_OF_VARIANT - 1);
        assert!(matches!(to_the_first_version, Err(ReadError::Newer(SCHEMA_OF_VARIANT))), "{to_the_first_version:?}");
    }

    #[test]
    fn a_variant_that_is_lost_or_malformed_is_told_and_never_taken_for_the_default() {
        let read_with = |value: Option<&str>| {
            let mut item = item(IMPORTED);
            item.remove(VARIANT);
            item.extend(value.map(|value| (VARIANT.to_owned(), text(value))));
            read(item, record(IMPORTED).id).map_err(|error| error.of_item("X").to_string())
        };
        let broken = |cause: &str| Err(format!("the table is broken: item X: {cause}"));
        assert_eq!(read_with(None), broken("missing field `variant`"));
        for malformed in ["", "SHA256/7/60", "MD5/8/60", "SHA256/8/15"] {
            assert_eq!(read_with(Some(malformed)), broken("attribute `variant` is malformed"), "{malformed}");
        }
    }
}
