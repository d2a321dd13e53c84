//! Commands about all users. The table is read in parts, side by side, a page at a time.

use std::io::{BufRead, IsTerminal, Write};

use futures_util::{StreamExt, stream};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use mfa::clock::Clock;
use mfa_admin_function::{Command, Page, PageReply, Reply, Restore, UserFinding};
use serde_json::json;

use crate::{
    Target,
    functions::Functions,
    print, print_json,
    progress::{Part, Progress, ProgressFile},
    unexpected,
};

/// In how many parts the table is read side by side.
const PARTS: u16 = 8;

/// How many users that failed are tried again in one go.
const RETRIED_AT_ONCE: usize = 100;

/// How often users that failed are tried again before somebody has to look.
const RETRIES: usize = 3;

/// Has a command carried out for all users, and says what came of it. How far it is stands in a file.
pub(crate) async fn run(functions: &Functions<'_>, command: impl Fn(Page) -> Command) -> Result<(), String> {
    let target = functions.target;
    let example = command(Page::of_part(0, 1, None));
    let of = progress_name(&target.stack, &example, target.dry_run);
    let file = ProgressFile::at(target.progress.as_deref(), &format!("{}-{}", target.stack, example.name()));
    let mut progress = file.read(&of, PARTS, target.resume, Clock::wall().now())?;
    if example.is_change() && !target.dry_run && !target.yes {
        confirm("concerns every user of", example.name(), &target.stack)?;
    }
    // A file that cannot be written is told before anything is done.
    file.write(&progress)?;
    let outcome = go_on(functions, &command, &mut progress, |progress| file.write(progress)).await;
    if (outcome.is_ok() && progress.failed.is_empty()) || progress.is_new() {
        file.remove();
    }
    match outcome {
        Err(problem) if progress.is_new() => return Err(problem),
        Err(problem) => {
            return Err(format!("{problem}\n{} says how far it is. --resume goes on from there.", file.shown()));
        }
        Ok(()) => {}
    }
    Report { name: example.name(), is_change: example.is_change(), progress: &progress }.print(target);
    match progress.failed.len() {
        0 => Ok(()),
        failed => {
            let failed = counted(u64::try_from(failed).unwrap_or(u64::MAX), "user");
            Err(format!("{failed} failed. Once the cause is mended, the same command with --resume goes on with them."))
        }
    }
}

/// What a look at all users finds, from the beginning.
///
/// # Errors
/// The sentence for the person, also if it fails for a user: nobody knows then what there is.
pub(crate) async fn look(functions: &Functions<'_>, command: impl Fn(Page) -> Command) -> Result<Progress, String> {
    let mut progress = Progress { parts: (0..PARTS).map(|_| Part::New).collect(), ..Progress::default() };
    go_on(functions, &command, &mut progress, |_| Ok(())).await?;
    match progress.failed.first() {
        None => Ok(progress),
        Some(failed) => Err(format!("The items of {} cannot be read: {}. Mend that first.", failed.user, failed.what)),
    }
}

async fn go_on(
    functions: &Functions<'_>,
    command: impl Fn(Page) -> Command,
    progress: &mut Progress,
    keep: impl Fn(&Progress) -> Result<(), String>,
) -> Result<(), String> {
    let bar = progress_bar(functions.target.json);
    let mut retries = 0;
    loop {
        bar.set_position(progress.users);
        let mut pages = progress.next_pages();
        if pages.is_empty() && !progress.failed.is_empty() && retries < RETRIES {
            retries += 1;
            let failed: Vec<_> = progress.failed.drain(..).map(|finding| finding.user).collect();
            pages = failed.chunks(RETRIED_AT_ONCE).map(|users| Page::of_users(users.to_vec())).collect();
        }
        if pages.is_empty() {
            bar.finish_and_clear();
            return Ok(());
        }
        let asked = pages.into_iter().map(|page| {
            let answer = functions.ask(command(page.clone()));
            async move { (page, answer.await) }
        });
        let mut answers = stream::iter(asked.collect::<Vec<_>>()).buffer_unordered(usize::from(PARTS));
        let mut problem = None;
        while let Some((page, answer)) = answers.next().await {
            match answer {
                Ok(Reply::Page(reply)) => progress.note(&page, reply),
                other => {
                    progress.failed.extend(page.users.into_iter().map(|user| UserFinding {
                        user,
                        item: None,
                        what: "not tried again".to_owned(),
                    }));
                    problem = Some(other.map_or_else(|sentence| sentence, |other| unexpected(&other)));
                }
            }
            bar.set_position(progress.users);
        }
        drop(answers);
        keep(progress)?;
        if let Some(problem) = problem {
            bar.abandon();
            return Err(problem);
        }
    }
}

/// What a progress is of: nobody goes on with another command, another stack, or other options.
fn progress_name(stack: &str, command: &Command, dry_run: bool) -> String {
    let options = match command {
        Command::RestoreFrom(Restore { table, keep_recovery, erased, .. }) => {
            let keep = if *keep_recovery { " --keep-recovery" } else { "" };
            format!(" {table}{keep} without {} erased users", erased.len())
        }
        _ => String::new(),
    };
    let dry_run = if dry_run { " --dry-run" } else { "" };
    format!("{stack}: {}{options}{dry_run}", command.name())
}

impl Progress {
    /// Whether nothing is done yet.
    fn is_new(&self) -> bool {
        self.parts.iter().all(|part| *part == Part::New)
    }

    /// The next page of each part that is not done.
    fn next_pages(&self) -> Vec<Page> {
        let of = u16::try_from(self.parts.len()).unwrap_or(PARTS);
        let pages = self.parts.iter().zip(0..).filter_map(|(part, number)| match part {
            Part::New => Some(Page::of_part(number, of, None)),
            Part::At(start) => Some(Page::of_part(number, of, Some(start.clone()))),
            Part::Done => None,
        });
        pages.collect()
    }

    fn note(&mut self, page: &Page, reply: PageReply) {
        self.users += reply.users;
        for (name, count) in reply.counts {
            *self.counts.entry(name).or_default() += count;
        }
        self.read_units += reply.read_units;
        self.write_units += reply.write_units;
        self.findings.extend(reply.findings);
        self.failed.extend(reply.failed);
        if page.users.is_empty()
            && let Some(part) = self.parts.get_mut(usize::from(page.segment))
        {
            *part = reply.next.map_or(Part::Done, Part::At);
        }
    }
}

/// What came of a command, for a person or a program.
pub(crate) struct Report<'a> {
    pub(crate) name: &'a str,
    pub(crate) is_change: bool,
    pub(crate) progress: &'a Progress,
}

impl Report<'_> {
    pub(crate) fn print(&self, target: &Target) {
        let Progress { users, counts, read_units, write_units, findings, failed, .. } = self.progress;
        if target.json {
            print_json(&json!({
                "users": users, "counts": counts, "readUnits": read_units, "writeUnits": write_units,
                "findings": findings, "failed": failed,
            }));
            return;
        }
        for UserFinding { user, item, what } in findings {
            let item = item.as_deref().map(|item| format!(" {item}")).unwrap_or_default();
            print(&format!("{user}{item}: {what}\n"));
        }
        for UserFinding { user, what, .. } in failed {
            print(&format!("{user}: failed: {what}\n"));
        }
        let counts: Vec<_> = counts.iter().map(|(name, count)| format!("{count} {name}")).collect();
        let counts = if counts.is_empty() { "nothing to do".to_owned() } else { counts.join(", ") };
        let dry = if self.is_change && target.dry_run { " Nothing was changed." } else { "" };
        let units = format!("{} read and {} write units", read_units.ceil(), write_units.ceil());
        print(&format!("{}: {}: {counts}. {units}.{dry}\n", self.name, counted(*users, "user")));
    }
}

/// `1 item`, `2 items`.
pub(crate) fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// A bar on a terminal.
pub(crate) fn progress_bar(is_json: bool) -> ProgressBar {
    let is_shown = !is_json && std::io::stderr().is_terminal();
    let target = if is_shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let style = ProgressStyle::with_template("{spinner} {pos} users, {elapsed_precise}");
    ProgressBar::with_draw_target(None, target).with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()))
}

/// Asks before something happens to many users. `does` is what the command does to the stack.
pub(crate) fn confirm(does: &str, name: &str, stack: &str) -> Result<(), String> {
    if !std::io::stdin().is_terminal() {
        return Err(format!("The command {name} {does} {stack}. Without a terminal, it needs --yes."));
    }
    tell(&format!("The command {name} {does} {stack}. Type the name of the stack to go on: "));
    let mut typed = String::new();
    std::io::stdin().lock().read_line(&mut typed).map_err(|error| error.to_string())?;
    if typed.trim() == stack { Ok(()) } else { Err("That is not its name. Nothing was done.".to_owned()) }
}

/// Tells a person what no program reads.
pub(crate) fn tell(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}
