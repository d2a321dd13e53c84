use std::io::{self, BufRead};

use serde_json::Value;

use crate::{
    ImportedUser, Problem,
    document::{Layout, each_element},
    fields::Fields,
    group::Rows,
    otpauth,
};

pub(crate) fn read(input: impl BufRead, rows: &mut Rows<'_>) -> io::Result<()> {
    each_element(input, Layout::Elements, &mut |line, identity| {
        if let Some(user) = identity.and_then(|identity| user_of(&identity)).transpose() {
            rows.push(line, user);
        }
    })
}

/// The user of an identity, if it has an authenticator.
fn user_of(identity: &Value) -> Result<Option<ImportedUser>, Problem> {
    let identity = Fields::of(identity, "")?;
    let user = identity.id("id")?.ok_or_else(|| identity.missing("id"))?;
    let credentials = identity.object("credentials")?.ok_or(Problem::NoCredentials)?;
    let Some(totp) = credentials.object("totp")? else { return Ok(None) };
    let config = totp.object("config")?.ok_or(Problem::NoCredentials)?;
    let url = config.text("totp_url")?.ok_or(Problem::NoCredentials)?;
    Ok(Some(ImportedUser {
        authenticators: vec![otpauth::authenticator(url)?],
        recovery_codes: codes_left(&credentials)?,
        ..ImportedUser::named(user)
    }))
}

fn codes_left(credentials: &Fields<'_>) -> Result<u32, Problem> {
    let Some(config) =
        credentials.object("lookup_secret")?.map(|secret| secret.object("config")).transpose()?.flatten()
    else {
        return Ok(0);
    };
    let mut left = 0;
    for code in config.objects("recovery_codes")? {
        left += u32::from(code.text("used_at")?.is_none());
    }
    Ok(left)
}
