//! The addresses of a token that may be used.

use serde_json::{Map, Value};

use crate::{
    config::{ClaimName, ContactConfig, EMAIL_MARKS, PHONE_MARKS, VerifiedContact},
    domain::{Contact, Email, NoAddress, Phone},
};

/// Reads the addresses.
pub(super) fn contact(claims: &Map<String, Value>, config: &ContactConfig) -> Contact {
    let phone = |text: &str| Phone::parse_after(&config.phone_prefix, text);
    Contact {
        email: first_of(claims, &config.email_claims, &EMAIL_MARKS, config.verified, Email::parse),
        phone: first_of(claims, &config.phone_claims, &PHONE_MARKS, config.verified, phone),
    }
}

/// Which claim holds the address that is read, and the marks that stand beside it.
pub(super) fn place_of_address(
    claims: &Map<String, Value>,
    names: &[ClaimName],
    marks: &[&'static str],
    parse: impl Fn(&str) -> bool,
) -> Option<(String, Vec<&'static str>)> {
    let (name, ()) = read_first(claims, names, |text| parse(text).then_some(()))?;
    let marks = marks.iter().copied().filter(|mark| name.find_beside(mark, claims).is_some());
    Some((name.as_str().to_owned(), marks.collect()))
}

/// The first of the claims `names` that `parse` can read, if its marks allow it.
fn first_of<T>(
    claims: &Map<String, Value>,
    names: &[ClaimName],
    marks: &[&str],
    wanted: VerifiedContact,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<T, NoAddress> {
    let is_there = |value: &Value| !value.is_null() && value.as_str() != Some("");
    let none = if names.iter().any(|name| name.find(claims).is_some_and(is_there)) {
        NoAddress::Malformed
    } else {
        NoAddress::Absent
    };
    let (name, address) = read_first(claims, names, parse).ok_or(none)?;

    let found: Vec<_> = marks.iter().filter_map(|mark| Some((mark, name.find_beside(mark, claims)?))).collect();
    let is_denied = found.iter().any(|(_, value)| !is_positive(value));
    let is_marked = found.iter().any(|(mark, value)| is_positive(value) && is_about(mark, name));
    let is_usable = match wanted {
        VerifiedContact::Any => true,
        VerifiedContact::NotDenied => !is_denied,
        VerifiedContact::Marked => is_marked && !is_denied,
    };
    if is_usable { Ok(address) } else { Err(NoAddress::Unverified) }
}

/// Whether a mark names the claim that it stands beside: `email_verified` says nothing for
/// `work_email`, which users may write themselves. `xms_edov` is about `email`.
fn is_about(mark: &str, name: &ClaimName) -> bool {
    let plain = |text: &str| text.to_ascii_lowercase().replace(['_', '-'], "").replace("number", "");
    let (mark, claim) = (plain(mark), plain(name.last_part()));
    mark.starts_with(&claim) || mark == "xmsedov" && claim == "email"
}

/// The first of the claims that `parse` can read, and what it reads.
fn read_first<'a, T>(
    claims: &Map<String, Value>,
    names: &'a [ClaimName],
    parse: impl Fn(&str) -> Option<T>,
) -> Option<(&'a ClaimName, T)> {
    names.iter().find_map(|name| Some((name, parse(name.find(claims)?.as_str()?)?)))
}

/// Whether a mark says that an address was verified: `true`, also as a string or a number, or when
/// it was. Everything else says that it was not.
fn is_positive(mark: &Value) -> bool {
    match mark {
        Value::Bool(verified) => *verified,
        Value::Number(number) => number.as_u64().is_some_and(|number| number == 1 || number > EARLIEST_MOMENT),
        Value::String(text) => text == "true" || is_date(text),
        _ => false,
    }
}

/// The year 2000, in seconds. No smaller number is the moment at which an address was verified.
const EARLIEST_MOMENT: u64 = 946_684_800;

/// Whether a text begins with a date (RFC 3339) from the year 2000 on. Earlier ones stand for
/// "never" in some languages.
fn is_date(text: &str) -> bool {
    let Some((date, rest)) = text.split_at_checked(10) else { return false };
    let mut parts = date.splitn(3, '-').map(|part| part.parse::<u16>().ok().filter(|_| !part.starts_with('+')));
    let (year, month, day) = (parts.next().flatten(), parts.next().flatten(), parts.next().flatten());
    date.len() == 10
        && year.is_some_and(|year| (2000..=9999).contains(&year))
        && month.is_some_and(|month| (1..=12).contains(&month))
        && day.is_some_and(|day| (1..=31).contains(&day))
        && (rest.is_empty() || rest.starts_with(['T', 't', ' ']))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn config(email: &[&str], phone: &[&str], prefix: Option<&str>) -> ContactConfig {
        let names = |names: &[&str]| names.iter().map(|name| ClaimName::parse(name).expect("a name")).collect();
        ContactConfig {
            email_claims: names(email),
            phone_claims: names(phone),
            phone_prefix: prefix.unwrap_or_default().to_owned(),
            verified: VerifiedContact::default(),
        }
    }

    fn standard() -> ContactConfig {
        config(&["email"], &["phone_number", "phone"], None)
    }

    fn read(claims: &Value, config: &ContactConfig, wanted: VerifiedContact) -> Contact {
        contact(claims.as_object().expect("an object"), &ContactConfig { verified: wanted, ..config.clone() })
    }

    fn email_with(mark: &str, value: &Value, wanted: VerifiedContact) -> Result<String, NoAddress> {
        let claims = json!({ "email": "a@example.com", mark: value });
        read(&claims, &standard(), wanted).email.map(|email| email.as_str().to_owned())
    }

    #[test]
    fn a_mark_that_is_there_and_not_true_means_unverified() {
        let yes = [
            json!(true),
            json!("true"),
            json!(1),
            json!("2024-05-06"),
            json!("2024-05-06T07:08:09.000Z"),
            json!(1_700_000_000),
        ];
        let no = [
            json!(false),
            json!("false"),
            json!(null),
            json!(""),
            json!("no"),
            json!(0),
            json!(2),
            json!(-1),
            json!([]),
            json!({}),
            json!("True"),
            json!("0001-01-01T00:00:00Z"),
            json!("1970-01-01"),
            json!("2024-13-01"),
            json!("2024-05-06x"),
            json!("٢٠٢٤-05-06"),
        ];
        for mark in EMAIL_MARKS {
            for wanted in [VerifiedContact::NotDenied, VerifiedContact::Marked] {
                for value in &yes {
                    assert!(email_with(mark, value, wanted).is_ok(), "{mark} {value}");
                }
                for value in &no {
                    assert_eq!(email_with(mark, value, wanted), Err(NoAddress::Unverified), "{mark} {value}");
                }
            }
            assert!(email_with(mark, &json!(false), VerifiedContact::Any).is_ok());
        }
        assert!(email_with("phone_verified", &json!(false), VerifiedContact::NotDenied).is_ok(), "a mark of the phone");
        assert!(email_with("other", &json!(true), VerifiedContact::Marked).is_err(), "no mark");
        for mark in PHONE_MARKS {
            let claims = json!({ "phone": "+442079460018", mark: "no", "email_verified": true });
            assert_eq!(
                read(&claims, &standard(), VerifiedContact::NotDenied).phone,
                Err(NoAddress::Unverified),
                "{mark}"
            );
        }
    }

    #[test]
    fn a_mark_belongs_to_the_claim_beside_it() {
        let names = config(&["https://a.example/email", "contact/email", "email"], &[], None);
        let claims = json!({
            "https://a.example/email": "a@example.com", "https://a.example/email_verified": true, "email_verified": false,
        });
        assert!(read(&claims, &names, VerifiedContact::Marked).email.is_ok());
        let claims =
            json!({ "contact": { "email": "a@example.com", "email_verified": false }, "email_verified": true });
        assert_eq!(read(&claims, &names, VerifiedContact::NotDenied).email, Err(NoAddress::Unverified));
    }

    #[test]
    fn a_mark_stands_beside_its_claim_whatever_separates_its_prefix() {
        for place in ["https://a.example:", "custom:", "https://a.example/claims.", "https://a.example/", ""] {
            let name = format!("{place}email");
            let names = config(&[&name], &[], None);
            for mark in EMAIL_MARKS {
                let claims = |value: bool| json!({ name.as_str(): "a@example.com", format!("{place}{mark}"): value });
                let read = |value, wanted| read(&claims(value), &names, wanted).email.is_ok();
                assert!(!read(false, VerifiedContact::NotDenied), "{place}{mark}");
                assert!(read(true, VerifiedContact::Marked), "{place}{mark}");
            }
        }
        // A prefix without a mark of its own.
        let claims = json!({ "custom:email": "a@example.com", "email_verified": false });
        let names = config(&["custom:email"], &[], None);
        assert_eq!(read(&claims, &names, VerifiedContact::NotDenied).email, Err(NoAddress::Unverified));
    }

    #[test]
    fn a_mark_of_another_claim_verifies_nothing_and_still_denies() {
        for (name, marks) in [
            ("custom:work_email", &EMAIL_MARKS),
            ("preferred_username", &EMAIL_MARKS),
            ("mail", &EMAIL_MARKS),
            ("mobile", &PHONE_MARKS),
        ] {
            for mark in marks {
                let names = config(&[name], &[name], None);
                let claims = |value: bool| {
                    let address = if marks == &EMAIL_MARKS { "a@example.com" } else { "+442079460018" };
                    json!({ name: address, *mark: value })
                };
                let is_ok = |value, wanted| {
                    let contact = read(&claims(value), &names, wanted);
                    contact.email.is_ok() || contact.phone.is_ok()
                };
                assert!(!is_ok(true, VerifiedContact::Marked), "{name} {mark}");
                assert!(is_ok(true, VerifiedContact::NotDenied), "{name} {mark}");
                assert!(!is_ok(false, VerifiedContact::NotDenied), "{name} {mark}");
            }
        }
        for name in ["phone", "phone_number", "phoneNumber"] {
            let claims = json!({ name: "+442079460018", "phone_number_verified": true });
            assert!(read(&claims, &config(&[], &[name], None), VerifiedContact::Marked).phone.is_ok(), "{name}");
        }
    }

    #[test]
    fn the_first_claim_with_an_address_counts() {
        let claims = json!({ "phone_number": "", "phone": "442079460018" });
        let phone =
            |prefix| read(&claims, &config(&[], &["phone_number", "phone"], prefix), VerifiedContact::NotDenied).phone;
        assert_eq!(phone(None), Err(NoAddress::Malformed));
        assert_eq!(phone(Some("+")).map(|phone| phone.as_str().to_owned()), Ok("+442079460018".to_owned()));
        let nothing = read(&json!({ "phone": null }), &standard(), VerifiedContact::NotDenied);
        assert_eq!((nothing.email, nothing.phone), (Err(NoAddress::Absent), Err(NoAddress::Absent)));
        let both = json!({ "phone_number": "+15550100123", "phone": "+442079460018" });
        assert_eq!(
            read(&both, &standard(), VerifiedContact::NotDenied).phone.map(|phone| phone.as_str().len()),
            Ok(12)
        );
    }
}
