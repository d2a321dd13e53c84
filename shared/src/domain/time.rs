use std::time::{Duration, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// A moment: milliseconds since the Unix epoch, UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(u64);

impl Timestamp {
    /// From milliseconds since the Unix epoch.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// From seconds since the Unix epoch.
    #[must_use]
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(1000))
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// Whole seconds since the Unix epoch, rounded down.
    #[must_use]
    pub const fn as_secs(self) -> u64 {
        self.0 / 1000
    }

    /// The beginning of its second.
    #[must_use]
    pub const fn whole_seconds(self) -> Self {
        Self::from_secs(self.as_secs())
    }

    /// The moment `span` later.
    #[must_use]
    pub fn plus(self, span: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(span.as_millis()).unwrap_or(u64::MAX)))
    }

    /// How long ago `earlier` was, or zero if it is not in the past.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// How long until `later`, in whole seconds rounded up and at least 1: what `Retry-After` says.
    #[must_use]
    pub const fn seconds_until(self, later: Self) -> u64 {
        let seconds = later.0.saturating_sub(self.0).div_ceil(1000);
        if seconds == 0 { 1 } else { seconds }
    }

    /// RFC 3339, UTC, with milliseconds: `2024-05-20T12:34:56.000Z`.
    #[must_use]
    pub fn to_rfc3339(self) -> String {
        // Year 9999 is the last that the format can write; a later moment is shown as that.
        let shown = self.0.min(253_402_300_799_999);
        humantime::format_rfc3339_millis(UNIX_EPOCH + Duration::from_millis(shown)).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_written_with_milliseconds_in_utc() {
        assert_eq!(Timestamp::from_millis(1_716_208_496_007).to_rfc3339(), "2024-05-20T12:34:56.007Z");
        assert_eq!(Timestamp::from_millis(u64::MAX).to_rfc3339(), "9999-12-31T23:59:59.999Z");
    }

    #[test]
    fn retry_after_rounds_up_and_is_never_zero() {
        let now = Timestamp::from_millis(1_000);
        assert_eq!(now.seconds_until(Timestamp::from_millis(2_001)), 2);
        assert_eq!(now.seconds_until(now), 1);
    }

    #[test]
    fn a_moment_counts_milliseconds_and_its_second_is_rounded_down() {
        let moment = Timestamp::from_millis(1_999);
        assert_eq!((moment.as_secs(), moment.as_millis()), (1, 1_999));
        assert_eq!((moment.whole_seconds(), Timestamp::from_secs(1).as_millis()), (Timestamp::from_secs(1), 1_000));
        assert_eq!(moment.plus(Duration::from_millis(2)).as_millis(), 2_001);
        assert_eq!(moment.since(Timestamp::from_secs(1)), Duration::from_millis(999));
        assert_eq!(Timestamp::from_secs(1).since(moment), Duration::ZERO, "it is in the future");
    }
}
