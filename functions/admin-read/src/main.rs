//! The Lambda function `admin-read`, which shows users.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    mfa_admin_function::run(mfa_admin_function::Access::Read).await
}
