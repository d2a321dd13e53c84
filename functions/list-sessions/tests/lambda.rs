//! The sample event, and the real binary as Lambda runs it.

use mfa_tests::SampleEvent;

mfa_tests::sample_event!("list-sessions", SampleEvent::of::<mfa_list_sessions::ListSessions>());
