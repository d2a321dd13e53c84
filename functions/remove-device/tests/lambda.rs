//! The sample event, and the real binary as Lambda runs it.

use mfa::http::ErrorCode;
use mfa_tests::SampleEvent;

mfa_tests::sample_event!(
    "remove-device",
    SampleEvent::of::<mfa_remove_device::RemoveDevice>()
        .parameter("4b3c9c9c-9a9d-4d1e-8d9f-123456789abc")
        .answers(ErrorCode::MfaDeviceNotFound)
);
