use std::io::{self, BufRead};

use mfa::domain::{Email, Phone};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::{
    ImportedAuthenticator, ImportedSecret, ImportedUser, Problem, SecretEncoding,
    fields::Fields,
    group::Rows,
    lines::each_line,
    otpauth::{name, variant},
};

const OF_USER: [&str; 7] =
    ["user", "login", "authenticators", "provenEmail", "provenPhone", "enabled", "recoveryCodes"];
const OF_AUTHENTICATOR: [&str; 7] = ["secret", "secretEncoding", "algorithm", "digits", "period", "name", "lastStep"];

pub(crate) fn read(input: impl BufRead, rows: &mut Rows<'_>) -> io::Result<()> {
    each_line(input, |number, line| rows.push(number, line.and_then(user_of)))
}

fn user_of(line: &str) -> Result<ImportedUser, Problem> {
    let not_json = |error: serde_json::Error| Problem::LineNotJson { column: error.column() };
    let value: Value = serde_json::from_str(line).map_err(not_json)?;
    let fields = Fields::of(&value, "")?;
    fields.only(&OF_USER)?;
    let authenticators = fields.objects("authenticators")?;
    Ok(ImportedUser {
        login: fields.text("login")?.map(ToOwned::to_owned),
        authenticators: authenticators.iter().map(authenticator_of).collect::<Result<_, _>>()?,
        proven_email: fields.text("provenEmail")?.map(email).transpose()?,
        proven_phone: fields.text("provenPhone")?.map(phone).transpose()?,
        enabled: fields.flag("enabled")?.unwrap_or(true),
        recovery_codes: fields.count("recoveryCodes")?.unwrap_or_default(),
        ..ImportedUser::named(fields.id("user")?.ok_or_else(|| fields.missing("user"))?)
    })
}

fn authenticator_of(fields: &Fields<'_>) -> Result<ImportedAuthenticator, Problem> {
    fields.only(&OF_AUTHENTICATOR)?;
    let secret = fields.text("secret")?.ok_or_else(|| fields.missing("secret"))?;
    Ok(ImportedAuthenticator {
        secret: ImportedSecret::decode(secret, encoding(fields.text("secretEncoding")?)?)?,
        variant: variant(fields.text("algorithm")?, fields.number("digits")?, fields.number("period")?)?,
        name: name(fields.text("name")?)?,
        last_step: fields.number("lastStep")?,
    })
}

/// How a secret is written; in base 32 if nothing says so.
pub(super) fn encoding(text: Option<&str>) -> Result<SecretEncoding, Problem> {
    match text {
        None => Ok(SecretEncoding::default()),
        Some(text) => SecretEncoding::parse(&text.to_ascii_lowercase()).ok_or(Problem::UnknownEncoding),
    }
}

pub(super) fn email(text: &str) -> Result<Email, Problem> {
    Email::parse(text.trim()).ok_or(Problem::Email)
}

pub(super) fn phone(text: &str) -> Result<Phone, Problem> {
    Phone::parse(text).ok_or(Problem::Phone)
}

/// Writes a user as a line of [`crate::Format::JsonLines`], without its end. It holds the secrets.
#[must_use]
pub fn write_json_line(user: &ImportedUser) -> Zeroizing<String> {
    let authenticator = |one: &ImportedAuthenticator| {
        json!({
            "secret": *one.secret.to_base32(),
            "algorithm": one.variant.algorithm.as_str(),
            "digits": one.variant.digits.count(),
            "period": one.variant.period.as_secs(),
            "name": one.name.as_str(),
            "lastStep": one.last_step,
        })
    };
    let line = json!({
        "user": user.user,
        "login": user.login,
        "authenticators": user.authenticators.iter().map(authenticator).collect::<Vec<_>>(),
        "provenEmail": user.proven_email.as_ref().map(Email::as_str),
        "provenPhone": user.proven_phone.as_ref().map(Phone::as_str),
        "enabled": user.enabled,
        "recoveryCodes": user.recovery_codes,
    });
    Zeroizing::new(line.to_string())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use mfa::domain::{DeviceName, TotpAlgorithm, TotpDigits, TotpPeriod, TotpVariant};
    use proptest::{collection::vec, option, prelude::*, sample::select};

    use super::*;
    use crate::{Format, Row};

    fn authenticator() -> impl Strategy<Value = ImportedAuthenticator> {
        let variant = (select(&TotpAlgorithm::ALL), select(&TotpDigits::ALL), select(&TotpPeriod::ALL));
        let variant = variant.prop_map(|(algorithm, digits, period)| TotpVariant { algorithm, digits, period });
        let name = "\\PC{1,128}".prop_filter_map("it is blank", |text| DeviceName::parse(&text));
        (vec(any::<u8>(), 10..=64), variant, name, option::of(0..30_000_000_u64)).prop_map(
            |(secret, variant, name, last_step)| {
                let secret = ImportedSecret::new(secret).expect("a secret");
                ImportedAuthenticator { secret, variant, name, last_step }
            },
        )
    }

    fn user() -> impl Strategy<Value = ImportedUser> {
        let email = "[a-z0-9]{1,20}@[a-z]{1,10}\\.example".prop_filter_map("it is none", |text| Email::parse(&text));
        let phone = "\\+44[1-9][0-9]{9}".prop_filter_map("it is none", |text| Phone::parse(&text));
        let id = "\\PC{1,60}".prop_filter("it is blank", |text| !text.trim().is_empty() && text.len() <= 255);
        let login = option::of("[a-z]{1,9}");
        let addresses = (option::of(email), option::of(phone));
        let all = (id, login, vec(authenticator(), 0..=5), addresses, any::<bool>(), any::<u32>());
        all.prop_map(|(id, login, authenticators, (proven_email, proven_phone), enabled, recovery_codes)| {
            ImportedUser {
                login,
                authenticators,
                proven_email,
                proven_phone,
                enabled,
                recovery_codes,
                ..ImportedUser::named(id)
            }
        })
        .prop_filter("nothing to import", |user| user.clone().checked(NOW).is_ok())
    }

    const NOW: mfa::domain::Timestamp = mfa::domain::Timestamp::from_secs(1_893_456_000);

    proptest! {
        #[test]
        fn what_is_written_is_read_again(users in vec(user(), 1..4)) {
            let lines: Vec<_> = users.iter().map(|user| write_json_line(user).to_string()).collect();
            let mut read = Vec::new();
            crate::read(Format::JsonLines, lines.join("\r\n").as_bytes(), NOW, |row| read.push(row)).expect("read");
            let ids: HashSet<_> = users.iter().map(|user| (&user.login, &user.user)).collect();
            prop_assume!(ids.len() == users.len());
            let expected: Vec<_> =
                users.into_iter().zip(1..).map(|(user, line)| Row { line, user: Ok(user) }).collect();
            prop_assert_eq!(read, expected);
        }
    }
}
