//! The Lambda function `jwks`, the only one with two endpoints: one document names the other.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    mfa::http::run_both(|_| mfa_jwks::Jwks, |_| mfa_jwks::OpenidConfiguration).await
}
