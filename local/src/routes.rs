use std::{collections::BTreeSet, sync::Arc};

use futures_util::future::BoxFuture;
use lambda_http::http::Method;
use mfa::{
    App,
    config::Part,
    http::{Endpoint, ErrorCode, Incoming, Served, errors_of, serve},
};

/// One route of the bundle, served by the function's own endpoint.
#[derive(Clone)]
pub struct LocalRoute {
    /// The operation's stem.
    pub name: &'static str,
    /// The function that serves it.
    pub function: &'static str,
    /// Its method.
    pub method: Method,
    /// Its path.
    pub path: &'static str,
    /// The parts of the configuration that it uses.
    pub uses: &'static [Part],
    /// Every error that it may answer.
    pub errors: BTreeSet<ErrorCode>,
    serve: Arc<dyn Fn(Incoming) -> BoxFuture<'static, Served> + Send + Sync>,
}

impl LocalRoute {
    fn of<E: Endpoint>(app_with: &impl Fn(&[Part]) -> App, build: impl FnOnce(&App) -> E) -> Self {
        let app = app_with(E::USES);
        let endpoint = build(&app);
        let host = Arc::new((app, endpoint));
        let serve = move |incoming| -> BoxFuture<'static, Served> {
            let host = Arc::clone(&host);
            Box::pin(async move { serve(&host.0, &host.1, incoming).await })
        };
        Self {
            name: E::NAME,
            function: E::FUNCTION,
            method: E::METHOD,
            path: E::PATH,
            uses: E::USES,
            errors: errors_of::<E>(),
            serve: Arc::new(serve),
        }
    }

    /// Runs a request through the function's pipeline.
    pub async fn serve(&self, incoming: Incoming) -> Served {
        (self.serve)(incoming).await
    }
}

/// Every route, once: template, events, `OpenAPI` and tests are compared with this list.
///
/// `app_with` gives the bundle for a function that uses these parts of the configuration.
pub fn routes(app_with: &impl Fn(&[Part]) -> App) -> Vec<LocalRoute> {
    vec![
        LocalRoute::of(app_with, |_| mfa_status::Status),
        LocalRoute::of(app_with, |_| mfa_list_devices::ListDevices),
        LocalRoute::of(app_with, |_| mfa_rename_device::RenameDevice),
        LocalRoute::of(app_with, |_| mfa_remove_device::RemoveDevice),
        LocalRoute::of(app_with, |_| mfa_toggle::Toggle),
        LocalRoute::of(app_with, mfa_challenge::Challenge::new),
        LocalRoute::of(app_with, |_| mfa_setup_totp::SetupTotp),
        LocalRoute::of(app_with, |_| mfa_verify_totp_setup::VerifyTotpSetup),
        LocalRoute::of(app_with, mfa_setup_passkey::SetupPasskey::new),
        LocalRoute::of(app_with, mfa_verify_passkey_setup::VerifyPasskeySetup::new),
        LocalRoute::of(app_with, |_| mfa_verify::Verify),
        LocalRoute::of(app_with, mfa_challenge_passkey::ChallengePasskey::new),
        LocalRoute::of(app_with, mfa_verify_passkey::VerifyPasskey::new),
        LocalRoute::of(app_with, |_| mfa_generate_recovery_code::GenerateRecoveryCode),
        LocalRoute::of(app_with, |_| mfa_verify_recovery_code::VerifyRecoveryCode),
        LocalRoute::of(app_with, |_| mfa_reset_totp::ResetTotp),
        LocalRoute::of(app_with, |_| mfa_refresh_token::RefreshToken),
        LocalRoute::of(app_with, |_| mfa_verify_trusted_device::VerifyTrustedDevice),
        LocalRoute::of(app_with, |_| mfa_list_trusted_devices::ListTrustedDevices),
        LocalRoute::of(app_with, |_| mfa_revoke_trusted_device::RevokeTrustedDevice),
        LocalRoute::of(app_with, |_| mfa_list_sessions::ListSessions),
        LocalRoute::of(app_with, |_| mfa_end_session::EndSession),
        LocalRoute::of(app_with, |_| mfa_jwks::Jwks),
        LocalRoute::of(app_with, |_| mfa_jwks::OpenidConfiguration),
    ]
}
