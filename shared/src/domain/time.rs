use std::time::{Duration, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// A moment: milliseconds since the Unix epoch, UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The end of year 9999, the last that RFC 3339 can write.
    pub const END_OF_DATES: Self = Self::from_secs(253_402_300_800);

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

    /// The first whole second that is not before it.
    #[must_use]
    pub const fn rounded_up(self) -> Self {
        Self::from_secs(self.0.div_ceil(1000))
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

    /// Reads a date-time of RFC 3339, or a date, which means its midnight in UTC. `None` also for
    /// what lies before 1970.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim().to_ascii_uppercase();
        if text.len() == "2024-05-20".len() {
            return Self::parse_in_utc(&(text + "T00:00:00"));
        }
        if let Some(in_utc) = text.strip_suffix('Z') {
            return Self::parse_in_utc(in_utc);
        }
        let (local, offset) = text.split_at_checked(text.len().checked_sub("+01:00".len())?)?;
        let (hours, minutes) = offset.get(1..)?.split_once(':')?;
        let is_number = |part: &str| part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit());
        let [hours, minutes] = [hours, minutes].map(|part| part.parse().ok().filter(|_: &u64| is_number(part)));
        let offset_millis =
            (hours.filter(|hours| *hours < 24)? * 60 + minutes.filter(|minutes| *minutes < 60)?) * 60_000;
        let Self(local) = Self::parse_in_utc(local)?;
        match offset.as_bytes().first()? {
            b'+' => local.checked_sub(offset_millis).map(Self),
            b'-' => local.checked_add(offset_millis).map(Self),
            _ => None,
        }
    }

    fn parse_in_utc(text: &str) -> Option<Self> {
        let is_whole = text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'-' | b'T' | b':' | b'.' | b' '));
        let parsed = humantime::parse_rfc3339_weak(text).ok().filter(|_| is_whole)?;
        u64::try_from(parsed.duration_since(UNIX_EPOCH).ok()?.as_millis()).ok().map(Self)
    }

    /// RFC 3339, UTC, with milliseconds: `2024-05-20T12:34:56.000Z`.
    #[must_use]
    pub fn to_rfc3339(self) -> String {
        // A later moment is shown as the last that the format can write.
        let shown = self.0.min(Self::END_OF_DATES.0 - 1);
        humantime::format_rfc3339_millis(UNIX_EPOCH + Duration::from_millis(shown)).to_string()
    }

    /// The minute, for people: `2024-05-20 12:34 UTC`.
    #[must_use]
    pub fn to_minute(self) -> String {
        let text = self.to_rfc3339().replace('T', " ");
        format!("{} UTC", text.get(..16).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_written_with_milliseconds_in_utc() {
        assert_eq!(Timestamp::from_millis(1_716_208_496_007).to_rfc3339(), "2024-05-20T12:34:56.007Z");
        assert_eq!(Timestamp::from_millis(u64::MAX).to_rfc3339(), "9999-12-31T23:59:59.999Z");
        assert_eq!(Timestamp::from_millis(1_716_208_496_007).to_minute(), "2024-05-20 12:34 UTC");
    }

    #[test]
    fn a_date_or_date_time_is_read_with_its_offset() {
        let read = |text| Timestamp::parse(text).map(Timestamp::to_rfc3339);
        for (text, moment) in [
            ("2024-05-20", "2024-05-20T00:00:00.000Z"),
            ("2024-05-20T12:34:56Z", "2024-05-20T12:34:56.000Z"),
            ("2024-05-20t12:34:56.007z", "2024-05-20T12:34:56.007Z"),
            (" 2024-05-20 12:34:56Z ", "2024-05-20T12:34:56.000Z"),
            ("2024-05-20T12:34:56.5+02:00", "2024-05-20T10:34:56.500Z"),
            ("2024-05-20T12:34:56-00:30", "2024-05-20T13:04:56.000Z"),
            ("9999-12-31T23:59:59-23:59", "9999-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(read(text).as_deref(), Some(moment), "{text}");
        }
        for bad in [
            "",
            "soon",
            "2024-13-01",
            "2024-02-30",
            "20240520",
            "1969-12-31",
            "1970-01-01T00:00:00+01:00",
            "2024-05-20T12:34:56",
            "2024-05-20T12:34:56+2:00",
            "2024-05-20T12:34:56+24:00",
            "2024-05-20T12:34:56+00:60",
            "2024-05-20T12:34:56*02:00",
            "2024-05-20T12:34:56Z+02:00",
            "2024-05-20T12:34:56+02:00Z",
            "2024-05-20T12:34:56+-1:00",
            "2024-05-20T12:34:56++1:00",
            "2024-05-20T12:34:56ä+1:00",
            "2024-05-20ä",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
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
