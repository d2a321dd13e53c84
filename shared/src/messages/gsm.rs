//! How much of a text message a text takes (3GPP TS 23.038).

/// Characters of GSM 03.38 that fit into one text message.
pub const SMS_SEGMENT: usize = 160;

/// What fits of a text with a character that GSM 03.38 lacks, in units of UCS-2.
pub const SMS_SEGMENT_UCS2: usize = 70;

/// Whether a text message with this text is one segment, which is what a price is for.
#[must_use]
pub fn is_one_segment(text: &str) -> bool {
    gsm7_septets(text).map_or_else(|| text.encode_utf16().count() <= SMS_SEGMENT_UCS2, |septets| septets <= SMS_SEGMENT)
}

/// How many characters of a text message `text` takes. `None` if the basic alphabet and its
/// extension lack one of its characters: a single one more than halves what a message holds. Phones
/// know national alphabets too, but SNS sends none.
#[must_use]
pub fn gsm7_septets(text: &str) -> Option<usize> {
    const BEYOND_ASCII: &str = "¡£¤¥§¿ÄÅÆÇÉÑÖØÜßàäåæèéìñòöøùüΓΔΘΛΞΠΣΦΨΩ";
    const EXTENDED: &str = "^{}\\[~]|€";
    let of_ascii = |c| matches!(c, '\n' | '\r' | ' '..='Z' | '_' | 'a'..='z');
    text.chars().try_fold(0, |septets, c| {
        if of_ascii(c) || BEYOND_ASCII.contains(c) {
            Some(septets + 1)
        } else {
            EXTENDED.contains(c).then_some(septets + 2)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gsm_alphabet_counts_extended_characters_twice_and_knows_no_others() {
        assert_eq!(gsm7_septets("Äpfel @ 1£"), Some(10));
        assert_eq!(gsm7_septets("{€}"), Some(6));
        assert_eq!(gsm7_septets("日本"), None);
        assert_eq!(gsm7_septets("a\u{0}"), None);
        for of_a_national_alphabet in ["ş", "ç", "á", "ã", "ł"] {
            assert_eq!(gsm7_septets(of_a_national_alphabet), None, "{of_a_national_alphabet}");
        }
    }

    #[test]
    fn the_alphabet_is_that_of_the_standard() {
        let of_size = |septets| {
            let all = (0..=u32::from(char::MAX)).filter_map(char::from_u32);
            all.filter(|c| gsm7_septets(c.encode_utf8(&mut [0; 4])) == Some(septets)).collect::<String>()
        };
        // All 128 but the escape, which begins an extended character. The form feed is left out of those.
        let basic = "\n\r !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz\
                     ¡£¤¥§¿ÄÅÆÇÉÑÖØÜßàäåæèéìñòöøùüΓΔΘΛΞΠΣΦΨΩ";
        assert_eq!((of_size(1).as_str(), basic.chars().count()), (basic, 127));
        assert_eq!(of_size(2), "[\\]^{|}~€");
    }

    #[test]
    fn a_segment_has_160_septets_or_70_units() {
        for (unit, most) in [("a", 160), ("€", 80), ("日", 70), ("😀", 35)] {
            assert!(is_one_segment(&unit.repeat(most)), "{unit}");
            assert!(!is_one_segment(&unit.repeat(most + 1)), "{unit}");
        }
    }
}
