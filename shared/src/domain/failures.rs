//! The budget of wrong answers: one for all factors, sessions and addresses of a user.

use super::{GuessTag, Policy, Refusal, Timestamp};

/// What the ledger remembers of wrong answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Failures {
    /// Wrong answers since the last correct one.
    pub consecutive: u8,
    /// Wrong answers of the long-term budget that are not yet forgiven, as of `forgiven_since`. A
    /// correct answer does not forgive any.
    pub unforgiven: u8,
    /// The next unforgiven answer is forgiven one day after this.
    pub forgiven_since: Timestamp,
    /// How often the lock has doubled, as of the end of the last lock.
    pub lock_level: u8,
    /// When the last lock ends.
    pub locked_until: Timestamp,
    /// The last wrong guess.
    pub last: Option<LastGuess>,
}

/// The last wrong guess, and the 30 seconds in which it was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastGuess {
    /// The keyed hash of the guess.
    pub tag: GuessTag,
    /// The TOTP step of the moment.
    pub step: u64,
}

impl Failures {
    /// Whether so many wrong answers came in a row that no code is judged any more.
    #[must_use]
    pub const fn are_codes_off(&self) -> bool {
        self.consecutive >= Policy::FAILURES_BEFORE_OFF
    }

    /// When codes are judged again, if they are not judged at `now`.
    #[must_use]
    pub fn lock_end(&self, now: Timestamp) -> Option<Timestamp> {
        if self.are_codes_off() {
            return Some(now.plus(Policy::OFF_RETRY_AFTER));
        }
        (self.locked_until > now).then_some(self.locked_until)
    }

    /// The refusal of every code, if codes are not judged at `now`.
    #[must_use]
    pub fn refusal(&self, now: Timestamp) -> Option<Refusal> {
        self.lock_end(now).map(|until| Refusal::Locked { until, guessed: self.last_at() })
    }

    /// When the half minute of the last wrong guess began.
    #[must_use]
    pub fn last_at(&self) -> Option<Timestamp> {
        self.last.as_ref().map(|last| Policy::TOTP.period.step_began(last.step))
    }

    /// Counts one wrong answer, and locks if the budget is spent.
    ///
    /// `weight` is how many secrets it was judged against. With five authenticators fifteen codes
    /// are right at any moment, so such a guess costs the long-term budget as much as five.
    pub fn wrong(&mut self, tag: GuessTag, weight: u8, now: Timestamp) {
        let level = self.level_at(now);
        (self.unforgiven, self.forgiven_since) = self.unforgiven_at(now);
        self.consecutive = self.consecutive.saturating_add(1);
        self.unforgiven = self.unforgiven.saturating_add(weight).min(Policy::MOST_UNFORGIVEN);
        self.last = Some(LastGuess { tag, step: Policy::TOTP.period.step_at(now) });

        // After a first lock a single wrong answer locks again. Otherwise every lock would buy five
        // more guesses.
        let spent =
            self.consecutive >= Policy::FAILURES_BEFORE_LOCK || self.unforgiven > Policy::UNFORGIVEN_BEFORE_LOCK;
        if level > 0 || spent {
            let span = Policy::FIRST_LOCK.saturating_mul(1 << level).min(Policy::LONGEST_LOCK);
            self.locked_until = now.plus(span);
            self.lock_level = (level + 1).min(Policy::HIGHEST_LOCK_LEVEL);
        }
    }

    /// Resets the consecutive count. The lock level and the long-term budget stay: the owner signs
    /// in every day, and would otherwise reopen the door for a guesser every day.
    pub fn right(&mut self) {
        self.consecutive = 0;
        self.last = None;
    }

    /// Ends a lock, and the consecutive count that may have switched codes off. Only a recovery
    /// code does this.
    pub fn unlock(&mut self, now: Timestamp) {
        self.right();
        self.locked_until = self.locked_until.min(now);
    }

    /// How many more wrong answers of this weight are judged until the next lock, by whichever
    /// budget ends first.
    #[must_use]
    pub fn attempts_left(&self, weight: u8, now: Timestamp) -> u8 {
        if self.lock_end(now).is_some() {
            return 0;
        }
        if self.level_at(now) > 0 {
            return 1;
        }
        let in_a_row = Policy::FAILURES_BEFORE_LOCK.saturating_sub(self.consecutive);
        let (unforgiven, _) = self.unforgiven_at(now);
        let long_term = (Policy::UNFORGIVEN_BEFORE_LOCK + 1).saturating_sub(unforgiven).div_ceil(weight.max(1));
        in_a_row.min(long_term).max(1)
    }

    /// Whether this is the last wrong guess again, within the same 30 seconds. Clients resend, and
    /// that is no guess.
    #[must_use]
    pub fn is_repeat(&self, tag: GuessTag, now: Timestamp) -> bool {
        self.last.as_ref().is_some_and(|last| last.tag == tag && last.step == Policy::TOTP.period.step_at(now))
    }

    /// The lock level, which falls by one for each day since the last lock ended.
    fn level_at(&self, now: Timestamp) -> u8 {
        self.lock_level.min(Policy::HIGHEST_LOCK_LEVEL).saturating_sub(days(self.locked_until, now))
    }

    /// The wrong answers that are still unforgiven, and the moment from which the next day counts.
    fn unforgiven_at(&self, now: Timestamp) -> (u8, Timestamp) {
        let forgiven = days(self.forgiven_since, now);
        match self.unforgiven.saturating_sub(forgiven) {
            0 => (0, now),
            left => (left, self.forgiven_since.plus(Policy::LOCK_LEVEL_DECAY * u32::from(forgiven))),
        }
    }
}

fn days(from: Timestamp, to: Timestamp) -> u8 {
    u8::try_from(to.since(from).as_secs() / Policy::LOCK_LEVEL_DECAY.as_secs()).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    const START: Timestamp = Timestamp::from_secs(1_800_000_000);
    const HOUR: Duration = Duration::from_hours(1);
    const DAY: Duration = Duration::from_hours(24);

    fn tag(n: u64) -> GuessTag {
        GuessTag(n.to_be_bytes())
    }

    /// Fails `n` times at `now`.
    fn fail(failures: &mut Failures, n: u64, now: Timestamp) {
        (0..n).for_each(|i| failures.wrong(tag(i), 1, now));
    }

    fn lock_span(failures: &Failures, now: Timestamp) -> Option<u64> {
        failures.lock_end(now).map(|until| until.since(now).as_secs() / 60)
    }

    #[test]
    fn the_fifth_wrong_answer_in_a_row_locks_for_a_quarter_of_an_hour() {
        let mut failures = Failures::default();
        fail(&mut failures, 4, START);
        assert_eq!(lock_span(&failures, START), None);
        fail(&mut failures, 1, START);
        assert_eq!(lock_span(&failures, START), Some(15));
        assert_eq!(failures.lock_end(START.plus(Policy::FIRST_LOCK)), None, "the lock ends with its last second");
    }

    #[test]
    fn a_lock_tells_when_it_ends_and_in_which_half_minute_it_began() {
        let mut failures = Failures::default();
        assert_eq!(failures.refusal(START), None);
        let guessed_at = START.plus(Duration::from_secs(44));
        fail(&mut failures, 5, guessed_at);
        let (until, guessed) = (guessed_at.plus(Policy::FIRST_LOCK), Some(START.plus(Duration::from_secs(30))));
        assert_eq!(failures.refusal(guessed_at), Some(Refusal::Locked { until, guessed }));
        assert_eq!(failures.refusal(until), None);
    }

    #[test]
    fn the_attempts_left_are_those_that_the_next_lock_takes() {
        for (weight, rounds) in [(1, 30_u64), (3, 12), (5, 8)] {
            let mut failures = Failures::default();
            let mut now = START;
            for round in 0..rounds {
                let left = failures.attempts_left(weight, now);
                let taken = (1..=left).find(|n| {
                    failures.wrong(tag(round * 100 + u64::from(*n)), weight, now);
                    failures.lock_end(now).is_some()
                });
                assert_eq!(taken, Some(left), "weight {weight}, round {round}");
                assert_eq!(failures.attempts_left(weight, now), 0);
                now = failures.lock_end(now).expect("locked").plus(DAY * u32::try_from(round % 4).expect("few"));
                failures.right();
            }
        }
    }

    #[test]
    fn a_guess_against_five_authenticators_costs_the_long_term_budget_five() {
        let mut failures = Failures::default();
        for n in 0..3 {
            failures.wrong(tag(n), 5, START);
            assert_eq!(lock_span(&failures, START), None);
            failures.right();
        }
        failures.wrong(tag(3), 5, START);
        assert_eq!(lock_span(&failures, START), Some(15), "the sixteenth unforgiven one locks");
        for n in 4..20 {
            failures.wrong(tag(n), 5, START);
        }
        assert_eq!(failures.unforgiven, Policy::MOST_UNFORGIVEN);
    }

    #[test]
    fn a_right_answer_ends_the_row() {
        let mut failures = Failures::default();
        fail(&mut failures, 4, START);
        failures.right();
        fail(&mut failures, 4, START);
        assert_eq!(lock_span(&failures, START), None);
    }

    #[test]
    fn after_a_lock_each_wrong_answer_locks_twice_as_long_up_to_a_day() {
        let mut failures = Failures::default();
        let mut now = START;
        fail(&mut failures, 4, now);
        for minutes in [15, 30, 60, 120, 240, 480, 960, 1440, 1440] {
            fail(&mut failures, 1, now);
            assert_eq!(lock_span(&failures, now), Some(minutes));
            now = failures.lock_end(now).expect("locked");
            failures.right(); // the owner signs in after each lock, which must not reopen the budget
        }
    }

    #[test]
    fn the_lock_level_falls_by_one_for_each_day_without_a_lock() {
        let mut failures = Failures::default();
        fail(&mut failures, 5, START);
        let free = failures.lock_end(START).expect("locked");
        failures.wrong(tag(9), 1, free);
        assert_eq!(lock_span(&failures, free), Some(30));
        let free = failures.lock_end(free).expect("locked");
        failures.right();

        let mut almost = failures.clone();
        almost.wrong(tag(10), 1, free.plus(DAY * 2));
        assert_eq!(almost.lock_end(free.plus(DAY * 2)), None, "two days: a single wrong answer locks no more");
        failures.wrong(tag(10), 1, free.plus(DAY));
        assert_eq!(lock_span(&failures, free.plus(DAY)), Some(30), "one day: level one is left");
    }

    #[test]
    fn a_hundred_wrong_answers_in_a_row_switch_codes_off() {
        let mut failures = Failures::default();
        let mut now = START;
        for n in 0..100 {
            assert!(failures.consecutive < Policy::FAILURES_BEFORE_OFF);
            failures.wrong(tag(n), 1, now);
            now = now.plus(DAY * 9);
        }
        let later = now.plus(DAY * 365);
        assert_eq!(failures.lock_end(later), Some(later.plus(DAY)));
    }

    #[test]
    fn a_recovery_code_ends_a_lock_and_off_but_not_the_level() {
        let mut failures = Failures::default();
        fail(&mut failures, 5, START);
        failures.unlock(START);
        assert_eq!(failures.lock_end(START), None);
        failures.wrong(tag(9), 1, START);
        assert_eq!(lock_span(&failures, START), Some(30));
        failures.consecutive = 100;
        failures.unlock(START);
        assert_eq!(failures.lock_end(START), None);
    }

    #[test]
    fn only_the_same_guess_in_the_same_thirty_seconds_is_a_repeat() {
        let mut failures = Failures::default();
        failures.wrong(tag(1), 1, START);
        assert!(failures.is_repeat(tag(1), START.plus(Duration::from_secs(29))));
        assert!(!failures.is_repeat(tag(2), START));
        assert!(!failures.is_repeat(tag(1), START.plus(Duration::from_secs(30))));
        failures.right();
        assert!(!failures.is_repeat(tag(1), START));
    }

    /// Plays a year of guessing by `plan` (how many guesses at most in each quarter of an hour),
    /// and the owner signs in every `owner` hours unless a lock keeps them out. Returns the guesses
    /// that were judged.
    fn year(owner: u64, mut plan: impl FnMut(&Failures, Timestamp) -> u64) -> u64 {
        let mut failures = Failures::default();
        let mut judged = 0;
        for quarter in 0..(365 * 24 * 4) {
            let now = START.plus(Policy::FIRST_LOCK * quarter);
            for _ in 0..plan(&failures, now) {
                if failures.lock_end(now).is_none() {
                    judged += 1;
                    failures.wrong(tag(judged), 1, now);
                }
            }
            if u64::from(quarter) % (owner * 4) == 0 && failures.lock_end(now).is_none() {
                failures.right();
            }
        }
        judged
    }

    #[test]
    fn a_greedy_and_a_patient_guesser_get_at_most_400_guesses_a_year() {
        let greedy = year(24, |_, _| 1000);
        let patient = year(24, |failures, _| 4_u64.saturating_sub(u64::from(failures.consecutive)));
        let careful = year(24, |failures, now| {
            u64::from(failures.level_at(now) == 0 && failures.consecutive < 4 && failures.unforgiven_at(now).0 < 15)
        });
        let eight_hourly = year(8, |_, _| 1000);
        for judged in [greedy, patient, careful, eight_hourly] {
            assert!(judged <= 400, "greedy {greedy}, patient {patient}, careful {careful}, 8-hourly {eight_hourly}");
        }
        assert!(careful > 300, "the careful one is bounded by the long-term budget alone: {careful}");
        let no_owner = year(1_000_000, |_, _| 1000);
        assert!(no_owner <= 101, "without the owner: {no_owner}");
    }

    proptest! {
        #[test]
        fn no_plan_of_guessing_gets_more_than_the_bound(
            steps in prop::collection::vec((1_u64..200, 0_u64..8, any::<bool>()), 1..300),
        ) {
            // Any pauses (in hours), any bursts, the owner signing in at any time.
            let mut failures = Failures::default();
            let (mut now, mut judged) = (START, 0_u64);
            for (pause, burst, owner) in steps {
                now = now.plus(HOUR * u32::try_from(pause).unwrap_or(0));
                for _ in 0..burst {
                    if failures.lock_end(now).is_none() {
                        judged += 1;
                        failures.wrong(tag(judged), 1, now);
                    }
                }
                if owner && failures.lock_end(now).is_none() {
                    failures.right();
                }
            }
            let days = now.since(START).as_secs() / 86_400;
            prop_assert!(judged <= 23 + days + 1, "{judged} guesses in {days} days");
        }
    }
}
