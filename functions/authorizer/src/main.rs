//! The Lambda function `authorizer`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    mfa_authorizer::run().await
}
