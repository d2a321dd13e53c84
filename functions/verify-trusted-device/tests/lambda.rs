//! The sample event, and the real binary as Lambda runs it.

use mfa::http::ErrorCode;
use mfa_tests::SampleEvent;

mfa_tests::sample_event!(
    "verify-trusted-device",
    // The trust token is of a device that nobody trusts.
    SampleEvent::of::<mfa_verify_trusted_device::VerifyTrustedDevice>()
        .header("nest_auth_device_trust", &format!("mfat_{}", "A".repeat(43)))
        .answers(ErrorCode::MfaDeviceNotFound)
);
