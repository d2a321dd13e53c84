//! The sample event, and the real binary as Lambda runs it.

use mfa::http::ErrorCode;
use mfa_tests::{SampleEvent, json};

mfa_tests::sample_event!(
    "verify-totp-setup",
    // The secret is of a set-up that nobody opened.
    SampleEvent::of::<mfa_verify_totp_setup::VerifyTotpSetup>()
        .body(&json!({ "otp": "123456", "secret": "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP" }))
        .answers(ErrorCode::MfaCodeInvalid)
);
