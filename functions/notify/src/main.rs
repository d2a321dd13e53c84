//! The Lambda function `notify`, which the stream of the table invokes.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    mfa_notify::run().await
}
