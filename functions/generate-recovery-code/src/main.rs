//! The Lambda function `generate-recovery-code`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    mfa::http::run(|_| mfa_generate_recovery_code::GenerateRecoveryCode).await
}
