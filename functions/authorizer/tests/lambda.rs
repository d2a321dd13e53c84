//! The sample event, and the real binary as Lambda runs it.

use lambda_http::http::Method;
use mfa_tests::SampleEvent;

mfa_tests::sample_event!(
    "authorizer",
    // A route of the application that the configuration does not name: any valid token passes.
    SampleEvent::of_authorizer(Method::GET, "/reports")
);
