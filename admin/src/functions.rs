//! Invokes the two functions of a stack.

use std::time::{Duration, SystemTime};

use aws_config::{BehaviorVersion, Region, SdkConfig, timeout::TimeoutConfig};
use aws_credential_types::{Credentials, provider::ProvideCredentials};
use aws_sdk_lambda::{
    error::{DisplayErrorContext, ProvideErrorMetadata, SdkError},
    operation::invoke::InvokeError,
    primitives::Blob,
};
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign},
    sign::v4,
};
use aws_smithy_runtime_api::client::identity::Identity;
use mfa::{clock::Clock, domain::Timestamp, tls};
use mfa_admin_function::{Access, CallerProof, Command, DIGEST_HEADER, Reply, Request, VALID_FOR, service};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::Target;

/// What AWS wants to see encoded in a query: all but the unreserved characters of RFC 3986.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// How long to wait before a command is tried again that met a busy table.
const PAUSES: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(3), Duration::from_secs(9)];

/// The functions of one stack.
pub(crate) struct Functions<'a> {
    pub(crate) target: &'a Target,
    config: SdkConfig,
    lambda: aws_sdk_lambda::Client,
}

impl<'a> Functions<'a> {
    /// Finds credentials and region, as the AWS CLI does.
    pub(crate) async fn of(target: &'a Target) -> Result<Self, String> {
        let config = if let Some(url) = &target.local { local(url) } else { as_the_aws_cli(target).await };
        if config.region().is_none() {
            return Err("No region is known. Set --region, or AWS_REGION, or one in the profile.".to_owned());
        }
        // A page of users can take as long as a function may run.
        let timeouts = TimeoutConfig::builder().operation_attempt_timeout(Duration::from_mins(15)).build();
        let lambda = aws_sdk_lambda::config::Builder::from(&config).timeout_config(timeouts).build();
        Ok(Self { target, lambda: aws_sdk_lambda::Client::from_conf(lambda), config })
    }

    /// Has one command carried out. A table that is busy for a moment ends no command.
    pub(crate) async fn ask(&self, command: Command) -> Result<Reply, String> {
        for pause in PAUSES {
            match self.ask_once(command.clone()).await? {
                Reply::TryAgain(_) => tokio::time::sleep(pause).await,
                reply => return Ok(reply),
            }
        }
        match self.ask_once(command).await? {
            Reply::TryAgain(sentence) => Err(sentence),
            reply => Ok(reply),
        }
    }

    async fn ask_once(&self, command: Command) -> Result<Reply, String> {
        let suffix = if command.access() == Access::Read { "admin-read" } else { "admin" };
        let function = format!("{}-{suffix}", self.target.stack);
        if command.is_change() && self.target.reason.as_deref().is_none_or(|reason| reason.trim().is_empty()) {
            return Err("A change needs a reason, which the log keeps. Set --reason, such as a ticket.".to_owned());
        }
        let mut request = Request {
            function: function.clone(),
            command,
            login: self.target.login.clone(),
            reason: self.target.reason.clone(),
            dry_run: self.target.dry_run,
            caller: None,
        };
        if request.command.is_change() && self.target.local.is_none() {
            request.caller = Some(self.proof(&request.digest()).await?);
        }
        let payload = serde_json::to_vec(&request).map_err(|error| error.to_string())?;
        let invoke = self.lambda.invoke().function_name(&function).payload(Blob::new(payload));
        let invoked = invoke.send().await.map_err(|error| self.explain(&function, &error))?;
        let payload = invoked.payload.unwrap_or_else(|| Blob::new(Vec::new()));
        if let Some(kind) = invoked.function_error {
            return Err(format!("{function} failed ({kind}): see its log."));
        }
        match serde_json::from_slice(payload.as_ref()) {
            Ok(Reply::Refused(sentence)) => Err(sentence),
            Ok(reply) => Ok(reply),
            Err(_) => {
                Err(format!("{function} does not answer as this release does. Use mfa-admin of the deployed one."))
            }
        }
    }

    /// Signs the question who we are, for the function to ask.
    async fn proof(&self, digest: &str) -> Result<CallerProof, String> {
        let provider = self.config.credentials_provider().ok_or_else(no_credentials)?;
        let credentials = provider.provide_credentials().await.map_err(|_| no_credentials())?;
        let region = self.config.region().map(ToString::to_string).unwrap_or_default();
        let service = service(&region, self.config.endpoint_url());
        let url = format!("{service}/?Action=GetCallerIdentity&Version=2011-06-15");
        let signed = sign_for(&credentials.into(), &region, &url, digest, Clock::wall().now());
        signed.map(|url| CallerProof { url })
    }

    /// What a failed invocation means, and what to do.
    fn explain<R>(&self, function: &str, error: &SdkError<InvokeError, R>) -> String
    where
        R: std::fmt::Debug,
    {
        let code = error.as_service_error().and_then(ProvideErrorMetadata::code);
        match (code, &self.target.local) {
            (Some("ResourceNotFoundException"), _) => {
                format!("There is no function {function} in this account and region. Is --stack right, and --region?")
            }
            (Some("AccessDeniedException"), _) => {
                format!("You may not invoke {function}. Ask for the permission lambda:InvokeFunction on it.")
            }
            (Some("ExpiredTokenException" | "UnrecognizedClientException" | "InvalidSignatureException"), _) => {
                format!("AWS does not accept your credentials: {}. Sign in again.", code.unwrap_or_default())
            }
            (None, Some(url)) => format!("Nothing answers at {url}. Is `cargo run` running?"),
            (None, None)
                if error.as_service_error().is_none() && format!("{error:?}").contains("CredentialsNotLoaded") =>
            {
                no_credentials()
            }
            (Some(code), _) => {
                let message = error.as_service_error().and_then(ProvideErrorMetadata::message).unwrap_or_default();
                format!("{function} cannot be invoked: {code} {message}")
            }
            (None, None) => format!("{function} cannot be invoked: {}", DisplayErrorContext(&error)),
        }
    }
}

async fn as_the_aws_cli(target: &Target) -> SdkConfig {
    let mut loader = aws_config::defaults(BehaviorVersion::latest()).http_client(tls::client_for_tools());
    if let Some(profile) = &target.profile {
        loader = loader.profile_name(profile);
    }
    if let Some(region) = &target.region {
        loader = loader.region(Region::new(region.clone()));
    }
    loader.load().await
}

fn no_credentials() -> String {
    "No AWS credentials are found. Sign in as for the AWS CLI, or set --profile.".to_owned()
}

/// The bundle on this machine asks nobody for credentials.
fn local(url: &str) -> SdkConfig {
    let credentials = Credentials::new("local", "local", None, None, "mfa-admin --local");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("local"))
        .credentials_provider(aws_credential_types::provider::SharedCredentialsProvider::new(credentials))
        .endpoint_url(url)
        .http_client(tls::client_for_tools())
        .build()
}

/// `url` with a signature in its query that is valid for a minute, and that the header with `digest`
/// belongs to.
fn sign_for(identity: &Identity, region: &str, url: &str, digest: &str, now: Timestamp) -> Result<String, String> {
    let unsigned = |error: &dyn std::fmt::Display| format!("The proof of who you are cannot be signed: {error}");
    let mut settings = SigningSettings::default();
    settings.signature_location = SignatureLocation::QueryParams;
    settings.expires_in = Some(VALID_FOR);
    let params = v4::SigningParams::builder()
        .identity(identity)
        .region(region)
        .name("sts")
        .time(SystemTime::UNIX_EPOCH + Duration::from_millis(now.as_millis()))
        .settings(settings)
        .build()
        .map_err(|error| unsigned(&error))?;
    let headers = [(DIGEST_HEADER, digest)].into_iter();
    let request =
        SignableRequest::new("GET", url, headers, SignableBody::Bytes(&[])).map_err(|error| unsigned(&error))?;
    let (instructions, _) = sign(request, &params.into()).map_err(|error| unsigned(&error))?.into_parts();
    let signature =
        instructions.params().iter().map(|(name, value)| format!("&{name}={}", utf8_percent_encode(value, RESERVED)));
    Ok(signature.fold(url.to_owned(), |url, parameter| url + &parameter))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_who_we_are_is_signed_as_aws_wants_it() {
        // The address and its signature are those of botocore 1.43 (SigV4QueryAuth) for the same input.
        let credentials = Credentials::new(
            "AKIDEXAMPLE",
            "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
            Some("session+token/==".to_owned()),
            None,
            "test",
        );
        let url = "https://sts.eu-central-1.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15";
        let now = Timestamp::from_secs(1_767_323_045);
        let signed = sign_for(&credentials.into(), "eu-central-1", url, "the-digest", now).expect("signed");
        let mut parameters: Vec<_> = signed.split('&').collect();
        parameters.sort_unstable();
        let expected = [
            "Version=2011-06-15",
            "X-Amz-Algorithm=AWS4-HMAC-SHA256",
            "X-Amz-Credential=AKIDEXAMPLE%2F20260102%2Feu-central-1%2Fsts%2Faws4_request",
            "X-Amz-Date=20260102T030405Z",
            "X-Amz-Expires=60",
            "X-Amz-Security-Token=session%2Btoken%2F%3D%3D",
            "X-Amz-Signature=24469021e095e7da08558f172866c618be463bd03e6f30b223541788857c8751",
            "X-Amz-SignedHeaders=host%3Bx-mfa-command",
            "https://sts.eu-central-1.amazonaws.com/?Action=GetCallerIdentity",
        ];
        assert_eq!(parameters, expected);
    }
}
