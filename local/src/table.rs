use std::collections::HashMap;

use aws_sdk_dynamodb::{
    Client, Config,
    config::{BehaviorVersion, Credentials, Region},
    error::DisplayErrorContext,
    primitives::Blob,
    types::{
        AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
        StreamSpecification, StreamViewType, TimeToLiveSpecification,
    },
};
use serde_json::{Value, json};

/// The table as an operator uses it: creates it, changes items and reads all of them. The bundle
/// itself never creates or scans a table.
#[derive(Clone)]
pub struct LocalTable {
    client: Client,
    name: String,
}

impl LocalTable {
    /// The table `name` of the `DynamoDB` at `endpoint`.
    #[must_use]
    pub fn new(endpoint: &str, name: &str) -> Self {
        let config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::new("local", "local", None, None, "local"))
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .endpoint_url(endpoint)
            .build();
        Self { client: Client::from_conf(config), name: name.to_owned() }
    }

    /// Creates the table with the keys and the TTL of `template.yaml`, unless it exists. `has_stream`
    /// gives it the stream too.
    ///
    /// # Errors
    /// The message of the service.
    pub async fn create(&self, has_stream: bool) -> Result<(), String> {
        let attribute = |name: &str| {
            AttributeDefinition::builder().attribute_name(name).attribute_type(ScalarAttributeType::S).build()
        };
        let key = |name: &str, kind| KeySchemaElement::builder().attribute_name(name).key_type(kind).build();
        let said = |error: &dyn std::error::Error| DisplayErrorContext(error).to_string();
        let stream = StreamSpecification::builder().stream_enabled(true);
        let stream = stream.stream_view_type(StreamViewType::NewAndOldImages).build();
        let stream = has_stream.then_some(stream).transpose().map_err(|error| said(&error))?;
        let created = self
            .client
            .create_table()
            .table_name(&self.name)
            .billing_mode(BillingMode::PayPerRequest)
            .set_stream_specification(stream)
            .attribute_definitions(attribute("pk").map_err(|error| said(&error))?)
            .attribute_definitions(attribute("sk").map_err(|error| said(&error))?)
            .key_schema(key("pk", KeyType::Hash).map_err(|error| said(&error))?)
            .key_schema(key("sk", KeyType::Range).map_err(|error| said(&error))?)
            .send()
            .await;
        match created {
            Ok(_) => {}
            Err(error)
                if error.as_service_error().is_some_and(
                    aws_sdk_dynamodb::operation::create_table::CreateTableError::is_resource_in_use_exception,
                ) =>
            {
                return Ok(());
            }
            Err(error) => return Err(said(&error)),
        }
        let ttl = TimeToLiveSpecification::builder().attribute_name("ttl").enabled(true).build();
        let ttl = ttl.map_err(|error| said(&error))?;
        let update = self.client.update_time_to_live().table_name(&self.name).time_to_live_specification(ttl);
        update.send().await.map(|_| ()).map_err(|error| said(&error))
    }

    /// Sets one attribute of an item, or removes it if `value` is `None`, as somebody who can write
    /// to the table might. `value` is `DynamoDB` JSON: a string, a number or a binary value.
    ///
    /// # Errors
    /// The message of the service, or that `value` has another type.
    pub async fn set(&self, pk: &str, sk: &str, name: &str, value: Option<&Value>) -> Result<(), String> {
        let update = self.client.update_item().table_name(&self.name).expression_attribute_names("#name", name);
        let update = update.key("pk", AttributeValue::S(pk.to_owned())).key("sk", AttributeValue::S(sk.to_owned()));
        let update = match value.map(attribute_value).transpose()? {
            Some(value) => update.update_expression("SET #name = :value").expression_attribute_values(":value", value),
            None => update.update_expression("REMOVE #name"),
        };
        update.send().await.map(|_| ()).map_err(|error| DisplayErrorContext(&error).to_string())
    }

    /// Deletes one item, if it is there.
    ///
    /// # Errors
    /// The message of the service.
    pub async fn delete(&self, pk: &str, sk: &str) -> Result<(), String> {
        let delete = self.client.delete_item().table_name(&self.name);
        let delete = delete.key("pk", AttributeValue::S(pk.to_owned())).key("sk", AttributeValue::S(sk.to_owned()));
        delete.send().await.map(|_| ()).map_err(|error| DisplayErrorContext(&error).to_string())
    }

    /// Deletes everything about users. The fingerprint of the hash key stays: the bundle that runs has
    /// compared it, and would not write it again.
    ///
    /// # Errors
    /// The message of the service.
    pub async fn forget_users(&self) -> Result<(), String> {
        for item in self.scan().await? {
            let text = |name: &str| item.get(name).and_then(|value| value.as_s().ok()).map(String::as_str);
            if let (Some(pk), Some(sk)) = (text("pk"), text("sk"))
                && pk != "BUNDLE"
            {
                self.delete(pk, sk).await?;
            }
        }
        Ok(())
    }

    /// Copies every item into a new table, as a restored backup has it.
    ///
    /// # Errors
    /// The message of the service.
    pub async fn copy_as(&self, name: &str) -> Result<Self, String> {
        let copy = Self { client: self.client.clone(), name: name.to_owned() };
        copy.create(false).await?;
        for item in self.scan().await? {
            let put = self.client.put_item().table_name(name).set_item(Some(item));
            put.send().await.map_err(|error| DisplayErrorContext(&error).to_string())?;
        }
        Ok(copy)
    }

    /// All stored items as `DynamoDB` JSON.
    ///
    /// # Errors
    /// The message of the service.
    pub async fn dump(&self) -> Result<Vec<Value>, String> {
        Ok(self.scan().await?.iter().map(item_json).collect())
    }

    async fn scan(&self) -> Result<Vec<HashMap<String, AttributeValue>>, String> {
        let mut items = Vec::new();
        let mut start = None;
        loop {
            let scan = self.client.scan().table_name(&self.name).consistent_read(true).set_exclusive_start_key(start);
            let page = scan.send().await.map_err(|error| DisplayErrorContext(&error).to_string())?;
            items.extend(page.items.unwrap_or_default());
            start = page.last_evaluated_key;
            if start.is_none() {
                return Ok(items);
            }
        }
    }
}

fn attribute_value(json: &Value) -> Result<AttributeValue, String> {
    let text = |kind: &str| json[kind].as_str().map(ToOwned::to_owned);
    let bytes = || data_encoding::BASE64.decode(json["B"].as_str()?.as_bytes()).ok();
    let value = text("S").map(AttributeValue::S).or_else(|| text("N").map(AttributeValue::N));
    let value = value.or_else(|| bytes().map(|bytes| AttributeValue::B(Blob::new(bytes))));
    value.ok_or_else(|| format!("{json} is not a string, a number or a binary value"))
}

fn item_json(item: &HashMap<String, AttributeValue>) -> Value {
    Value::Object(item.iter().map(|(name, value)| (name.clone(), value_json(value))).collect())
}

fn value_json(value: &AttributeValue) -> Value {
    match value {
        AttributeValue::S(text) => json!({ "S": text }),
        AttributeValue::N(number) => json!({ "N": number }),
        AttributeValue::B(blob) => json!({ "B": data_encoding::BASE64.encode(blob.as_ref()) }),
        AttributeValue::Bool(flag) => json!({ "BOOL": flag }),
        AttributeValue::Null(_) => json!({ "NULL": true }),
        AttributeValue::L(list) => json!({ "L": list.iter().map(value_json).collect::<Vec<_>>() }),
        AttributeValue::M(map) => json!({ "M": item_json(map) }),
        other => json!({ "?": format!("{other:?}") }),
    }
}
