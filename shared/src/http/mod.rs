//! The one pipeline that every endpoint runs in, in Lambda, in `local` and in the tests.

mod authenticate;
mod body;
mod device;
mod endpoint;
mod error_code;
mod event;
mod lambda;
mod log;
mod pipeline;
mod problem;
mod source;
mod stopped;
mod verified_reply;

pub use authenticate::{Authenticate, BearerToken, Public};
pub use body::{Fields, NoBody, ReadBody};
pub use device::{MfaDevice, devices, devices_of};
pub use endpoint::{Call, Endpoint, Message, errors_of, reads_body};
pub use error_code::ErrorCode;
pub use event::{AuthorizerRequest, Event, EventResponse, ForeignEvent, Payload};
pub use lambda::{run, run_both, serve_invocations};
pub use log::{Audit, LogLine};
pub use pipeline::{Incoming, Served, serve, serve_foreign, serve_unknown};
pub use problem::Problem;
pub use stopped::SwitchReply;
pub use verified_reply::VerifiedReply;
