//! The whole bundle on one machine: no AWS account, no Docker, no Java, no Node.
//!
//! The functions' own endpoints run behind one router. As in AWS, they call `DynamoDB`, SES and SNS
//! over HTTP: here an embedded `DynamoDB`, and an inbox that takes the real SES and SNS calls.

pub mod clock;
pub mod environment;
mod inbox;
mod router;
mod routes;
mod services;
mod table;
mod workbench;

pub use inbox::{Inbox, InboxMessage};
pub use router::{Server, router};
pub use routes::{LocalRoute, routes};
pub use services::{Services, ServicesError, StartServices};
pub use table::LocalTable;
