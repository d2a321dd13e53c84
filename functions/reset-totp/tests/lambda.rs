//! The sample event, and the real binary as Lambda runs it.

use mfa::http::ErrorCode;
use mfa_tests::{SampleEvent, json};

mfa_tests::sample_event!(
    "reset-totp",
    SampleEvent::of::<mfa_reset_totp::ResetTotp>()
        .body(&json!({ "code": "0123-4567-89AB-CDEF-GHJK-MNPQ" }))
        .answers(ErrorCode::MfaRecoveryCodeInvalid)
);
