//! Reads users and their second factors from files of other systems. `docs/import.md` describes the
//! formats.
//!
//! It is pure: no AWS, no network, no clock. A file becomes [`Row`]s. A row is a user, or what is
//! wrong with a line and what to do. No secret stands in a problem.

mod document;
mod fields;
mod formats;
mod group;
mod lines;
mod otpauth;
mod problem;
mod secret;
mod user;

use std::io::{self, BufRead, Cursor, Read};

use mfa::domain::Timestamp;

pub use formats::json_lines::write_json_line;
pub use lines::LONGEST_LINE;
pub use problem::Problem;
pub use secret::{ImportedSecret, SecretEncoding};
pub use user::{ImportedAuthenticator, ImportedUser};

use group::Rows;

/// The form of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// One JSON object a line: the form of this project.
    JsonLines,
    /// One authenticator a line, in columns.
    Csv,
    /// One `otpauth` address a line.
    Otpauth,
    /// What `authelia storage user totp export` writes.
    AutheliaYaml,
    /// What `authelia storage user totp export csv` writes.
    AutheliaCsv,
    /// Identities of Ory Kratos, with their credentials.
    Kratos,
    /// What `kc.sh export` writes.
    Keycloak,
    /// What `manage.py dumpdata` writes of django-otp.
    Django,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::JsonLines,
        Self::Csv,
        Self::Otpauth,
        Self::AutheliaYaml,
        Self::AutheliaCsv,
        Self::Kratos,
        Self::Keycloak,
        Self::Django,
    ];

    /// The name that people choose it by.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::JsonLines => "jsonl",
            Self::Csv => "csv",
            Self::Otpauth => "otpauth",
            Self::AutheliaYaml => "authelia-yaml",
            Self::AutheliaCsv => "authelia-csv",
            Self::Kratos => "kratos",
            Self::Keycloak => "keycloak",
            Self::Django => "django-otp",
        }
    }

    /// Reads the name that [`Self::as_str`] gives.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.as_str() == text)
    }
}

/// A user of a file, or what is wrong there.
#[derive(Debug, PartialEq, Eq)]
pub struct Row {
    /// The line where it begins, from 1.
    pub line: u64,
    /// The user, or why there is none.
    pub user: Result<ImportedUser, Problem>,
}

/// Reads a file, and hands each of its rows to `sink`, in the order of the file (of `Django`, first
/// what is nobody's). A wrong row never keeps the others back.
///
/// `now` refuses authenticators whose last used step has not come yet: no code of theirs would
/// count.
///
/// One user is held at a time, and the ids of all, which tell a user who comes twice.
/// `AutheliaYaml` and `Django` are the exceptions: the first is held as a text, the second as its
/// users.
///
/// # Errors
/// If the file cannot be read. Rows from before were handed on.
pub fn read(format: Format, input: impl BufRead, now: Timestamp, mut sink: impl FnMut(Row)) -> io::Result<()> {
    let mut rows = Rows::new(now, &mut sink);
    let input = without_byte_order_mark(input)?;
    match format {
        Format::JsonLines => formats::json_lines::read(input, &mut rows),
        Format::Csv => formats::csv::read(input, formats::csv::OURS, &mut rows),
        Format::Otpauth => formats::otpauth_lines::read(input, &mut rows),
        Format::AutheliaYaml => formats::authelia::read_yaml(input, &mut rows),
        Format::AutheliaCsv => formats::csv::read(input, formats::csv::AUTHELIA, &mut rows),
        Format::Kratos => formats::kratos::read(input, &mut rows),
        Format::Keycloak => formats::keycloak::read(input, &mut rows),
        Format::Django => formats::django::read(input, &mut rows),
    }
}

/// The same input without the mark that some editors and spreadsheets begin a file with.
fn without_byte_order_mark(mut input: impl BufRead) -> io::Result<impl BufRead> {
    let mut start = Vec::new();
    input.by_ref().take(3).read_to_end(&mut start)?;
    if start == b"\xef\xbb\xbf" {
        start.clear();
    }
    Ok(Cursor::new(start).chain(input))
}
