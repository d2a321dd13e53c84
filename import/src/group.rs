//! The rows of a file: which lines make a user, and which users were there already.

use std::{
    collections::{HashMap, hash_map::Entry},
    mem,
};

use mfa::domain::{Email, Phone, Timestamp};

use crate::{ImportedAuthenticator, ImportedUser, Problem, Row};

/// Who a user is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct UserKey {
    pub(crate) login: Option<String>,
    pub(crate) user: String,
}

impl UserKey {
    /// A user of the only login.
    pub(crate) const fn named(user: String) -> Self {
        Self { login: None, user }
    }
}

/// Lines of one user, right or wrong, with their numbers.
pub(crate) type UserLines = Vec<(u64, Result<UserLine, Problem>)>;

/// Where rows go to.
pub(crate) struct Rows<'a> {
    now: Timestamp,
    sink: &'a mut dyn FnMut(Row),
    /// The first line of each user.
    seen: HashMap<UserKey, u64>,
}

impl<'a> Rows<'a> {
    pub(crate) fn new(now: Timestamp, sink: &'a mut dyn FnMut(Row)) -> Self {
        Self { now, sink, seen: HashMap::new() }
    }

    /// Hands on a row that is a whole user.
    pub(crate) fn push(&mut self, line: u64, user: Result<ImportedUser, Problem>) {
        let user = user.and_then(|user| user.checked(self.now)).and_then(|user| {
            let key = UserKey { login: user.login.clone(), user: user.user.clone() };
            self.once(line, key).map(|()| user)
        });
        (self.sink)(Row { line, user });
    }

    fn once(&mut self, line: u64, key: UserKey) -> Result<(), Problem> {
        match self.seen.entry(key) {
            Entry::Occupied(first) => Err(Problem::DuplicateUser { first: *first.get() }),
            Entry::Vacant(place) => {
                place.insert(line);
                Ok(())
            }
        }
    }

    /// Hands on the user that these lines make together, or what is wrong with each.
    pub(crate) fn push_lines(&mut self, key: UserKey, lines: UserLines) {
        let Some(first) = lines.first().map(|(number, _)| *number) else { return };
        // Right or wrong, the user is complete. Otherwise a line that comes later would be taken
        // for the whole.
        let once = self.once(first, key.clone());
        let Some(wrong) = lines.iter().find(|(_, line)| line.is_err()).map(|(number, _)| *number) else {
            let lines = lines.into_iter().filter_map(|(_, line)| line.ok());
            let user = once.and_then(|()| together(key, lines)?.checked(self.now));
            (self.sink)(Row { line: first, user });
            return;
        };
        for (line, user) in lines {
            let problem = user.err().unwrap_or(Problem::OfSameUser { line: wrong });
            (self.sink)(Row { line, user: Err(problem) });
        }
    }
}

/// What one line says of its user. Most lines say something of one authenticator.
#[derive(Debug, Default)]
pub(crate) struct UserLine {
    pub(crate) authenticator: Option<ImportedAuthenticator>,
    pub(crate) proven_email: Option<Email>,
    pub(crate) proven_phone: Option<Phone>,
    pub(crate) enabled: Option<bool>,
    pub(crate) recovery_codes: Option<u32>,
}

impl UserLine {
    /// A line that says something of an authenticator alone.
    pub(crate) fn of(authenticator: ImportedAuthenticator) -> Self {
        Self { authenticator: Some(authenticator), ..Self::default() }
    }
}

fn together(key: UserKey, lines: impl Iterator<Item = UserLine>) -> Result<ImportedUser, Problem> {
    let mut all = UserLine::default();
    let mut authenticators = Vec::new();
    for line in lines {
        authenticators.extend(line.authenticator);
        agree("provenEmail", &mut all.proven_email, line.proven_email)?;
        agree("provenPhone", &mut all.proven_phone, line.proven_phone)?;
        agree("enabled", &mut all.enabled, line.enabled)?;
        agree("recoveryCodes", &mut all.recovery_codes, line.recovery_codes)?;
    }
    Ok(ImportedUser {
        authenticators,
        login: key.login,
        proven_email: all.proven_email,
        proven_phone: all.proven_phone,
        enabled: all.enabled.unwrap_or(true),
        recovery_codes: all.recovery_codes.unwrap_or_default(),
        ..ImportedUser::named(key.user)
    })
}

/// Keeps what a line says of its user, which no later line may contradict.
fn agree<T: PartialEq>(field: &'static str, known: &mut Option<T>, said: Option<T>) -> Result<(), Problem> {
    match (&known, said) {
        (_, None) => Ok(()),
        (Some(known), Some(said)) if *known != said => Err(Problem::Differs { field }),
        (_, said) => {
            *known = said;
            Ok(())
        }
    }
}

/// Lines of one user that follow each other.
pub(crate) struct Group<'r, 'a> {
    rows: &'r mut Rows<'a>,
    key: UserKey,
    lines: UserLines,
}

impl<'r, 'a> Group<'r, 'a> {
    pub(crate) fn new(rows: &'r mut Rows<'a>) -> Self {
        Self { rows, key: UserKey::default(), lines: Vec::new() }
    }

    /// A line of a user, right or wrong.
    pub(crate) fn push(&mut self, number: u64, key: UserKey, line: Result<UserLine, Problem>) {
        if key.user.trim().is_empty() {
            // Such lines have nobody in common.
            return self.push_wrong(number, Problem::UserEmpty);
        }
        if self.key != key {
            self.end();
            self.key = key;
        }
        self.lines.push((number, line));
    }

    /// A line of which nobody knows whose it is.
    pub(crate) fn push_wrong(&mut self, number: u64, problem: Problem) {
        self.end();
        self.rows.push(number, Err(problem));
    }

    /// The last user is whole.
    pub(crate) fn end(&mut self) {
        self.rows.push_lines(mem::take(&mut self.key), mem::take(&mut self.lines));
    }
}
