//! The Lambda function `rename-device`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    mfa::http::run(|_| mfa_rename_device::RenameDevice).await
}
