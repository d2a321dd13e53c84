//! What messages say, one table a language.

mod ar;
mod de;
mod en;
mod es;
mod fr;
mod it;
mod ja;
mod nl;
mod pl;
mod pt_br;
mod tr;
mod zh_hans;

use std::borrow::Cow;

pub(super) use en::TEXTS as ENGLISH;

use super::{
    locale::Locale,
    template::{Part, parts},
};

/// The longest text, in bytes.
const MAX_BYTES: usize = 500;

macro_rules! texts {
    ($($(#[$doc:meta])* $name:ident as $key:literal, $needed:expr, $allowed:expr;)+) => {
        /// What messages say in one language. A language that lacks a text does not compile.
        #[derive(Clone, Debug)]
        pub(super) struct Texts {
            $($(#[$doc])* pub(super) $name: Cow<'static, str>,)+
        }

        impl Texts {
            /// Puts an operator's text in the place of ours.
            pub(super) fn set(&mut self, key: &str, text: &str) {
                match key {
                    $($key => self.$name = Cow::Owned(text.to_owned()),)+
                    _ => {}
                }
            }

            /// Every text, with its name.
            #[cfg(test)]
            pub(super) fn all(&self) -> impl Iterator<Item = (&'static str, &str)> {
                [$(($key, self.$name.as_ref()),)+].into_iter()
            }
        }

        /// The name of each text, the values that it must have, and those that it may have.
        const FIELDS: &[(&str, &[&str], &[&str])] = &[$(($key, $needed, $allowed),)+];
    };
}

texts! {
    /// The subject and the heading of an e-mail. The code is not in it: subjects show on locked
    /// screens.
    subject as "subject", &["app"], &[];
    /// How long the code is valid. An inbox shows it behind the subject.
    validity as "validity", &["minutes"], &[];
    /// `{minutes}` for a minute.
    one_minute as "oneMinute", &[], &["n"];
    /// The same for two.
    two_minutes as "twoMinutes", &[], &["n"];
    /// The same for three and four.
    few_minutes as "fewMinutes", &["n"], &[];
    /// The same for five to ten.
    minutes as "minutes", &["n"], &[];
    /// Stands above browser, time and network.
    requested as "requested", &[], &[];
    /// The browser and the system that asked for the code.
    device as "device", &[], &[];
    /// When.
    time as "time", &[], &[];
    /// From which network.
    network as "network", &[], &[];
    /// What to do if it was somebody else.
    advice as "advice", &[], &[];
    /// Whom to ask.
    support as "support", &["support"], &[];
    /// The text message, without its last line. It gives the same advice.
    sms as "sms", &["code"], &["app", "n"];
}

/// What we say in a language.
///
/// Only functions that send messages may call it: it carries the tables of all languages.
pub(super) fn ours(locale: Locale) -> &'static Texts {
    match locale {
        Locale::English => &en::TEXTS,
        Locale::German => &de::TEXTS,
        Locale::French => &fr::TEXTS,
        Locale::Spanish => &es::TEXTS,
        Locale::Portuguese => &pt_br::TEXTS,
        Locale::Italian => &it::TEXTS,
        Locale::Dutch => &nl::TEXTS,
        Locale::Polish => &pl::TEXTS,
        Locale::Turkish => &tr::TEXTS,
        Locale::Japanese => &ja::TEXTS,
        Locale::Chinese => &zh_hans::TEXTS,
        Locale::Arabic => &ar::TEXTS,
    }
}

/// The name of the text `key`, if a message with this one says what it must.
pub(super) fn checked(key: &str, text: &str) -> Option<&'static str> {
    let (name, needed, allowed) = FIELDS.iter().find(|(name, ..)| *name == key)?;
    let mut values = parts(text).filter_map(|part| match part {
        Part::Value(name) => Some(name),
        Part::Text(_) => None,
    });
    let is_there = |value: &&str| parts(text).filter(|part| *part == Part::Value(value)).count() == 1;
    let good = !text.trim().is_empty()
        && text.len() <= MAX_BYTES
        && !text.chars().any(char::is_control)
        && needed.iter().all(is_there)
        && values.all(|value| needed.contains(&value) || allowed.contains(&value));
    good.then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_texts_keep_the_rules_for_those_of_operators() {
        for locale in Locale::ALL {
            for (key, text) in ours(locale).all() {
                assert_eq!(checked(key, text), Some(key), "{locale:?} {text}");
            }
        }
    }

    #[test]
    fn a_text_has_the_values_that_it_must_and_no_others() {
        for (key, good, bad) in [
            ("subject", "Code for {app}", ["Code", "{app} {code}", "{app} {app}"]),
            ("sms", "{code}!", ["{app}", "{code} {code}", "{code} {domain}"]),
            ("advice", "Beware.", ["", "Beware {app}", "two\nlines"]),
        ] {
            assert_eq!(checked(key, good), Some(key), "{good}");
            for text in bad {
                assert_eq!(checked(key, text), None, "{text}");
            }
        }
        assert_eq!(checked("greeting", "Hello"), None);
        assert_eq!(checked("advice", &"x".repeat(501)), None);
    }

    #[test]
    fn a_text_of_ours_gives_way_to_that_of_the_operator() {
        for (key, ..) in FIELDS {
            let mut texts = ours(Locale::French).clone();
            texts.set(key, "own");
            for (name, text) in texts.all() {
                assert_eq!(text == "own", name == *key, "{name}");
            }
        }
    }
}
