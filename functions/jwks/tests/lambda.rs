//! The sample event, and the real binary as Lambda runs it.

use mfa_tests::SampleEvent;

mfa_tests::sample_event!("jwks", SampleEvent::of::<mfa_jwks::Jwks>());
