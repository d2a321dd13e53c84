//! Texts of the operator's own, in place of ours.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    locale::Locale,
    texts::{self, Texts},
};

/// An operator's own texts, by language and name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnTexts(BTreeMap<Locale, NamedTexts>);

/// Texts, each with its name.
type NamedTexts = Vec<(&'static str, String)>;

impl OwnTexts {
    /// Reads a JSON object of languages, each an object of texts by name:
    /// `{"de": {"subject": "Dein Code für {app}"}}`.
    ///
    /// # Errors
    /// The place of what is wrong, such as `de/subject`, but never the text. It is empty if the whole
    /// is no such object.
    pub fn read(json: &Value) -> Result<Self, String> {
        let languages = json.as_object().ok_or_else(String::new)?;
        languages.iter().map(|(tag, texts)| Self::of_language(tag, texts)).collect::<Result<_, _>>().map(Self)
    }

    fn of_language(tag: &str, texts: &Value) -> Result<(Locale, NamedTexts), String> {
        let (locale, texts) = Locale::of_tag(tag).zip(texts.as_object()).ok_or_else(|| tag.to_owned())?;
        let read = |(key, text): (&String, &Value)| {
            let text = text.as_str().and_then(|text| Some((texts::checked(key, text)?, text.to_owned())));
            text.ok_or_else(|| format!("{tag}/{key}"))
        };
        Ok((locale, texts.iter().map(read).collect::<Result<_, _>>()?))
    }

    /// Puts the texts of a language in the place of ours.
    pub(super) fn replace_in(&self, texts: &mut Texts, locale: Locale) {
        for (key, text) in self.0.get(&locale).into_iter().flatten() {
            texts.set(key, text);
        }
    }

    /// The text messages, each with its language.
    pub(super) fn text_messages(&self) -> impl Iterator<Item = (Locale, &str)> {
        let all = self.0.iter().flat_map(|(locale, texts)| texts.iter().map(move |text| (*locale, text)));
        all.filter(|(_, (key, _))| *key == "sms").map(|(locale, (_, text))| (locale, text.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_wrong_is_told_by_its_place() {
        for (json, place) in [
            (json!([]), ""),
            (json!({ "xx": {} }), "xx"),
            (json!({ "pt": {} }), "pt"),
            (json!({ "DE": {} }), "DE"),
            (json!({ "de": [] }), "de"),
            (json!({ "de": { "greeting": "Hallo" } }), "de/greeting"),
            (json!({ "de": { "subject": 1 } }), "de/subject"),
            (json!({ "de": { "advice": "gut", "subject": "ohne Namen" } }), "de/subject"),
        ] {
            assert_eq!(OwnTexts::read(&json), Err(place.to_owned()), "{json}");
        }
        let read = OwnTexts::read(&json!({ "de": { "sms": "{code}" }, "pt-BR": {} })).expect("texts");
        assert_eq!(read.text_messages().collect::<Vec<_>>(), [(Locale::German, "{code}")]);
    }
}
