//! The sample event, and the real binary as Lambda runs it.

use mfa::http::ErrorCode;
use mfa_tests::SampleEvent;

mfa_tests::sample_event!(
    "end-session",
    SampleEvent::of::<mfa_end_session::EndSession>()
        .parameter("AAAAAAAAAAAAAAAAAAAAAA")
        .answers(ErrorCode::SessionNotFound)
);
