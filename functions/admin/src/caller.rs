//! Who calls. Lambda does not tell a function who invokes it, so the caller sends a request to AWS's
//! token service along, which only the caller can sign: the service answers it with the caller's ARN.
//!
//! <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html>

use aws_smithy_runtime_api::client::{http::HttpConnector, orchestrator::HttpRequest};
use http_body_util::{BodyExt, Limited};
use mfa::{aws, config::AwsConfig};
use serde::{Deserialize, Serialize};

/// The header of the signed request that holds [`Request::digest`](crate::Request::digest). So the
/// proof is one of this command alone.
pub const DIGEST_HEADER: &str = "x-mfa-command";

/// For how many seconds a proof is valid, at most.
pub const VALID_FOR: u64 = 60;

/// The longest answer that is read, in bytes.
const MOST_BYTES: usize = 16 * 1024;

/// A signed request for the caller's identity, which is valid for a minute.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallerProof {
    /// Its address, with the signature in the query.
    pub url: String,
}

// A proof opens nothing, but whoever holds one within its minute could repeat its command in the
// name of its caller.
impl std::fmt::Debug for CallerProof {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CallerProof(…)")
    }
}

/// Where the token service of a region is. `endpoint` is that of another AWS, if one is configured.
#[must_use]
pub fn service(region: &str, endpoint: Option<&str>) -> String {
    let suffix = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    let of_region = || format!("https://sts.{region}.{suffix}");
    endpoint.map_or_else(of_region, |url| url.trim_end_matches('/').to_owned())
}

impl CallerProof {
    /// The ARN of the caller, as AWS says it. `digest` is that of the request that was received.
    ///
    /// # Errors
    /// The sentence for the caller.
    pub async fn arn(&self, aws: &AwsConfig, digest: &str) -> Result<String, String> {
        self.check(&service(&aws.region, aws.endpoint.as_deref()))?;
        let unreachable = |error: &dyn std::fmt::Display| format!("AWS does not say who calls: {error}. Try again.");
        let mut request = HttpRequest::empty();
        request.set_uri(self.url.as_str()).map_err(|error| unreachable(&error))?;
        request.headers_mut().try_insert(DIGEST_HEADER, digest.to_owned()).map_err(|error| unreachable(&error))?;
        let response = aws::connector(&self.url).call(request).await.map_err(|error| unreachable(&error))?;
        let status = response.status().as_u16();
        if status != 200 {
            return Err(format!(
                "AWS does not confirm who calls (status {status}): the proof is older than a minute, or of another \
                 command. Compare the clock of your machine, and try again."
            ));
        }
        let body =
            Limited::new(response.into_body(), MOST_BYTES).collect().await.map_err(|error| unreachable(&error))?;
        arn_in(&String::from_utf8_lossy(&body.to_bytes())).ok_or_else(|| "AWS named no caller. Try again.".to_owned())
    }

    /// Whether it asks the token service who the caller is, and nobody else and nothing else: the
    /// caller chooses the address that is called.
    fn check(&self, service: &str) -> Result<(), String> {
        let query = self.url.strip_prefix(service).and_then(|rest| rest.strip_prefix("/?"));
        let query = query.ok_or_else(|| format!("The proof of the caller is not of {service}."))?;
        let values = |name: &str| -> Vec<&str> {
            let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            pairs.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value).collect()
        };
        let signs_digest = match values("X-Amz-SignedHeaders")[..] {
            [names] => names.to_ascii_lowercase().split("%3b").any(|name| name == DIGEST_HEADER),
            _ => false,
        };
        let is_short =
            matches!(values("X-Amz-Expires")[..], [span] if span.parse().is_ok_and(|span: u64| span <= VALID_FOR));
        if values("Action") == ["GetCallerIdentity"] && signs_digest && is_short {
            Ok(())
        } else {
            Err("The proof of the caller has another form. Use mfa-admin of this release.".to_owned())
        }
    }
}

fn arn_in(answer: &str) -> Option<String> {
    let (_, result) = answer.split_once("<GetCallerIdentityResult>")?;
    let (_, rest) = result.split_once("<Arn>")?;
    let (arn, _) = rest.split_once("</Arn>")?;
    arn.starts_with("arn:").then(|| arn.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVICE: &str = "https://sts.eu-central-1.amazonaws.com";
    const GOOD: &str = "https://sts.eu-central-1.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15\
                        &X-Amz-Expires=60&X-Amz-SignedHeaders=host%3Bx-mfa-command&X-Amz-Signature=00";

    #[test]
    fn a_proof_asks_the_token_service_alone_who_calls_and_for_a_minute() {
        let check = |url: &str| CallerProof { url: url.to_owned() }.check(SERVICE).is_ok();
        assert!(check(GOOD));
        for (from, to) in [
            ("https://sts.", "http://sts."),
            (".amazonaws.com/", ".amazonaws.com.evil.example/"),
            (".amazonaws.com/", ".amazonaws.com@evil.example/"),
            ("amazonaws.com/?", "amazonaws.com/other?"),
            ("GetCallerIdentity", "AssumeRole"),
            ("Action=GetCallerIdentity", "Action=GetCallerIdentity&action=AssumeRole"),
            ("X-Amz-Expires=60", "X-Amz-Expires=61"),
            ("X-Amz-Expires=60", "X-Amz-Expires=60&X-Amz-Expires=900"),
            ("&X-Amz-Expires=60", ""),
            ("%3Bx-mfa-command", ""),
            ("eu-central-1", "us-east-1"),
        ] {
            assert!(!check(&GOOD.replace(from, to)), "{from} -> {to}");
        }
    }

    #[test]
    fn the_service_is_that_of_the_region() {
        assert_eq!(service("eu-central-1", None), SERVICE);
        assert_eq!(service("cn-north-1", None), "https://sts.cn-north-1.amazonaws.com.cn");
        assert_eq!(service("us-east-1", Some("http://127.0.0.1:4566/")), "http://127.0.0.1:4566");
    }

    #[test]
    fn the_arn_stands_in_the_answer() {
        let answer = "<GetCallerIdentityResponse><GetCallerIdentityResult>\
                      <Arn>arn:aws:sts::123456789012:assumed-role/Support/carol</Arn><UserId>x</UserId>";
        assert_eq!(arn_in(answer).as_deref(), Some("arn:aws:sts::123456789012:assumed-role/Support/carol"));
        for other in ["", "<Arn>", "<Arn></Arn>", "<Arn>carol</Arn>"] {
            let other = format!("<GetCallerIdentityResult>{other}");
            assert_eq!(arn_in(&other), None, "{other}");
        }
        assert_eq!(arn_in("<AssumeRoleResult><Arn>arn:aws:iam::1:role/Owner</Arn>"), None, "of another call");
    }
}
