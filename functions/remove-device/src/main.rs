//! The Lambda function `remove-device`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    mfa::http::run(|_| mfa_remove_device::RemoveDevice).await
}
