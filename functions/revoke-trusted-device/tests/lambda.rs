//! The sample event, and the real binary as Lambda runs it.

use mfa::http::ErrorCode;
use mfa_tests::SampleEvent;

mfa_tests::sample_event!(
    "revoke-trusted-device",
    SampleEvent::of::<mfa_revoke_trusted_device::RevokeTrustedDevice>()
        .parameter("AAAAAAAAAAAAAAAAAAAAAA")
        .answers(ErrorCode::MfaDeviceNotFound)
);
