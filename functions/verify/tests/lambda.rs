//! The sample event, and the real binary as Lambda runs it.

use mfa::http::ErrorCode;
use mfa_tests::{SampleEvent, json};

mfa_tests::sample_event!(
    "verify",
    // No code was sent.
    SampleEvent::of::<mfa_verify::Verify>()
        .body(&json!({ "method": "email", "otp": "123456" }))
        .answers(ErrorCode::VerificationCodeInvalid)
);
