//! What people type and paste: codes come out of messages, password managers and PDFs with spaces,
//! dashes and marks that nobody sees, and in the digits of the person's own script.

use icu_properties::{CodePointMapData, props::GeneralCategory};
use zeroize::Zeroizing;

/// The longest text that is read, in bytes. Decorations make a code longer.
pub const MAX_PASTED: usize = 512;

/// The characters of a text that count, in ASCII where they are digits of another script or the wide
/// letters of East Asian keyboards. White space, dashes and invisible format characters (Unicode
/// `Cf`) are dropped. It may be a secret.
#[must_use]
pub fn plain(text: &str) -> Zeroizing<String> {
    Zeroizing::new(text.chars().filter(|c| !is_decoration(*c)).map(as_ascii).collect())
}

/// Whether nothing of a text counts.
#[must_use]
pub fn is_blank(text: &str) -> bool {
    text.chars().all(is_decoration)
}

fn category(c: char) -> GeneralCategory {
    CodePointMapData::<GeneralCategory>::new().get(c)
}

/// Whether nobody means this character: white space, a dash, an invisible format character.
#[must_use]
pub fn is_decoration(c: char) -> bool {
    if c.is_ascii() {
        return c.is_whitespace() || c == '-';
    }
    // The last are dashes in effect: minus, hyphen bullet, and the mark of a long vowel.
    c.is_whitespace()
        || matches!(category(c), GeneralCategory::Format | GeneralCategory::DashPunctuation)
        || matches!(c, '\u{2212}' | '\u{2043}' | '\u{30fc}' | '\u{ff70}')
}

/// A digit of any script, or a wide form of an ASCII character (U+FF01 to U+FF5E), as ASCII.
pub(super) fn as_ascii(c: char) -> char {
    match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
        _ => as_ascii_digit(c),
    }
}

/// The value of a decimal digit as ASCII. Unicode keeps the ten digits of a script in a row, from
/// zero to nine (chapter 4.6), so their place in the row tells it.
fn as_ascii_digit(c: char) -> char {
    let is_digit = |c: char| category(c) == GeneralCategory::DecimalNumber;
    if c.is_ascii() || !is_digit(c) {
        return c;
    }
    let before = (0..u32::from(c)).rev().map_while(|point| char::from_u32(point).filter(|c| is_digit(*c)));
    let place = before.count() % 10;
    u32::try_from(place).ok().and_then(|place| char::from_digit(place, 10)).unwrap_or(c)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::{code::Otp, recovery::RecoveryCode};

    /// What clipboards, keyboards and messages put between and around characters.
    const DECORATIONS: [char; 23] = [
        ' ', '-', '\t', '\n', '\r', '\u{a0}', '\u{2009}', '\u{202f}', '\u{3000}', '\u{2028}', '\u{2010}', '\u{2011}',
        '\u{2013}', '\u{2014}', '\u{2212}', '\u{2043}', '\u{30fc}', '\u{ff70}', '\u{fe63}', '\u{200b}', '\u{200f}',
        '\u{2060}', '\u{feff}',
    ];
    /// The zeros of five scripts and of a mathematical alphabet.
    const ZEROS: [char; 6] = ['0', '\u{660}', '\u{6f0}', '\u{966}', '\u{ff10}', '\u{1d7d8}'];

    /// The text with decorations between its characters, and with its digits in these scripts.
    fn decorated(text: &str, between: &[Vec<char>], scripts: &[usize]) -> String {
        let mut made = String::new();
        for (n, c) in text.chars().enumerate() {
            made.extend(&between[n % between.len()]);
            let zero = u32::from(ZEROS[scripts[n % scripts.len()]]);
            let digit = c.to_digit(10).and_then(|digit| char::from_u32(zero + digit));
            let wide = char::from_u32(u32::from(c) + 0xfee0).filter(|_| c.is_ascii_alphabetic() && n % 2 == 1);
            made.push(digit.or(wide).unwrap_or(c));
        }
        made.extend(&between[0]);
        made
    }

    proptest! {
        #[test]
        fn however_a_code_is_decorated_it_is_the_same_code(
            number in 0..1_000_000_u32,
            bytes in any::<[u8; 15]>(),
            between in prop::collection::vec(prop::collection::vec(prop::sample::select(&DECORATIONS[..]), 0..4), 1..8),
            scripts in prop::collection::vec(0..ZEROS.len(), 1..7),
        ) {
            let clean = format!("{number:06}");
            let otp = Otp::parse(&decorated(&clean, &between, &scripts), 6);
            prop_assert_eq!(otp.as_ref().map(Otp::as_str), Some(clean.as_str()));
            let code = RecoveryCode::from_random(bytes);
            let read = RecoveryCode::parse(&decorated(&code.to_text(), &between, &scripts)).expect("a code");
            prop_assert_eq!(read.as_bytes(), code.as_bytes());
        }
    }

    #[test]
    fn every_decimal_digit_of_unicode_has_its_value() {
        let digits: Vec<_> = ('\u{80}'..=char::MAX).filter(|c| as_ascii_digit(*c) != *c).collect();
        assert!(digits.len() > 600 && digits.len() % 10 == 0, "{}", digits.len());
        for row in digits.chunks(10) {
            let row: String = row.iter().map(|c| as_ascii_digit(*c)).collect();
            assert_eq!(row, "0123456789");
        }
    }

    #[test]
    fn what_counts_stays() {
        for text in ["12a", "+1", "1.5", "½", "Ⅳ", "一", "\u{0}1", "é"] {
            assert_eq!(plain(text).as_str(), text);
        }
    }

    #[test]
    fn a_text_of_decorations_alone_is_blank() {
        for blank in ["", " ", "-", &DECORATIONS.iter().collect::<String>()] {
            assert!(is_blank(blank), "{blank:?}");
        }
        for text in ["0", " - a", "\u{200b}\u{660}"] {
            assert!(!is_blank(text), "{text:?}");
        }
    }
}
