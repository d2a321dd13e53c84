//! `otpauth` addresses (github.com/google/google-authenticator/wiki/Key-Uri-Format), and what all
//! formats say of an authenticator.

use mfa::domain::{DeviceName, TotpAlgorithm, TotpDigits, TotpPeriod, TotpVariant};
use percent_encoding::percent_decode_str;
use zeroize::Zeroizing;

use crate::{ImportedAuthenticator, ImportedSecret, Problem, SecretEncoding};

/// What such an address begins with, in any case.
pub(crate) const SCHEME: &str = "otpauth://";

/// The parts of an address that are not decoded yet: its type, label and query.
struct Parts<'a> {
    kind: &'a str,
    label: &'a str,
    query: &'a str,
}

fn parts(uri: &str) -> Result<Parts<'_>, Problem> {
    let split = || {
        let (scheme, rest) = uri.split_at_checked(SCHEME.len())?;
        let (rest, query) = rest.split_once('?')?;
        let (kind, label) = rest.split_once('/')?;
        let query = query.split('#').next()?;
        scheme.eq_ignore_ascii_case(SCHEME).then_some(Parts { kind, label, query })
    };
    split().ok_or(Problem::NotOtpauth)
}

/// The account of an address: its label without the issuer.
pub(crate) fn account(uri: &str) -> Result<String, Problem> {
    let label = percent_decode_str(parts(uri)?.label).decode_utf8().map_err(|_| Problem::NotOtpauth)?;
    Ok(label.split_once(':').map_or(&*label, |(_, account)| account).trim().to_owned())
}

/// The authenticator of an address. Parameters that decide nothing, such as the issuer, are left
/// out.
pub(crate) fn authenticator(uri: &str) -> Result<ImportedAuthenticator, Problem> {
    let Parts { kind, query, .. } = parts(uri)?;
    match kind.to_ascii_lowercase().as_str() {
        "totp" => {}
        "hotp" => return Err(Problem::Hotp),
        _ => return Err(Problem::NotOtpauth),
    }
    let secret = parameter(query, "secret")?.ok_or_else(|| Problem::Missing("secret".to_owned()))?;
    let algorithm = parameter(query, "algorithm")?;
    let variant = variant(
        algorithm.as_ref().map(|text| text.as_str()),
        whole_number("digits", parameter(query, "digits")?)?,
        whole_number("period", parameter(query, "period")?)?,
    )?;
    let secret = ImportedSecret::decode(&secret, SecretEncoding::Base32)?;
    Ok(ImportedAuthenticator { secret, variant, name: DeviceName::default(), last_step: None })
}

fn parameter(query: &str, name: &'static str) -> Result<Option<Zeroizing<String>>, Problem> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let mut values = pairs.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value);
    let value = values.next();
    if values.next().is_some() {
        return Err(Problem::ParameterTwice(name));
    }
    let decode = |value| percent_decode_str(value).decode_utf8().map_err(|_| Problem::NotOtpauth);
    value.map(|value| decode(value).map(|text| Zeroizing::new(text.into_owned()))).transpose()
}

fn whole_number(field: &str, text: Option<Zeroizing<String>>) -> Result<Option<u64>, Problem> {
    let wrong = || Problem::WrongType { field: field.to_owned(), expected: "a whole number" };
    text.map(|text| text.parse().map_err(|_| wrong())).transpose()
}

/// A variant. What is not said is the default of the `otpauth` form: SHA-1, 6 digits, 30 s.
pub(crate) fn variant(
    algorithm: Option<&str>,
    digits: Option<u64>,
    period: Option<u64>,
) -> Result<TotpVariant, Problem> {
    let digits = digits.map(|count| TotpDigits::of_count(count).ok_or(Problem::UnknownDigits(count)));
    let period = period.map(|secs| TotpPeriod::of_secs(secs).ok_or(Problem::UnknownPeriod(secs)));
    Ok(TotpVariant {
        algorithm: algorithm.map(algorithm_of).transpose()?.unwrap_or_default(),
        digits: digits.transpose()?.unwrap_or_default(),
        period: period.transpose()?.unwrap_or_default(),
    })
}

/// `SHA256`, `sha-256` and `HmacSHA256` are one.
fn algorithm_of(text: &str) -> Result<TotpAlgorithm, Problem> {
    let plain = text.trim().to_ascii_uppercase().replace('-', "");
    TotpAlgorithm::parse(plain.strip_prefix("HMAC").unwrap_or(&plain)).ok_or(Problem::UnknownAlgorithm)
}

/// The name of an authenticator, or that of one that nobody named.
pub(crate) fn name(text: Option<&str>) -> Result<DeviceName, Problem> {
    match text.map(str::trim).filter(|text| !text.is_empty()) {
        None => Ok(DeviceName::default()),
        Some(text) => DeviceName::parse(text).ok_or(Problem::Name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

    #[test]
    fn the_account_is_the_label_without_its_issuer() {
        for (label, expected) in [
            ("alice", "alice"),
            ("Example:alice", "alice"),
            ("Example%3Aalice%40example.com", "alice@example.com"),
            ("Example%20Inc:%20J%C3%BCrgen", "Jürgen"),
            ("", ""),
        ] {
            let uri = format!("otpauth://totp/{label}?secret={SECRET}");
            assert_eq!(account(&uri).as_deref(), Ok(expected), "{label}");
        }
    }

    #[test]
    fn an_address_says_how_codes_are_made() {
        let read = |uri: &str| authenticator(uri).map(|one| one.variant.to_string());
        for (query, expected) in [
            ("", "SHA1/6/30"),
            ("&issuer=X&image=https://x", "SHA1/6/30"),
            ("&algorithm=SHA256&digits=8&period=60", "SHA256/8/60"),
            ("&Algorithm=hmacsha512#period=60", "SHA512/6/30"),
        ] {
            let uri = format!("OTPAUTH://TOTP/a?secret={SECRET}{query}");
            assert_eq!(read(&uri).as_deref(), Ok(expected), "{query}");
        }
    }

    #[test]
    fn what_is_wrong_with_an_address_is_told() {
        let wrong = |uri: &str| authenticator(uri).expect_err(uri);
        let of = |kind: &str, query: &str| wrong(&format!("otpauth://{kind}/a?secret={SECRET}{query}"));
        assert_eq!(of("hotp", "&counter=1"), Problem::Hotp);
        assert_eq!(of("steam", ""), Problem::NotOtpauth);
        assert_eq!(of("totp", "&digits=7"), Problem::UnknownDigits(7));
        assert_eq!(of("totp", "&period=15"), Problem::UnknownPeriod(15));
        assert_eq!(of("totp", "&algorithm=MD5"), Problem::UnknownAlgorithm);
        assert_eq!(of("totp", "&secret=GEZA"), Problem::ParameterTwice("secret"));
        assert!(matches!(of("totp", "&digits=six"), Problem::WrongType { .. }));
        assert_eq!(wrong("otpauth://totp/a?issuer=X"), Problem::Missing("secret".to_owned()));
        for other in ["", "otpauth://totp/a", "https://example.com/?secret=GEZA", "otpauth-migration://offline?data=x"]
        {
            assert_eq!(wrong(other), Problem::NotOtpauth, "{other}");
        }
    }
}
