//! The sample event, and the real binary as Lambda runs it.

use mfa_tests::{SampleEvent, json};

mfa_tests::sample_event!(
    "challenge",
    SampleEvent::of::<mfa_challenge::Challenge>().body(&json!({ "method": "email" }))
);
