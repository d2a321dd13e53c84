//! The Lambda function `verify-trusted-device`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    mfa::http::run(|_| mfa_verify_trusted_device::VerifyTrustedDevice).await
}
