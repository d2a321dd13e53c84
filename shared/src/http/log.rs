use std::{io::Write, time::Duration};

use serde::Serialize;

use super::ErrorCode;
use crate::domain::UserId;

/// What is logged of a request: one JSON line. Holds no code, secret, token or address.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LogLine {
    /// `info`. `warn` if a provider or the table failed, or if there is advice. `error` if somebody must act.
    pub level: &'static str,
    /// The endpoint.
    pub endpoint: &'static str,
    /// The id that the caller was given as `x-request-id`.
    pub request_id: String,
    /// The HTTP status.
    pub status: u16,
    /// The error code, where it is an error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<ErrorCode>,
    /// What lies behind it, where the answer does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// What to configure in another way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<&'static str>,
    /// The keyed hash of the user, the same as in the table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Milliseconds from the request's arrival at the pipeline to the answer.
    pub duration_ms: u64,
}

impl LogLine {
    /// The line of a request that goes well, so far.
    #[must_use]
    pub fn new(endpoint: &'static str, request_id: &str) -> Self {
        Self {
            level: "info",
            endpoint,
            request_id: request_id.to_owned(),
            status: 200,
            code: None,
            cause: None,
            advice: None,
            user: None,
            duration_ms: 0,
        }
    }

    /// Says whose request it is.
    pub fn of_user(&mut self, user: UserId) {
        self.user = Some(user.to_string());
    }

    /// Says that the bundle should be configured in another way.
    pub fn warn(&mut self, advice: &'static str) {
        self.level = "warn";
        self.advice = Some(advice);
    }

    /// Says how long it took.
    pub fn took(&mut self, time: Duration) {
        self.duration_ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    }

    /// Says that it did not go well, and why.
    pub fn failed(&mut self, status: u16, cause: Option<String>) {
        self.status = status;
        self.cause = cause;
        self.level = match status {
            500 => "error",
            _ if self.advice.is_some() => "warn",
            // 422 may be one bad address, or a sender that the provider refuses to everybody.
            422 | 503 => "warn",
            _ => "info",
        };
    }

    /// Writes the line to standard output, where Lambda takes it from.
    pub fn write(&self) {
        if let Ok(mut line) = serde_json::to_vec(self) {
            line.push(b'\n');
            // A log that cannot be written must not fail the request.
            let _ = std::io::stdout().write_all(&line);
        }
    }
}
