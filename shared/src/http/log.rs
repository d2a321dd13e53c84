use std::io::Write;

use lambda_http::{
    http::{HeaderMap, header},
    lambda_runtime::Context,
};
use serde::Serialize;

use super::{ErrorCode, Problem};
use crate::{
    App,
    domain::{Factor, Method, Source, Timestamp, UserId, trust},
    metrics::{Metric, Metrics, Observed},
};

/// The log line of a request, in JSON. Holds no code, secret, token or address.
///
/// The names are those of Powertools for AWS Lambda. Without `timestamp` in RFC 3339, Lambda takes a
/// line of this runtime for `INFO`, and a filter for `WARN` drops our errors.
#[derive(Clone, Debug, Serialize)]
pub struct LogLine {
    /// When the answer was ready.
    pub timestamp: String,
    /// `INFO`. `WARN` if a provider or the table failed, or if there is advice. `ERROR` if somebody
    /// must act.
    pub level: &'static str,
    /// The endpoint, the status and the error code in one text.
    pub message: String,
    /// The endpoint.
    pub service: &'static str,
    /// The name of the Lambda function. The local server has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function_name: Option<String>,
    /// Whether the function had to start for this request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cold_start: Option<bool>,
    /// The trace of X-Ray, if the request has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub xray_trace_id: Option<String>,
    /// The id that the caller was given as `x-request-id`.
    pub correlation_id: String,
    /// The HTTP status.
    pub status: u16,
    /// The error code, if it is an error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<ErrorCode>,
    /// Why the answer is no success, more exactly than the answer says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// Advice to change the configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<&'static str>,
    /// The method that a code is asked for, or the second factor that the call shows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<&'static str>,
    /// The provider's id of the message that was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    /// The keyed hash of the user, as it stands in the table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The keyed hash of the network that the call comes from, as the limits of networks count it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    /// What the caller's `User-Agent` names, such as `Firefox on Windows`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub browser: Option<String>,
    /// What an operator did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audit: Option<Audit>,
    /// Milliseconds from the request's arrival at the pipeline to the answer.
    pub duration_ms: u64,
    /// What was counted.
    #[serde(flatten)]
    pub metrics: Metrics,
    /// The second factor that the call shows, which passed if the answer is a success.
    #[serde(skip)]
    factor: Option<Factor>,
}

/// What an operator did, for whoever asks later.
#[derive(Clone, Debug, Serialize)]
pub struct Audit {
    /// The command.
    pub command: &'static str,
    /// The ARN of who called, as AWS says it. Only for what changes nothing it may be unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub caller: Option<String>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Whether nothing was changed.
    pub dry_run: bool,
}

impl LogLine {
    /// The line of a request that has not failed yet.
    #[must_use]
    pub fn new(endpoint: &'static str, request_id: &str) -> Self {
        Self {
            timestamp: String::new(),
            level: "INFO",
            message: String::new(),
            service: endpoint,
            function_name: None,
            cold_start: None,
            xray_trace_id: None,
            correlation_id: request_id.to_owned(),
            status: 200,
            code: None,
            cause: None,
            advice: None,
            method: None,
            message_id: None,
            user: None,
            network: None,
            browser: None,
            audit: None,
            duration_ms: 0,
            metrics: Metrics::default(),
            factor: None,
        }
    }

    /// The same, with the stack whose metrics the line carries.
    #[must_use]
    pub fn of(app: &App, endpoint: &'static str, request_id: &str) -> Self {
        let mut line = Self::new(endpoint, request_id);
        line.metrics.stack.clone_from(&app.config.stack);
        line
    }

    /// Adds what Lambda knows of the invocation.
    pub fn of_invocation(&mut self, context: &Context, cold_start: bool) {
        self.function_name = Some(context.env_config.function_name.clone());
        self.cold_start = Some(cold_start);
        self.xray_trace_id.clone_from(&context.xray_trace_id);
        if cold_start {
            self.count(Metric::ColdStarts);
        }
    }

    /// Adds the user.
    pub fn of_user(&mut self, user: UserId) {
        self.user = Some(user.to_string());
    }

    /// Adds the method that a code is asked for.
    pub const fn of_method(&mut self, method: Method) {
        self.method = Some(method.as_str());
    }

    /// Adds the second factor that the call shows.
    pub const fn of_factor(&mut self, factor: Factor) {
        self.method = Some(factor.told());
        self.factor = Some(factor);
    }

    /// Adds the network and the browser that the call comes from.
    pub fn of_caller(&mut self, app: &App, source: &Source, headers: &HeaderMap) {
        self.of_network(app, source);
        let user_agent = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
        self.browser = user_agent.map(trust::label);
    }

    /// Adds the network alone.
    pub fn of_network(&mut self, app: &App, source: &Source) {
        self.network = Some(app.keys.limit_key(source.subscriber().as_bytes()));
    }

    /// Adds what was noted while the request ran.
    pub fn observed(&mut self, mut observed: Observed) {
        self.message_id = observed.message_id.take();
        self.metrics.observed.add(observed);
    }

    /// Counts one.
    pub fn count(&mut self, metric: Metric) {
        self.metrics.observed.count(metric, 1.0);
    }

    /// Adds advice to change the configuration.
    pub fn warn(&mut self, advice: &'static str) {
        self.level = "WARN";
        self.advice = Some(advice);
    }

    /// Says that it goes on until an operator acts.
    pub const fn needs_operator(&mut self) {
        self.level = "ERROR";
    }

    /// Adds the status, when the answer was ready, how long it took, and all of it in one text.
    pub fn answered(&mut self, status: u16, began: Timestamp, now: Timestamp) {
        self.status = status;
        self.timestamp = now.to_rfc3339();
        self.metrics.at = now;
        self.duration_ms = u64::try_from(now.since(began).as_millis()).unwrap_or(u64::MAX);
        let code = self.code.map(|code| format!(" {}", code.as_str())).unwrap_or_default();
        self.message = format!("{} answered {status}{code}", self.service);
        if let (200, Some(factor)) = (status, self.factor) {
            self.count(verified_by(factor));
            if factor != Factor::TrustedDevice {
                self.metrics.observed.count(Metric::WrongCodes, 0.0);
            }
        }
        // A token of an unknown key counts as an invalid one, although the answer is 503.
        let is_error = status >= 500 && self.metrics.observed.counted(Metric::InvalidTokens) == 0.0;
        if is_error || self.user.is_some() {
            self.metrics.observed.count(Metric::ServerErrors, f64::from(u8::from(is_error)));
        }
    }

    /// Adds an error and its cause.
    pub fn failed(&mut self, status: u16, cause: Option<String>) {
        self.status = status;
        self.cause = cause;
        self.level = match status {
            500 => "ERROR",
            _ if self.advice.is_some() => "WARN",
            // A 422 may mean one bad address, or a sender whose messages the provider refuses to
            // deliver to anybody.
            422 | 503 => "WARN",
            _ => "INFO",
        };
    }

    /// Adds a problem, its cause and what is counted of it.
    pub fn refused(&mut self, status: u16, problem: &Problem) {
        problem.metrics().iter().for_each(|metric| self.count(*metric));
        self.failed(status, problem.cause());
    }

    /// Writes the line to standard output, which Lambda sends to its log.
    pub fn write(&self) {
        let mut line = Vec::with_capacity(1024);
        if serde_json::to_writer(&mut line, self).is_ok() {
            line.push(b'\n');
            // A request must not fail because its log line cannot be written.
            let _ = std::io::stdout().write_all(&line);
        }
    }
}

/// Writes advice to change the configuration, when a function starts.
pub(super) fn write_advice(now: Timestamp, endpoint: &'static str, advice: &str) {
    let line = serde_json::json!({
        "timestamp": now.to_rfc3339(),
        "level": "WARN",
        "message": format!("{endpoint} starts"),
        "service": endpoint,
        "advice": advice,
    });
    // It must start although nobody can read the advice.
    let _ = writeln!(std::io::stdout(), "{line}");
}

const fn verified_by(factor: Factor) -> Metric {
    match factor {
        Factor::Code(Method::Totp) => Metric::VerifiedByTotp,
        Factor::Code(Method::Email) => Metric::VerifiedByEmail,
        Factor::Code(Method::Sms) => Metric::VerifiedBySms,
        Factor::Code(Method::Passkey) | Factor::SyncedPasskey => Metric::VerifiedByPasskey,
        Factor::RecoveryCode => Metric::VerifiedByRecoveryCode,
        Factor::TrustedDevice => Metric::VerifiedByTrustedDevice,
    }
}
