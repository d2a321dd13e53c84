//! What is counted of a request while it runs. It stands in the request's log line, from which
//! `CloudWatch` makes metrics (embedded metric format), so that counting costs no call.
//!
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>

use std::{cell::RefCell, future::Future, pin::Pin};

use serde::{Serialize, Serializer, ser::SerializeMap};

use crate::domain::Timestamp;

/// What is counted. A stack has one metric of each, and AWS bills each metric, so there are at most
/// 30.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Metric {
    /// Second factors that passed: codes of authenticators.
    VerifiedByTotp,
    /// The same: codes by e-mail.
    VerifiedByEmail,
    /// The same: codes by text message.
    VerifiedBySms,
    /// The same: recovery codes.
    VerifiedByRecoveryCode,
    /// The same: trusted devices.
    VerifiedByTrustedDevice,
    /// Codes that were judged and are wrong, recovery codes among them.
    WrongCodes,
    /// Authenticator codes that were used before.
    UsedCodes,
    /// Codes that have expired, or that a newer one replaced.
    ExpiredCodes,
    /// Wrong codes that locked the user.
    Locks,
    /// Requests that a limit of the one user stopped.
    LimitedUsers,
    /// Requests that the limit of one address stopped.
    LimitedAddresses,
    /// Requests that the limit of one network stopped.
    LimitedNetworks,
    /// Requests that the limit of the day's text messages stopped.
    LimitedDays,
    /// Commits that another request of the user came before.
    LostRaces,
    /// E-mails that SES took.
    EmailsSent,
    /// E-mails that SES did not take, or of which nobody knows.
    EmailsFailed,
    /// E-mails whose address SES refused.
    EmailsRejected,
    /// Text messages that SNS took.
    SmsSent,
    /// Text messages that SNS did not take, or of which nobody knows.
    SmsFailed,
    /// Text messages whose number SNS refused.
    SmsRejected,
    /// The day's text messages so far, in percent of `MFA_SMS_PER_DAY`.
    SmsOfDayPercent,
    /// Refresh tokens that were refused.
    RefreshTokensRefused,
    /// Bearer tokens that were refused.
    InvalidTokens,
    /// Bearer tokens whose key nobody knows yet. Anybody can send them, and the answer is 503.
    UnknownKeys,
    /// Requests that a fresh second factor is missing for.
    FreshFactorsDemanded,
    /// Items that cannot be read.
    UnreadableItems,
    /// Answers of 500 and more, except those to [`Self::UnknownKeys`].
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
    pub const ALL: [Self; 30] = [
        Self::VerifiedByTotp,
        Self::VerifiedByEmail,
        Self::VerifiedBySms,
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
        Self::SmsSent,
        Self::SmsFailed,
        Self::SmsRejected,
        Self::SmsOfDayPercent,
        Self::RefreshTokensRefused,
        Self::InvalidTokens,
        Self::UnknownKeys,
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
    pub stack: Option<String>,
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
            let metrics = counts.iter().map(|(name, _)| Name { name: *name }).collect();
            let set = MetricSet { namespace: NAMESPACE, dimensions: [["Stack"]], metrics };
            fields
                .serialize_entry("_aws", &Directive { timestamp: self.at.as_millis(), cloud_watch_metrics: [set] })?;
            fields.serialize_entry("Stack", stack)?;
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
struct Directive {
    timestamp: u64,
    cloud_watch_metrics: [MetricSet; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct MetricSet {
    namespace: &'static str,
    dimensions: [[&'static str; 1]; 1],
    metrics: Vec<Name>,
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
        let metrics = Metrics { stack: Some("mfa".to_owned()), at: Timestamp::from_secs(1), observed };
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
