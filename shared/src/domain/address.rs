//! Where a code can be sent to.

use std::fmt;

use super::{Method, Policy};

/// An e-mail address as the token gives it, not longer than RFC 5321 4.5.3.1.3 allows (254 bytes).
#[derive(Clone, PartialEq, Eq)]
pub struct Email(String);

impl Email {
    /// Reads an address: one `@` with something before and a dotted or plain host behind, printable
    /// ASCII or letters of any script, no blanks. Anything else is `None`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (local, host) = text.rsplit_once('@')?;
        let plain = |c: char| !c.is_control() && !c.is_whitespace() && !matches!(c, '<' | '>' | ',' | ';' | '"' | '\\');
        let good = !local.is_empty()
            && local.len() <= 64
            && !local.contains('@')
            && !host.is_empty()
            && !host.starts_with(['.', '-'])
            && text.len() <= 254
            && text.chars().all(plain);
        good.then(|| Self(text.to_owned()))
    }

    /// The address as the token spells it, which codes are sent to.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form that limits and proofs use: `Alice@Example.com` and `alice@example.com` are one
    /// mailbox.
    #[must_use]
    pub fn normalised(&self) -> String {
        // ASCII only: Unicode folds the Kelvin sign to `k`, and another mailbox would pass for this
        // one.
        self.0.to_ascii_lowercase()
    }

    /// `a***@example.com`: its owner recognises it, and nobody else learns it.
    #[must_use]
    pub fn masked(&self) -> String {
        let (local, host) = self.0.rsplit_once('@').unwrap_or((&self.0, ""));
        let first: String = local.chars().take(1).collect();
        format!("{first}***@{host}")
    }
}

/// A phone number in E.164 form: `+`, then 8 to 15 digits of which the first is not zero.
#[derive(Clone, PartialEq, Eq)]
pub struct Phone(String);

impl Phone {
    /// Reads a number, and ignores blanks, dots and hyphens. Parentheses are refused, because `(0)`
    /// is dialled only at home.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > 40 {
            return None;
        }
        let number: String = text.chars().filter(|c| !matches!(c, ' ' | '-' | '.')).collect();
        let digits = number.strip_prefix('+')?;
        let good =
            (8..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0');
        good.then_some(Self(number))
    }

    /// The number in E.164 form.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `+44*****789`: the start and the last three digits.
    #[must_use]
    pub fn masked(&self) -> String {
        let (start, rest) = self.0.split_at(3);
        let (hidden, end) = rest.split_at(rest.len() - 3);
        format!("{start}{}{end}", "*".repeat(hidden.len()))
    }
}

// A stray `{:?}` must not write an address to a log.
impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Email(…)")
    }
}

impl fmt::Debug for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Phone(…)")
    }
}

/// A destination of codes. It does not say by which method, because two methods may use one number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A mailbox.
    Email(Email),
    /// A phone.
    Phone(Phone),
}

impl Address {
    /// The form that limits and proofs use.
    #[must_use]
    pub fn normalised(&self) -> String {
        match self {
            Self::Email(email) => email.normalised(),
            Self::Phone(phone) => phone.as_str().to_owned(),
        }
    }

    /// The form that its owner is shown.
    #[must_use]
    pub fn masked(&self) -> String {
        match self {
            Self::Email(email) => email.masked(),
            Self::Phone(phone) => phone.masked(),
        }
    }
}

/// Why there is no address that a method could send to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoAddress {
    /// The token carries none.
    #[error("the token carries no address for this method")]
    Absent,
    /// The token carries a text that is not an address.
    #[error("the address in the token is malformed")]
    Malformed,
    /// The token says that nobody verified it.
    #[error("the token marks the address as unverified")]
    Unverified,
    /// Text messages do not go into the country of the number.
    #[error("text messages are not sent to the country of this number")]
    Country,
}

/// The addresses of a caller that may be used: those that the token carries, without the unverified
/// ones.
#[derive(Clone, Debug)]
pub struct Contact {
    /// Where e-mail goes.
    pub email: Result<Email, NoAddress>,
    /// Where text messages go.
    pub phone: Result<Phone, NoAddress>,
}

impl Default for Contact {
    fn default() -> Self {
        Self { email: Err(NoAddress::Absent), phone: Err(NoAddress::Absent) }
    }
}

impl Contact {
    /// The address that `method` sends its codes to, if the caller has one.
    ///
    /// # Errors
    /// [`NoAddress`] says why the caller has no address.
    pub fn address_for(&self, method: Method) -> Result<Address, NoAddress> {
        match method {
            Method::Email => self.email.clone().map(Address::Email),
            Method::Sms => self.phone.clone().map(Address::Phone),
            Method::Totp => Err(NoAddress::Absent),
        }
    }

    /// The address that codes of `method` may go to: text messages only go into the countries of
    /// the policy.
    ///
    /// # Errors
    /// [`NoAddress`] says why the caller has no address.
    pub fn allowed_address(&self, method: Method, policy: &Policy) -> Result<Address, NoAddress> {
        let address = self.address_for(method)?;
        let is_allowed = match &address {
            Address::Email(_) => true,
            Address::Phone(phone) => policy.sms_countries.allow(phone),
        };
        if is_allowed { Ok(address) } else { Err(NoAddress::Country) }
    }
}

/// Which numbers text messages may go to, by the longest matching prefix.
///
/// Written `+1,+44,!+4470`: a `!` refuses what a shorter prefix allows. Empty allows nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Countries(Vec<(String, bool)>);

impl Countries {
    /// Reads the comma list. `Err` holds the first invalid entry.
    ///
    /// # Errors
    /// The first entry that is not `+` and 1 to 15 digits, with or without a `!` before it.
    pub fn parse(text: &str) -> Result<Self, String> {
        text.split(',')
            .map(str::trim)
            .filter(|entry| !entry.is_empty())
            .map(|entry| {
                let (prefix, allowed) = entry.strip_prefix('!').map_or((entry, true), |rest| (rest, false));
                let digits = prefix.strip_prefix('+').unwrap_or_default();
                let good = (1..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
                if good { Ok((prefix.to_owned(), allowed)) } else { Err(entry.to_owned()) }
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Whether no number at all is allowed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|(_, allowed)| !allowed)
    }

    /// Whether a text message may go to `phone`.
    #[must_use]
    pub fn allow(&self, phone: &Phone) -> bool {
        self.0
            .iter()
            .filter(|(prefix, _)| phone.as_str().starts_with(prefix))
            .max_by_key(|(prefix, _)| prefix.len())
            .is_some_and(|(_, allowed)| *allowed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_email_address_needs_both_sides_and_no_blanks() {
        for good in ["a@b", "alice@example.com", "müller@bücher.example", "a+b.c@x.y"] {
            assert!(Email::parse(good).is_some(), "{good}");
        }
        for bad in ["", "@b", "a@", "a b@c", "a@b c", "a@b\n", "a@b\0", "a@@b@c", "a@.b", "<a@b>", "a@b,c@d"] {
            assert!(Email::parse(bad).is_none(), "{bad:?}");
        }
        assert!(Email::parse(&format!("{}@b", "a".repeat(65))).is_none());
        assert!(Email::parse(&format!("a@{}", "b".repeat(253))).is_none());
    }

    #[test]
    fn only_ascii_letters_are_one_in_both_cases() {
        let normalised = |text| Email::parse(text).map(|email| email.normalised());
        assert_eq!(normalised("Kim@Example.COM"), normalised("kim@example.com"));
        assert_ne!(normalised("\u{212a}im@example.com"), normalised("kim@example.com"));
    }

    #[test]
    fn a_phone_number_is_e164() {
        assert_eq!(Phone::parse("+44 20 7946-0018").map(|p| p.0), Some("+442079460018".into()));
        for bad in [
            "",
            "442079460018",
            "+0442079460018",
            "+1234567",
            "+1234567890123456",
            "+44x20794600",
            "+44 (0)20 7946 0018",
            "+４４２０７９４６",
        ] {
            assert!(Phone::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_masked_address_hides_all_but_what_its_owner_needs() {
        assert_eq!(Email::parse("alice@example.com").map(|e| e.masked()), Some("a***@example.com".into()));
        assert_eq!(Phone::parse("+442079460018").map(|p| p.masked()), Some("+44*******018".into()));
        assert_eq!(Phone::parse("+12345678").map(|p| p.masked()), Some("+12***678".into()));
    }

    #[test]
    fn debug_output_shows_no_address() {
        let contact = Contact {
            email: Email::parse("alice@example.com").ok_or(NoAddress::Absent),
            phone: Phone::parse("+442079460018").ok_or(NoAddress::Absent),
        };
        let shown = format!("{contact:?}");
        assert!(!shown.contains("alice") && !shown.contains("7946"), "{shown}");
    }

    #[test]
    fn the_longest_prefix_decides_where_text_messages_go() {
        let countries = Countries::parse("+1, +44,!+4470,!+1876,+18765").unwrap_or_default();
        let allow = |number: &str| Phone::parse(number).is_some_and(|phone| countries.allow(&phone));
        assert!(allow("+12025550123"));
        assert!(allow("+442079460018"));
        assert!(!allow("+447012345678"), "a refused part of an allowed country");
        assert!(!allow("+18761234567"));
        assert!(allow("+18765234567"), "an allowed part of a refused part");
        assert!(!allow("+33123456789"), "a country that is not listed");
        assert!(!Countries::default().allow(&Phone("+12025550123".into())), "an empty list sends nowhere");
        assert_eq!(Countries::parse("+1,44"), Err("44".into()));
        assert!(Countries::parse("!+1").is_ok_and(|c| c.is_empty()));
    }
}
