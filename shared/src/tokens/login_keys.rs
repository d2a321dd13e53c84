use std::{sync::Arc, time::Duration};

use aws_smithy_runtime_api::client::{http::HttpConnector, orchestrator::HttpRequest};
use http_body_util::{BodyExt, Limited};
use jsonwebtoken::{Algorithm, DecodingKey};
use tokio::sync::Mutex;

use super::TokenError;
use crate::{
    config::{KeySet, LoginConfig, LoginKeyConfig},
    domain::Timestamp,
    tls,
};

/// How long a fetched key set is used. A key that the login withdraws is accepted that much longer.
const BELIEVED_FOR: Duration = Duration::from_hours(1);

/// The least time between two fetches for an unknown `kid`. Anybody can invent a `kid`.
const FETCH_PAUSE: Duration = Duration::from_mins(1);

/// How long no fetch is tried after one that failed.
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
    /// `timeout` is how long fetching a key set may take.
    pub(super) fn new(config: &LoginConfig, timeout: Duration) -> Self {
        match &config.key {
            LoginKeyConfig::One(key) => Self::One(Arc::new(key.clone())),
            LoginKeyConfig::Set(set) => Self::Set(set.clone()),
            LoginKeyConfig::At(url) => Self::At(RemoteKeySet {
                url: url.clone(),
                algorithm: config.algorithm,
                timeout,
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

/// The set is fetched again at `retry_at`.
fn unavailable_until(retry_at: Timestamp, now: Timestamp) -> TokenError {
    TokenError::Unavailable { cause: "fetching failed a moment ago", retry_after: retry_at.since(now) }
}

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
    /// The key that the last fetch was for and did not find.
    missed: Option<String>,
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
            let retry_at = last.tried.plus(FETCH_PAUSE);
            if now < retry_at {
                // The login may have a new key since then. Only of the key that was asked for it is
                // known that there was none.
                if last.failed {
                    return Err(unavailable_until(retry_at, now));
                }
                let is_missed = id.is_none_or(|id| last.missed.as_deref() == Some(id));
                let unknown = || TokenError::UnknownKey { retry_after: retry_at.since(now) };
                return Err(if is_missed { UNKNOWN_KEY } else { unknown() });
            }
        }
        let retry_at = last.tried.plus(FAILURE_PAUSE);
        if last.failed && now < retry_at {
            return Err(unavailable_until(retry_at, now));
        }
        last.tried = now;
        last.failed = true;
        let set = self.fetch().await?;
        last.failed = false;
        let key = set.find(id).ok_or(UNKNOWN_KEY);
        last.missed = id.filter(|_| key.is_err()).map(ToOwned::to_owned);
        last.set = Some((set, now));
        key
    }

    async fn fetch(&self) -> Result<KeySet, TokenError> {
        let failed = |cause| TokenError::Unavailable { cause, retry_after: FAILURE_PAUSE };
        let fetched = tokio::time::timeout(self.timeout, get(&self.url)).await;
        let body = fetched.map_err(|_| failed("time-out"))?.map_err(failed)?;
        KeySet::parse(&body, self.algorithm).ok_or(failed("no key set with a key for the algorithm"))
    }
}

/// Gets a small document. Follows no redirect. Trusts the machine's root certificates, because the
/// operator chose the address.
async fn get(url: &str) -> Result<Vec<u8>, &'static str> {
    let request = HttpRequest::get(url).map_err(|_| "the address is none")?;
    let response = tls::connector(url).call(request).await.map_err(|_| "no connection")?;
    if response.status().as_u16() != 200 {
        return Err("another status than 200");
    }
    let body = Limited::new(response.into_body(), MAX_KEY_SET).collect().await.map_err(|_| "too long, or cut off")?;
    Ok(body.to_bytes().to_vec())
}
