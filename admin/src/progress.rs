//! How far a command about all users is. It stands in a file, so that the command can be ended and
//! begun again.

use std::{
    collections::BTreeMap,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use mfa::domain::Timestamp;
use mfa_admin_function::UserFinding;
use serde::{Deserialize, Serialize};

/// How far a command is.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq)]
pub(crate) struct Progress {
    /// The command and the stack that it concerns.
    pub(crate) of: String,
    /// Where each part of the table goes on.
    pub(crate) parts: Vec<Part>,
    /// When it began, in milliseconds since 1970.
    pub(crate) began: Timestamp,
    /// How many users were looked at.
    pub(crate) users: u64,
    /// What was done, and to how many.
    pub(crate) counts: BTreeMap<String, u64>,
    /// The read units of the table that it took.
    #[serde(default)]
    pub(crate) read_units: f64,
    /// The write units.
    #[serde(default)]
    pub(crate) write_units: f64,
    /// What was found.
    pub(crate) findings: Vec<UserFinding>,
    /// The users that it failed for.
    pub(crate) failed: Vec<UserFinding>,
}

/// How far one part of the table is.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Part {
    /// Nothing of it is done.
    New,
    /// It goes on here.
    At(String),
    /// All of it is done.
    Done,
}

/// The file that holds a progress.
pub(crate) struct ProgressFile(PathBuf);

impl ProgressFile {
    /// The file at `path`, or that of a command in the working directory.
    pub(crate) fn at(path: Option<&Path>, of: &str) -> Self {
        Self(path.map_or_else(|| PathBuf::from(format!("mfa-admin-{of}.json")), Path::to_path_buf))
    }

    /// What an earlier run left, if the person wants to go on with it, or the start.
    ///
    /// # Errors
    /// The sentence for the person, if there is such a file and they do not say so, if it is of another
    /// command, or if it cannot be read.
    pub(crate) fn read(&self, of: &str, parts: u16, resume: bool, now: Timestamp) -> Result<Progress, String> {
        let path = self.0.display();
        let text = match std::fs::read_to_string(&self.0) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound && resume => {
                return Err(format!("There is no {path} to go on from. Leave --resume out."));
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let parts = (0..parts).map(|_| Part::New).collect();
                return Ok(Progress { of: of.to_owned(), began: now, parts, ..Progress::default() });
            }
            Err(error) => return Err(format!("{path} cannot be read: {error}")),
        };
        match serde_json::from_str::<Progress>(&text) {
            Ok(progress) if progress.of != of => {
                Err(format!("{path} says how far `{}` is. Name another file with --progress.", progress.of))
            }
            Ok(progress) if resume => Ok(progress),
            // What happened since would be left out.
            Ok(progress) => Err(format!(
                "A run that began at {} stopped after {} users. Go on with it by --resume, or remove {path} to begin \
                 anew.",
                progress.began.to_rfc3339(),
                progress.users
            )),
            Err(_) => Err(format!("{path} is not a file of mfa-admin. Name another with --progress.")),
        }
    }

    /// Writes it in one piece: who ends the command while it writes must not lose what was there.
    ///
    /// # Errors
    /// The sentence for the person.
    pub(crate) fn write(&self, progress: &Progress) -> Result<(), String> {
        let cannot = |error: &dyn std::fmt::Display| {
            format!("{} cannot be written: {error}. Name another file with --progress.", self.0.display())
        };
        let text = serde_json::to_string(progress).map_err(|error| cannot(&error))?;
        let new = self.0.with_extension("new");
        std::fs::write(&new, text).map_err(|error| cannot(&error))?;
        std::fs::rename(&new, &self.0).map_err(|error| cannot(&error))
    }

    /// Removes it, once all is done.
    pub(crate) fn remove(&self) {
        let _ = std::fs::remove_file(&self.0);
    }

    /// Its path, for people.
    pub(crate) fn shown(&self) -> String {
        self.0.display().to_string()
    }
}
