//! The sample event, and the real binary as Lambda runs it.

use mfa::http::ErrorCode;
use mfa_tests::{SampleEvent, json};

mfa_tests::sample_event!("setup-passkey", sample());

/// The bundle of the tests offers no passkeys.
fn sample() -> SampleEvent {
    SampleEvent::of::<mfa_setup_passkey::SetupPasskey>()
        .body(&json!({ "deviceName": "Blue key" }))
        .answers(ErrorCode::MfaMethodNotAvailable)
}
