//! The security rules, as pure functions. They use no async, no clock, no randomness, no
//! environment and no AWS or HTTP type. The time and random values are parameters.

pub mod access;
pub mod address;
mod caller;
pub mod challenge;
pub mod challenge_passkey;
pub mod code;
mod decision;
mod device_name;
pub mod failures;
pub mod gate;
mod ids;
mod item;
pub mod keys;
pub mod ledger;
pub mod listing;
mod method;
pub mod notice_to;
pub mod operator;
pub mod passkey;
pub mod pasted;
mod policy;
pub mod recovery;
pub mod remove_device;
pub mod rename_device;
mod requirement;
pub mod security_event;
pub mod sends;
pub mod session;
pub mod setup_passkey;
pub mod setup_totp;
mod snapshot;
mod source;
mod time;
mod toggle;
pub mod totp;
pub mod trust;
pub mod verify;
pub mod verify_passkey;
pub mod verify_passkey_setup;
pub mod verify_totp_setup;

pub use address::{Address, Contact, Countries, Email, NoAddress, Phone};
pub use caller::{Caller, Context, LONGEST_USER_ID, LoginFactor, Proof, ProofSession};
pub use decision::{After, Change, Counter, CounterKind, CounterPart, Decision, Limit, Refusal};
pub use device_name::{DeviceName, plain_name};
pub use ids::{
    AddressTag, CodeId, CodeTag, CommitId, DeviceId, GuessTag, LoginId, NetworkTag, NoticeMark, PasskeyId, RecoveryId,
    RecoveryTag, SessionId, TrustId, UserId,
};
pub use item::{ItemKey, UnreadableItem, Write};
pub use ledger::Ledger;
pub use method::{Channel, Method};
pub use policy::{Notices, Policy};
pub use requirement::{ClaimedPolicy, RequiredBy, Requirement};
pub use security_event::{Observed, SecurityEvent};
pub use snapshot::{CodeRecord, DeviceRecord, Snapshot, StoredCode};
pub use source::Source;
pub use time::Timestamp;
pub use toggle::{Stopped, Switch, Toggled, toggle};
pub use totp::{TotpAlgorithm, TotpDigits, TotpPeriod, TotpVariant};
pub use verify::Factor;

#[cfg(test)]
mod scenario;
#[cfg(test)]
mod tests;
