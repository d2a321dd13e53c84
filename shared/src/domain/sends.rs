//! How often codes may be sent to one user.
//!
//! Everybody who knows the password shares one number of sends an hour. Known callers have as many
//! again when those are used up, so that a stranger cannot use up the owner's.

use std::time::Duration;

use super::{Policy, Timestamp};

/// What the ledger remembers of sends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sends {
    /// The sends of the last hour, oldest first.
    pub sent: Vec<PastSend>,
    /// When sends were refunded within the last hour.
    pub refunded_at: Vec<Timestamp>,
}

/// One send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PastSend {
    /// When it was requested.
    pub at: Timestamp,
    /// Whether a known caller requested it.
    pub known: bool,
    /// Whether it counts in the share of known callers. Otherwise it counts in everybody's.
    pub reserve: bool,
}

impl Sends {
    /// The send that may happen at `now`, by a known caller or another.
    ///
    /// # Errors
    /// When the next one may, if none may at `now`.
    pub fn next(&self, known: bool, now: Timestamp) -> Result<PastSend, Timestamp> {
        // A stranger's sends do not make a known caller wait.
        let spaces = |send: &PastSend| if known { send.known } else { !send.reserve };
        let for_everybody = self.wait(now, |send| !send.reserve, spaces);
        let in_reserve = self.wait(now, |send| send.reserve, spaces);
        match (for_everybody, in_reserve) {
            (None, _) => Ok(PastSend { at: now, known, reserve: false }),
            (Some(_), None) if known => Ok(PastSend { at: now, known, reserve: true }),
            (Some(common), Some(reserved)) if known => Err(common.min(reserved)),
            (Some(common), _) => Err(common),
        }
    }

    /// Until when a share is closed, if it is. `counts` are the sends of the share, and `spaces` are
    /// those after which the caller has to wait.
    fn wait(
        &self,
        now: Timestamp,
        counts: impl Fn(&PastSend) -> bool,
        spaces: impl Fn(&PastSend) -> bool,
    ) -> Option<Timestamp> {
        let times = |wanted: &dyn Fn(&PastSend) -> bool| -> Vec<_> {
            self.recent(now).filter(|send| wanted(send)).map(|send| send.at).collect()
        };
        let (counted, own) = (times(&counts), times(&spaces));
        let used_up = counted.len().checked_sub(Policy::SENDS_PER_SHARE).and_then(|place| counted.get(place));
        let hour = used_up.map(|first| first.plus(Policy::SEND_WINDOW));
        let pause = own.last().map(|last| last.plus(spacing(own.len())));
        hour.max(pause).filter(|until| *until > now)
    }

    /// Counts a send.
    pub fn record(&mut self, send: PastSend) {
        self.sent = self.recent(send.at).copied().collect();
        self.refunded_at.retain(|at| send.at.since(*at) < Policy::SEND_WINDOW);
        self.sent.push(send);
    }

    /// Takes back the last send of `at` by such a caller, which the provider definitely refused.
    /// Says whether it did.
    ///
    /// At most twice an hour. Otherwise an address that the provider always refuses would allow
    /// endless requests.
    pub fn refund(&mut self, at: Timestamp, known: bool, now: Timestamp) -> bool {
        self.refunded_at.retain(|at| now.since(*at) < Policy::SEND_WINDOW);
        let Some(place) = self.sent.iter().rposition(|send| send.at == at && send.known == known) else {
            return false;
        };
        if self.refunded_at.len() >= Policy::SENDS_REFUNDED_PER_HOUR {
            return false;
        }
        self.sent.remove(place);
        self.refunded_at.push(now);
        true
    }

    fn recent(&self, now: Timestamp) -> impl Iterator<Item = &PastSend> {
        self.sent.iter().filter(move |send| now.since(send.at) < Policy::SEND_WINDOW)
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(secs: u64) -> Timestamp {
        Timestamp::from_secs(1_800_000_000 + secs)
    }

    /// Sends by callers who are not known.
    fn sent(times: &[u64]) -> Sends {
        let mut sends = Sends::default();
        for secs in times {
            sends.record(PastSend { at: at(*secs), known: false, reserve: false });
        }
        sends
    }

    fn wait(sends: &Sends, secs: u64) -> Option<Timestamp> {
        sends.next(false, at(secs)).err()
    }

    /// Sends to a known caller, and says from which share.
    fn send_to_known(sends: &mut Sends, secs: u64) -> Result<&'static str, Timestamp> {
        let send = sends.next(true, at(secs))?;
        sends.record(send);
        Ok(if send.reserve { "reserve" } else { "everybody" })
    }

    #[test]
    fn sends_are_thirty_then_sixty_then_a_hundred_and_twenty_seconds_apart() {
        assert_eq!(wait(&sent(&[]), 0), None);
        assert_eq!(wait(&sent(&[0]), 1), Some(at(30)));
        assert_eq!(wait(&sent(&[0]), 30), None);
        assert_eq!(wait(&sent(&[0, 30]), 31), Some(at(90)));
        assert_eq!(wait(&sent(&[0, 30, 90]), 91), Some(at(210)));
        assert_eq!(wait(&sent(&[0, 30, 90, 210]), 211), Some(at(330)));
    }

    #[test]
    fn spacing_starts_again_when_no_send_lies_within_the_hour() {
        let mut sends = sent(&[0, 30, 90]);
        assert_eq!(wait(&sends, 90 + 3600), None);
        sends.record(PastSend { at: at(90 + 3600), known: false, reserve: false });
        assert_eq!(wait(&sends, 90 + 3601), Some(at(90 + 3630)));
        assert_eq!(wait(&sent(&[0, 3570]), 3600), None, "a send of an hour ago spaces no more");
    }

    #[test]
    fn everybody_shares_five_an_hour_and_known_callers_have_five_more() {
        let mut sends = sent(&[0, 300, 600, 900, 1200]);
        assert_eq!(wait(&sends, 1201), Some(at(3600)), "not only for the spacing");
        assert_eq!(wait(&sends, 1500), Some(at(3600)));
        assert_eq!(wait(&sends, 3600), None);
        assert_eq!(send_to_known(&mut sends, 1201), Ok("reserve"));
        assert_eq!(send_to_known(&mut sends, 1202), Err(at(1231)), "the reserve opens before everybody's share");
        for secs in [1231, 1291, 1411, 1531] {
            assert_eq!(send_to_known(&mut sends, secs), Ok("reserve"), "at {secs}");
        }
        assert_eq!(send_to_known(&mut sends, 1700), Err(at(3600)), "everybody's first send ends before the reserve's");
        assert_eq!(send_to_known(&mut sends, 3600), Ok("everybody"));
    }

    #[test]
    fn a_known_caller_waits_for_its_own_sends_only_and_uses_everybodys_share_first() {
        let mut sends = sent(&[0]);
        assert_eq!(send_to_known(&mut sends, 1), Ok("everybody"));
        assert_eq!(send_to_known(&mut sends, 2), Err(at(31)));
        assert_eq!(wait(&sends, 31), Some(at(61)), "for strangers every send in their share counts");
        for secs in [31, 91, 211] {
            assert_eq!(send_to_known(&mut sends, secs), Ok("everybody"), "at {secs}");
        }
        assert_eq!(send_to_known(&mut sends, 331), Ok("reserve"));
        assert_eq!(wait(&sends, 332), Some(at(3600)), "the reserve does not make strangers wait");
    }

    #[test]
    fn a_refused_send_is_given_back_twice_an_hour_at_most() {
        let record = |sends: &mut Sends, secs| sends.record(PastSend { at: at(secs), known: false, reserve: false });
        let mut sends = sent(&[0]);
        assert!(!sends.refund(at(0), true, at(1)), "it was not a known caller's");
        assert!(sends.refund(at(0), false, at(1)));
        assert_eq!(wait(&sends, 1), None);
        record(&mut sends, 1);
        assert!(sends.refund(at(1), false, at(2)));
        record(&mut sends, 2);
        assert!(!sends.refund(at(2), false, at(3)), "the third stays counted");
        assert_eq!(wait(&sends, 3), Some(at(32)));
        assert!(!sends.refund(at(77), false, at(78)), "a send that was not made is not given back");
        assert!(sends.refund(at(2), false, at(3601)), "an hour later another one may be");
        record(&mut sends, 7201);
        assert_eq!(sends.refunded_at, [], "what is an hour old is forgotten");
    }

    proptest! {
        #[test]
        fn no_asking_gets_past_the_limits_and_no_stranger_uses_up_the_owners(
            requests in prop::collection::vec((0_u64..400, any::<bool>()), 1..200),
        ) {
            let (mut sends, mut now, mut made) = (Sends::default(), 0, Vec::<(u64, PastSend)>::new());
            for (pause, known) in requests {
                now += pause;
                let within = |window, wanted: &dyn Fn(&PastSend) -> bool| {
                    made.iter().filter(|(secs, send)| now - secs < window && wanted(send)).count()
                };
                let own = within(120, &|send| send.known) == 0 && within(3600, &|send| send.known) < 5;
                match sends.next(known, at(now)) {
                    Ok(send) => {
                        sends.record(send);
                        made.push((now, send));
                    }
                    Err(_) => prop_assert!(!(known && own), "a known caller waits for strangers at {now}"),
                }
            }
            for (i, (start, _)) in made.iter().enumerate() {
                let hour: Vec<_> = made.iter().skip(i).filter(|(secs, _)| secs - start < 3600).collect();
                prop_assert!(hour.iter().filter(|(_, send)| !send.reserve).count() <= 5);
                prop_assert!(hour.iter().filter(|(_, send)| send.reserve).count() <= 5);
                prop_assert!(hour.iter().all(|(_, send)| send.known || !send.reserve));
            }
            for known in [false, true] {
                let own: Vec<_> = made.iter().filter(|(_, send)| send.known == known).collect();
                prop_assert!(own.windows(2).all(|pair| pair[1].0 - pair[0].0 >= 30));
            }
        }
    }
}
