//! The whole bundle on one machine: no AWS account, no Docker, no Java, no Node.
//!
//! The functions' own endpoints run behind one router. As in AWS, they call `DynamoDB`, SES and SNS
//! or End User Messaging over HTTP: here an embedded `DynamoDB`, and an inbox that takes the real calls.

mod admin;
pub mod check_settings;
pub mod clock;
mod console;
pub mod environment;
pub mod explain;
mod guesses;
mod inbox;
mod ledger;
mod login_shape;
mod router;
mod routes;
mod services;
pub mod stream;
mod table;
pub mod user_key;
mod workbench;

pub use inbox::{FeedEvent, Inbox, InboxMessage, Troubles};
pub use login_shape::{Filling, LoginShape, SHAPES};
pub use router::{Log, Server, router};
pub use routes::{LocalRoute, routes};
pub use services::{Services, ServicesError, StartServices};
pub use table::LocalTable;
