//! The Lambda function `verify-totp-setup`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    mfa::http::run(|_| mfa_verify_totp_setup::VerifyTotpSetup).await
}
