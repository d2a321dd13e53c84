//! `USER#<user>` / `CODE#<login>`: the code that one login has outstanding. Counts only while the ledger names it.

use aws_sdk_dynamodb::types::AttributeValue;

use super::{
    Fault, Table,
    table::{COUNT_UNITS, Item, as_binary, as_number, binary, number, text, user_key},
};
use crate::domain::{CodeId, CodeRecord, CodeTag, LoginId, Policy, Timestamp, UserId};

impl Table {
    /// Writes the item of a code that the ledger announces, over an older one only. Says whether it did: a newer code
    /// may have been announced meanwhile.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn put_code(&self, user: UserId, login: LoginId, record: &CodeRecord) -> Result<bool, Fault> {
        let put = self.client.put_item().table_name(&self.name).return_consumed_capacity(COUNT_UNITS);
        let put = put
            .item("pk", user_key(user))
            .item("sk", sort_key(login))
            .item("id", binary(record.id.0))
            .item("tag", binary(record.tag.0))
            .item("announced", number(record.announced.as_millis()))
            .item("until", number(record.until.as_millis()))
            .item("ttl", number(record.until.plus(Policy::CODE_KEPT_AFTER_EXPIRY).as_secs()))
            .condition_expression("attribute_not_exists(pk) OR announced <= :announced")
            .expression_attribute_values(":announced", number(record.announced.as_millis()));
        match put.send().await {
            Ok(_) => Ok(true),
            Err(error) if Fault::is_failed_condition(&error) => Ok(false),
            Err(error) => Err(Fault::of("PutItem code", &error)),
        }
    }

    pub(super) async fn get_code(
        &self,
        user: UserId,
        login: LoginId,
        strong: bool,
    ) -> Result<Option<CodeRecord>, Fault> {
        let get = self.client.get_item().table_name(&self.name).return_consumed_capacity(COUNT_UNITS);
        let got = get
            .key("pk", user_key(user))
            .key("sk", sort_key(login))
            .consistent_read(strong)
            .send()
            .await
            .map_err(|error| Fault::of("GetItem code", &error))?;
        let Some(item) = got.item else { return Ok(None) };
        read(&item).map(Some).ok_or_else(|| Fault::Broken("a code item cannot be read".to_owned()))
    }
}

fn read(item: &Item) -> Option<CodeRecord> {
    Some(CodeRecord {
        id: CodeId(as_binary(item, "id")?.try_into().ok()?),
        tag: CodeTag(as_binary(item, "tag")?.try_into().ok()?),
        announced: Timestamp::from_millis(as_number(item, "announced")?),
        until: Timestamp::from_millis(as_number(item, "until")?),
    })
}

fn sort_key(login: LoginId) -> AttributeValue {
    text(format!("CODE#{}", data_encoding::BASE64URL_NOPAD.encode(&login.0)))
}
