//! The Lambda function `verify`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    mfa::http::run(mfa_verify::Verify::new).await
}
