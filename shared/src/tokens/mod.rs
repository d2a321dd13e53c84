//! Checks the bearer tokens of callers, and makes our own.

mod claims;
mod error;
mod login_keys;
mod minter;
mod verifier;

pub use claims::{Claims, LoginName};
pub use error::TokenError;
pub use login_keys::public_keys;
pub use minter::Minter;
pub use verifier::Verifier;
