//! The rules. Pure: no async, no clock, no randomness, no environment, no AWS or HTTP type; the time and
//! random values are parameters.

pub mod access;
pub mod address;
mod caller;
pub mod challenge;
pub mod code;
mod decision;
pub mod failures;
pub mod gate;
mod ids;
pub mod keys;
pub mod ledger;
pub mod listing;
mod method;
mod policy;
pub mod recovery;
pub mod removal;
pub mod sends;
pub mod session;
pub mod setup;
mod snapshot;
mod switch;
mod time;
pub mod totp;
pub mod trust;
pub mod verify;

pub use address::{Address, Contact, Countries, Email, Phone};
pub use caller::{Caller, Context, Proof};
pub use decision::{Beside, Counter, CounterKind, Decision, Groundwork, Refusal};
pub use ids::{
    AddressTag, CodeId, CodeTag, CommitId, DeviceId, GuessTag, LoginId, RecoveryId, RecoveryTag, SessionId, TrustId,
    UserId,
};
pub use ledger::{ItemName, Ledger};
pub use method::Method;
pub use policy::Policy;
pub use snapshot::{CodeRecord, DeviceRecord, Snapshot};
pub use switch::{Switch, toggle};
pub use time::Timestamp;
pub use verify::Factor;

#[cfg(test)]
mod tests;
