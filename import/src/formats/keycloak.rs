use std::io::{self, BufRead};

use serde_json::Value;

use super::json_lines::encoding;
use crate::{
    ImportedAuthenticator, ImportedSecret, ImportedUser, Problem,
    document::{Layout, each_element},
    fields::Fields,
    group::Rows,
    otpauth::{name, variant},
};

pub(crate) fn read(input: impl BufRead, rows: &mut Rows<'_>) -> io::Result<()> {
    each_element(input, Layout::Under(&["users", "federatedUsers"]), &mut |line, user| {
        if let Some(user) = user.and_then(|user| user_of(&user)).transpose() {
            rows.push(line, user);
        }
    })
}

/// The user, if it has an authenticator.
fn user_of(user: &Value) -> Result<Option<ImportedUser>, Problem> {
    let user = Fields::of(user, "")?;
    let (mut authenticators, mut recovery_codes) = (Vec::new(), 0);
    for credential in user.objects("credentials")? {
        match credential.text("type")? {
            Some("otp") => authenticators.push(authenticator_of(&credential)?),
            Some("recovery-authn-codes") => recovery_codes = codes_left(&credential)?,
            Some("totp" | "hotp") => return Err(Problem::TooOld("Keycloak")),
            // Passwords and passkeys.
            _ => {}
        }
    }
    if authenticators.is_empty() {
        return Ok(None);
    }
    let id = user.id("id")?.ok_or_else(|| user.missing("id"))?;
    Ok(Some(ImportedUser { authenticators, recovery_codes, ..ImportedUser::named(id) }))
}

fn authenticator_of(credential: &Fields<'_>) -> Result<ImportedAuthenticator, Problem> {
    let (data, secret) = (inner(credential, "credentialData")?, inner(credential, "secretData")?);
    let (data, secret) = (Fields::of(&data, "credentialData")?, Fields::of(&secret, "secretData")?);
    match data.text("subType")? {
        Some("totp") => {}
        Some("hotp") => return Err(Problem::Hotp),
        _ => return Err(data.missing("subType")),
    }
    let value = secret.text("value")?.ok_or_else(|| secret.missing("value"))?;
    Ok(ImportedAuthenticator {
        // Without an encoding, the letters themselves are the secret.
        secret: match data.text("secretEncoding")? {
            None => ImportedSecret::new(value.as_bytes().to_vec())?,
            Some(written) => ImportedSecret::decode(value, encoding(Some(written))?)?,
        },
        variant: variant(data.text("algorithm")?, data.number("digits")?, data.number("period")?)?,
        name: name(credential.text("userLabel")?)?,
        last_step: None,
    })
}

fn codes_left(credential: &Fields<'_>) -> Result<u32, Problem> {
    let secret = inner(credential, "secretData")?;
    let codes = Fields::of(&secret, "secretData")?.list("codes")?.len();
    Ok(u32::try_from(codes).unwrap_or(u32::MAX))
}

/// The JSON in a text field.
fn inner(credential: &Fields<'_>, name: &'static str) -> Result<Value, Problem> {
    let text = credential.text(name)?.ok_or_else(|| credential.missing(name))?;
    let wrong = |_| Problem::WrongType { field: name.to_owned(), expected: "a text that holds JSON" };
    serde_json::from_str(text).map_err(wrong)
}
