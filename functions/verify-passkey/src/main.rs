//! The Lambda function `verify-passkey`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    mfa::http::run(mfa_verify_passkey::VerifyPasskey::new).await
}
