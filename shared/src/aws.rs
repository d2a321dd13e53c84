//! Builds the AWS clients without `aws-config`, which costs 12 % of a cold start and 30 % of the
//! size.

use std::time::Duration;

use aws_runtime::user_agent::UserAgentInterceptor;
use aws_sdk_dynamodb::{
    config::{
        ConfigBag, Credentials, Intercept, RuntimeComponents, SharedHttpClient,
        interceptors::{BeforeSerializationInterceptorContextRef, BeforeTransmitInterceptorContextMut},
        retry::RetryConfig,
        timeout::TimeoutConfig,
    },
    error::BoxError,
};
use aws_smithy_http_client::Builder;
use aws_smithy_runtime_api::client::interceptors::{disable_interceptor, dyn_dispatch_hint};

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
            .interceptor($crate::aws::ShortUserAgent)
            .stalled_stream_protection($sdk::config::StalledStreamProtectionConfig::disabled());
        config.set_endpoint_url(endpoint.map(ToOwned::to_owned));
        config.build()
    }};
}
pub use configure;

/// Names the bundle in the header `User-Agent`, which `CloudTrail` shows. Otherwise the SDK describes itself,
/// the compiler and the configuration at length, in each request, which costs 5 % of a warm answer.
#[derive(Debug)]
pub struct ShortUserAgent;

#[dyn_dispatch_hint]
impl Intercept for ShortUserAgent {
    fn name(&self) -> &'static str {
        "ShortUserAgent"
    }

    fn read_before_execution(
        &self,
        _: &BeforeSerializationInterceptorContextRef<'_>,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        config.interceptor_state().store_put(disable_interceptor::<UserAgentInterceptor>("it is long"));
        Ok(())
    }

    fn modify_before_transmit(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        context.request_mut().headers_mut().insert("user-agent", concat!("mfa/", env!("CARGO_PKG_VERSION")));
        Ok(())
    }
}

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

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        net::TcpListener,
        thread,
    };

    use super::*;
    use crate::tls;

    #[tokio::test]
    async fn a_call_names_the_bundle_and_does_not_describe_itself_at_length() {
        let service = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", service.local_addr().expect("an address"));
        let request = thread::spawn(move || {
            let (mut connection, _) = service.accept().expect("a connection");
            let mut request = vec![0; 4096];
            let length = connection.read(&mut request).expect("a request");
            connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").expect("an answer");
            String::from_utf8_lossy(&request[..length]).to_lowercase()
        });
        let timeout = Duration::from_mins(1);
        let aws = AwsConfig {
            region: "eu-central-1".to_owned(),
            access_key_id: "test".to_owned(),
            secret_access_key: "test".to_owned().into(),
            session_token: None,
            dynamodb_endpoint: Some(url),
            ses_endpoint: None,
            sns_endpoint: None,
            end_user_messaging_endpoint: None,
            eventbridge_endpoint: None,
            endpoint: None,
            timeout,
            connect_timeout: timeout,
            https: tls::client(timeout, false),
        };
        let config = configure!(aws_sdk_dynamodb, &aws, aws.dynamodb_endpoint.as_deref(), retry());
        aws_sdk_dynamodb::Client::from_conf(config).list_tables().send().await.expect("tables");
        let request = request.join().expect("a request");
        let about: Vec<_> = request.lines().filter(|line| line.contains("user-agent:")).collect();
        assert_eq!(about, [concat!("user-agent: mfa/", env!("CARGO_PKG_VERSION"))]);
        assert!(request.contains("signedheaders="), "{request}");
    }
}
