//! Codes of authenticator apps (RFC 6238), judged by `totp-rs`. What `setup-totp` makes has SHA-1,
//! six digits and 30 s. An imported authenticator may have another variant.

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use totp_rs::{Algorithm, Builder, Totp};
use zeroize::Zeroizing;

use super::{Policy, Timestamp, code::Otp};

/// The hash of an authenticator's codes (RFC 6238 1.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TotpAlgorithm {
    /// SHA-1, which every app knows.
    #[default]
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-512.
    Sha512,
}

impl TotpAlgorithm {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Sha1, Self::Sha256, Self::Sha512];

    /// Its name in an `otpauth` address.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
            Self::Sha512 => "SHA512",
        }
    }

    /// Reads the name that [`Self::as_str`] gives.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.as_str() == text)
    }

    const fn of_generator(self) -> Algorithm {
        match self {
            Self::Sha1 => Algorithm::SHA1,
            Self::Sha256 => Algorithm::SHA256,
            Self::Sha512 => Algorithm::SHA512,
        }
    }
}

/// How many digits an authenticator shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TotpDigits {
    /// Six.
    #[default]
    Six,
    /// Eight.
    Eight,
}

impl TotpDigits {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Six, Self::Eight];

    /// The number.
    #[must_use]
    pub const fn count(self) -> u8 {
        match self {
            Self::Six => 6,
            Self::Eight => 8,
        }
    }

    /// Reads the number that [`Self::count`] gives.
    #[must_use]
    pub fn of_count(count: u64) -> Option<Self> {
        Self::ALL.into_iter().find(|digits| u64::from(digits.count()) == count)
    }

    /// Whether `otp` has as many.
    #[must_use]
    pub fn are_those_of(self, otp: &Otp) -> bool {
        otp.as_str().len() == usize::from(self.count())
    }
}

/// How long an authenticator shows a code: the length of its steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TotpPeriod {
    /// 30 s, which RFC 6238 4.1 recommends.
    #[default]
    Seconds30,
    /// 60 s.
    Seconds60,
}

impl TotpPeriod {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Seconds30, Self::Seconds60];

    /// The number of seconds.
    #[must_use]
    pub const fn as_secs(self) -> u64 {
        match self {
            Self::Seconds30 => 30,
            Self::Seconds60 => 60,
        }
    }

    /// Reads the number that [`Self::as_secs`] gives.
    #[must_use]
    pub fn of_secs(secs: u64) -> Option<Self> {
        Self::ALL.into_iter().find(|period| period.as_secs() == secs)
    }

    /// The step that `now` lies in.
    #[must_use]
    pub const fn step_at(self, now: Timestamp) -> u64 {
        now.as_secs() / self.as_secs()
    }

    /// When a step began.
    #[must_use]
    pub const fn step_began(self, step: u64) -> Timestamp {
        Timestamp::from_secs(step.saturating_mul(self.as_secs()))
    }
}

/// How an authenticator makes its codes. The default is what `setup-totp` makes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct TotpVariant {
    /// The hash.
    pub algorithm: TotpAlgorithm,
    /// The length of a code.
    pub digits: TotpDigits,
    /// The length of a step.
    pub period: TotpPeriod,
}

impl TotpVariant {
    /// Whether it is what `setup-totp` makes.
    #[must_use]
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// What makes codes of this variant, once it has a secret.
    #[must_use]
    pub fn builder(self) -> Builder {
        Builder::new()
            .with_algorithm(self.algorithm.of_generator())
            .with_digits(self.digits.count())
            .with_step_duration(self.period.as_secs())
    }
}

/// `SHA256/8/60`: as it is stored.
impl fmt::Display for TotpVariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { algorithm, digits, period } = self;
        write!(f, "{}/{}/{}", algorithm.as_str(), digits.count(), period.as_secs())
    }
}

/// The text is not that of a variant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a variant of TOTP")]
pub struct UnknownVariant;

impl FromStr for TotpVariant {
    type Err = UnknownVariant;

    fn from_str(text: &str) -> Result<Self, UnknownVariant> {
        let read = || {
            let [algorithm, digits, period] = text.split('/').collect::<Vec<_>>().try_into().ok()?;
            let algorithm = TotpAlgorithm::parse(algorithm)?;
            let (digits, period) = (digits.parse().ok()?, period.parse().ok()?);
            Some(Self { algorithm, digits: TotpDigits::of_count(digits)?, period: TotpPeriod::of_secs(period)? })
        };
        read().ok_or(UnknownVariant)
    }
}

impl Serialize for TotpVariant {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TotpVariant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

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

/// The secret of an authenticator, and how its codes are made of it.
pub struct TotpSecret {
    secret: Zeroizing<Vec<u8>>,
    /// How the codes are made.
    pub variant: TotpVariant,
}

// A stray `{:?}` must not write a secret to a log.
impl fmt::Debug for TotpSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TotpSecret({}, …)", self.variant)
    }
}

impl TotpSecret {
    /// The secret of an authenticator of this variant.
    #[must_use]
    pub const fn new(secret: Zeroizing<Vec<u8>>, variant: TotpVariant) -> Self {
        Self { secret, variant }
    }

    /// The secret itself.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.secret
    }

    /// Judges `otp` by the steps T−1, T and T+1 (clocks of phones:
    /// `docs/decisions/0002-totp-window.md`).
    ///
    /// RFC 6238 5.2: a code works once. "Not equal to the last step" is not enough: after step T
    /// was used, the code of T−1 is still inside the window and would pass. Only steps strictly
    /// later than `last_used` are fresh.
    #[must_use]
    pub fn judge(&self, otp: &Otp, now: Timestamp, last_used: Option<u64>) -> Verdict {
        let generator = self.generator();
        let step = self.variant.period.step_at(now);
        // All three are always computed, so that the time taken tells nothing.
        let matching: Vec<u64> =
            (step.saturating_sub(1)..=step + 1).filter(|step| self.is_code_by(&generator, otp, *step)).collect();
        match matching.iter().find(|&&step| last_used.is_none_or(|last| step > last)) {
            Some(&fresh) => Verdict::Fresh(fresh),
            None if matching.iter().any(|&step| Some(step) == last_used) => Verdict::Replayed,
            None => Verdict::Wrong,
        }
    }

    /// How far a clock is behind whose code a wrong `otp` is: at most ten minutes. Only for the
    /// log. It says nothing of a clock that is ahead: whoever reads the log must not learn which
    /// code counts in a while.
    #[must_use]
    pub fn time_behind(&self, otp: &Otp, now: Timestamp) -> Option<Duration> {
        let (generator, period) = (self.generator(), self.variant.period);
        // All are always computed, so that the time taken tells nothing. A clock that is one step
        // behind is right.
        let matching: Vec<u64> = (2..=Policy::TOTP_BEHIND_TOLD.as_secs() / period.as_secs())
            .filter(|behind| self.is_code_by(&generator, otp, period.step_at(now).saturating_sub(*behind)))
            .collect();
        matching.first().map(|behind| Duration::from_secs(behind * period.as_secs()))
    }

    /// Whether `otp` is the code of exactly `step`.
    #[must_use]
    pub fn is_code_of(&self, otp: &Otp, step: u64) -> bool {
        self.is_code_by(&self.generator(), otp, step)
    }

    fn is_code_by(&self, generator: &Totp, otp: &Otp, step: u64) -> bool {
        generator.check(otp.as_str(), self.variant.period.step_began(step).as_secs()).is_some()
    }

    /// A generator without a window. This module applies the window.
    fn generator(&self) -> Totp {
        self.variant.builder().with_skew(0).with_secret(self.secret.as_slice()).build_noncompliant()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECRET: &[u8] = b"12345678901234567890";
    const DEFAULT: TotpVariant =
        TotpVariant { algorithm: TotpAlgorithm::Sha1, digits: TotpDigits::Six, period: TotpPeriod::Seconds30 };

    fn secret(variant: TotpVariant) -> TotpSecret {
        TotpSecret::new(Zeroizing::new(SECRET.to_vec()), variant)
    }

    fn variants() -> impl Iterator<Item = TotpVariant> {
        let with_digits = |algorithm| TotpDigits::ALL.map(|digits| (algorithm, digits));
        let of = |(algorithm, digits)| TotpPeriod::ALL.map(|period| TotpVariant { algorithm, digits, period });
        TotpAlgorithm::ALL.into_iter().flat_map(with_digits).flat_map(of)
    }

    fn otp(digits: &str) -> Otp {
        let length = u8::try_from(digits.len()).expect("few");
        Otp::parse(digits, length).expect("digits")
    }

    fn code_at(secret: &TotpSecret, secs: u64) -> Otp {
        otp(&secret.generator().generate(secs).to_string())
    }

    fn code_of(secret: &TotpSecret, step: u64) -> Otp {
        code_at(secret, secret.variant.period.step_began(step).as_secs())
    }

    #[test]
    fn the_default_variant_is_what_every_app_makes() {
        assert_eq!(TotpVariant::default(), DEFAULT);
        assert_eq!(variants().filter(TotpVariant::is_default).collect::<Vec<_>>(), [DEFAULT]);
    }

    #[test]
    fn every_variant_is_read_as_it_is_written_and_no_other_text_is_one() {
        let texts: Vec<_> = variants().map(|variant| variant.to_string()).collect();
        assert_eq!(texts.len(), 12);
        assert!(texts.iter().any(|text| text == "SHA256/8/60"), "{texts:?}");
        for (variant, text) in variants().zip(texts) {
            assert_eq!(text.parse(), Ok(variant));
            let json = serde_json::to_value(variant).expect("JSON");
            assert_eq!((json.as_str(), serde_json::from_value(json.clone()).ok()), (Some(&*text), Some(variant)));
        }
        for text in ["", "SHA1", "SHA1/6", "SHA1/6/30/", "sha1/6/30", "MD5/6/30", "SHA1/7/30", "SHA1/6/15", "SHA1//30"]
        {
            assert_eq!(text.parse::<TotpVariant>(), Err(UnknownVariant), "{text:?}");
        }
    }

    #[test]
    fn debug_output_shows_no_secret() {
        assert_eq!(format!("{:?}", secret(DEFAULT)), "TotpSecret(SHA1/6/30, …)");
    }

    #[test]
    fn a_clock_that_is_behind_by_up_to_ten_minutes_is_told_and_none_that_is_ahead() {
        let now = Timestamp::from_secs(1_800_000_007);
        let of_30 = [(30, None), (60, Some(60)), (120, Some(120)), (600, Some(600)), (630, None)];
        let of_60 = [(60, None), (120, Some(120)), (600, Some(600)), (660, None)];
        for (period, cases) in [(TotpPeriod::Seconds30, &of_30[..]), (TotpPeriod::Seconds60, &of_60)] {
            let secret = secret(TotpVariant { period, digits: TotpDigits::Eight, ..DEFAULT });
            for (behind, told) in cases {
                let otp = code_at(&secret, now.as_secs() - behind);
                assert_eq!(secret.time_behind(&otp, now), told.map(Duration::from_secs), "{behind} s of {period:?}");
            }
            for ahead in [60, 120, 600] {
                assert_eq!(secret.time_behind(&code_at(&secret, now.as_secs() + ahead), now), None, "{ahead} s ahead");
            }
        }
    }

    #[test]
    fn the_vectors_of_rfc_4226_appendix_d_hold() {
        let expected =
            ["755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"];
        for (counter, code) in (0..).zip(expected) {
            assert!(secret(DEFAULT).is_code_of(&otp(code), counter), "counter {counter}");
        }
    }

    #[test]
    fn the_vectors_of_rfc_6238_appendix_b_hold() {
        // The secrets are as long as the hash: the digits 1234567890 over and over (erratum 2866).
        let vectors: [(u64, [&str; 3]); 6] = [
            (59, ["94287082", "46119246", "90693936"]),
            (1_111_111_109, ["07081804", "68084774", "25091201"]),
            (1_111_111_111, ["14050471", "67062674", "99943326"]),
            (1_234_567_890, ["89005924", "91819424", "93441116"]),
            (2_000_000_000, ["69279037", "90698825", "38618901"]),
            (20_000_000_000, ["65353130", "77737706", "47863826"]),
        ];
        for (algorithm, length) in TotpAlgorithm::ALL.into_iter().zip([20, 32, 64]) {
            let bytes: Vec<u8> = b"1234567890".iter().copied().cycle().take(length).collect();
            for (time, codes) in vectors {
                let column = TotpAlgorithm::ALL.iter().position(|other| *other == algorithm).expect("it is one");
                let (eight, now) = (codes[column], Timestamp::from_secs(time));
                // Six digits are the last six of eight.
                for (digits, code) in [(TotpDigits::Eight, eight), (TotpDigits::Six, &eight[2..])] {
                    let variant = TotpVariant { algorithm, digits, period: TotpPeriod::Seconds30 };
                    let secret = TotpSecret::new(Zeroizing::new(bytes.clone()), variant);
                    assert_eq!(secret.judge(&otp(code), now, None), Verdict::Fresh(time / 30), "{variant} at {time}");
                }
            }
        }
    }

    #[test]
    fn the_steps_before_and_after_count_and_no_others() {
        for variant in variants() {
            let secret = secret(variant);
            let now = Timestamp::from_secs(100 * variant.period.as_secs() + 7);
            let judged = [98, 99, 100, 101, 102].map(|step| secret.judge(&code_of(&secret, step), now, None));
            let expected =
                [Verdict::Wrong, Verdict::Fresh(99), Verdict::Fresh(100), Verdict::Fresh(101), Verdict::Wrong];
            assert_eq!(judged, expected, "{variant}");
        }
    }

    #[test]
    fn a_step_at_or_before_the_last_used_one_is_never_fresh() {
        for variant in variants() {
            let secret = secret(variant);
            let now = variant.period.step_began(100);
            let judged = [100, 99, 101].map(|step| secret.judge(&code_of(&secret, step), now, Some(100)));
            assert_eq!(judged, [Verdict::Replayed, Verdict::Wrong, Verdict::Fresh(101)], "{variant}");
        }
    }

    #[test]
    fn a_code_of_one_variant_is_wrong_for_every_other() {
        let now = Timestamp::from_secs(1_800_000_007);
        for (own, other) in variants().flat_map(|own| variants().map(move |other| (own, other))) {
            let verdict = secret(other).judge(&code_at(&secret(own), now.as_secs()), now, None);
            assert_eq!(matches!(verdict, Verdict::Fresh(_)), own == other, "{own} for {other}");
        }
    }

    proptest! {
        #[test]
        fn no_step_passes_twice_or_out_of_order(
            variant in prop::sample::select(variants().collect::<Vec<_>>()),
            tries in prop::collection::vec((0_u64..800, 0_u64..16), 1..60),
        ) {
            // Any sequence of times (the clock may even go back) and of codes around them.
            let secret = secret(variant);
            let mut last = None;
            for (time, step) in tries {
                let verdict = secret.judge(&code_of(&secret, step), Timestamp::from_secs(time), last);
                if let Verdict::Fresh(fresh) = verdict {
                    prop_assert!(last.is_none_or(|last| fresh > last));
                    prop_assert!(fresh.abs_diff(time / variant.period.as_secs()) <= 1);
                    last = Some(fresh);
                }
            }
        }
    }
}
