//! Checks the bearer tokens of callers, and makes our own.

mod access;
mod claimed_policy;
mod claims;
mod contact;
mod error;
mod explained;
mod login_keys;
mod minter;
mod verifier;

pub use claims::{Claims, LoginName};
pub use error::TokenError;
pub use explained::Explained;
pub use minter::Minter;
pub use verifier::Verifier;
