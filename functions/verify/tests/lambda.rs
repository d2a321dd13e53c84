//! The sample event, and the real binary as Lambda runs it.

use mfa::http::ErrorCode;
use mfa_tests::{SampleEvent, json, nasty_events::assert_answers_nasty_events};
use mfa_verify::Verify;

mfa_tests::sample_event!("verify", sample());

/// No code was sent.
fn sample() -> SampleEvent {
    SampleEvent::of::<Verify>()
        .body(&json!({ "method": "email", "otp": "123456" }))
        .answers(ErrorCode::VerificationCodeInvalid)
}

#[tokio::test]
async fn every_nasty_event_is_answered_and_the_process_lives_on() {
    assert_answers_nasty_events::<Verify>(env!("CARGO_BIN_EXE_verify"), &sample()).await;
}
