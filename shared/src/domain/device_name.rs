use std::fmt;

/// The name of an authenticator in its owner's list: of 1 to 128 characters, none of which is a
/// control character or a `:`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DeviceName(String);

impl DeviceName {
    /// The longest name that is read, in characters.
    pub const LONGEST: usize = 128;

    /// Reads a name. `None` if it is too long or holds a control character, or if nothing of it is
    /// left ([`plain_name`]).
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_allowed = text.chars().count() <= Self::LONGEST && !text.chars().any(char::is_control);
        is_allowed.then(|| plain_name(text)).flatten().map(Self)
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The name of an authenticator that nobody named.
impl Default for DeviceName {
    fn default() -> Self {
        Self("Authenticator".to_owned())
    }
}

impl fmt::Display for DeviceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A name without `:`, which separates issuer and account in an `otpauth` address. `None` if
/// nothing is left.
#[must_use]
pub fn plain_name(text: &str) -> Option<String> {
    let plain: String = text.replace(':', " ").chars().filter(|c| !c.is_control()).collect();
    Some(plain.trim().to_owned()).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_short_visible_and_without_colons() {
        let parse = |text: &str| DeviceName::parse(text).map(|name| name.to_string());
        assert_eq!(parse(" Alice's: phone "), Some("Alice's  phone".to_owned()));
        assert_eq!(parse(&"ä".repeat(128)), Some("ä".repeat(128)));
        for bad in ["", "  ", ":", "a\nb", "\u{0}", &"ä".repeat(129)] {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
        assert_eq!(parse(DeviceName::default().as_str()), Some("Authenticator".to_owned()));
    }
}
