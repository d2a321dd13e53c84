//! The Lambda function `refresh-token`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    mfa::http::run(|_| mfa_refresh_token::RefreshToken).await
}
