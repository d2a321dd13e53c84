//! The sample event, and the real binary as Lambda runs it.

use mfa_tests::{SampleEvent, json};

mfa_tests::sample_event!(
    "setup-totp",
    SampleEvent::of::<mfa_setup_totp::SetupTotp>().body(&json!({ "deviceName": "Pocket phone" }))
);
