use std::{io::Write, time::Duration};

use serde::Serialize;

use super::ErrorCode;
use crate::domain::UserId;

/// The log line of a request, in JSON. Holds no code, secret, token or address.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LogLine {
    /// `info`. `warn` if a provider or the table failed, or if there is advice. `error` if somebody
    /// must act.
    pub level: &'static str,
    /// The endpoint.
    pub endpoint: &'static str,
    /// The id that the caller was given as `x-request-id`.
    pub request_id: String,
    /// The HTTP status.
    pub status: u16,
    /// The error code, if it is an error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<ErrorCode>,
    /// The cause, if the answer does not say it.
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

    /// Adds the user.
    pub fn of_user(&mut self, user: UserId) {
        self.user = Some(user.to_string());
    }

    /// Adds advice to change the configuration.
    pub fn warn(&mut self, advice: &'static str) {
        self.level = "warn";
        self.advice = Some(advice);
    }

    /// Says that it goes on until an operator acts.
    pub const fn needs_operator(&mut self) {
        self.level = "error";
    }

    /// Adds the duration.
    pub fn took(&mut self, time: Duration) {
        self.duration_ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    }

    /// Adds an error and its cause.
    pub fn failed(&mut self, status: u16, cause: Option<String>) {
        self.status = status;
        self.cause = cause;
        self.level = match status {
            500 => "error",
            _ if self.advice.is_some() => "warn",
            // A 422 may mean one bad address, or a sender whose messages the provider refuses to
            // deliver to anybody.
            422 | 503 => "warn",
            _ => "info",
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
