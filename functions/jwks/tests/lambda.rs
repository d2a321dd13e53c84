//! The sample events, and the real binary as Lambda runs it.

use mfa_tests::SampleEvent;

mod keys {
    use super::*;

    mfa_tests::sample_event!("jwks", SampleEvent::of::<mfa_jwks::Jwks>());
}

mod discovery {
    use super::*;

    mfa_tests::sample_event!(
        "jwks",
        SampleEvent::of::<mfa_jwks::OpenidConfiguration>().answers(mfa::http::ErrorCode::NotFound)
    );
}
