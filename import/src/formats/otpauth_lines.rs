use std::io::{self, BufRead};

use crate::{
    Problem,
    group::{Group, Rows, UserKey, UserLine},
    lines::each_line,
    otpauth::{self, SCHEME},
};

pub(crate) fn read(input: impl BufRead, rows: &mut Rows<'_>) -> io::Result<()> {
    let mut group = Group::new(rows);
    each_line(input, |number, line| match line.and_then(split) {
        Ok((user, uri)) => {
            group.push(number, UserKey::named(user), otpauth::authenticator(uri.trim_end()).map(UserLine::of));
        }
        Err(problem) => group.push_wrong(number, problem),
    })?;
    group.end();
    Ok(())
}

/// The user id and the address of a line. The id stands before the address, with a comma or a tab
/// between them. If it does not, it is the account in the label.
fn split(line: &str) -> Result<(String, &str), Problem> {
    let at = line.to_ascii_lowercase().find(SCHEME).ok_or(Problem::NotOtpauth)?;
    let (before, uri) = line.split_at_checked(at).ok_or(Problem::NotOtpauth)?;
    let user = before.trim_end().trim_end_matches(',').trim();
    Ok((if user.trim().is_empty() { otpauth::account(uri)? } else { user.to_owned() }, uri))
}
