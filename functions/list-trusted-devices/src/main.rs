//! The Lambda function `list-trusted-devices`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    mfa::http::run(|_| mfa_list_trusted_devices::ListTrustedDevices).await
}
