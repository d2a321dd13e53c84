//! The sample event, and the real binary as Lambda runs it.

use mfa_tests::SampleEvent;

mfa_tests::sample_event!(
    "generate-recovery-code",
    SampleEvent::of::<mfa_generate_recovery_code::GenerateRecoveryCode>()
);
