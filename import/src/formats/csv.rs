use std::io::{self, BufRead};

use csv::{ReaderBuilder, StringRecord, Terminator};

use super::json_lines::{email, encoding, phone};
use crate::{
    ImportedAuthenticator, ImportedSecret, Problem,
    fields::unknown,
    group::{Group, Rows, UserKey, UserLine},
    lines::each_line,
    otpauth::{name, variant},
};

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Column {
    User,
    Login,
    Secret,
    SecretEncoding,
    Algorithm,
    Digits,
    Period,
    Name,
    LastStep,
    ProvenEmail,
    ProvenPhone,
    Enabled,
    RecoveryCodes,
    /// It is there and says nothing that counts here.
    Ignored,
}

/// The columns that a table may have, by their names in its head.
pub(crate) type Columns = &'static [(&'static str, Column)];

/// Those of our own form, in any order.
pub(crate) const OURS: Columns = &[
    ("user", Column::User),
    ("login", Column::Login),
    ("secret", Column::Secret),
    ("secretEncoding", Column::SecretEncoding),
    ("algorithm", Column::Algorithm),
    ("digits", Column::Digits),
    ("period", Column::Period),
    ("name", Column::Name),
    ("lastStep", Column::LastStep),
    ("provenEmail", Column::ProvenEmail),
    ("provenPhone", Column::ProvenPhone),
    ("enabled", Column::Enabled),
    ("recoveryCodes", Column::RecoveryCodes),
];

/// Those of Authelia.
pub(crate) const AUTHELIA: Columns = &[
    ("issuer", Column::Ignored),
    ("username", Column::User),
    ("algorithm", Column::Algorithm),
    ("digits", Column::Digits),
    ("period", Column::Period),
    ("secret", Column::Secret),
];

/// The columns of a table, from left to right.
struct Head(Vec<(&'static str, Column)>);

pub(crate) fn read(input: impl BufRead, columns: Columns, rows: &mut Rows<'_>) -> io::Result<()> {
    let mut head: Option<Result<Head, ()>> = None;
    let mut group = Group::new(rows);
    each_line(input, |number, line| {
        let fields = line.and_then(fields);
        match &head {
            None => {
                let read = fields.and_then(|names| Head::read(&names, columns));
                head = Some(read.map_err(|problem| group.push_wrong(number, problem)));
            }
            // Nobody knows what stands in which column.
            Some(Err(())) => {}
            Some(Ok(head)) => match fields.and_then(|fields| head.row(fields)) {
                Ok(row) => group.push(number, row.key(), row.line()),
                Err(problem) => group.push_wrong(number, problem),
            },
        }
    })?;
    group.end();
    Ok(())
}

/// The fields of one line. A field never goes on in the next line, so that one open quote does not
/// swallow the rest of the file.
fn fields(line: &str) -> Result<StringRecord, Problem> {
    if line.matches('"').count() % 2 == 1 {
        return Err(Problem::OpenQuote);
    }
    let mut reader = ReaderBuilder::new();
    let reader = reader.has_headers(false).terminator(Terminator::Any(b'\n')).buffer_capacity(1024);
    let mut record = StringRecord::new();
    let read = reader.from_reader(line.as_bytes()).read_record(&mut record);
    read.map(|_| record).map_err(|_| Problem::OpenQuote)
}

impl Head {
    fn read(names: &StringRecord, columns: Columns) -> Result<Self, Problem> {
        let known: Vec<_> = columns.iter().map(|(name, _)| *name).collect();
        let mut head = Vec::new();
        for name in names {
            let found = columns.iter().find(|(known, _)| known.eq_ignore_ascii_case(name.trim()));
            let column = *found.ok_or_else(|| unknown(name, name, &known))?;
            if head.contains(&column) {
                return Err(Problem::ColumnTwice(column.0));
            }
            head.push(column);
        }
        let user = columns.iter().find(|(_, column)| *column == Column::User);
        match user.filter(|user| !head.contains(user)) {
            Some((name, _)) => Err(Problem::Missing((*name).to_owned())),
            None => Ok(Self(head)),
        }
    }

    fn row(&self, fields: StringRecord) -> Result<TableRow<'_>, Problem> {
        let (expected, found) = (self.0.len(), fields.len());
        if expected == found {
            Ok(TableRow { head: self, fields })
        } else {
            Err(Problem::FieldCount { expected, found })
        }
    }
}

struct TableRow<'a> {
    head: &'a Head,
    fields: StringRecord,
}

impl TableRow<'_> {
    /// The text in a column, if it is there and not blank, with the name of the column.
    fn get(&self, wanted: Column) -> Option<(&'static str, &str)> {
        let place = self.head.0.iter().position(|(_, column)| *column == wanted)?;
        let (name, _) = self.head.0.get(place)?;
        Some((*name, self.fields.get(place)?)).filter(|(_, text)| !text.trim().is_empty())
    }

    fn text(&self, column: Column) -> Option<&str> {
        self.get(column).map(|(_, text)| text.trim())
    }

    fn parsed<T: std::str::FromStr>(&self, column: Column, expected: &'static str) -> Result<Option<T>, Problem> {
        let wrong = |field: &str| Problem::WrongType { field: field.to_owned(), expected };
        self.get(column).map(|(name, text)| text.trim().parse().map_err(|_| wrong(name))).transpose()
    }

    fn key(&self) -> UserKey {
        UserKey {
            login: self.text(Column::Login).map(ToOwned::to_owned),
            // As it is: blanks may belong to it.
            user: self.get(Column::User).map_or_else(String::new, |(_, user)| user.to_owned()),
        }
    }

    fn line(&self) -> Result<UserLine, Problem> {
        Ok(UserLine {
            authenticator: self.authenticator()?,
            proven_email: self.text(Column::ProvenEmail).map(email).transpose()?,
            proven_phone: self.text(Column::ProvenPhone).map(phone).transpose()?,
            enabled: self.parsed(Column::Enabled, "true or false")?,
            recovery_codes: self.parsed(Column::RecoveryCodes, WHOLE_NUMBER)?,
        })
    }

    fn authenticator(&self) -> Result<Option<ImportedAuthenticator>, Problem> {
        let Some(secret) = self.text(Column::Secret) else {
            let of_one = [Column::Algorithm, Column::Digits, Column::Period, Column::Name, Column::LastStep];
            let has_any = of_one.iter().any(|column| self.get(*column).is_some());
            return if has_any { Err(Problem::Missing("secret".to_owned())) } else { Ok(None) };
        };
        let digits = self.parsed(Column::Digits, WHOLE_NUMBER)?;
        let period = self.parsed(Column::Period, WHOLE_NUMBER)?;
        Ok(Some(ImportedAuthenticator {
            secret: ImportedSecret::decode(secret, encoding(self.text(Column::SecretEncoding))?)?,
            variant: variant(self.text(Column::Algorithm), digits, period)?,
            name: name(self.text(Column::Name))?,
            last_step: self.parsed(Column::LastStep, WHOLE_NUMBER)?,
        }))
    }
}

const WHOLE_NUMBER: &str = "a whole number";
