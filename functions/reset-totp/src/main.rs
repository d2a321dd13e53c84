//! The Lambda function `reset-totp`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    mfa::http::run(|_| mfa_reset_totp::ResetTotp).await
}
