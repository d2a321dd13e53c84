//! Where a code can be sent to.

use std::fmt;

use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};

use super::{
    Method, Policy,
    pasted::{self, MAX_PASTED},
};

/// An e-mail address that SES can take: the local part as its owner spells it, in plain letters,
/// and the domain as lower-case A-labels (RFC 5890 2.3.2.1). Not longer than RFC 5321 4.5.3.1
/// allows: 64 bytes before the `@`, 254 in all.
#[derive(Clone, PartialEq, Eq)]
pub struct Email {
    address: String,
    /// Where the `@` is.
    at: usize,
}

impl Email {
    /// Reads an address: a dot-atom of ASCII (RFC 5322 3.2.3), one `@`, and the name of a domain in
    /// any script. `None` for what SES refuses: a local part in other scripts or in quotes, a host
    /// without a dot, an address of a network.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (local, domain) = text.rsplit_once('@')?;
        let is_local = (1..=64).contains(&local.len()) && local.split('.').all(is_atom);
        if !is_local || domain.len() > MAX_EMAIL {
            return None;
        }
        let domain = Uts46::new()
            .to_ascii(domain.as_bytes(), AsciiDenyList::STD3, Hyphens::CheckFirstLast, DnsLength::Verify)
            .ok()?;
        let (_, last) = domain.rsplit_once('.')?;
        let is_name = !last.bytes().all(|byte| byte.is_ascii_digit());
        let address = format!("{local}@{domain}");
        (is_name && address.len() <= MAX_EMAIL).then_some(Self { at: local.len(), address })
    }

    /// The form that codes are sent to, and that names the mailbox in the ledger.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.address
    }

    /// The form that limits count: no mail system that people use has two mailboxes `Alice@…` and
    /// `alice@…`, so their sends count together.
    #[must_use]
    pub fn folded(&self) -> String {
        self.address.to_ascii_lowercase()
    }

    /// `a***@example.com`: its owner recognises it, and nobody else learns it.
    #[must_use]
    pub fn masked(&self) -> String {
        let (local, domain) = self.address.split_at(self.at);
        let first: String = local.chars().take(1).collect();
        format!("{first}***{domain}")
    }
}

const MAX_EMAIL: usize = 254;

/// Whether a text is an atom (RFC 5322 3.2.3).
fn is_atom(text: &str) -> bool {
    let is_atext = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte);
    !text.is_empty() && text.bytes().all(is_atext)
}

/// A phone number in E.164 form: `+`, then 8 to 15 digits of which the first is not zero.
#[derive(Clone, PartialEq, Eq)]
pub struct Phone(String);

impl Phone {
    /// Reads a number as people and systems write it: with blanks, dots, dashes, slashes,
    /// parentheses and invisible characters, and behind `tel:` (RFC 3966).
    ///
    /// `None` for what no phone has: a zero that is dialled only within the country, as in
    /// `+44 (0)20 …`, and a North American number that has not exactly 11 digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::parse_after("", text)
    }

    /// The same, with `prefix` before a number that has no plus: a plus alone, or with a country code.
    /// Behind a country code, one zero that is dialled only within the country is dropped. A number
    /// that begins with the country code is refused: nobody can tell whether it stands there twice.
    #[must_use]
    pub fn parse_after(prefix: &str, text: &str) -> Option<Self> {
        if text.len() > MAX_PASTED {
            return None;
        }
        let is_decoration = |c: &char| matches!(c, '.' | '/' | '(' | ')') || pasted::is_decoration(*c);
        let typed: String = text.chars().filter(|c| !is_decoration(c)).map(pasted::as_ascii).collect();
        let typed = match typed.split_at_checked(4) {
            Some((scheme, number)) if scheme.eq_ignore_ascii_case("tel:") => number,
            _ => &typed,
        };
        let number = if typed.starts_with('+') { typed.to_owned() } else { national(prefix, typed)? };
        let digits = number.strip_prefix('+')?;
        let is_e164 = (8..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
        (is_e164 && is_dialled(digits)).then_some(Self(number))
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

/// The country codes of one and of two digits (ITU-T E.164). All others have three.
const SHORT_COUNTRY_CODES: &str = "1 7 20 27 30 31 32 33 34 36 39 40 41 43 44 45 46 47 48 49 51 52 53 54 55 56 57 58 \
                                   60 61 62 63 64 65 66 81 82 84 86 90 91 92 93 94 95 98";

/// The country codes behind which a zero belongs to the number: Italy, Burkina Faso, Ivory Coast,
/// Niger, Benin, Gabon, Congo and San Marino.
const ZERO_BELONGS: [&str; 8] = ["39", "226", "225", "227", "229", "241", "242", "378"];

/// A number without a plus, behind a prefix.
fn national(prefix: &str, typed: &str) -> Option<String> {
    let code = prefix.trim_start_matches('+');
    let has_trunk_zero = !code.is_empty() && !ZERO_BELONGS.contains(&code) && typed.starts_with('0');
    let number = if has_trunk_zero { &typed[1..] } else { typed };
    let may_be_twice = !code.is_empty() && typed.starts_with(code);
    (!may_be_twice).then(|| format!("{prefix}{number}"))
}

/// Whether a phone anywhere can have the number with these digits.
fn is_dialled(digits: &str) -> bool {
    let is_short = |code: &&str| SHORT_COUNTRY_CODES.split_ascii_whitespace().any(|short| short == *code);
    let code = (1..=2).filter_map(|length| digits.get(..length)).find(is_short);
    let code = code.unwrap_or(&digits[..3]);
    match (code, digits[code.len()..].starts_with('0')) {
        _ if digits.starts_with('0') => false,
        ("1", zero) => !zero && digits.len() == 11,
        (code, true) => ZERO_BELONGS.contains(&code),
        (_, false) => true,
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
    /// The form that codes are sent to, and that names the address in the ledger.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Email(email) => email.as_str(),
            Self::Phone(phone) => phone.as_str(),
        }
    }

    /// The form that limits count.
    #[must_use]
    pub fn folded(&self) -> String {
        match self {
            Self::Email(email) => email.folded(),
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
            Method::Totp | Method::Passkey => Err(NoAddress::Absent),
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

    fn email(text: &str) -> Option<String> {
        Email::parse(text).map(|email| email.address)
    }

    #[test]
    fn an_email_address_is_one_that_ses_takes() {
        for good in ["a@b.example", "alice@example.com", "a+b.c@x.y", "o'hara_{x}@xn--bcher-kva.example", "a@1.2.x3"] {
            assert_eq!(email(good).as_deref(), Some(good));
        }
        for bad in [
            "",
            "@b.c",
            "a@",
            "a@b",
            "a b@c.d",
            "a@b c.d",
            "a@b.c\n",
            "a@b.c\0",
            "a@@b.c",
            "a@b@c.d",
            "a@.b.c",
            "a@b..c",
            "a@b.c.",
            "<a@b.c>",
            "a@b.c,d@e.f",
            ".a@b.c",
            "a.@b.c",
            "a..b@c.d",
            "\"a\"@b.c",
            "müller@b.c",
            "a@[1.2.3.4]",
            "a@1.2.3.4",
            "a@-b.c",
            "a@b-.c",
            "a@b_c.d",
            "a@xn--a.c",
            "a@\u{ad}",
            "a(x)@b.c",
            "a\\@b.c",
            "a\u{200b}@b.c",
        ] {
            assert_eq!(email(bad), None, "{bad:?}");
        }
        let [local, label] = [64, 63].map(|length| "a".repeat(length));
        assert!(email(&format!("{local}@{label}.example")).is_some());
        assert_eq!(email(&format!("a{local}@b.example")), None);
        assert_eq!(email(&format!("a@a{label}.example")), None);
        let domain = format!("{label}.{label}.{}", "b".repeat(61));
        assert_eq!(email(&format!("{local}@{domain}")).map(|email| email.len()), Some(254));
        assert_eq!(email(&format!("{local}@{domain}b")), None);
        // Soft hyphens count for nothing in a name, but somebody has to read them.
        let padded = |length: usize| format!("a@{}bb.example", "\u{ad}".repeat((length - 10) / 2));
        assert_eq!(email(&padded(254)).as_deref(), Some("a@bb.example"));
        assert_eq!(email(&padded(256)), None);
    }

    #[test]
    fn a_domain_has_one_form_and_a_local_part_keeps_its_own() {
        assert_eq!(email("Kim@Example.COM").as_deref(), Some("Kim@example.com"));
        assert_eq!(email("a@Bücher.example").as_deref(), Some("a@xn--bcher-kva.example"));
        assert_eq!(email("a@bu\u{308}cher\u{3002}example"), email("a@XN--BCHER-KVA.example"));
        assert_eq!(email("a@例え.テスト").as_deref(), Some("a@xn--r8jz45g.xn--zckzah"));
        let folded = |text| Email::parse(text).map(|email| email.folded());
        assert_eq!(folded("Kim@Example.COM").as_deref(), Some("kim@example.com"));
    }

    #[test]
    fn a_phone_number_is_read_as_people_write_it() {
        for written in [
            "+442079460018",
            "+44 20 7946-0018",
            "tel:+44-20-7946-0018",
            "TEL:+44.20.7946.0018",
            "+44 (20) 7946/0018",
            "\u{202a}+44\u{a0}20\u{2011}7946\u{200b}0018\u{202c}",
        ] {
            assert_eq!(Phone::parse(written).map(|phone| phone.0), Some("+442079460018".into()), "{written}");
        }
        assert_eq!(Phone::parse("+1 (202) 555-0123").map(|phone| phone.0), Some("+12025550123".into()));
        let long = format!("+442079460018{}", " ".repeat(MAX_PASTED));
        for bad in [
            "",
            "+",
            "442079460018",
            "00442079460018",
            "+0442079460018",
            "+1234567",
            "+23456789012345678",
            "+44x20794600",
            "+４４２０７９4",
            "+٤٤x",
            "tel:",
            "tel:442079460018",
            "+442079460018;ext=5",
            "++442079460018",
            &long,
        ] {
            assert_eq!(Phone::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_number_that_is_dialled_only_at_home_is_refused() {
        for bad in ["+44 (0)20 7946 0018", "+490301234567", "+3530871234567", "+70123456789", "+1 0202555012"] {
            assert_eq!(Phone::parse(bad), None, "{bad}");
        }
        for bad in ["+1202555012", "+120255501234", "+1 5550123"] {
            assert_eq!(Phone::parse(bad), None, "not 11 digits: {bad}");
        }
        for good in
            ["+390612345678", "+2250712345678", "+22901901234", "+242061234567", "+3780549886377", "+79123456789"]
        {
            assert_eq!(Phone::parse(good).map(|phone| phone.0).as_deref(), Some(good));
        }
    }

    #[test]
    fn a_prefix_stands_before_a_number_without_a_plus_alone() {
        let read = |text| Phone::parse_after("+", text).map(|phone| phone.0);
        assert_eq!(read("44 20 7946 0018").as_deref(), Some("+442079460018"));
        assert_eq!(read("+442079460018").as_deref(), Some("+442079460018"));
        assert_eq!(read("tel:442079460018").as_deref(), Some("+442079460018"));
        assert_eq!(read("(0)442079460018"), None);
        assert_eq!(read(""), None);
    }

    #[test]
    fn a_text_that_is_too_long_is_not_read() {
        let longest = format!("+442079460018{}", " ".repeat(MAX_PASTED - 13));
        assert!(Phone::parse(&longest).is_some());
        assert!(Phone::parse(&format!("{longest} ")).is_none());
    }

    #[test]
    fn a_national_number_is_read_behind_its_country_code() {
        let read = |prefix, text| Phone::parse_after(prefix, text).map(|phone| phone.0);
        for (prefix, typed, number) in [
            ("+49", "030 1234567", Some("+49301234567")),
            ("+49", "0151 23456789", Some("+4915123456789")),
            ("+49", "151 23456789", Some("+4915123456789")),
            ("+49", "04921 123456", Some("+494921123456")),
            ("+49", "+33 1 23 45 67 89", Some("+33123456789")),
            ("+49", "\u{ff10}30 1234567", Some("+49301234567")),
            ("+39", "06 12345678", Some("+390612345678")),
            ("+1", "(202) 555-0123", Some("+12025550123")),
            // Perhaps the country code stands there already.
            ("+49", "4915123456789", None),
            ("+39", "390612345678", None),
            ("+1", "12025550123", None),
            ("+49", "00 49 151 23456789", None),
            ("+49", "00", None),
        ] {
            assert_eq!(read(prefix, typed).as_deref(), number, "{prefix} {typed}");
        }
        assert_eq!(read("", "\u{ff0b}44 20 7946 0018").as_deref(), Some("+442079460018"));
    }

    #[test]
    fn a_masked_address_hides_all_but_what_its_owner_needs() {
        assert_eq!(Email::parse("alice@example.com").map(|e| e.masked()), Some("a***@example.com".into()));
        assert_eq!(Phone::parse("+442079460018").map(|p| p.masked()), Some("+44*******018".into()));
        assert_eq!(Phone::parse("+23456789").map(|p| p.masked()), Some("+23***789".into()));
    }

    #[test]
    fn debug_output_shows_no_address() {
        let contact = Contact {
            email: Email::parse("alice@example.com").ok_or(NoAddress::Absent),
            phone: Phone::parse("+442079460018").ok_or(NoAddress::Absent),
        };
        assert_eq!(format!("{contact:?}"), "Contact { email: Ok(Email(…)), phone: Ok(Phone(…)) }");
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
        assert_eq!(Countries::parse("+1,+4a"), Err("+4a".into()));
        assert!(Countries::parse("!+1").is_ok_and(|c| c.is_empty()) && !countries.is_empty());
    }

    #[test]
    fn each_method_has_its_address_and_text_messages_stay_in_the_countries_of_the_policy() {
        let contact = Contact {
            email: Email::parse("Alice@example.com").ok_or(NoAddress::Absent),
            phone: Phone::parse("+442079460018").ok_or(NoAddress::Absent),
        };
        let forms = |method| contact.address_for(method).map(|at| (at.as_str().to_owned(), at.folded(), at.masked()));
        let own = |form: &str, folded: &str, masked: &str| Ok((form.to_owned(), folded.to_owned(), masked.to_owned()));
        assert_eq!(forms(Method::Email), own("Alice@example.com", "alice@example.com", "A***@example.com"));
        assert_eq!(forms(Method::Sms), own("+442079460018", "+442079460018", "+44*******018"));
        assert_eq!(forms(Method::Totp), Err(NoAddress::Absent));
        for (countries, allowed) in [("+44", true), ("+1", false), ("", false)] {
            let policy = Policy { sms_countries: Countries::parse(countries).expect("a list"), ..Policy::default() };
            assert!(contact.allowed_address(Method::Email, &policy).is_ok());
            let by_sms = contact.allowed_address(Method::Sms, &policy);
            assert_eq!(by_sms.is_ok(), allowed, "{countries}: {by_sms:?}");
            assert!(allowed || by_sms == Err(NoAddress::Country));
        }
    }
}
