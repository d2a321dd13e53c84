//! The sample event, and the real binary as Lambda runs it.

use mfa::http::ErrorCode;
use mfa_tests::SampleEvent;

mfa_tests::sample_event!("challenge-passkey", sample());

/// The bundle of the tests offers no passkeys.
fn sample() -> SampleEvent {
    SampleEvent::of::<mfa_challenge_passkey::ChallengePasskey>().answers(ErrorCode::MfaMethodNotAvailable)
}
