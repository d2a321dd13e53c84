//! `USER#<user>` / `MFA#DEVICE#<uuid>`: a device, open or confirmed. Its secret never changes; only the ledger makes it count.

use aws_sdk_dynamodb::types::AttributeValue;

use super::{
    Fault, Table,
    ledger::Commit,
    table::{COUNT_UNITS, Item, as_binary, as_number, as_text, binary, number, text, user_key},
};
use crate::domain::{DeviceId, DeviceRecord, Timestamp, UserId, setup};

pub(super) const PREFIX: &str = "MFA#DEVICE#";

impl Table {
    /// Writes the item of a new set-up, which TTL removes unless it is confirmed.
    pub(super) async fn put_device(&self, user: UserId, record: &DeviceRecord) -> Result<(), Fault> {
        let put = self.client.put_item().table_name(&self.name).return_consumed_capacity(COUNT_UNITS);
        put.item("pk", user_key(user))
            .item("sk", sort_key(record.id))
            .item("name", text(&record.name))
            .item("secret", binary(record.secret.clone()))
            .item("created", number(record.created.as_millis()))
            .item("ttl", number(setup::setup_ends(record).as_secs()))
            .send()
            .await
            .map_err(|error| Fault::of("PutItem device", &error))?;
        Ok(())
    }

    /// Takes the `ttl` off a set-up that is about to be confirmed. Where the item is gone, so is the set-up.
    pub(super) async fn keep_device(&self, user: UserId, id: DeviceId) -> Result<Commit, Fault> {
        let update = self.client.update_item().table_name(&self.name).return_consumed_capacity(COUNT_UNITS);
        let update = update
            .key("pk", user_key(user))
            .key("sk", sort_key(id))
            .update_expression("REMOVE #ttl")
            .condition_expression("attribute_exists(pk)")
            .expression_attribute_names("#ttl", "ttl");
        match update.send().await {
            Ok(_) => Ok(Commit::Done),
            Err(error) if Fault::is_failed_condition(&error) => Ok(Commit::Lost),
            Err(error) => Err(Fault::of("UpdateItem device", &error)),
        }
    }

    /// Replaces a device's sealed secret, unless somebody else did.
    ///
    /// # Errors
    /// [`Fault`]; the old secret still opens then.
    pub async fn reseal_device(&self, user: UserId, old: &DeviceRecord, sealed: Vec<u8>) -> Result<(), Fault> {
        let update = self.client.update_item().table_name(&self.name).return_consumed_capacity(COUNT_UNITS);
        update
            .key("pk", user_key(user))
            .key("sk", sort_key(old.id))
            .update_expression("SET secret = :new")
            .condition_expression("secret = :old")
            .expression_attribute_values(":new", binary(sealed))
            .expression_attribute_values(":old", binary(old.secret.clone()))
            .send()
            .await
            .map_err(|error| Fault::of("UpdateItem device", &error))?;
        Ok(())
    }
}

pub(super) fn read(item: &Item) -> Option<DeviceRecord> {
    let id = as_text(item, "sk")?;
    Some(DeviceRecord {
        id: DeviceId::parse(id.strip_prefix(PREFIX)?)?,
        name: as_text(item, "name")?,
        secret: as_binary(item, "secret")?,
        created: Timestamp::from_millis(as_number(item, "created")?),
    })
}

pub(super) fn sort_key(id: DeviceId) -> AttributeValue {
    text(format!("{PREFIX}{id}"))
}
