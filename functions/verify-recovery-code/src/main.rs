//! The Lambda function `verify-recovery-code`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    mfa::http::run(|_| mfa_verify_recovery_code::VerifyRecoveryCode).await
}
