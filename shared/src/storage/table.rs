use std::{
    collections::HashMap,
    sync::{Arc, OnceLock},
};

use aws_sdk_dynamodb::{
    Client,
    config::http::HttpResponse,
    error::SdkError,
    operation::{
        put_item::{PutItemError, PutItemOutput, builders::PutItemFluentBuilder},
        update_item::{UpdateItemError, UpdateItemOutput, builders::UpdateItemFluentBuilder},
    },
    primitives::Blob,
    types::{AttributeValue, ConsumedCapacity, ReturnConsumedCapacity},
};

use super::StoreError;
use crate::{
    aws,
    config::Config,
    domain::{UserId, keys::Keys},
    metrics::{self, Metric},
};

/// The table. Cheap to clone.
#[derive(Clone)]
pub struct Table {
    pub(super) client: Client,
    pub(super) name: String,
    /// The fingerprint of the hash key.
    pub(super) hash_key: [u8; 16],
    /// Set once the table is known to have this hash key.
    pub(super) is_ours: Arc<OnceLock<()>>,
}

/// An item as `DynamoDB` returns it.
pub(super) type Item = HashMap<String, AttributeValue>;

/// The primary key of an item.
pub(super) struct PrimaryKey {
    pub(super) pk: String,
    pub(super) sk: String,
}

impl PrimaryKey {
    /// The key of one of a user's items.
    pub(super) fn of_user(user: UserId, sk: impl Into<String>) -> Self {
        Self { pk: user_key(user), sk: sk.into() }
    }
}

impl Table {
    /// Builds the table of a configuration. Opens no connection.
    #[must_use]
    pub fn new(config: &Config, keys: &Keys) -> Self {
        let endpoint = config.aws.dynamodb_endpoint.as_deref();
        let client = aws::configure!(aws_sdk_dynamodb, &config.aws, endpoint, aws::retry());
        let (client, name) = (Client::from_conf(client), config.table.clone());
        Self { client, name, hash_key: keys.fingerprint(), is_ours: Arc::default() }
    }

    /// Another table that was begun with the same hash key, such as a restored backup of this one.
    #[must_use]
    pub fn beside(&self, name: &str) -> Self {
        Self { name: name.to_owned(), is_ours: Arc::default(), ..self.clone() }
    }

    /// A `PutItem` of this table.
    pub(super) fn put_item(&self, key: PrimaryKey, mut item: Item) -> PutItemFluentBuilder {
        item.insert("pk".to_owned(), text(key.pk));
        item.insert("sk".to_owned(), text(key.sk));
        let put = self.client.put_item().table_name(&self.name).return_consumed_capacity(COUNT_UNITS);
        put.set_item(Some(item))
    }

    /// An `UpdateItem` of this table.
    pub(super) fn update_item(&self, key: PrimaryKey) -> UpdateItemFluentBuilder {
        let update = self.client.update_item().table_name(&self.name).return_consumed_capacity(COUNT_UNITS);
        update.key("pk", text(key.pk)).key("sk", text(key.sk))
    }

    /// Reads one item. `call` names the call in an error.
    pub(super) async fn get_item(
        &self,
        call: &'static str,
        key: PrimaryKey,
        strong: bool,
    ) -> Result<Option<Item>, StoreError> {
        let get = self.client.get_item().table_name(&self.name).return_consumed_capacity(COUNT_UNITS);
        let get = get.key("pk", text(key.pk)).key("sk", text(key.sk)).consistent_read(strong);
        let got = get.send().await.map_err(|error| StoreError::of(call, &error))?;
        count(Metric::ReadUnits, got.consumed_capacity());
        Ok(got.item)
    }

    /// Deletes an item, if it exists. `call` names the call in an error.
    pub(super) async fn delete_item(&self, call: &'static str, key: PrimaryKey) -> Result<(), StoreError> {
        let delete = self.client.delete_item().table_name(&self.name).return_consumed_capacity(COUNT_UNITS);
        let deleted = delete.key("pk", text(key.pk)).key("sk", text(key.sk)).send().await;
        let deleted = deleted.map_err(|error| StoreError::of(call, &error))?;
        count(Metric::WriteUnits, deleted.consumed_capacity());
        Ok(())
    }
}

/// Sends a `PutItem`.
pub(super) async fn put(put: PutItemFluentBuilder) -> Result<PutItemOutput, SdkError<PutItemError, HttpResponse>> {
    let put = put.send().await?;
    count(Metric::WriteUnits, put.consumed_capacity());
    Ok(put)
}

/// Sends an `UpdateItem`.
pub(super) async fn update(
    update: UpdateItemFluentBuilder,
) -> Result<UpdateItemOutput, SdkError<UpdateItemError, HttpResponse>> {
    let updated = update.send().await?;
    count(Metric::WriteUnits, updated.consumed_capacity());
    Ok(updated)
}

/// Counts the units of a call that succeeded. A refused one does not tell its units.
pub(super) fn count(metric: Metric, consumed: Option<&ConsumedCapacity>) {
    metrics::count(metric, consumed.and_then(ConsumedCapacity::capacity_units).unwrap_or_default());
}

/// Asks for the capacity that a call consumed, which is free. The tests compare it with the
/// budgets.
pub(super) const COUNT_UNITS: ReturnConsumedCapacity = ReturnConsumedCapacity::Total;

pub(super) fn user_key(user: UserId) -> String {
    format!("USER#{user}")
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
