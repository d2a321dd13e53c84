use std::{path::PathBuf, sync::Arc};

use axum::Router;
use dynoxide::Database;
use tokio::net::TcpListener;

use crate::{
    Inbox, Troubles,
    clock::LocalClock,
    environment::Endpoints,
    stream::{self, WriteLog},
};

/// Which services to start. If a service has an address here, that one is used instead.
#[derive(Clone, Debug, Default)]
pub struct StartServices {
    /// Keeps the table in this file instead of in memory.
    pub data: Option<PathBuf>,
    /// The address of another `DynamoDB`.
    pub dynamodb: Option<String>,
    /// The address of another SES.
    pub ses: Option<String>,
    /// The address of another SNS.
    pub sns: Option<String>,
    /// The address of another End User Messaging.
    pub end_user_messaging: Option<String>,
    /// Whether what is written to the embedded table is watched, for `notify`.
    pub watch: bool,
}

/// The services that run.
pub struct Services {
    /// The addresses of the services.
    pub endpoints: Endpoints,
    /// The messages that the bundle sent.
    pub inbox: Inbox,
    /// What is written to the embedded table, if it is watched.
    pub writes: Option<WriteLog>,
}

/// A service did not start.
#[derive(Debug)]
pub struct ServicesError(pub String);

impl std::fmt::Display for ServicesError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ServicesError {}

impl Services {
    /// Starts the services on free ports of the loopback interface. They end with the runtime.
    ///
    /// # Errors
    /// [`ServicesError`], with a message for people.
    pub async fn start(wanted: StartServices, clock: &LocalClock) -> Result<Self, ServicesError> {
        let takes_texts = wanted.sns.is_none() && wanted.end_user_messaging.is_none();
        let troubles = Troubles {
            ses_is_down: wanted.ses.is_none().then_some(false),
            sns_throttles: takes_texts.then_some(false),
        };
        let inbox = Inbox::new(clock.clone(), troubles);
        let own_inbox = serve(inbox.router()).await?;
        let (dynamodb, writes) = match wanted.dynamodb {
            Some(url) => (url, None),
            None => serve_dynamodb(wanted.data, wanted.watch, clock).await?,
        };
        let endpoints = Endpoints {
            dynamodb,
            ses: wanted.ses.unwrap_or_else(|| own_inbox.clone()),
            sns: wanted.sns.unwrap_or_else(|| own_inbox.clone()),
            end_user_messaging: wanted.end_user_messaging.unwrap_or_else(|| own_inbox.clone()),
            eventbridge: own_inbox,
        };
        Ok(Self { endpoints, inbox, writes })
    }
}

async fn serve_dynamodb(
    data: Option<PathBuf>,
    is_watched: bool,
    clock: &LocalClock,
) -> Result<(String, Option<WriteLog>), ServicesError> {
    let database = match data {
        Some(path) => Database::new(&path.to_string_lossy())
            .map_err(|error| ServicesError(format!("cannot open {}: {error}", path.display())))?,
        None => Database::memory_with_clock(Arc::new(clock.clone()))
            .map_err(|error| ServicesError(format!("cannot make a table in memory: {error}")))?,
    };
    let (listener, url) = listen().await?;
    tokio::spawn(dynoxide::server::serve_with_shutdown(listener, database.clone(), std::future::pending()));
    if !is_watched {
        return Ok((url, None));
    }
    let (proxy, writes) = stream::watch(database, url, clock.clone());
    Ok((serve(proxy).await?, Some(writes)))
}

async fn serve(router: Router) -> Result<String, ServicesError> {
    let (listener, url) = listen().await?;
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(url)
}

async fn listen() -> Result<(TcpListener, String), ServicesError> {
    let failed = |error| ServicesError(format!("cannot listen on 127.0.0.1: {error}"));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, format!("http://{address}")))
}
