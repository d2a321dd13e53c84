//! The sample event, and the real binary as Lambda runs it.

use mfa::http::ErrorCode;
use mfa_tests::{SampleEvent, json};

mfa_tests::sample_event!(
    "refresh-token",
    // The refresh token is of a session that nobody opened.
    SampleEvent::of::<mfa_refresh_token::RefreshToken>()
        .body(&json!({ "refreshToken": format!("mfa_{}.1.{}", "A".repeat(22), "A".repeat(43)) }))
        .answers(ErrorCode::RefreshTokenInvalid)
);
