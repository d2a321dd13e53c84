//! The `DynamoDB` table. Each kind of item has a file, which also holds its expressions.

mod code;
mod counter;
mod device;
mod error;
mod hash_key;
mod item;
mod ledger;
mod notice;
mod operator;
mod packed;
mod passkey;
mod recovery;
mod session;
mod stream;
mod table;
mod trust;
mod user;

pub use error::StoreError;
pub use notice::Marker;
pub use operator::{Checked, Finding, ItemFault, Segment, StoredItem, UserPage};
pub use session::SessionEnd;
pub use stream::{StreamChange, StreamRecord};
pub use table::Table;
pub use user::UserQuery;
