//! The Lambda function `setup-totp`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    mfa::http::run(|_| mfa_setup_totp::SetupTotp).await
}
