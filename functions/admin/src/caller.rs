//! Who calls. Lambda does not tell a function who invokes it, so the caller sends a request to AWS's
//! token service along, which only the caller can sign: the service answers it with the caller's ARN.
//!
//! <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html>

use std::time::Duration;

use aws_smithy_runtime_api::client::{http::HttpConnector, orchestrator::HttpRequest};
use http_body_util::{BodyExt, Limited};
use mfa::{config::AwsConfig, domain::Timestamp, tls};
use serde::{Deserialize, Serialize};

/// The header of the signed request that holds [`Request::digest`](crate::Request::digest). So the
/// proof is one of this command alone.
pub const DIGEST_HEADER: &str = "x-mfa-command";

/// For how long a proof is valid, before and after the moment that it says.
pub const VALID_FOR: Duration = Duration::from_mins(1);

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
    /// The ARN of the caller, as AWS says it. `digest` is that of the request that was received, and
    /// `function` the ARN of this function: the caller is of the same account.
    ///
    /// # Errors
    /// The sentence for the caller.
    pub async fn arn(&self, aws: &AwsConfig, digest: &str, function: &str, now: Timestamp) -> Result<String, String> {
        self.check(&service(&aws.region, aws.endpoint.as_deref()), now)?;
        let unreachable = |error: &dyn std::fmt::Display| format!("AWS does not say who calls: {error}. Try again.");
        let mut request = HttpRequest::empty();
        request.set_uri(self.url.as_str()).map_err(|error| unreachable(&error))?;
        request.headers_mut().try_insert(DIGEST_HEADER, digest.to_owned()).map_err(|error| unreachable(&error))?;
        let response = tls::connector(&self.url).call(request).await.map_err(|error| unreachable(&error))?;
        let status = response.status().as_u16();
        if status != 200 {
            return Err(format!(
                "AWS does not confirm who calls (status {status}): the proof is of another command, or your \
                 credentials have expired. Try again."
            ));
        }
        let body =
            Limited::new(response.into_body(), MOST_BYTES).collect().await.map_err(|error| unreachable(&error))?;
        let arn = arn_in(&String::from_utf8_lossy(&body.to_bytes())).ok_or("AWS named no caller. Try again.")?;
        if account_of(&arn) == account_of(function) {
            Ok(arn)
        } else {
            // Whoever has another account can sign as anybody there.
            Err("The caller is of another AWS account than this function. Sign with a role of this one.".to_owned())
        }
    }

    /// Whether it asks the token service who the caller is, and nobody else and nothing else: the
    /// caller chooses the address that is called. And whether it was signed just now: the service
    /// itself takes such a signature for a quarter of an hour, whatever it says of its end.
    fn check(&self, service: &str, now: Timestamp) -> Result<(), String> {
        let query = self.url.strip_prefix(service).and_then(|rest| rest.strip_prefix("/?"));
        let query = query.ok_or_else(|| format!("The proof of the caller is not of {service}."))?;
        let pairs: Vec<_> = query.split('&').filter_map(|pair| pair.split_once('=')).collect();
        let values = |name: &str| -> Vec<&str> {
            pairs.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| *value).collect()
        };
        let signs_digest = match values("X-Amz-SignedHeaders")[..] {
            [names] => names.to_ascii_lowercase().split("%3b").any(|name| name == DIGEST_HEADER),
            _ => false,
        };
        let has_plain_names = pairs.iter().all(|(name, _)| !name.contains('%'));
        let signed_at = match values("X-Amz-Date")[..] {
            [text] => moment(text),
            _ => None,
        };
        let (true, true, Some(signed_at)) =
            (values("Action") == ["GetCallerIdentity"] && has_plain_names, signs_digest, signed_at)
        else {
            return Err("The proof of the caller has another form. Use mfa-admin of this release.".to_owned());
        };
        if now.since(signed_at).max(signed_at.since(now)) > VALID_FOR {
            return Err(
                "The proof of the caller is older than a minute. Compare the clock of your machine with that of \
                        AWS, and try again."
                    .to_owned(),
            );
        }
        Ok(())
    }
}

/// Reads `20260131T103205Z`.
fn moment(text: &str) -> Option<Timestamp> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let parts = |text: &str, at: usize| {
        Some((text.get(..at)?.to_owned(), text.get(at..at + 2)?.to_owned(), text.get(at + 2..)?.to_owned()))
    };
    let ((year, month, day), (hour, minute, second)) = (parts(date, 4)?, parts(time, 2)?);
    Timestamp::parse(&format!("{year}-{month}-{day}T{hour}:{minute}:{second}Z"))
}

/// The partition and the account of an ARN.
fn account_of(arn: &str) -> Option<(&str, &str)> {
    let mut parts = arn.split(':').skip(1);
    Some((parts.next()?, parts.nth(2)?))
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
                        &X-Amz-Date=20260102T030405Z&X-Amz-SignedHeaders=host%3Bx-mfa-command&X-Amz-Signature=00";
    const SIGNED_AT: Timestamp = Timestamp::from_secs(1_767_323_045);

    fn check(url: &str, now: Timestamp) -> Result<(), String> {
        CallerProof { url: url.to_owned() }.check(SERVICE, now)
    }

    #[test]
    fn a_proof_asks_the_token_service_alone_who_calls() {
        assert_eq!(check(GOOD, SIGNED_AT), Ok(()));
        for (from, to) in [
            ("https://sts.", "http://sts."),
            (".amazonaws.com/", ".amazonaws.com.evil.example/"),
            (".amazonaws.com/", ".amazonaws.com@evil.example/"),
            ("amazonaws.com/?", "amazonaws.com/other?"),
            ("GetCallerIdentity", "AssumeRole"),
            ("Action=GetCallerIdentity", "Action=GetCallerIdentity&action=AssumeRole"),
            ("Action=GetCallerIdentity", "Action=GetCallerIdentity&%41ction=AssumeRole"),
            ("X-Amz-Date=20260102T030405Z", "X-Amz-Date=20260102T030405Z&X-Amz-Date=20260102T040405Z"),
            ("X-Amz-Date=20260102T030405Z", "X-Amz-Date=2026-01-02T03:04:05Z"),
            ("&X-Amz-Date=20260102T030405Z", ""),
            ("%3Bx-mfa-command", ""),
            ("eu-central-1", "us-east-1"),
        ] {
            assert!(check(&GOOD.replace(from, to), SIGNED_AT).is_err(), "{from} -> {to}");
        }
    }

    #[test]
    fn a_proof_counts_for_a_minute_before_and_after_it_was_signed() {
        let at = |seconds: u64| check(GOOD, Timestamp::from_secs(SIGNED_AT.as_secs() - 100 + seconds));
        for (seconds, counts) in [(39, false), (40, true), (100, true), (160, true), (161, false), (1_000, false)] {
            assert_eq!(at(seconds).is_ok(), counts, "{seconds}");
        }
    }

    #[test]
    fn a_caller_of_another_account_or_partition_is_nobody() {
        let function = "arn:aws:lambda:eu-central-1:123456789012:function:mfa-admin";
        let same = |arn: &str| account_of(arn) == account_of(function);
        assert!(same("arn:aws:sts::123456789012:assumed-role/Support/carol"));
        for other in ["arn:aws:iam::210987654321:user/x", "arn:aws-cn:iam::123456789012:user/x", "arn", ""] {
            assert!(!same(other), "{other}");
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
