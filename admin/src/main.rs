//! `mfa-admin`: what support and operators do about users, from the command line.

mod all_users;
mod functions;
mod import;
mod progress;
mod rotate_keys;
mod text;

use std::{
    io::{IsTerminal, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Args, Parser, Subcommand};
use functions::Functions;
use import::Import;
use mfa_admin_function::{Command, ErasedUser, Reply, Restore, User};
use serde_json::{Value, json};

/// Shows and changes the users of an MFA stack, by the user ids of the application's own tokens.
///
/// It invokes the functions STACK-admin-read, which shows, and STACK-admin, which changes, with the
/// credentials and the region that the AWS CLI would use. AWS decides who may invoke which of them
/// (docs/administer.md). Each change is logged with the caller and the reason.
#[derive(Parser)]
#[command(version, name = "mfa-admin")]
struct Options {
    #[command(flatten)]
    target: Target,
    #[command(subcommand)]
    command: What,
}

/// Which stack, and how.
#[derive(Args, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
struct Target {
    /// Name of the stack.
    #[arg(long, global = true, value_name = "NAME", default_value = "mfa")]
    stack: String,
    /// AWS region [default: that of the AWS CLI].
    #[arg(long, global = true, value_name = "REGION")]
    region: Option<String>,
    /// Profile of the AWS CLI's configuration.
    #[arg(long, global = true, value_name = "NAME")]
    profile: Option<String>,
    /// Ask the bundle that `cargo run` serves on this machine, instead of AWS.
    #[arg(
        long,
        global = true,
        value_name = "URL",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "http://127.0.0.1:9000",
        conflicts_with_all = ["region", "profile"]
    )]
    local: Option<String>,
    /// With several logins, the name of the one whose user ids are meant.
    #[arg(long, global = true, value_name = "NAME")]
    login: Option<String>,
    /// Why, for the log: at most 200 characters. Every change needs it.
    #[arg(long, global = true, value_name = "TEXT")]
    reason: Option<String>,
    /// Only say what would happen.
    #[arg(long, global = true)]
    dry_run: bool,
    /// Print JSON.
    #[arg(long, global = true)]
    json: bool,
    /// Do not ask before a command that concerns all users.
    #[arg(long, global = true)]
    yes: bool,
    /// For commands that concern all users: keep in this file how far they are [default:
    /// mfa-admin-STACK-COMMAND.json].
    #[arg(long, global = true, value_name = "FILE")]
    progress: Option<PathBuf>,
    /// Go on where a command that concerns all users stopped.
    #[arg(long, global = true)]
    resume: bool,
}

#[derive(Subcommand)]
enum What {
    /// Show a user: whether MFA is on, locks, authenticators, recovery codes, sessions.
    Show(OfUser),
    /// End a lock, and forget the wrong codes. Make sure first who is asking.
    Unlock(OfUser),
    /// Take every factor away, for a user who lost all of them: MFA is off, and all sessions end.
    /// Make sure first who is asking.
    Reset(OfUser),
    /// End all sessions and trusted devices of a user. Access tokens that are out still pass the
    /// application's own check for up to 15 minutes.
    EndSessions(OfUser),
    /// Delete everything of a user. Delete the user in the application first.
    Erase {
        #[command(flatten)]
        user: OfUser,
        /// Do not wait half a minute for requests that are under way, to delete what they write.
        #[arg(long)]
        no_wait: bool,
    },
    /// Print everything that the table holds of a user, as JSON and without secrets.
    Export(OfUser),
    /// Look at the items of all users: which cannot be read, are missing, belong to nobody or are too
    /// large, and how many each sealing key sealed.
    Check,
    /// End all sessions and trusted devices of all users.
    RaiseEpochs,
    /// Seal every authenticator again that an old sealing key sealed.
    Reseal,
    /// Say which step of the rotation of sealing keys is next.
    RotateKeys,
    /// Bring users and their authenticators from a file of another system (docs/import.md). Users who
    /// are here already stay as they are. Recovery codes are never taken over.
    Import {
        /// The file.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Its format: jsonl, csv, otpauth, authelia-yaml, authelia-csv, kratos, keycloak or django-otp
        /// [default: by the end of its name].
        #[arg(long, value_name = "FORMAT")]
        format: Option<String>,
        /// Leave MFA off: each user switches it on.
        #[arg(long)]
        off: bool,
    },
    /// Bring users back from a backup that was restored to another table.
    RestoreFrom {
        /// The table of the backup. Its name begins with that of the stack and `-restored`.
        #[arg(value_name = "TABLE")]
        table: String,
        /// Let recovery codes of lost users count again, also those that were used since the backup.
        #[arg(long)]
        keep_recovery: bool,
        /// File with the ids of users who were erased since the backup, one a line. They stay erased. With
        /// several logins, each line begins with the login's name and a tab.
        #[arg(long, value_name = "FILE")]
        erased: Option<PathBuf>,
    },
}

#[derive(Args)]
struct OfUser {
    /// The user's id in the application's tokens.
    #[arg(long, value_name = "ID")]
    user: String,
}

impl From<OfUser> for User {
    fn from(of: OfUser) -> Self {
        Self { user: of.user }
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let Options { target, command } = Options::parse();
    match run(&target, command).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            let text =
                if target.json { json!({ "error": message }).to_string() } else { format!("mfa-admin: {message}") };
            // If standard error is closed, nobody is left to tell.
            let _ = writeln!(std::io::stderr(), "{text}");
            ExitCode::FAILURE
        }
    }
}

async fn run(target: &Target, what: What) -> Result<(), String> {
    let functions = Functions::of(target).await?;
    match what {
        What::Show(user) => show(&functions, Command::Show(user.into()), target.json).await,
        What::Export(user) => show(&functions, Command::Export(user.into()), true).await,
        What::Unlock(OfUser { user }) => {
            let done = format!("{user} is unlocked: wrong codes are forgotten.");
            change(&functions, Command::Unlock, user, &done).await
        }
        What::Reset(OfUser { user }) => {
            let done = format!("{user} has no factor any more. MFA is off, and all sessions have ended.");
            change(&functions, Command::Reset, user, &done).await
        }
        What::EndSessions(OfUser { user }) => {
            let done = format!("All sessions and trusted devices of {user} have ended.");
            change(&functions, Command::EndSessions, user, &done).await
        }
        What::Erase { user, no_wait } => erase(&functions, user, no_wait).await,
        What::Check => all_users::run(&functions, Command::Check).await,
        What::RaiseEpochs => all_users::run(&functions, Command::RaiseEpochs).await,
        What::Reseal => all_users::run(&functions, Command::Reseal).await,
        What::RotateKeys => rotate_keys::run(&functions).await,
        What::Import { file, format, off } => {
            let format = import::format_of(format.as_deref(), &file)?;
            Import { file, format, off }.run(&functions).await
        }
        What::RestoreFrom { table, keep_recovery, erased } => {
            let erased = erased.map_or_else(|| Ok(Vec::new()), |file| erased_in(&file))?;
            let command = |page| {
                let (table, erased) = (table.clone(), erased.clone());
                Command::RestoreFrom(Restore { table, keep_recovery, erased, page })
            };
            all_users::run(&functions, command).await
        }
    }
}

/// How many erased users a call can carry.
const MOST_ERASED: usize = 50_000;

/// The users whom a file names: one a line, with several logins the login's name and a tab before it.
fn erased_in(file: &Path) -> Result<Vec<ErasedUser>, String> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("{} cannot be read: {error}", file.display()))?;
    let lines = text.trim_start_matches('\u{feff}').lines().map(str::trim).filter(|line| !line.is_empty());
    let users: Vec<_> = lines
        .map(|line| match line.split_once('\t') {
            Some((login, user)) => ErasedUser { login: Some(login.to_owned()), user: user.trim().to_owned() },
            None => ErasedUser { login: None, user: line.to_owned() },
        })
        .collect();
    if users.len() > MOST_ERASED {
        return Err(format!(
            "{} names more than {MOST_ERASED} users. Erase the others again afterwards.",
            file.display()
        ));
    }
    Ok(users)
}

async fn show(functions: &Functions<'_>, command: Command, as_json: bool) -> Result<(), String> {
    match functions.ask(command).await? {
        Reply::Shown(user) if as_json => print_json(&user),
        Reply::Shown(user) => print(&text::of_user(user)?),
        Reply::UnknownUser => return Err(unknown_user()),
        other => return Err(unexpected(&other)),
    }
    Ok(())
}

async fn change(
    functions: &Functions<'_>,
    command: impl FnOnce(User) -> Command,
    user: String,
    done: &str,
) -> Result<(), String> {
    let known = format!("The table knows {user}. Nothing was changed.");
    match functions.ask(command(User { user })).await? {
        Reply::Done if functions.target.json => print_json(&json!({ "done": !functions.target.dry_run })),
        Reply::Done => print(&format!("{}\n", if functions.target.dry_run { &known } else { done })),
        Reply::UnknownUser => return Err(unknown_user()),
        other => return Err(unexpected(&other)),
    }
    Ok(())
}

/// The longest that a function of the bundle can be under way (its time-out in `template.yaml`).
const LONGEST_REQUEST: std::time::Duration = std::time::Duration::from_secs(30);

async fn erase(functions: &Functions<'_>, user: OfUser, no_wait: bool) -> Result<(), String> {
    let id = user.user.clone();
    let dry_run = functions.target.dry_run;
    // Nobody found may also be the answer to a call that was repeated after a lost answer.
    let first = deleted_by(functions, Command::Erase(user.into())).await?;
    let mut second = 0;
    if !no_wait && !dry_run {
        if std::io::stderr().is_terminal() {
            let _ = writeln!(std::io::stderr(), "{first} items deleted. Waiting for requests that are under way …");
        }
        tokio::time::sleep(LONGEST_REQUEST).await;
        let unfinished = |problem| format!("{first} items of {id} are deleted, but perhaps not all. {problem}");
        let user = || User { user: id.clone() };
        second = deleted_by(functions, Command::Sweep(user())).await.map_err(unfinished)?;
        if matches!(functions.ask(Command::Show(user())).await.map_err(unfinished)?, Reply::Shown(_)) {
            return Err(format!(
                "{first} items of {id} are deleted, but the user has come back meanwhile and begun anew. Delete the \
                 user in the application first, and run this again."
            ));
        }
    }
    let deleted = first + second;
    match functions.target.json {
        true => print_json(&json!({ "items": deleted, "deleted": !dry_run })),
        false if deleted == 0 => print(&format!("The table has nothing of {id}. Is that the id in the tokens?\n")),
        false if dry_run => print(&format!("{deleted} items of {id} would be deleted. Nothing was changed.\n")),
        false if no_wait => print(&format!(
            "{deleted} items of {id} are deleted. Run this once more in half a minute, for what requests under way write.\n"
        )),
        false => print(&format!("{deleted} items of {id} are deleted. None is left.\n")),
    }
    Ok(())
}

async fn deleted_by(functions: &Functions<'_>, command: Command) -> Result<usize, String> {
    match functions.ask(command).await? {
        Reply::Deleted(items) => Ok(items),
        Reply::UnknownUser => Ok(0),
        other => Err(unexpected(&other)),
    }
}

fn unknown_user() -> String {
    "The table has no such user. Is it the id in the tokens (claim sub), and the right --stack and --login?".to_owned()
}

fn unexpected(reply: &Reply) -> String {
    format!("The function answers something else than was asked: {reply:?}. Use mfa-admin of the deployed release.")
}

fn print_json(value: &Value) {
    let text = serde_json::to_string_pretty(value).unwrap_or_default();
    print(&format!("{text}\n"));
}

fn print(text: &str) {
    // A closed standard output must not end in a panic.
    let _ = std::io::stdout().write_all(text.as_bytes());
}
