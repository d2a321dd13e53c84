//! The bundle's clock: the wall clock, moved forward on request.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use dynoxide::storage_backend;
use mfa::{clock::Clock, domain::Timestamp};

/// A clock that can be moved forward.
#[derive(Clone)]
pub struct LocalClock {
    base: Clock,
    ahead: Arc<AtomicU64>,
}

impl LocalClock {
    /// The wall clock.
    #[must_use]
    pub fn wall() -> Self {
        Self { base: Clock::wall(), ahead: Arc::default() }
    }

    /// A clock that stands still unless it is moved, for tests.
    #[must_use]
    pub fn standing_at(moment: Timestamp) -> Self {
        Self { base: Clock::new(move || moment), ahead: Arc::default() }
    }

    /// The current time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.base.now().plus(Duration::from_millis(self.ahead.load(Ordering::SeqCst)))
    }

    /// Moves the clock forward.
    pub fn advance(&self, span: Duration) {
        self.ahead.fetch_add(u64::try_from(span.as_millis()).unwrap_or(u64::MAX), Ordering::SeqCst);
    }

    /// Undoes every move of the clock.
    pub fn reset(&self) {
        self.ahead.store(0, Ordering::SeqCst);
    }

    /// This clock in the type that the bundle takes.
    #[must_use]
    pub fn for_app(&self) -> Clock {
        let clock = self.clone();
        Clock::new(move || clock.now())
    }
}

/// A table in memory reads the bundle's clock, so that moving the clock also makes items expire.
impl storage_backend::Clock for LocalClock {
    fn now_unix_secs(&self) -> u64 {
        self.now().as_secs()
    }

    #[expect(clippy::cast_precision_loss, reason = "milliseconds of this millennium fit")]
    fn now_unix_secs_f64(&self) -> f64 {
        self.now().as_millis() as f64 / 1000.0
    }
}
