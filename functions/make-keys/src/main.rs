//! The Lambda function `make-keys`, which `CloudFormation` invokes.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    mfa_make_keys::run().await
}
