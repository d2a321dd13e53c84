//! What every endpoint is built from.

use std::sync::Arc;

use crate::{
    clock::Clock,
    config::Config,
    domain::{Policy, keys::Keys},
    storage::Table,
    tokens::{Minter, Verifier},
};

/// A configured bundle. Clones share its parts.
#[derive(Clone)]
pub struct App {
    /// The configuration that it was built from.
    pub config: Arc<Config>,
    /// The numbers and switches.
    pub policy: Arc<Policy>,
    /// Tells the time.
    pub clock: Clock,
    /// Computes keyed hashes, seals secrets and opens them.
    pub keys: Arc<Keys>,
    /// The table.
    pub table: Table,
    /// Checks bearer tokens.
    pub verifier: Arc<Verifier>,
    /// Signs access tokens.
    pub minter: Arc<Minter>,
}

impl App {
    /// Builds all parts. Opens no connection.
    #[must_use]
    pub fn new(config: Config, clock: Clock) -> Self {
        let keys = Arc::new(config.keys());
        let config = Arc::new(config);
        Self {
            table: Table::new(&config, &keys),
            verifier: Arc::new(Verifier::new(Arc::clone(&config), Arc::clone(&keys))),
            minter: Arc::new(Minter::new(Arc::clone(&config), Arc::clone(&keys))),
            policy: Arc::new(config.policy.clone()),
            config,
            clock,
            keys,
        }
    }
}
