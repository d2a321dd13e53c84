//! The test kit: a whole bundle in one process, people who use it, and a thin proxy in front of
//! `DynamoDB`, SES and SNS that can fail, lose answers, or serve stale and torn reads. Nothing here
//! replaces the production code.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "a test kit fails by panicking"
)]
#![expect(clippy::must_use_candidate, clippy::return_self_not_must_use, reason = "an assertion is often the last word")]

pub mod alarms;
mod app;
mod fault_proxy;
pub mod fuzzed;
pub mod nasty_events;
mod passkey;
mod person;
mod response;
pub mod runtime_api;
pub mod sample_event;

pub use app::{OPERATOR, PASSKEYS, START, TestApp};
pub use fault_proxy::{Call, FaultProxy, InjectedFault};
pub use passkey::SoftKey;
pub use person::{Authenticator, Login, Person, claims_of, totp_code, wrong_code};
pub use response::Response;
pub use sample_event::SampleEvent;
pub use serde_json::json;
