//! The Lambda function `setup-passkey`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    mfa::http::run(mfa_setup_passkey::SetupPasskey::new).await
}
