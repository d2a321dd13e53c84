//! The Lambda function `toggle`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    mfa::http::run(mfa_toggle::Toggle::new).await
}
