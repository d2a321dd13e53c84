//! Brings users from a file of another system.

use std::{
    fs::File,
    io::BufReader,
    path::{Path, PathBuf},
};

use futures_util::{StreamExt, stream};
use mfa::{clock::Clock, domain::Email};
use mfa_admin_function::{Command, ImportAuthenticator, ImportUser, PageReply, Reply, Secret, UserFinding};
use mfa_import::{Format, ImportedUser, Row};
use tokio::sync::mpsc;

use crate::{
    all_users::{Report, confirm, counted, progress_bar},
    functions::Functions,
    progress::Progress,
    unexpected,
};

/// How many users go in one call.
const AT_ONCE: usize = 200;

/// How many calls run side by side.
const CALLS: usize = 8;

/// How often a call is tried again whose users failed.
const RETRIES: usize = 3;

/// What is to be imported.
pub(crate) struct Import {
    pub(crate) file: PathBuf,
    pub(crate) format: Format,
    /// Whether MFA stays off for everybody.
    pub(crate) off: bool,
}

impl Import {
    pub(crate) async fn run(self, functions: &Functions<'_>) -> Result<(), String> {
        let target = functions.target;
        let mut rows = self.rows()?;
        if !target.dry_run && !target.yes {
            confirm("brings users into", "import", &target.stack)?;
        }
        let bar = progress_bar(target.json);
        let mut progress = Progress::default();
        loop {
            let mut taken = Vec::new();
            rows.recv_many(&mut taken, AT_ONCE * CALLS).await;
            if taken.is_empty() {
                break;
            }
            let taken = taken.into_iter().collect::<Result<_, _>>();
            let brought = match taken {
                Ok(taken) => self.bring(functions, taken, &mut progress).await,
                Err(problem) => Err(problem),
            };
            if let Err(problem) = brought {
                bar.abandon();
                return Err(format!("{problem}\n{AGAIN}"));
            }
            bar.set_position(progress.users);
        }
        bar.finish_and_clear();
        Report { name: "import", is_change: true, progress: &progress }.print(target);
        let failed = progress.failed.len();
        match (failed, progress.counts.get(WRONG)) {
            (0, None) => Ok(()),
            (0, Some(_)) => Err(format!("Some rows are wrong, and were left out. {AGAIN}")),
            _ => Err(format!("{} failed. {AGAIN}", counted(failed as u64, "user"))),
        }
    }

    /// The rows of the file, read in a thread of its own.
    fn rows(&self) -> Result<mpsc::Receiver<Result<Row, String>>, String> {
        let cannot = |error: &std::io::Error| format!("{} cannot be read: {error}", self.file.display());
        let file = File::open(&self.file).map_err(|error| cannot(&error))?;
        if file.metadata().map_err(|error| cannot(&error))?.is_dir() {
            return Err(format!("{} is a folder.", self.file.display()));
        }
        let (sender, receiver) = mpsc::channel(AT_ONCE * CALLS);
        let (format, path) = (self.format, self.file.clone());
        std::thread::spawn(move || {
            let send = |row| {
                // Nobody listens any more once the command has ended.
                let _ = sender.blocking_send(row);
            };
            let read = mfa_import::read(format, BufReader::new(file), Clock::wall().now(), |row| send(Ok(row)));
            if let Err(error) = read {
                send(Err(format!("{} cannot be read to its end: {error}.", path.display())));
            }
        });
        Ok(receiver)
    }

    /// Brings the users of some rows, and notes what came of each.
    async fn bring(&self, functions: &Functions<'_>, rows: Vec<Row>, progress: &mut Progress) -> Result<(), String> {
        let mut users = Vec::new();
        for row in rows {
            match row.user {
                Ok(user) => {
                    if user.recovery_codes > 0 {
                        progress.count(LEFT_CODES, 1);
                    }
                    users.push(self.user(row.line, user));
                }
                Err(problem) => {
                    progress.users += 1;
                    progress.count(WRONG, 1);
                    let user = format!("line {}", row.line);
                    progress.findings.push(UserFinding { user, item: None, what: problem.to_string() });
                }
            }
        }
        let mut calls: Vec<_> = users.chunks(AT_ONCE).map(<[ImportUser]>::to_vec).collect();
        for retry in 0..=RETRIES {
            let asked = calls.drain(..).map(|users| {
                let answer = functions.ask(Command::Import(users.clone()));
                async move { (users, answer.await) }
            });
            let answers: Vec<_> = stream::iter(asked.collect::<Vec<_>>()).buffer_unordered(CALLS).collect().await;
            for (users, answer) in answers {
                let reply = match answer? {
                    Reply::Page(reply) => reply,
                    other => return Err(unexpected(&other)),
                };
                let failed = progress.note_import(reply, retry == RETRIES);
                let again: Vec<_> =
                    users.into_iter().filter(|user| failed.contains(&format!("line {}", user.line))).collect();
                calls.extend((!again.is_empty()).then_some(again));
            }
            if calls.is_empty() {
                break;
            }
        }
        Ok(())
    }

    fn user(&self, line: u64, user: ImportedUser) -> ImportUser {
        let authenticators = user.authenticators.into_iter().map(|of| ImportAuthenticator {
            secret: Secret(of.secret.as_bytes().to_vec().into()),
            variant: of.variant,
            name: of.name.to_string(),
            last_step: of.last_step,
        });
        ImportUser {
            line,
            user: user.user,
            login: user.login,
            authenticators: authenticators.collect(),
            proven_email: user.proven_email.as_ref().map(|email: &Email| email.as_str().to_owned()),
            proven_phone: user.proven_phone.as_ref().map(|phone| phone.as_str().to_owned()),
            enabled: user.enabled && !self.off,
        }
    }
}

/// What to do once the cause is mended. Nobody has to remember how far an import was.
const AGAIN: &str = "Run this again once that is mended: users who are here already stay as they are.";

/// What is counted of rows that are left out.
const WRONG: &str = "wrong";

/// What is counted of users who had recovery codes, which are never taken over.
const LEFT_CODES: &str = "had recovery codes";

impl Progress {
    fn count(&mut self, name: &str, by: u64) {
        *self.counts.entry(name.to_owned()).or_default() += by;
    }

    /// Notes an answer. Users that failed are noted only the last time. Returns them.
    fn note_import(&mut self, reply: PageReply, is_last: bool) -> Vec<String> {
        self.users += reply.users;
        self.read_units += reply.read_units;
        self.write_units += reply.write_units;
        for (name, by) in reply.counts {
            self.count(&name, by);
        }
        self.findings.extend(reply.findings);
        let failed = reply.failed.iter().map(|finding| finding.user.clone()).collect();
        if is_last {
            self.failed.extend(reply.failed);
        }
        failed
    }
}

/// The format of a file, by its name or as the person says.
pub(crate) fn format_of(wanted: Option<&str>, file: &Path) -> Result<Format, String> {
    let names = || Format::ALL.map(Format::as_str).join(", ");
    match wanted {
        Some(name) => {
            Format::parse(name).ok_or_else(|| format!("There is no format {name}. Choose one of {}.", names()))
        }
        None => match file.extension().and_then(|extension| extension.to_str()) {
            Some("jsonl" | "ndjson") => Ok(Format::JsonLines),
            Some("csv") => Ok(Format::Csv),
            _ => Err(format!("Say with --format of which format the file is: {}.", names())),
        },
    }
}
