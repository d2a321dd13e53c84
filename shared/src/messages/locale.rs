//! In which language somebody gets messages.

/// A language that messages are written in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Locale {
    /// English.
    #[default]
    English,
    /// German.
    German,
    /// French.
    French,
    /// Spanish.
    Spanish,
    /// Portuguese of Brazil.
    Portuguese,
    /// Italian.
    Italian,
    /// Dutch.
    Dutch,
    /// Polish.
    Polish,
    /// Turkish.
    Turkish,
    /// Japanese.
    Japanese,
    /// Chinese in simplified characters.
    Chinese,
    /// Arabic.
    Arabic,
}

/// Ranges of a language that we have, but not for these readers: Chinese in traditional characters.
const OTHERS: [&str; 4] = ["zh-hant", "zh-tw", "zh-hk", "zh-mo"];

/// As many ranges of `Accept-Language` are read. Browsers send fewer.
const MOST_RANGES: usize = 32;

impl Locale {
    /// Every language.
    pub const ALL: [Self; 12] = [
        Self::English,
        Self::German,
        Self::French,
        Self::Spanish,
        Self::Portuguese,
        Self::Italian,
        Self::Dutch,
        Self::Polish,
        Self::Turkish,
        Self::Japanese,
        Self::Chinese,
        Self::Arabic,
    ];

    /// Its tag (RFC 5646).
    #[must_use]
    pub const fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
            Self::French => "fr",
            Self::Spanish => "es",
            Self::Portuguese => "pt-BR",
            Self::Italian => "it",
            Self::Dutch => "nl",
            Self::Polish => "pl",
            Self::Turkish => "tr",
            Self::Japanese => "ja",
            Self::Chinese => "zh-Hans",
            Self::Arabic => "ar",
        }
    }

    /// Whether it is written from right to left.
    #[must_use]
    pub const fn is_right_to_left(self) -> bool {
        match self {
            Self::Arabic => true,
            Self::English
            | Self::German
            | Self::French
            | Self::Spanish
            | Self::Portuguese
            | Self::Italian
            | Self::Dutch
            | Self::Polish
            | Self::Turkish
            | Self::Japanese
            | Self::Chinese => false,
        }
    }

    /// The language with exactly this tag.
    #[must_use]
    pub fn of_tag(tag: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|locale| locale.tag() == tag)
    }

    /// The language for exactly this range. Of a language that is written in several ways, we have
    /// one.
    fn of_range(range: &str) -> Option<Self> {
        match range {
            "pt" => Some(Self::Portuguese),
            "zh" => Some(Self::Chinese),
            _ => Self::ALL.into_iter().find(|locale| locale.tag().eq_ignore_ascii_case(range)),
        }
    }

    /// The language for a range such as `de-AT` (the look-up of RFC 4647 3.4): that of the range, or
    /// of the longest beginning of it. Some logins write `de_AT`.
    #[must_use]
    pub fn lookup(range: &str) -> Option<Self> {
        let range = range.replace('_', "-").to_ascii_lowercase();
        let mut rest = range.as_str();
        loop {
            if OTHERS.contains(&rest) {
                return None;
            }
            if let Some(locale) = Self::of_range(rest) {
                return Some(locale);
            }
            (rest, _) = rest.rsplit_once('-')?;
            // A subtag of one letter only introduces the next one.
            if let Some((before, [_])) = rest.rsplit_once('-').map(|(before, last)| (before, last.as_bytes())) {
                rest = before;
            }
        }
    }

    /// The language for what the login token says, or else for the header `Accept-Language`.
    #[must_use]
    pub fn preferred(claim: Option<&str>, accept_language: Option<&str>) -> Option<Self> {
        claim.and_then(Self::lookup).or_else(|| accepted(accept_language?))
    }
}

/// The language for the best range of `Accept-Language` (RFC 9110 12.5.4). `*` asks for nothing.
fn accepted(header: &str) -> Option<Locale> {
    let mut ranges: Vec<_> = header.split(',').take(MOST_RANGES).filter_map(weighted).collect();
    ranges.sort_by_key(|(_, weight)| std::cmp::Reverse(*weight));
    ranges.into_iter().filter(|(_, weight)| *weight > 0).find_map(|(range, _)| Locale::lookup(range))
}

/// A range and its weight in thousandths.
fn weighted(entry: &str) -> Option<(&str, u16)> {
    let mut parts = entry.split(';').map(str::trim);
    let range = parts.next()?;
    let weight = match parts.next().map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q="))) {
        None => 1000,
        Some(written) => thousandths(written?)?,
    };
    Some((range, weight))
}

/// `0.5` as 500. A weight has at most three decimals and is 1 at most.
fn thousandths(text: &str) -> Option<u16> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    if !matches!(whole, "0" | "1") || decimals.len() > 3 || !decimals.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let weight: u16 = format!("{whole}{decimals:0<3}").parse().ok()?;
    (weight <= 1000).then_some(weight)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_finds_the_language_of_its_longest_beginning() {
        for (range, tag) in [
            ("de", Some("de")),
            ("DE-at", Some("de")),
            ("de_AT", Some("de")),
            ("de-Latn-CH-1996", Some("de")),
            ("fr-x-private", Some("fr")),
            ("en-a-bbb-x-a-ccc", Some("en")),
            ("pt", Some("pt-BR")),
            ("pt-PT", Some("pt-BR")),
            ("zh", Some("zh-Hans")),
            ("zh-CN", Some("zh-Hans")),
            ("zh-Hans-SG", Some("zh-Hans")),
            ("zh-TW", None),
            ("zh-Hant-HK", None),
            ("ar-EG", Some("ar")),
            ("deu", None),
            ("d", None),
            ("x-de", None),
            ("*", None),
            ("", None),
            ("-", None),
            ("sv-FI", None),
        ] {
            assert_eq!(Locale::lookup(range).map(Locale::tag), tag, "{range}");
        }
    }

    #[test]
    fn every_language_is_found_by_its_own_tag() {
        for locale in Locale::ALL {
            assert_eq!((Locale::of_tag(locale.tag()), Locale::lookup(locale.tag())), (Some(locale), Some(locale)));
        }
    }

    #[test]
    fn the_header_counts_by_weight_and_then_by_place() {
        for (header, tag) in [
            ("de-AT,de;q=0.9,en;q=0.8", Some("de")),
            ("en;q=0.5, fr;q=0.9", Some("fr")),
            ("it, es", Some("it")),
            ("sv, ja;q=0.1", Some("ja")),
            ("de;q=0, nl;q=0.001", Some("nl")),
            ("de;q=0", None),
            ("*, pl;q=0.5", Some("pl")),
            ("de;q=2, en;q=0.1", Some("en")),
            ("de;q=, en;q=0.1", Some("en")),
            ("de;level=1", None),
            ("tr ; q=1.000", Some("tr")),
            ("", None),
            (",,;", None),
        ] {
            assert_eq!(Locale::preferred(None, Some(header)).map(Locale::tag), tag, "{header}");
        }
    }

    #[test]
    fn the_token_comes_before_the_header_if_we_have_its_language() {
        let of = |claim, header| Locale::preferred(claim, header).map(Locale::tag);
        assert_eq!(of(Some("fr-CA"), Some("de")), Some("fr"));
        assert_eq!(of(Some("sv"), Some("de")), Some("de"));
        assert_eq!(of(None, Some("de")), Some("de"));
        assert_eq!((of(Some("sv"), None), of(None, None)), (None, None));
    }
}
