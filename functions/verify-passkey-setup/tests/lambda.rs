//! The sample event, and the real binary as Lambda runs it.

use mfa::http::ErrorCode;
use mfa_tests::{SampleEvent, json};

mfa_tests::sample_event!("verify-passkey-setup", sample());

/// The bundle of the tests offers no passkeys.
fn sample() -> SampleEvent {
    SampleEvent::of::<mfa_verify_passkey_setup::VerifyPasskeySetup>()
        .body(&json!({ "credential": { "id": "AQID", "rawId": "AQID", "type": "public-key", "response": {} } }))
        .answers(ErrorCode::MfaMethodNotAvailable)
}
