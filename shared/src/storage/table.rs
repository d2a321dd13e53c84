use std::collections::HashMap;

use aws_sdk_dynamodb::{
    Client,
    primitives::Blob,
    types::{AttributeValue, ReturnConsumedCapacity},
};

use super::Fault;
use crate::{aws, config::Config, domain::UserId};

/// The table. Cheap to clone.
#[derive(Clone)]
pub struct Table {
    pub(super) client: Client,
    pub(super) name: String,
}

/// An item as `DynamoDB` has it.
pub(super) type Item = HashMap<String, AttributeValue>;

impl Table {
    /// The table of a configuration. Opens no connection.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        let endpoint = config.aws.dynamodb_endpoint.as_deref();
        let client = aws::configure!(aws_sdk_dynamodb, &config.aws, endpoint, aws::retry());
        Self { client: Client::from_conf(client), name: config.table.clone() }
    }

    /// Opens the connection, so that the first request does not have to: reads a key that does not exist, and ignores
    /// whatever happens.
    pub async fn warm_up(&self) {
        let get = self.client.get_item().table_name(&self.name);
        let _ = get.key("pk", text("WARM-UP")).key("sk", text("WARM-UP")).send().await;
    }

    /// Deletes an item, if it is there. `call` names it in an error.
    pub(super) async fn delete_item(
        &self,
        call: &'static str,
        pk: AttributeValue,
        sk: AttributeValue,
    ) -> Result<(), Fault> {
        let delete = self.client.delete_item().table_name(&self.name).return_consumed_capacity(COUNT_UNITS);
        let deleted = delete.key("pk", pk).key("sk", sk).send().await;
        deleted.map(|_| ()).map_err(|error| Fault::of(call, &error))
    }
}

/// Asks for the units that a call consumed, which is free; the tests compare them with the budgets.
pub(super) const COUNT_UNITS: ReturnConsumedCapacity = ReturnConsumedCapacity::Total;

pub(super) fn user_key(user: UserId) -> AttributeValue {
    text(format!("USER#{user}"))
}

pub(super) fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

pub(super) fn number(value: u64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

pub(super) fn binary(value: impl Into<Vec<u8>>) -> AttributeValue {
    AttributeValue::B(Blob::new(value))
}

pub(super) fn as_number(item: &Item, name: &str) -> Option<u64> {
    item.get(name)?.as_n().ok()?.parse().ok()
}

pub(super) fn as_text(item: &Item, name: &str) -> Option<String> {
    item.get(name)?.as_s().ok().cloned()
}

pub(super) fn as_binary(item: &Item, name: &str) -> Option<Vec<u8>> {
    item.get(name)?.as_b().ok().map(|blob| blob.as_ref().to_vec())
}
