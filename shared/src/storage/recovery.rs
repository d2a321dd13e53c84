//! `USER#<user>` / `MFA#RECOVERY#<set>`: the keyed hashes of a set of recovery codes. Immutable; the ledger says which were used.

use aws_sdk_dynamodb::{primitives::Blob, types::AttributeValue};

use super::{
    Fault, Table,
    table::{COUNT_UNITS, Item, as_text, text, user_key},
};
use crate::domain::{RecoveryId, RecoveryTag, UserId, recovery::RecoveryRecord};

pub(super) const PREFIX: &str = "MFA#RECOVERY#";

impl Table {
    /// Writes the item of a new set.
    pub(super) async fn put_recovery(&self, user: UserId, record: &RecoveryRecord) -> Result<(), Fault> {
        let tags = record.tags.iter().map(|tag| AttributeValue::B(Blob::new(tag.0))).collect();
        let put = self.client.put_item().table_name(&self.name).return_consumed_capacity(COUNT_UNITS);
        put.item("pk", user_key(user))
            .item("sk", sort_key(record.id))
            .item("tags", AttributeValue::L(tags))
            .send()
            .await
            .map_err(|error| Fault::of("PutItem recovery", &error))?;
        Ok(())
    }
}

pub(super) fn read(item: &Item) -> Option<RecoveryRecord> {
    let id = as_text(item, "sk")?;
    let id = data_encoding::BASE64URL_NOPAD.decode(id.strip_prefix(PREFIX)?.as_bytes()).ok()?;
    let tags = item.get("tags")?.as_l().ok()?.iter();
    let tag = |value: &AttributeValue| Some(RecoveryTag(value.as_b().ok()?.as_ref().try_into().ok()?));
    Some(RecoveryRecord { id: RecoveryId(id.try_into().ok()?), tags: tags.map(tag).collect::<Option<_>>()? })
}

pub(super) fn sort_key(id: RecoveryId) -> AttributeValue {
    text(format!("{PREFIX}{}", data_encoding::BASE64URL_NOPAD.encode(&id.0)))
}
