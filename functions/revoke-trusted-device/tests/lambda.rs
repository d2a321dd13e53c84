//! The real binary, as Lambda runs it.

#[tokio::test]
async fn the_binary_answers_its_sample_event() {
    mfa_tests::runtime_api::assert_binary_answers_its_event(
        env!("CARGO_BIN_EXE_revoke-trusted-device"),
        "revoke-trusted-device",
    )
    .await;
}
