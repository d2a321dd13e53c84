//! `USER#<user>` / `TRUST#<hash>`: a trusted device. It counts only in the epoch that it was trusted in.

use aws_sdk_dynamodb::types::AttributeValue;

use super::{
    Fault, Table,
    table::{COUNT_UNITS, Item, as_number, as_text, number, text, user_key},
};
use crate::domain::{Beside, Refusal, Timestamp, TrustId, UserId, trust::TrustRecord};

pub(super) const PREFIX: &str = "TRUST#";

impl Table {
    /// Writes the item of a device that is trusted from now on.
    pub(super) async fn put_trust(&self, user: UserId, record: &TrustRecord) -> Result<(), Fault> {
        let put = self.client.put_item().table_name(&self.name).return_consumed_capacity(COUNT_UNITS);
        put.item("pk", user_key(user))
            .item("sk", sort_key(record.id))
            .item("label", text(&record.label))
            .item("created", number(record.created.as_millis()))
            .item("epoch", number(record.epoch))
            .item("auth_time", number(record.auth_time.as_millis()))
            .item("until", number(record.until.as_millis()))
            .item("ttl", number(record.until.as_secs()))
            .send()
            .await
            .map_err(|error| Fault::of("PutItem trust", &error))?;
        Ok(())
    }

    /// Notes that a trusted device stood in for a code, with the items of the session that this opens beside it.
    ///
    /// # Errors
    /// [`Refusal::DeviceNotFound`] where it was revoked meanwhile. That the note cannot be written is none.
    pub async fn use_trust(&self, user: UserId, id: TrustId, now: Timestamp, beside: &[Beside]) -> Result<(), Fault> {
        let update = self.client.update_item().table_name(&self.name).return_consumed_capacity(COUNT_UNITS);
        let update = update
            .key("pk", user_key(user))
            .key("sk", sort_key(id))
            .update_expression("SET used = :now")
            .condition_expression("attribute_exists(pk)")
            .expression_attribute_values(":now", number(now.as_millis()));
        let (noted, ()) = futures_util::future::join(update.send(), self.put_beside(user, beside)).await;
        match noted {
            Err(error) if Fault::is_failed_condition(&error) => Err(Refusal::DeviceNotFound.into()),
            // The time of the last use is shown in a list and decides nothing.
            _ => Ok(()),
        }
    }

    /// Takes the trust from a device.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn delete_trust(&self, user: UserId, id: TrustId) -> Result<(), Fault> {
        self.delete_item("DeleteItem trust", user_key(user), sort_key(id)).await
    }
}

pub(super) fn read(item: &Item) -> Option<TrustRecord> {
    Some(TrustRecord {
        id: TrustId::parse(as_text(item, "sk")?.strip_prefix(PREFIX)?)?,
        label: as_text(item, "label")?,
        created: Timestamp::from_millis(as_number(item, "created")?),
        used: as_number(item, "used").map(Timestamp::from_millis),
        epoch: as_number(item, "epoch")?,
        auth_time: Timestamp::from_millis(as_number(item, "auth_time")?),
        until: Timestamp::from_millis(as_number(item, "until")?),
    })
}

fn sort_key(id: TrustId) -> AttributeValue {
    text(format!("{PREFIX}{id}"))
}
