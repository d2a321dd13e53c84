//! The sample event, and the real binary as Lambda runs it.

use mfa::http::ErrorCode;
use mfa_rename_device::RenameDevice;
use mfa_tests::{SampleEvent, json, nasty_events::assert_answers_nasty_events};

mfa_tests::sample_event!("rename-device", sample());

fn sample() -> SampleEvent {
    SampleEvent::of::<RenameDevice>()
        .parameter("4b3c9c9c-9a9d-4d1e-8d9f-123456789abc")
        .body(&json!({ "deviceName": "Work phone" }))
        .answers(ErrorCode::MfaDeviceNotFound)
}

#[tokio::test]
async fn every_nasty_event_is_answered_and_the_process_lives_on() {
    assert_answers_nasty_events::<RenameDevice>(env!("CARGO_BIN_EXE_rename-device"), &sample()).await;
}
