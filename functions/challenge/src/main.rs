//! The Lambda function `challenge`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    mfa::http::run(mfa_challenge::Challenge::new).await
}
