//! Codes of digits: those that are sent, and those that come back.

use std::fmt;

use super::pasted::{self, MAX_PASTED};

/// A code as a person typed it, without separators and of the expected length.
#[derive(Clone, PartialEq, Eq)]
pub struct Otp(String);

impl Otp {
    /// Reads a code of `length` digits, as people paste it ([`pasted::plain`]). Anything else is
    /// `None`. It cannot be a code, so it is not counted as a guess.
    #[must_use]
    pub fn parse(text: &str, length: u8) -> Option<Self> {
        if text.len() > MAX_PASTED {
            return None;
        }
        let digits = pasted::plain(text);
        let good = digits.len() == usize::from(length) && digits.bytes().all(|b| b.is_ascii_digit());
        good.then(|| Self(digits.as_str().to_owned()))
    }

    /// A new code from a random number, or `None` if the number must be drawn again.
    ///
    /// 2⁶⁴ is no multiple of 10ⁿ: the numbers past the last full multiple would favour small codes.
    #[must_use]
    pub fn from_random(random: u64, length: u8) -> Option<Self> {
        let codes = 10_u64.pow(u32::from(length));
        let usable = (u64::MAX / codes) * codes;
        (random < usable).then(|| Self(format!("{:0width$}", random % codes, width = usize::from(length))))
    }

    /// The digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

// A stray `{:?}` must not write a code to a log.
impl fmt::Debug for Otp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Otp(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_digits_of_the_right_number_and_grouping_is_forgiven() {
        let parse = |text: &str| Otp::parse(text, 6).map(|otp| otp.0);
        assert_eq!(parse("012345"), Some("012345".into()));
        assert_eq!(parse(" 012 345 "), Some("012345".into()));
        assert_eq!(parse("012-345"), Some("012345".into()));
        for bad in ["", "12345", "1234567", "12345a", "+12345", "12345\0", "0x1234"] {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
        assert!(parse(&format!("{}123456", " ".repeat(MAX_PASTED - 6))).is_some());
        assert_eq!(parse(&format!("{}123456", " ".repeat(MAX_PASTED - 5))), None, "bounded");
    }

    #[test]
    fn debug_output_shows_no_code() {
        assert_eq!(format!("{:?}", Otp::parse("123456", 6)), "Some(Otp(…))");
    }

    #[test]
    fn the_first_and_the_last_code_are_reachable_and_leading_zeros_are_kept() {
        assert_eq!(Otp::from_random(0, 6).map(|o| o.0), Some("000000".into()));
        assert_eq!(Otp::from_random(999_999, 6).map(|o| o.0), Some("999999".into()));
        assert_eq!(Otp::from_random(1_000_042, 6).map(|o| o.0), Some("000042".into()));
        assert_eq!(Otp::from_random(9_999_999_999, 10).map(|o| o.0), Some("9999999999".into()));
    }

    #[test]
    fn a_number_past_the_last_full_multiple_is_drawn_again() {
        let usable = (u64::MAX / 1_000_000) * 1_000_000;
        assert!(Otp::from_random(usable - 1, 6).is_some());
        assert_eq!(Otp::from_random(usable, 6), None);
        assert_eq!(Otp::from_random(u64::MAX, 6), None);
    }

    #[test]
    fn a_million_codes_are_uniform_by_chi_square() {
        // 100 bins over 10⁶ codes; with 99 degrees of freedom a value above 160 has a chance below
        // 10⁻⁴.
        let mut bins = [0_u32; 100];
        for _ in 0..1_000_000 {
            let code = loop {
                let random = crate::random::number().expect("the test needs randomness");
                if let Some(code) = Otp::from_random(random, 6) {
                    break code;
                }
            };
            let bin: usize = code.as_str()[..2].parse().expect("digits");
            bins[bin] += 1;
        }
        let chi: f64 = bins.iter().map(|&n| (f64::from(n) - 10_000.0).powi(2) / 10_000.0).sum();
        assert!(chi < 160.0, "chi-square {chi}");
    }
}
