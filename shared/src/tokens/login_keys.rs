use std::{sync::Arc, time::Duration};

use aws_smithy_http_client::{
    Connector,
    tls::{Provider, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::{http::HttpConnector, orchestrator::HttpRequest};
use http_body_util::{BodyExt, Limited};
use jsonwebtoken::{Algorithm, DecodingKey};
use tokio::sync::Mutex;

use super::TokenError;
use crate::{
    config::{Config, KeySet, LoginKeyConfig},
    domain::Timestamp,
};

/// How long a fetched key set is used. A key that the login withdraws is accepted that much longer.
const BELIEVED_FOR: Duration = Duration::from_hours(1);

/// The least time between two fetches for an unknown `kid`. Anybody can invent a `kid`.
const FETCH_PAUSE: Duration = Duration::from_mins(1);

/// How long no fetch is tried after one that failed. `Retry-After` says so.
const FAILURE_PAUSE: Duration = Duration::from_secs(1);

/// The largest key set that is read, in bytes.
const MAX_KEY_SET: usize = 64 * 1024;

/// The keys that check login tokens.
pub(super) enum LoginKeys {
    One(Arc<DecodingKey>),
    Set(KeySet),
    At(RemoteKeySet),
}

impl LoginKeys {
    pub(super) fn new(config: &Config) -> Self {
        match &config.jwt.login_key {
            LoginKeyConfig::One(key) => Self::One(Arc::new(key.clone())),
            LoginKeyConfig::Set(set) => Self::Set(set.clone()),
            LoginKeyConfig::At(url) => Self::At(RemoteKeySet {
                url: url.clone(),
                algorithm: config.jwt.algorithm,
                timeout: config.aws.timeout,
                last: Mutex::default(),
            }),
        }
    }

    /// The key that a token names.
    pub(super) async fn find(&self, id: Option<&str>, now: Timestamp) -> Result<Arc<DecodingKey>, TokenError> {
        match self {
            Self::One(key) => Ok(Arc::clone(key)),
            Self::Set(set) => set.find(id).ok_or(UNKNOWN_KEY),
            Self::At(remote) => remote.find(id, now).await,
        }
    }
}

const UNKNOWN_KEY: TokenError = TokenError::Invalid("no key of that id");
const FAILED_LATELY: TokenError = TokenError::Unavailable("fetching failed a moment ago");

/// A key set that the login serves over HTTPS.
pub(super) struct RemoteKeySet {
    url: String,
    algorithm: Algorithm,
    timeout: Duration,
    last: Mutex<LastFetch>,
}

/// What the last fetches gave.
#[derive(Default)]
struct LastFetch {
    set: Option<(KeySet, Timestamp)>,
    tried: Timestamp,
    failed: bool,
}

impl RemoteKeySet {
    async fn find(&self, id: Option<&str>, now: Timestamp) -> Result<Arc<DecodingKey>, TokenError> {
        // Held during the fetch. Otherwise requests that arrive meanwhile would fetch the same set.
        let mut last = self.last.lock().await;
        if let Some((set, _)) = last.set.as_ref().filter(|(_, at)| now.since(*at) < BELIEVED_FOR) {
            if let Some(key) = set.find(id) {
                return Ok(key);
            }
            if now.since(last.tried) < FETCH_PAUSE {
                // After a failed fetch nobody knows whether the login has such a key, so the token
                // cannot be called invalid.
                return Err(if last.failed { FAILED_LATELY } else { UNKNOWN_KEY });
            }
        }
        if last.failed && now.since(last.tried) < FAILURE_PAUSE {
            return Err(FAILED_LATELY);
        }
        last.tried = now;
        last.failed = true;
        let set = self.fetch().await?;
        last.failed = false;
        let key = set.find(id).ok_or(UNKNOWN_KEY);
        last.set = Some((set, now));
        key
    }

    async fn fetch(&self) -> Result<KeySet, TokenError> {
        let fetched = tokio::time::timeout(self.timeout, get(&self.url)).await;
        let body = fetched.map_err(|_| TokenError::Unavailable("time-out"))?.map_err(TokenError::Unavailable)?;
        KeySet::parse(&body, self.algorithm).ok_or(TokenError::Unavailable("no key set with a key for the algorithm"))
    }
}

/// Gets a small document. Follows no redirect. Trusts the machine's root certificates, because the
/// operator chose the address.
async fn get(url: &str) -> Result<Vec<u8>, &'static str> {
    let builder = Connector::builder();
    let connector = if url.starts_with("http://") {
        builder.build_http()
    } else {
        builder.tls_provider(Provider::Rustls(CryptoMode::AwsLc)).build()
    };
    let request = HttpRequest::get(url).map_err(|_| "the address is none")?;
    let response = connector.call(request).await.map_err(|_| "no connection")?;
    if response.status().as_u16() != 200 {
        return Err("another status than 200");
    }
    let body = Limited::new(response.into_body(), MAX_KEY_SET).collect().await.map_err(|_| "too long, or cut off")?;
    Ok(body.to_bytes().to_vec())
}
