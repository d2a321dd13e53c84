use std::{borrow::Cow, collections::BTreeMap};

use super::Variables;

/// The variable that holds others.
pub(super) const NAME: &str = "MFA_SETTINGS";

/// Every function gets all settings, and no function gets a secret that it does not use.
const SECRETS: [&str; 5] = ["MFA_HASH_KEY", "MFA_JWT_SECRET", "MFA_LOGINS", "MFA_SEALING_KEYS", "MFA_SIGNING_KEY"];

/// The variables, with those that stand together in `MFA_SETTINGS`, and what is wrong with that.
///
/// A name that is there by itself, even with an empty value, has a place of its own in the template.
/// What depends on it there, such as a permission, would not follow `MFA_SETTINGS`.
pub(super) fn expand(vars: &Variables) -> (Cow<'_, Variables>, Vec<String>) {
    let Some(text) = vars.get(NAME).filter(|text| !text.trim().is_empty()) else {
        return (Cow::Borrowed(vars), Vec::new());
    };
    let mut all = vars.clone();
    all.remove(NAME);
    let mut faults = Vec::new();
    let entries = entries(text).unwrap_or_else(|| {
        faults.push(
            "must be entries such as `MFA_REQUIRED=true`, with white space between them, each name once".to_owned(),
        );
        BTreeMap::new()
    });
    for (name, value) in entries {
        if SECRETS.contains(&name) || value.contains("PRIVATE KEY") {
            faults.push(format!("holds {name}, and every function reads it: secrets stand in Secrets Manager"));
        } else if vars.contains_key(name) {
            faults.push(format!("holds {name}, which is a parameter or variable of its own"));
        } else {
            all.insert(name.to_owned(), value.to_owned());
        }
    }
    (Cow::Owned(all), faults)
}

/// The entries `MFA_NAME=value`. A value goes on to the next entry, so it may hold blanks, and a form
/// that turns lines into one changes nothing.
fn entries(text: &str) -> Option<BTreeMap<&str, &str>> {
    let begins: Vec<_> = text.match_indices("MFA_").map(|(place, _)| place).filter(|at| is_begin(text, *at)).collect();
    if !text.get(..begins.first().copied().unwrap_or(text.len()))?.trim().is_empty() {
        return None;
    }
    let ends = begins.iter().skip(1).copied().chain([text.len()]);
    let mut entries = BTreeMap::new();
    for (begin, end) in begins.iter().zip(ends) {
        let (name, value) = text.get(*begin..end)?.split_once('=')?;
        if entries.insert(name, value.trim()).is_some() {
            return None;
        }
    }
    Some(entries)
}

/// Whether an entry begins here: after white space, with a name and an equals sign.
fn is_begin(text: &str, at: usize) -> bool {
    let (before, rest) = text.split_at(at);
    let is_plain = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    !before.ends_with(|c: char| !c.is_whitespace()) && rest.trim_start_matches(is_plain).starts_with('=')
}
