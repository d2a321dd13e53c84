//! Bearer tokens: checking those of callers, and making our own.

mod claims;
mod minter;
mod verifier;

pub use claims::Claims;
pub use minter::{MintedToken, Minter};
pub use verifier::Verifier;
