use std::io::{self, BufRead};

use data_encoding::BASE64;
use mfa::domain::{DeviceName, TotpPeriod};
use serde::Deserialize;
use serde_json::Value;
use serde_saphyr::Spanned;
use zeroize::Zeroizing;

use crate::{
    ImportedAuthenticator, ImportedSecret, ImportedUser, Problem, SecretEncoding, fields::Fields, group::Rows,
    otpauth::variant,
};

#[derive(Deserialize)]
struct Export {
    totp_configurations: Vec<Spanned<Value>>,
}

/// Reads the whole file: a YAML document has no rows.
pub(crate) fn read_yaml(mut input: impl BufRead, rows: &mut Rows<'_>) -> io::Result<()> {
    let mut text = Zeroizing::new(Vec::new());
    input.read_to_end(&mut text)?;
    // The operator's own file is no attack, and may be large.
    let options = serde_saphyr::options! { budget: None };
    // The error may quote the file.
    match serde_saphyr::from_slice_with_options::<Export>(&text, options) {
        Ok(export) => {
            for entry in export.totp_configurations {
                rows.push(entry.referenced.line(), user_of(&entry.value));
            }
        }
        Err(error) => {
            let line = error.location().map_or(1, |location| location.line());
            rows.push(line, Err(Problem::FileNotYaml));
        }
    }
    Ok(())
}

fn user_of(entry: &Value) -> Result<ImportedUser, Problem> {
    let fields = Fields::of(entry, "")?;
    let user = fields.id("username")?.ok_or_else(|| fields.missing("username"))?;
    // The text of base 32 is once more in base 64.
    let secret = fields.text("secret")?.ok_or_else(|| fields.missing("secret"))?;
    let secret = BASE64.decode(secret.trim().as_bytes()).ok().map(Zeroizing::new);
    let secret = secret.as_ref().and_then(|text| std::str::from_utf8(text).ok());
    let secret = secret.ok_or(Problem::SecretMalformed(SecretEncoding::Base64))?;
    let variant = variant(fields.text("algorithm")?, fields.number("digits")?, fields.number("period")?)?;
    let last_step = fields.text("last_used_at")?.map(|time| last_step(time, variant.period)).transpose()?;
    let authenticator = ImportedAuthenticator {
        secret: ImportedSecret::decode(secret, SecretEncoding::Base32)?,
        variant,
        name: DeviceName::default(),
        last_step,
    };
    Ok(ImportedUser { authenticators: vec![authenticator], ..ImportedUser::named(user) })
}

/// The last step whose code may have been used: the code may have been that of the next step.
fn last_step(time: &str, period: TotpPeriod) -> Result<u64, Problem> {
    let wrong = || Problem::WrongType { field: "last_used_at".to_owned(), expected: "a time" };
    seconds(time).map(|seconds| seconds / period.as_secs() + 1).ok_or_else(wrong)
}

/// A time of RFC 3339, with any offset, in seconds since 1970.
fn seconds(time: &str) -> Option<u64> {
    let (local, offset) = if let Some(local) = time.strip_suffix('Z') {
        (local, 0)
    } else {
        let (local, offset) = time.split_at_checked(time.len().checked_sub(6)?)?;
        let (hours, minutes) = offset.get(1..)?.split_once(':')?;
        let minutes = hours.parse::<i64>().ok()? * 60 + minutes.parse::<i64>().ok()?;
        (local, if offset.starts_with('-') { -minutes } else { minutes })
    };
    let local = humantime::parse_rfc3339(&format!("{local}Z")).ok()?;
    let local = local.duration_since(std::time::UNIX_EPOCH).ok()?.as_secs();
    local.checked_add_signed(-offset * 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_with_its_offset() {
        for time in ["2024-05-18T10:15:00Z", "2024-05-18T12:15:00.123+02:00", "2024-05-18T04:45:00-05:30"] {
            assert_eq!(seconds(time), Some(1_716_027_300), "{time}");
        }
        for time in ["", "Z", "yesterday", "2024-05-18T10:15:00", "1960-05-18T10:15:00Z"] {
            assert_eq!(seconds(time), None, "{time}");
        }
    }
}
