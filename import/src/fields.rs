//! The fields of a JSON object, read by hand so that a problem names the field and never shows its
//! value, which may be a secret.

use serde_json::{Map, Value};

use crate::Problem;

/// An object, and where it stands in its row.
#[derive(Clone, Debug)]
pub(crate) struct Fields<'a> {
    object: &'a Map<String, Value>,
    path: String,
}

impl<'a> Fields<'a> {
    /// The fields of a value that must be an object. `path` is empty for the row itself.
    pub(crate) fn of(value: &'a Value, path: &str) -> Result<Self, Problem> {
        let what = || if path.is_empty() { "the row".to_owned() } else { format!("`{path}`") };
        let object = value.as_object().ok_or_else(|| Problem::NotAnObject(what()))?;
        Ok(Self { object, path: path.to_owned() })
    }

    /// The name of a field as a problem shows it.
    fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    fn get<T>(
        &self,
        name: &str,
        expected: &'static str,
        read: impl Fn(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, Problem> {
        match self.object.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => {
                let wrong = || Problem::WrongType { field: self.path_of(name), expected };
                read(value).map(Some).ok_or_else(wrong)
            }
        }
    }

    pub(crate) fn missing(&self, name: &str) -> Problem {
        Problem::Missing(self.path_of(name))
    }

    pub(crate) fn text(&self, name: &str) -> Result<Option<&'a str>, Problem> {
        self.get(name, "a text", Value::as_str)
    }

    pub(crate) fn number(&self, name: &str) -> Result<Option<u64>, Problem> {
        self.get(name, "a whole number", Value::as_u64)
    }

    pub(crate) fn signed(&self, name: &str) -> Result<Option<i64>, Problem> {
        self.get(name, "a whole number", Value::as_i64)
    }

    pub(crate) fn count(&self, name: &str) -> Result<Option<u32>, Problem> {
        self.get(name, "a whole number", |value| value.as_u64()?.try_into().ok())
    }

    pub(crate) fn flag(&self, name: &str) -> Result<Option<bool>, Problem> {
        self.get(name, "true or false", Value::as_bool)
    }

    pub(crate) fn list(&self, name: &str) -> Result<&'a [Value], Problem> {
        let list = self.get(name, "a list", |value| value.as_array().map(Vec::as_slice))?;
        Ok(list.unwrap_or_default())
    }

    pub(crate) fn object(&self, name: &str) -> Result<Option<Self>, Problem> {
        let value = self.object.get(name).filter(|value| !value.is_null());
        value.map(|value| Self::of(value, &self.path_of(name))).transpose()
    }

    /// The objects of a list.
    pub(crate) fn objects(&self, name: &str) -> Result<Vec<Self>, Problem> {
        let of = |(n, value)| Self::of(value, &format!("{}[{n}]", self.path_of(name)));
        self.list(name)?.iter().enumerate().map(of).collect()
    }

    /// A user id: a text, or a whole number, which counts as its digits, as in a login token.
    pub(crate) fn id(&self, name: &str) -> Result<Option<String>, Problem> {
        self.get(name, "a text or a whole number", |value| match value {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) if number.is_u64() || number.is_i64() => Some(number.to_string()),
            _ => None,
        })
    }

    /// Refuses every field but these: a misspelt one would be lost.
    pub(crate) fn only(&self, names: &[&'static str]) -> Result<(), Problem> {
        match self.object.keys().find(|name| !names.contains(&name.as_str())) {
            None => Ok(()),
            Some(name) => Err(unknown(&self.path_of(name), name, names)),
        }
    }
}

/// The problem of a name that is none of `names`.
pub(crate) fn unknown(path: &str, name: &str, names: &[&'static str]) -> Problem {
    let distance = |known: &&&str| strsim::damerau_levenshtein(&known.to_lowercase(), &name.to_lowercase());
    let nearest = names.iter().min_by_key(distance).filter(|known| distance(known) <= (name.len() / 3).max(1)).copied();
    // If the file is another one than it seems, it may be anything, also a secret: 10 bytes of one take
    // 16 characters at least.
    let is_shown = nearest.is_some() || name.chars().count() < 16;
    let shown = || path.chars().filter(|c| !c.is_control()).take(40).collect();
    let name = if is_shown { shown() } else { "?".to_owned() };
    Problem::UnknownField { name, nearest }
}
