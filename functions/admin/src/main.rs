//! The Lambda function `admin`, which changes users.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    mfa_admin_function::run(mfa_admin_function::Access::Change).await
}
