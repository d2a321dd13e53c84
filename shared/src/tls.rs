//! Connections to AWS and other servers.

use std::{sync::LazyLock, time::Duration};

use aws_sdk_dynamodb::config::SharedHttpClient;
use aws_smithy_http_client::{
    Builder, Connector,
    tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::http::{HttpConnectorSettings, SharedHttpConnector, http_client_fn};

/// Amazon Root CA 1–4 and Starfield G2: all that AWS endpoints chain to.
const AMAZON_ROOTS: &[u8] = include_bytes!("amazon-roots.pem");

/// Connects to AWS by TLS, and trusts only Amazon's root certificates, or those of the machine too. All
/// clients of services share it: otherwise the SDK makes a connector for each of them and one more to
/// check its configuration, and each parses the certificates.
#[must_use]
pub fn client(connect_timeout: Duration, native_roots: bool) -> SharedHttpClient {
    let connector = LazyLock::new(move || {
        let trust =
            if native_roots { TrustStore::default() } else { TrustStore::empty().with_pem_certificate(AMAZON_ROOTS) };
        let settings = HttpConnectorSettings::builder().connect_timeout(connect_timeout).build();
        let builder =
            Connector::builder().connector_settings(settings).tls_provider(Provider::Rustls(CryptoMode::AwsLc));
        SharedHttpConnector::new(match TlsContext::builder().with_trust_store(trust).build() {
            Ok(context) => builder.tls_context(context).build(),
            Err(_) => builder.build(),
        })
    });
    http_client_fn(move |_, _| connector.clone())
}

/// An HTTP client for a tool on the machine of a person, which trusts the root certificates there.
#[must_use]
pub fn client_for_tools() -> SharedHttpClient {
    Builder::new().tls_provider(Provider::Rustls(CryptoMode::AwsLc)).build_https()
}

/// Connects to an address that the operator or AWS named: plain for an `http://` one, otherwise TLS that
/// trusts the root certificates of the machine.
#[must_use]
pub fn connector(url: &str) -> Connector {
    let builder = Connector::builder();
    if url.starts_with("http://") {
        builder.build_http()
    } else {
        builder.tls_provider(Provider::Rustls(CryptoMode::AwsLc)).build()
    }
}
