//! Multi-factor authentication for an application that keeps its own login.
//!
//! [`domain`] holds every security rule as a pure function over one small item, the ledger. Around it stand
//! the adapters: [`storage`] (`DynamoDB`), [`delivery`] (SES and SNS), [`tokens`] (JWT), [`http`] (the one
//! pipeline that every endpoint runs in), and [`config`]. `ARCHITECTURE.md` is the map.

pub mod aws;
pub mod bundle;
pub mod clock;
pub mod config;
pub mod delivery;
pub mod domain;
pub mod http;
pub mod random;
pub mod storage;
pub mod tokens;

pub use bundle::Bundle;
