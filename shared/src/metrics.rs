//! What is counted of a request while it runs. It stands in the request's log line, from which
//! `CloudWatch` makes metrics (embedded metric format), so that counting costs no call.
//!
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>

use std::{cell::RefCell, future::Future, pin::Pin, sync::Arc};

use serde::{Serialize, Serializer, ser::SerializeMap};

use crate::domain::{Refusal, Timestamp};

/// What is counted. A stack has one metric of each, and one more of crashes, which `template.yaml`
/// makes from the lines that Lambda itself writes. AWS bills each metric, so there are at most 31.
///
/// Where an alarm asks for a share, a metric has the value 0 too: the mean is then the share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Metric {
    /// Second factors that passed: codes of authenticators.
    VerifiedByTotp,
    /// The same: codes by e-mail.
    VerifiedByEmail,
    /// The same: codes by text message.
    VerifiedBySms,
    /// The same: passkeys.
    VerifiedByPasskey,
    /// The same: recovery codes.
    VerifiedByRecoveryCode,
    /// The same: trusted devices.
    VerifiedByTrustedDevice,
    /// 1 for a wrong code that was judged, recovery codes and passkeys among them, 0 for a right one.
    WrongCodes,
    /// Authenticator codes that were used before.
    UsedCodes,
    /// Codes that have expired, or that a newer one replaced.
    ExpiredCodes,
    /// Wrong codes that locked the user.
    Locks,
    /// Requests that a limit of the one user stopped.
    LimitedUsers,
    /// Requests that a limit of one address or number stopped.
    LimitedAddresses,
    /// Requests that the limit of one network stopped.
    LimitedNetworks,
    /// Requests that the limit of the day's text messages stopped.
    LimitedDays,
    /// Commits that are tried again, because another request of the user came first.
    LostRaces,
    /// E-mails that SES took.
    EmailsSent,
    /// 1 for an e-mail that SES did not take, or of which nobody knows, 0 for each other one.
    EmailsFailed,
    /// 1 for an e-mail whose address SES refused, 0 for each other one.
    EmailsRejected,
    /// Notices to owners that SES took, which count as e-mails too.
    NoticesSent,
    /// Text messages that SNS or End User Messaging took.
    SmsSent,
    /// 1 for a text message that the service did not take, or of which nobody knows, 0 for each other
    /// one.
    SmsFailed,
    /// 1 for a text message whose number the service refused, for good or for now, 0 for each other one.
    SmsRejected,
    /// The day's text messages so far, in percent of what the caller may use: four fifths of
    /// `MFA_SMS_PER_DAY`, or all of it for known callers.
    SmsOfDayPercent,
    /// 1 for a refresh token of ours that was refused, 0 for one that was refreshed.
    RefreshTokensRefused,
    /// Bearer tokens that were refused, also because nobody knows their key yet, and refresh tokens
    /// that are made up.
    InvalidTokens,
    /// Requests that a fresh second factor is missing for.
    FreshFactorsDemanded,
    /// Items that cannot be read.
    UnreadableItems,
    /// 1 for an answer of 500 or more, 0 for any other answer to a user whom a valid token names. A
    /// token of an unknown key is answered 503 and not counted here: anybody can send it.
    ServerErrors,
    /// Requests that a function had to start for.
    ColdStarts,
    /// Read units of the table, of calls that succeeded.
    ReadUnits,
    /// Write units of the table, of calls that succeeded.
    WriteUnits,
}

impl Metric {
    /// Every metric.
    pub const ALL: [Self; 31] = [
        Self::VerifiedByTotp,
        Self::VerifiedByEmail,
        Self::VerifiedBySms,
        Self::VerifiedByPasskey,
        Self::VerifiedByRecoveryCode,
        Self::VerifiedByTrustedDevice,
        Self::WrongCodes,
        Self::UsedCodes,
        Self::ExpiredCodes,
        Self::Locks,
        Self::LimitedUsers,
        Self::LimitedAddresses,
        Self::LimitedNetworks,
        Self::LimitedDays,
        Self::LostRaces,
        Self::EmailsSent,
        Self::EmailsFailed,
        Self::EmailsRejected,
        Self::NoticesSent,
        Self::SmsSent,
        Self::SmsFailed,
        Self::SmsRejected,
        Self::SmsOfDayPercent,
        Self::RefreshTokensRefused,
        Self::InvalidTokens,
        Self::FreshFactorsDemanded,
        Self::UnreadableItems,
        Self::ServerErrors,
        Self::ColdStarts,
        Self::ReadUnits,
        Self::WriteUnits,
    ];
}

/// What was noted of one request.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// What was counted, and how often. No metric stands here twice.
    counts: Vec<(Metric, f64)>,
    /// The provider's id of the message that was sent.
    pub message_id: Option<String>,
}

impl Observed {
    /// Adds to a metric.
    pub fn count(&mut self, metric: Metric, by: f64) {
        match self.counts.iter_mut().find(|(counted, _)| *counted == metric) {
            Some((_, count)) => *count += by,
            None => self.counts.push((metric, by)),
        }
    }

    /// Adds what was counted elsewhere.
    pub fn add(&mut self, other: Self) {
        if self.counts.is_empty() {
            self.counts = other.counts;
        } else {
            other.counts.into_iter().for_each(|(metric, by)| self.count(metric, by));
        }
    }

    /// Sets a metric, unless it is higher already.
    pub fn at_least(&mut self, metric: Metric, value: f64) {
        let added = value - self.counted(metric);
        self.count(metric, added.max(0.0));
    }

    /// How often it was counted.
    #[must_use]
    pub fn counted(&self, metric: Metric) -> f64 {
        self.counts.iter().find(|(counted, _)| *counted == metric).map_or(0.0, |(_, count)| *count)
    }
}

tokio::task_local! {
    /// What is noted of the request that this task serves.
    static OBSERVED: RefCell<Observed>;
}

/// Runs `request`, and returns what was noted meanwhile. It is pinned, because a large future would be
/// copied whenever it is moved.
pub async fn observe<F: Future>(request: Pin<&mut F>) -> (F::Output, Observed) {
    let noted = async {
        let output = request.await;
        (output, OBSERVED.with(RefCell::take))
    };
    OBSERVED.scope(RefCell::default(), noted).await
}

/// Adds to a metric of the request that this task serves. Nothing, outside of a request.
pub fn count(metric: Metric, by: f64) {
    note(|observed| observed.count(metric, by));
}

/// Adds 1 to a metric of what happened, or 0, so that its mean is the share of it.
pub fn sample(metric: Metric, happened: bool) {
    count(metric, f64::from(u8::from(happened)));
}

/// Sets a metric of the request that this task serves, unless it is higher already.
pub fn at_least(metric: Metric, value: f64) {
    note(|observed| observed.at_least(metric, value));
}

/// Counts a wrong code whose commit is known to have happened. Others are no guesses.
pub fn count_wrong_code(refusal: &Refusal) {
    if let Refusal::WrongTotp { attempts_left }
    | Refusal::OldTotp { attempts_left, .. }
    | Refusal::WrongCode { attempts_left } = refusal
    {
        count(Metric::WrongCodes, 1.0);
        if *attempts_left == 0 {
            count(Metric::Locks, 1.0);
        }
    }
}

/// Notes the provider's id of a message.
pub fn sent_as(message_id: Option<&str>) {
    note(|observed| observed.message_id = message_id.map(ToOwned::to_owned));
}

fn note(change: impl FnOnce(&mut Observed)) {
    // Outside of a request, such as while a function starts, nobody asks.
    let _ = OBSERVED.try_with(|observed| change(&mut observed.borrow_mut()));
}

/// The metrics of a log line: the directive `_aws`, the dimension `Stack`, and the values. Empty
/// without a stack.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    /// The stack that they are of.
    pub stack: Option<Arc<str>>,
    /// When they were counted.
    pub at: Timestamp,
    /// The counts.
    pub observed: Observed,
}

impl Serialize for Metrics {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let counts = &self.observed.counts;
        let mut fields = serializer.serialize_map(None)?;
        if let Some(stack) = self.stack.as_ref().filter(|_| !counts.is_empty()) {
            let set = MetricSet { namespace: NAMESPACE, dimensions: [["Stack"]], metrics: Names(counts) };
            fields
                .serialize_entry("_aws", &Directive { timestamp: self.at.as_millis(), cloud_watch_metrics: [set] })?;
            fields.serialize_entry("Stack", stack.as_ref())?;
            for (metric, count) in counts {
                fields.serialize_entry(metric, count)?;
            }
        }
        fields.end()
    }
}

/// The namespace in `CloudWatch`. `template.yaml` names it in alarms and in the dashboard.
const NAMESPACE: &str = "MFA";

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Directive<'a> {
    timestamp: u64,
    cloud_watch_metrics: [MetricSet<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct MetricSet<'a> {
    namespace: &'static str,
    dimensions: [[&'static str; 1]; 1],
    metrics: Names<'a>,
}

struct Names<'a>(&'a [(Metric, f64)]);

impl Serialize for Names<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|(name, _)| Name { name: *name }))
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Name {
    name: Metric,
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn what_is_counted_while_a_request_runs_is_of_that_request() {
        count(Metric::LostRaces, 1.0);
        let request = async {
            count(Metric::ReadUnits, 0.5);
            let ((), inner) = observe(pin!(async { count(Metric::WriteUnits, 1.0) })).await;
            assert!(inner.counted(Metric::WriteUnits) > 0.9);
            count(Metric::ReadUnits, 1.0);
            sent_as(Some("id"));
            7
        };
        let (output, observed) = observe(pin!(request)).await;
        assert_eq!((output, observed.message_id.as_deref()), (7, Some("id")));
        assert_eq!(observed.counts, [(Metric::ReadUnits, 1.5)]);
    }

    #[test]
    fn a_line_has_the_form_that_cloudwatch_reads() {
        let observed = Observed { counts: vec![(Metric::Locks, 1.0), (Metric::ReadUnits, 0.5)], message_id: None };
        let metrics = Metrics { stack: Some("mfa".into()), at: Timestamp::from_secs(1), observed };
        let expected = json!({
            "_aws": {
                "Timestamp": 1000,
                "CloudWatchMetrics": [{
                    "Namespace": "MFA",
                    "Dimensions": [["Stack"]],
                    "Metrics": [{ "Name": "Locks" }, { "Name": "ReadUnits" }],
                }],
            },
            "Stack": "mfa",
            "Locks": 1.0,
            "ReadUnits": 0.5,
        });
        assert_eq!(serde_json::to_value(&metrics).expect("JSON"), expected);
        for nothing in
            [Metrics { stack: None, ..metrics.clone() }, Metrics { observed: Observed::default(), ..metrics }]
        {
            assert_eq!(serde_json::to_value(&nothing).expect("JSON"), json!({}));
        }
    }
}
