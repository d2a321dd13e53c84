//! The sample event, and the real binary as Lambda runs it.

use mfa_tests::{SampleEvent, json};

mfa_tests::sample_event!("toggle", SampleEvent::of::<mfa_toggle::Toggle>().body(&json!({ "enabled": true })));
