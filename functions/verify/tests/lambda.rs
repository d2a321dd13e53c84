//! The sample event, and the real binary as Lambda runs it.

use mfa::http::ErrorCode;
use mfa_tests::{
    InjectedFault, SampleEvent, TestApp, json,
    nasty_events::assert_answers_nasty_events,
    runtime_api::{RunningFunction, invoke},
};
use mfa_verify::Verify;

mfa_tests::sample_event!("verify", sample());

/// No code was sent.
fn sample() -> SampleEvent {
    SampleEvent::of::<Verify>()
        .body(&json!({ "method": "email", "otp": "123456" }))
        .answers(ErrorCode::VerificationCodeInvalid)
}

#[tokio::test]
async fn every_nasty_event_is_answered_and_the_process_lives_on() {
    assert_answers_nasty_events::<Verify>(env!("CARGO_BIN_EXE_verify"), &sample()).await;
}

#[tokio::test]
async fn what_was_counted_stays_counted_if_the_process_is_killed_before_it_answers() {
    let mfa = TestApp::start().await;
    let alice = mfa.user("alice").login();
    alice.enrol().await;
    let wrong_code = |n: usize| {
        let body = json!({ "method": "totp", "otp": format!("{n:06}") });
        let mut event = SampleEvent::of::<Verify>().body(&body).event();
        *event.pointer_mut("/headers/authorization").expect("a header") = format!("Bearer {}", alice.token).into();
        event.to_string()
    };
    for n in 0..5 {
        let mut function = RunningFunction::start(&mfa, env!("CARGO_BIN_EXE_verify")).await;
        mfa.fault_proxy.break_calls("UpdateItem MFA#LEDGER", InjectedFault::HangAfter);
        tokio::select! {
            answer = function.invoke(wrong_code(n)) => panic!("answered before it was killed: {answer:?}"),
            () = mfa.fault_proxy.hung() => {}
        }
        function.end().await;
        mfa.fault_proxy.heal();
    }
    let answer = invoke(&mfa, env!("CARGO_BIN_EXE_verify"), &wrong_code(5)).await;
    assert_eq!(answer.get("statusCode"), Some(&json!(429)), "{answer}");
    assert!(answer.to_string().contains("ACCOUNT_LOCKED"), "{answer}");
}
