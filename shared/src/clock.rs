//! The one place that reads the wall clock.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use crate::domain::Timestamp;

/// Tells the pipeline the time. The pipeline passes it on as a parameter.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    /// The machine's wall clock.
    #[must_use]
    pub fn wall() -> Self {
        Self::new(wall_time)
    }

    /// A clock that asks `now` for the time, for `local` and the tests.
    pub fn new(tell: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(tell))
    }

    /// The current time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        (self.0)()
    }
}

#[expect(clippy::disallowed_methods, reason = "the one reader of the wall clock")]
fn wall_time() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX))
}
