//! Bearer tokens: checking those of callers, and making our own.

mod claims;
mod keys;
mod minter;
mod verifier;

pub use claims::Claims;
pub use keys::{KeySet, public_keys};
pub use minter::Minter;
pub use verifier::Verifier;
