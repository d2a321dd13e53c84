//! Builds the AWS clients without `aws-config`, which costs 12 % of a cold start and 30 % of the
//! size.

use std::time::Duration;

use aws_sdk_dynamodb::config::{Credentials, SharedHttpClient, retry::RetryConfig, timeout::TimeoutConfig};
use aws_smithy_http_client::Builder;

use crate::config::AwsConfig;

/// The configuration of one service's client. Its arguments are the crate of the service's SDK, an
/// [`AwsConfig`], perhaps another address of the service, and how calls are repeated.
#[macro_export]
macro_rules! configure {
    ($sdk:ident, $aws:expr, $endpoint:expr, $retry:expr) => {{
        let aws: &$crate::config::AwsConfig = $aws;
        let endpoint: Option<&str> = $endpoint;
        let mut config = $sdk::Config::builder()
            .behavior_version($sdk::config::BehaviorVersion::latest())
            .region($sdk::config::Region::new(aws.region.clone()))
            .credentials_provider($crate::aws::credentials(aws))
            .http_client($crate::aws::http_client(aws, endpoint))
            .timeout_config($crate::aws::timeouts(aws))
            .retry_config($retry)
            .stalled_stream_protection($sdk::config::StalledStreamProtectionConfig::disabled());
        config.set_endpoint_url(endpoint.map(ToOwned::to_owned));
        config.build()
    }};
}
pub use configure;

/// The credentials that Lambda puts into the environment.
#[must_use]
pub fn credentials(aws: &AwsConfig) -> Credentials {
    let session_token = aws.session_token.as_ref().map(|token| token.to_string());
    Credentials::new(&aws.access_key_id, aws.secret_access_key.as_str(), session_token, None, "environment")
}

/// An HTTP client: plain for an `http://` endpoint, otherwise the one that all services share.
#[must_use]
pub fn http_client(aws: &AwsConfig, endpoint: Option<&str>) -> SharedHttpClient {
    if endpoint.is_some_and(|url| url.starts_with("http://")) {
        return Builder::new().build_http();
    }
    aws.https.clone()
}

/// Time-outs are short because a person is waiting.
#[must_use]
pub fn timeouts(aws: &AwsConfig) -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(aws.connect_timeout)
        .operation_attempt_timeout(aws.timeout)
        // Includes the retries. A route makes several calls in turn, and must answer before Lambda
        // ends it.
        .operation_timeout(aws.timeout.mul_f32(1.5))
        .build()
}

/// For calls that may be repeated.
#[must_use]
pub fn retry() -> RetryConfig {
    RetryConfig::standard().with_max_attempts(3).with_initial_backoff(Duration::from_millis(50))
}

/// For calls that must not be repeated.
#[must_use]
pub fn send_once() -> RetryConfig {
    RetryConfig::disabled()
}
