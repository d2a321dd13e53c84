//! Makes the keys of a bundle. `CloudFormation` invokes it as a custom resource of `template.yaml`,
//! if the operator named no secret.
//!
//! It fills one secret, and only while that has had no other value than the one that the template
//! gives it. Other keys for a table that is in use would switch MFA off for everybody, so the table
//! must hold no item.

mod keys;

use aws_sdk_dynamodb::Client as DynamoDb;
use aws_sdk_secretsmanager::{
    Client as SecretsManager,
    error::{DisplayErrorContext, ProvideErrorMetadata},
};
use aws_smithy_runtime_api::client::{http::HttpConnector, orchestrator::HttpRequest};
pub use keys::{BundleKeys, CannotMake, SigningKeyType};
use lambda_http::{
    Error,
    lambda_runtime::{self, LambdaEvent, service_fn},
};
use mfa::{aws, config::AwsConfig, tls};
use serde::Deserialize;
use serde_json::{Value, json};

/// A request of `CloudFormation`.
///
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-requests.html>
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Request {
    /// What happens to the resource.
    pub request_type: RequestType,
    /// Where the answer goes.
    #[serde(rename = "ResponseURL")]
    pub response_url: String,
    /// The stack.
    pub stack_id: String,
    /// This request.
    pub request_id: String,
    /// The resource's name in the template.
    pub logical_resource_id: String,
    /// What the resource says in the template.
    pub resource_properties: Properties,
    /// What it said before, in an update.
    pub old_resource_properties: Option<Properties>,
    /// What the resource was named at its creation.
    pub physical_resource_id: Option<String>,
}

/// What happens to the resource.
#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
pub enum RequestType {
    /// It is new.
    Create,
    /// The template says something else of it.
    Update,
    /// It goes. The keys stay.
    Delete,
}

/// What the template says.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Properties {
    /// The ARN of the secret.
    pub secret: String,
    /// The table that the keys are for.
    pub table: String,
    /// The kind of key that signs.
    pub signing_key_type: SigningKeyType,
}

/// The services that it calls.
pub struct Services {
    secrets: SecretsManager,
    dynamodb: DynamoDb,
}

impl Services {
    /// Opens no connection.
    #[must_use]
    pub fn new(aws: &AwsConfig) -> Self {
        let secrets = aws::configure!(aws_sdk_secretsmanager, aws, aws.endpoint.as_deref(), aws::retry());
        let dynamodb = aws::configure!(aws_sdk_dynamodb, aws, aws.dynamodb_endpoint.as_deref(), aws::retry());
        Self { secrets: SecretsManager::from_conf(secrets), dynamodb: DynamoDb::from_conf(dynamodb) }
    }
}

/// Starts the function.
///
/// # Errors
/// Fails if the environment does not say how to reach AWS, or if the Lambda runtime ends.
pub async fn run() -> Result<(), Error> {
    let services = Services::new(&AwsConfig::from_env()?);
    let services = &services;
    lambda_runtime::run(service_fn(|event: LambdaEvent<Request>| {
        Box::pin(async move {
            let answer = answer(services, &event.payload).await;
            // Lambda repeats a failed invocation, which then finds the secret filled.
            put(&event.payload.response_url, &answer).await
        })
    }))
    .await
}

/// What `CloudFormation` is told.
pub async fn answer(services: &Services, request: &Request) -> Value {
    let wanted = &request.resource_properties;
    let old_type = request.old_resource_properties.as_ref().map(|old| old.signing_key_type);
    let outcome = match request.request_type {
        RequestType::Update if old_type.is_some_and(|old| old != wanted.signing_key_type) => {
            Err("The signing key is there already, and SigningKeyType makes no other. Rotate it (docs/deploy.md)."
                .to_owned())
        }
        RequestType::Create | RequestType::Update => fill(services, wanted).await,
        RequestType::Delete => Ok(()),
    };
    let mut answer = json!({
        "Status": if outcome.is_ok() { "SUCCESS" } else { "FAILED" },
        "StackId": request.stack_id,
        "RequestId": request.request_id,
        "LogicalResourceId": request.logical_resource_id,
        "PhysicalResourceId": request.physical_resource_id.as_ref().unwrap_or(&wanted.secret),
        // What uses the keys names the secret by this attribute, and so waits until they are there.
        "Data": { "Secret": wanted.secret },
    });
    if let (Err(reason), Some(fields)) = (outcome, answer.as_object_mut()) {
        // The whole answer may have 4,096 bytes.
        fields.insert("Reason".to_owned(), reason.chars().take(800).collect::<String>().into());
    }
    answer
}

/// Fills the secret, unless somebody did.
///
/// # Errors
/// Says what is in the way.
async fn fill(services: &Services, wanted: &Properties) -> Result<(), String> {
    let described = services.secrets.describe_secret().secret_id(&wanted.secret).send().await;
    let described = described.map_err(|error| refused("DescribeSecret", &error))?;
    // The value before the current one is kept as well, so a filled secret has two versions for good.
    if described.version_ids_to_stages().is_some_and(|versions| versions.len() > 1) {
        return Ok(());
    }
    let found = services.dynamodb.scan().table_name(&wanted.table).limit(1).consistent_read(true).send().await;
    let found = found.map_err(|error| refused("Scan", &error))?;
    if found.count() > 0 {
        return Err(format!(
            "The table {} is in use, and other keys would switch MFA off for everybody in it. Set SecretName to the \
             secret that it was begun with.",
            wanted.table
        ));
    }
    let keys = BundleKeys::new(wanted.signing_key_type).map_err(|error| error.to_string())?;
    let keys = serde_json::to_string(&keys).map_err(|error| error.to_string())?;
    let put = services.secrets.put_secret_value().secret_id(&wanted.secret).secret_string(keys);
    // Secrets Manager refuses a second version under this name, so of two requests at once one fills.
    let put = put.client_request_token("the-first-keys-of-the-bundle-0001").send().await;
    match put.map_err(aws_sdk_secretsmanager::error::SdkError::into_service_error) {
        Ok(_) => Ok(()),
        Err(error) if error.is_resource_exists_exception() => Ok(()),
        Err(error) => Err(refused("PutSecretValue", &error)),
    }
}

/// Why a call failed, in a sentence for the events of the stack.
fn refused(call: &str, error: &(impl ProvideErrorMetadata + std::error::Error)) -> String {
    match (error.code(), error.message()) {
        (Some(code), message) => format!("{call} is refused: {code} ({})", message.unwrap_or("no message")),
        (None, _) => format!("{call} failed: {}", DisplayErrorContext(error)),
    }
}

/// Hands the answer to `CloudFormation`: a `PUT` to an address that is signed, in S3.
async fn put(url: &str, answer: &Value) -> Result<(), Error> {
    let mut request = HttpRequest::new(answer.to_string().into());
    request.set_method("PUT")?;
    request.set_uri(url)?;
    let response = tls::connector(url).call(request).await?;
    let status = response.status().as_u16();
    if status == 200 { Ok(()) } else { Err(format!("CloudFormation's address answers {status}").into()) }
}
