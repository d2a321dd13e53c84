//! How often codes may be sent to one user.

use std::time::Duration;

use super::{Policy, Timestamp};

/// What the ledger remembers of sends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sends {
    /// When codes were sent within the last hour, oldest first.
    pub sent_at: Vec<Timestamp>,
    /// When sends were refunded within the last hour.
    pub refunded_at: Vec<Timestamp>,
}

impl Sends {
    /// When the next code may be sent, if none may be sent at `now`.
    #[must_use]
    pub fn wait_until(&self, now: Timestamp) -> Option<Timestamp> {
        let recent = self.within(Policy::SEND_WINDOW, now);
        let spaced = recent.last().map(|last| last.plus(spacing(recent.len())));
        let burst = nth_from_end(&self.within(Policy::SEND_BURST_WINDOW, now), Policy::SENDS_PER_BURST)
            .map(|first| first.plus(Policy::SEND_BURST_WINDOW));
        let hourly = nth_from_end(&recent, Policy::SENDS_PER_HOUR).map(|first| first.plus(Policy::SEND_WINDOW));
        [spaced, burst, hourly].into_iter().flatten().max().filter(|at| *at > now)
    }

    /// Counts a send.
    pub fn record(&mut self, now: Timestamp) {
        self.sent_at = self.within(Policy::SEND_WINDOW, now);
        self.refunded_at.retain(|at| now.since(*at) < Policy::SEND_WINDOW);
        self.sent_at.push(now);
    }

    /// Takes back the send of `at`, which the provider definitely refused. Says whether it did.
    ///
    /// At most twice an hour. Otherwise an address that the provider always refuses would allow
    /// endless requests.
    pub fn refund(&mut self, at: Timestamp, now: Timestamp) -> bool {
        self.refunded_at.retain(|at| now.since(*at) < Policy::SEND_WINDOW);
        let Some(place) = self.sent_at.iter().rposition(|sent| *sent == at) else { return false };
        if self.refunded_at.len() >= Policy::SENDS_REFUNDED_PER_HOUR {
            return false;
        }
        self.sent_at.remove(place);
        self.refunded_at.push(now);
        true
    }

    fn within(&self, window: Duration, now: Timestamp) -> Vec<Timestamp> {
        self.sent_at.iter().copied().filter(|at| now.since(*at) < window).collect()
    }
}

/// The least time after the `count`-th send within the hour.
fn spacing(count: usize) -> Duration {
    let [first, second, later] = Policy::SEND_SPACING;
    match count {
        0 => Duration::ZERO,
        1 => first,
        2 => second,
        _ => later,
    }
}

fn nth_from_end(times: &[Timestamp], n: usize) -> Option<Timestamp> {
    times.len().checked_sub(n).and_then(|index| times.get(index)).copied()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(secs: u64) -> Timestamp {
        Timestamp::from_secs(1_800_000_000 + secs)
    }

    fn sent(times: &[u64]) -> Sends {
        let mut sends = Sends::default();
        for &secs in times {
            sends.record(at(secs));
        }
        sends
    }

    #[test]
    fn sends_are_thirty_then_sixty_then_a_hundred_and_twenty_seconds_apart() {
        assert_eq!(sent(&[]).wait_until(at(0)), None);
        assert_eq!(sent(&[0]).wait_until(at(1)), Some(at(30)));
        assert_eq!(sent(&[0]).wait_until(at(30)), None);
        assert_eq!(sent(&[0, 30]).wait_until(at(31)), Some(at(90)));
        assert_eq!(sent(&[0, 30, 90]).wait_until(at(91)), Some(at(210)));
        assert_eq!(sent(&[0, 30, 90, 210]).wait_until(at(211)), Some(at(330)));
    }

    #[test]
    fn spacing_starts_again_when_no_send_lies_within_the_hour() {
        let sends = sent(&[0, 30, 90]);
        assert_eq!(sends.wait_until(at(90 + 3600)), None);
        let mut sends = sends;
        sends.record(at(90 + 3600));
        assert_eq!(sends.wait_until(at(90 + 3601)), Some(at(90 + 3630)));
    }

    #[test]
    fn five_sends_in_ten_minutes_and_ten_in_an_hour_are_the_most() {
        let burst = sent(&[0, 30, 90, 210, 330]);
        assert_eq!(burst.wait_until(at(451)), Some(at(600)));
        assert_eq!(burst.wait_until(at(600)), None);
        let hour = sent(&[0, 300, 600, 900, 1200, 1500, 1800, 2100, 2400, 2700]);
        assert_eq!(hour.wait_until(at(3000)), Some(at(3600)));
        assert_eq!(hour.wait_until(at(3600)), None);
    }

    #[test]
    fn a_refused_send_is_given_back_twice_an_hour_at_most() {
        let mut sends = sent(&[0]);
        assert!(sends.refund(at(0), at(1)));
        assert_eq!(sends.wait_until(at(1)), None);
        sends.record(at(1));
        assert!(sends.refund(at(1), at(2)));
        sends.record(at(2));
        assert!(!sends.refund(at(2), at(3)), "the third stays counted");
        assert_eq!(sends.wait_until(at(3)), Some(at(32)));
        assert!(!sends.refund(at(77), at(78)), "a send that was not made is not given back");
        assert!(sends.refund(at(2), at(3602)), "an hour later two more may be");
    }

    proptest! {
        #[test]
        fn no_asking_gets_past_the_limits(pauses in prop::collection::vec(0_u64..400, 1..200)) {
            let (mut sends, mut now, mut made) = (Sends::default(), 0, Vec::new());
            for pause in pauses {
                now += pause;
                if sends.wait_until(at(now)).is_none() {
                    sends.record(at(now));
                    made.push(now);
                }
            }
            for (i, &send) in made.iter().enumerate() {
                prop_assert!(made.iter().skip(i).filter(|&&other| other - send < 600).count() <= 5);
                prop_assert!(made.iter().skip(i).filter(|&&other| other - send < 3600).count() <= 10);
                prop_assert!(made.get(i + 1).is_none_or(|next| next - send >= 30));
            }
        }
    }
}
