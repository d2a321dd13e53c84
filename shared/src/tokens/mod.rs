//! Checks the bearer tokens of callers, and makes our own.

mod access;
mod claims;
mod contact;
mod error;
mod login_keys;
mod minter;
mod verifier;

pub use claims::{Claims, LoginName};
pub use error::TokenError;
pub use minter::Minter;
pub use verifier::Verifier;
