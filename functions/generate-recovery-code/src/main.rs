//! The Lambda function `generate-recovery-code`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    mfa::http::run(mfa_generate_recovery_code::GenerateRecoveryCode::new).await
}
