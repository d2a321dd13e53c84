use std::io::Write;

use lambda_http::lambda_runtime::Context;
use serde::Serialize;

use super::ErrorCode;
use crate::domain::{Timestamp, UserId};

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
    /// The keyed hash of the user, as it stands in the table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Milliseconds from the request's arrival at the pipeline to the answer.
    pub duration_ms: u64,
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
            user: None,
            duration_ms: 0,
        }
    }

    /// Adds what Lambda knows of the invocation.
    pub fn of_invocation(&mut self, context: &Context, cold_start: bool) {
        self.function_name = Some(context.env_config.function_name.clone());
        self.cold_start = Some(cold_start);
        self.xray_trace_id.clone_from(&context.xray_trace_id);
    }

    /// Adds the user.
    pub fn of_user(&mut self, user: UserId) {
        self.user = Some(user.to_string());
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

    /// Adds when the answer was ready, how long it took, and all of it in one text.
    pub fn answered(&mut self, began: Timestamp, now: Timestamp) {
        self.timestamp = now.to_rfc3339();
        self.duration_ms = u64::try_from(now.since(began).as_millis()).unwrap_or(u64::MAX);
        let code = self.code.map(|code| format!(" {}", code.as_str())).unwrap_or_default();
        self.message = format!("{} answered {}{code}", self.service, self.status);
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

    /// Writes the line to standard output, which Lambda sends to its log.
    pub fn write(&self) {
        if let Ok(mut line) = serde_json::to_vec(self) {
            line.push(b'\n');
            // A request must not fail because its log line cannot be written.
            let _ = std::io::stdout().write_all(&line);
        }
    }
}
