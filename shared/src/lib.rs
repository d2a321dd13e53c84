//! Multi-factor authentication for an application that keeps its own login.
//!
//! [`domain`] holds every security rule as a pure function over one small mutable item, the ledger.
//! The adapters use it: [`storage`] (`DynamoDB`), [`delivery`] (SES and SNS), [`tokens`] (JWT),
//! [`http`] (the one pipeline that every endpoint runs in), and [`config`]. `ARCHITECTURE.md` is
//! the map.

pub mod app;
pub mod aws;
pub mod clock;
pub mod config;
pub mod delivery;
pub mod domain;
pub mod http;
mod json;
pub mod messages;
pub mod metrics;
mod owner;
pub mod random;
pub mod step_up;
pub mod storage;
pub mod tls;
pub mod tokens;

pub use app::App;
pub use owner::owner;
