//! The table: `DynamoDB`, one item kind a file, expressions beside the item that they touch.

mod code;
mod counter;
mod device;
mod error;
mod item;
mod ledger;
mod packed;
mod recovery;
mod session;
mod table;
mod trust;
mod user;

pub use error::StoreError;
pub use table::Table;
pub use user::UserQuery;
