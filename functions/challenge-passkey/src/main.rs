//! The Lambda function `challenge-passkey`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    mfa::http::run(mfa_challenge_passkey::ChallengePasskey::new).await
}
