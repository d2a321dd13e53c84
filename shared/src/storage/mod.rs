//! The table: `DynamoDB`, one item kind a file, expressions beside the item that they touch.

mod code;
mod counter;
mod device;
mod fault;
mod ledger;
mod recovery;
mod session;
mod table;
mod trust;
mod user;

pub use fault::Fault;
pub use table::Table;
pub use user::Subject;
