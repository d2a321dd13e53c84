//! The Lambda function `jwks`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    mfa::http::run(|_| mfa_jwks::Jwks).await
}
