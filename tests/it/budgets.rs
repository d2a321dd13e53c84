//! What each route costs, read from `ConsumedCapacity`, against the budgets of the design.

use std::sync::Arc;

use mfa_tests::{Call, Login, TestBundle};

/// Read units, write units and round trips that a request cost. Calls side by side are one round trip.
#[track_caller]
fn assert_within(calls: &[Call], reads: f64, writes: f64, trips: usize) {
    let is_read = |call: &&Call| call.what.starts_with("Query") || call.what.starts_with("GetItem");
    let read: f64 = calls.iter().filter(is_read).map(|call| call.units).sum();
    let written: f64 = calls.iter().filter(|call| !is_read(call)).map(|call| call.units).sum();
    // The query and the code's item are asked for together; so are the counters.
    let beside = |prefix: &str| calls.iter().filter(|call| call.what.starts_with(prefix)).count().saturating_sub(1);
    let together = beside("UpdateItem LIMIT") + usize::from(calls.iter().any(|call| call.what == "GetItem CODE"));
    let trip_count = calls.len() - together;
    assert!(read <= reads && written <= writes && trip_count <= trips, "{read} + {written} in {trip_count}: {calls:?}");
    assert!(read + written > 0.0, "the engine reports units: {calls:?}");
}

async fn three_devices(mfa: &Arc<TestBundle>) -> (Login, mfa_tests::Authenticator) {
    let alice = mfa.user("alice").with_email("alice@example.com").with_phone("+442079460018").login();
    let device = alice.enrol().await;
    alice.enrol().await;
    alice.enrol().await;
    mfa.wrapper.take_calls();
    (alice, device)
}

#[tokio::test]
async fn every_route_stays_within_its_budget() {
    let mfa = TestBundle::start().await;
    let (alice, device) = three_devices(&mfa).await;
    let calls = || mfa.wrapper.take_calls();

    alice.status().await;
    assert_within(&calls(), 1.0, 0.0, 1);
    alice.devices().await;
    assert_within(&calls(), 1.0, 0.0, 1);

    alice.toggle(true).await.assert_ok();
    assert_within(&calls(), 1.0, 2.0, 2);

    alice.verify("totp", &device.next_code(&mfa)).await.assert_ok();
    assert_within(&calls(), 1.0, 1.0, 2);
    alice.verify("totp", "000000").await.assert_problem(400, "MFA_CODE_INVALID");
    assert_within(&calls(), 1.0, 1.0, 2);

    let open = alice.open_authenticator().await;
    calls();
    alice.confirm(&open.code(&mfa), &open.secret).await.assert_ok();
    assert_within(&calls(), 1.0, 2.0, 3);

    alice.remove(&open.device_id).await.assert_ok();
    let removed = calls();
    // The removed device's item is deleted after the commit.
    assert_within(&removed, 1.0, 2.0, 3);

    let code = alice.receive_code("email").await;
    assert_within(&calls(), 1.0, 3.0, 4);
    alice.verify("email", &code).await.assert_ok();
    assert_within(&calls(), 1.0, 1.0, 2);

    mfa.advance(60);
    let code = alice.receive_code("sms").await;
    assert_within(&calls(), 1.0, 5.0, 4);
    alice.verify("sms", &code).await.assert_ok();
    assert_within(&calls(), 1.0, 1.0, 2);
}

#[tokio::test]
async fn a_refusal_without_a_commit_costs_one_strong_read_more() {
    let mfa = TestBundle::start().await;
    let (alice, _) = three_devices(&mfa).await;
    alice.challenge("email").await.assert_ok();
    mfa.wrapper.take_calls();
    alice.challenge("email").await.assert_problem(429, "RATE_LIMITED");
    assert_within(&mfa.wrapper.take_calls(), 1.5, 0.0, 2);
}
