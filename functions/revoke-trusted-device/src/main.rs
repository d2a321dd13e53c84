//! The Lambda function `revoke-trusted-device`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    mfa::http::run(|_| mfa_revoke_trusted_device::RevokeTrustedDevice).await
}
