//! Codes of authenticator apps: RFC 6238 with SHA-1, six digits, 30 s, judged by `totp-rs`.

use totp_rs::{Builder, Totp};

use super::{Policy, Timestamp, code::Otp};

/// What a TOTP code is worth for one secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is the code of this step, which is later than every used one.
    Fresh(u64),
    /// It is the code that was used last.
    Replayed,
    /// It is not one of the codes that count now.
    Wrong,
}

/// Judges `otp` by the steps T−1, T and T+1 (clocks of phones:
/// `docs/decisions/0002-totp-window.md`).
///
/// RFC 6238 5.2: a code works once. "Not equal to the last step" is not enough: after step T was
/// used, the code of T−1 is still inside the window and would pass. Only steps strictly later than
/// `last_used` are fresh.
#[must_use]
pub fn judge(secret: &[u8], otp: &Otp, now: Timestamp, last_used: Option<u64>) -> Verdict {
    let totp = generator(secret);
    let step = step_at(now);
    // All three are always computed, so that the time taken tells nothing.
    let matching: Vec<u64> = (step.saturating_sub(1)..=step + 1)
        .filter(|step| totp.check(otp.as_str(), step * Policy::TOTP_STEP.as_secs()).is_some())
        .collect();
    match matching.iter().find(|&&step| last_used.is_none_or(|last| step > last)) {
        Some(&fresh) => Verdict::Fresh(fresh),
        None if matching.iter().any(|&step| Some(step) == last_used) => Verdict::Replayed,
        None => Verdict::Wrong,
    }
}

/// By how many steps a clock is behind whose code a wrong `otp` is: at most ten minutes. Only for the
/// log. It says nothing of a clock that is ahead: whoever reads the log must not learn which code
/// counts in a while.
#[must_use]
pub fn steps_behind(secret: &[u8], otp: &Otp, now: Timestamp) -> Option<u64> {
    let totp = generator(secret);
    // All are always computed, so that the time taken tells nothing. A clock that is one step behind
    // is right.
    let matching: Vec<u64> = (2..=Policy::TOTP_STEPS_BEHIND_TOLD)
        .filter(|behind| {
            let step = step_at(now).saturating_sub(*behind);
            totp.check(otp.as_str(), step * Policy::TOTP_STEP.as_secs()).is_some()
        })
        .collect();
    matching.first().copied()
}

/// Whether `otp` is the code of exactly `step`.
#[must_use]
pub fn is_code_of(secret: &[u8], otp: &Otp, step: u64) -> bool {
    generator(secret).check(otp.as_str(), step.saturating_mul(Policy::TOTP_STEP.as_secs())).is_some()
}

/// The step that `now` lies in.
#[must_use]
pub const fn step_at(now: Timestamp) -> u64 {
    now.as_secs() / Policy::TOTP_STEP.as_secs()
}

/// When a step began.
#[must_use]
pub const fn step_began(step: u64) -> Timestamp {
    Timestamp::from_secs(step.saturating_mul(Policy::TOTP_STEP.as_secs()))
}

/// A generator without a window. This module applies the window.
fn generator(secret: &[u8]) -> Totp {
    Builder::new()
        .with_digits(Policy::TOTP_DIGITS)
        .with_skew(0)
        .with_step_duration(Policy::TOTP_STEP.as_secs())
        .with_secret(secret)
        .build_noncompliant()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECRET: &[u8] = b"12345678901234567890";

    #[test]
    fn a_clock_that_is_behind_by_up_to_ten_minutes_is_told_and_none_that_is_ahead() {
        let now = Timestamp::from_secs(1_800_000_007);
        let code_at = |secs: u64| otp(&generator(SECRET).generate(secs).to_string());
        for (behind, told) in [(30, None), (60, Some(2)), (120, Some(4)), (600, Some(20)), (630, None)] {
            assert_eq!(steps_behind(SECRET, &code_at(now.as_secs() - behind), now), told, "{behind} s behind");
        }
        for ahead in [30, 60, 120, 600] {
            assert_eq!(steps_behind(SECRET, &code_at(now.as_secs() + ahead), now), None, "{ahead} s ahead");
        }
    }

    fn otp(digits: &str) -> Otp {
        Otp::parse(digits, 6).expect("six digits")
    }

    fn code_of(step: u64) -> Otp {
        otp(&generator(SECRET).generate(step * 30).to_string())
    }

    #[test]
    fn the_vectors_of_rfc_4226_appendix_d_hold() {
        let expected =
            ["755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"];
        for (counter, code) in (0..).zip(expected) {
            assert!(is_code_of(SECRET, &otp(code), counter), "counter {counter}");
        }
    }

    #[test]
    fn the_sha_1_vectors_of_rfc_6238_appendix_b_hold() {
        // The RFC prints eight digits; six are its last six.
        let vectors: [(u64, &str); 6] = [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ];
        for (time, code) in vectors {
            let now = Timestamp::from_secs(time);
            assert_eq!(judge(SECRET, &otp(code), now, None), Verdict::Fresh(time / 30), "at {time}");
        }
    }

    #[test]
    fn the_steps_before_and_after_count_and_no_others() {
        let now = Timestamp::from_secs(100 * 30 + 7);
        assert_eq!(judge(SECRET, &code_of(98), now, None), Verdict::Wrong);
        assert_eq!(judge(SECRET, &code_of(99), now, None), Verdict::Fresh(99));
        assert_eq!(judge(SECRET, &code_of(100), now, None), Verdict::Fresh(100));
        assert_eq!(judge(SECRET, &code_of(101), now, None), Verdict::Fresh(101));
        assert_eq!(judge(SECRET, &code_of(102), now, None), Verdict::Wrong);
    }

    #[test]
    fn a_step_at_or_before_the_last_used_one_is_never_fresh() {
        let now = Timestamp::from_secs(100 * 30);
        assert_eq!(judge(SECRET, &code_of(100), now, Some(100)), Verdict::Replayed);
        assert_eq!(judge(SECRET, &code_of(99), now, Some(100)), Verdict::Wrong);
        assert_eq!(judge(SECRET, &code_of(101), now, Some(100)), Verdict::Fresh(101));
    }

    proptest! {
        #[test]
        fn no_step_passes_twice_or_out_of_order(tries in prop::collection::vec((0_u64..400, 0_u64..16), 1..60)) {
            // Any sequence of times (the clock may even go back) and of codes around them.
            let mut last = None;
            for (time, step) in tries {
                let verdict = judge(SECRET, &code_of(step), Timestamp::from_secs(time), last);
                if let Verdict::Fresh(fresh) = verdict {
                    prop_assert!(last.is_none_or(|last| fresh > last));
                    prop_assert!(fresh.abs_diff(time / 30) <= 1);
                    last = Some(fresh);
                }
            }
        }
    }
}
