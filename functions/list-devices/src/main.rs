//! The Lambda function `list-devices`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    mfa::http::run(|_| mfa_list_devices::ListDevices).await
}
