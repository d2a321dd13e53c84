//! Commands about all users, a page of them at a time.

use std::collections::BTreeSet;

use futures_util::{FutureExt, StreamExt, stream};
use mfa::{
    App,
    domain::{
        DeviceRecord, UserId,
        operator::{self, Backup},
    },
    random,
    storage::{ItemFault, Segment, StoreError, Table, UserQuery},
};

use crate::{Page, PageReply, Problem, Reply, Restore, UserFinding, decide, login};

/// Begins the name of each count of what a key sealed. Its id follows.
pub const SEALED_BY: &str = "sealed by ";

/// How many users are worked on side by side.
const SIDE_BY_SIDE: usize = 32;

/// By how much an epoch is raised, so that no earlier one leads to it: at random, but by more than a
/// user's epoch rises by itself, and by less than what JSON can hold.
fn step() -> Result<u64, StoreError> {
    Ok((1 << 20) + (random::number()? >> 24))
}

impl Page {
    fn segment(&self) -> Result<Segment, Problem> {
        if self.segment < self.of {
            Ok(Segment { number: self.segment, of: self.of })
        } else {
            Err(Problem::of_caller("There is no such part of the table."))
        }
    }
}

/// What was done about one user: what to count, each with how often, and what was found.
pub(crate) type Outcome = (Vec<(String, u64)>, Vec<UserFinding>);

/// Does something about each user of a page. Where it fails, it goes on with the next.
async fn each_user<F>(table: &Table, page: &Page, work: impl Fn(UserId) -> F) -> Result<Reply, Problem>
where
    F: Future<Output = Result<Outcome, StoreError>> + Send,
{
    let (users, next) = if page.users.is_empty() {
        let page = table.users(page.segment()?, page.start.as_deref()).await?;
        (page.users, page.next)
    } else {
        let keys = page.users.iter().map(|key| UserId::parse(key)).collect::<Option<Vec<_>>>();
        (keys.ok_or_else(|| Problem::of_caller("These are no keys of users."))?, None)
    };
    let works = users.into_iter().map(|user| work(user).map(move |outcome| (user.to_string(), outcome)));
    Ok(Reply::Page(PageReply { next, ..gather(works.collect()).await }))
}

/// Does works side by side, and gathers what came of each user, who goes by a name.
pub(crate) async fn gather<F>(works: Vec<F>) -> PageReply
where
    F: Future<Output = (String, Result<Outcome, StoreError>)>,
{
    let outcomes: Vec<_> = stream::iter(works).buffer_unordered(SIDE_BY_SIDE).collect().await;
    let mut reply = PageReply::default();
    for (user, outcome) in outcomes {
        match outcome {
            Ok((counts, findings)) => {
                reply.users += 1;
                for (name, by) in counts {
                    *reply.counts.entry(name).or_default() += by;
                }
                reply.findings.extend(findings);
            }
            Err(error) => reply.failed.push(UserFinding { user, item: None, what: error.to_string() }),
        }
    }
    reply
}

pub(crate) fn counted(name: &str) -> Outcome {
    (vec![(name.to_owned(), 1)], Vec::new())
}

pub(crate) async fn check(app: &App, page: &Page) -> Result<Reply, Problem> {
    each_user(&app.table, page, |user| async move {
        let checked = app.table.check(user, app.clock.now()).await?;
        let mut counts: Vec<_> = checked.findings.iter().map(|finding| (kind(&finding.fault).to_owned(), 1)).collect();
        counts.extend(checked.sealed_by.into_iter().map(|id| (format!("{SEALED_BY}{id}"), 1)));
        let findings = checked.findings.into_iter().map(|finding| UserFinding {
            user: user.to_string(),
            item: Some(finding.sort_key),
            what: finding.fault.to_string(),
        });
        Ok((counts, findings.collect()))
    })
    .await
}

const fn kind(fault: &ItemFault) -> &'static str {
    match fault {
        ItemFault::Unreadable(_) => "unreadable",
        ItemFault::Missing => "missing",
        ItemFault::Orphaned => "orphaned",
        ItemFault::Oversized(_) => "oversized",
    }
}

pub(crate) async fn raise_epochs(app: &App, page: &Page, dry_run: bool) -> Result<Reply, Problem> {
    each_user(&app.table, page, |user| async move {
        let is_known = if dry_run {
            app.table.snapshot(user, app.clock.now()).await?.stored
        } else {
            let step = step()?;
            decide(app, user, |snapshot| operator::raise_epoch(snapshot, step)).await?
        };
        Ok(counted(if is_known { "raised" } else { "without a ledger" }))
    })
    .await
}

pub(crate) async fn reseal(app: &App, page: &Page, dry_run: bool) -> Result<Reply, Problem> {
    each_user(&app.table, page, |user| async move {
        let snapshot = app.table.snapshot(user, app.clock.now()).await?;
        let (mut counts, mut findings) = (Vec::new(), Vec::new());
        // What the ledger does not name belongs to nobody, and keeps no key.
        let is_named = |record: &&DeviceRecord| snapshot.ledger.names_device(record.id);
        for record in snapshot.devices.iter().filter(is_named).filter(|one| app.keys.is_sealed_by_an_old_key(one)) {
            let Some(secret) = app.keys.totp_secret(user, record) else {
                counts.push(("not opened".to_owned(), 1));
                findings.push(not_opened(user, record));
                continue;
            };
            if !dry_run {
                let sealed = app.keys.seal_totp(user, record.id, &secret, random::bytes()?);
                let sealed = sealed.map_err(|error| StoreError::Broken(error.to_string()))?;
                app.table.reseal_device(user, record, sealed).await?;
            }
            counts.push(("sealed again".to_owned(), 1));
        }
        for old in app.table.notice_to(user).await?.iter().filter(|one| app.keys.is_of_an_old_key(&one.sealed)) {
            let Some(plain) = app.keys.notice_to(user, &old.slot, &old.sealed) else {
                counts.push(("not opened".to_owned(), 1));
                let (user, item) = (user.to_string(), Some("NOTICE#TO".to_owned()));
                findings.push(UserFinding { user, item, what: NOT_OPENED.to_owned() });
                continue;
            };
            if !dry_run {
                let sealed = app.keys.seal_notice_to(user, &old.slot, &plain, random::bytes()?);
                let sealed = sealed.map_err(|error| StoreError::Broken(error.to_string()))?;
                app.table.reseal_notice_to(user, old, sealed).await?;
            }
            counts.push(("sealed again".to_owned(), 1));
        }
        Ok((counts, findings))
    })
    .await
}

pub(crate) async fn restore(app: &App, restore: &Restore, dry_run: bool) -> Result<Reply, Problem> {
    if restore.table == app.config.table {
        return Err(Problem::of_caller("That is the stack's own table. Name the one that the backup was restored to."));
    }
    let backup = &app.table.beside(&restore.table);
    backup.open().await.map_err(|error| match error {
        StoreError::Broken(cause) => Problem::of_caller(format!(
            "The table {} cannot be read: {cause}. Its name must begin with that of the stack and -restored.",
            restore.table
        )),
        other => other.into(),
    })?;
    let erased = restore.erased.iter().map(|erased| {
        let space = &login(app, erased.login.as_deref())?.users;
        Ok(app.keys.user_id_in(space, &erased.user).to_string())
    });
    let erased = &erased.collect::<Result<BTreeSet<_>, Problem>>()?;
    each_user(backup, &restore.page, |user| async move {
        let now = app.clock.now();
        if erased.contains(&user.to_string()) {
            return Ok(counted("stay erased"));
        }
        let old = backup.snapshot_of(UserQuery::user(user).and_credentials(), now).await?;
        if !old.stored {
            return Ok(counted("without a ledger"));
        }
        let backup = Backup {
            ledger: old.ledger,
            devices: old.devices,
            passkeys: old.passkeys,
            credentials: old.credentials,
            recovery: old.recovery,
            step: step()?,
            keeps_recovery: restore.keep_recovery,
        };
        let restored = if dry_run {
            operator::restore(&app.table.snapshot(user, now).await?, &backup).into_outcome()?
        } else {
            decide(app, user, |snapshot| operator::restore(snapshot, &backup)).await?
        };
        let opens = |record: &&DeviceRecord| app.keys.totp_secret(user, record).is_some();
        let findings: Vec<_> =
            backup.devices.iter().filter(|record| !opens(record)).map(|record| not_opened(user, record)).collect();
        let mut counts = vec![(if restored.was_lost { "brought back" } else { "bounded" }.to_owned(), 1)];
        for (name, count) in [
            ("authenticators inactive", u64::try_from(restored.inactive_devices).unwrap_or(0)),
            ("recovery codes void", restored.recovery_voided.into()),
            ("MFA stays off", restored.stays_off.into()),
        ] {
            counts.extend((count > 0).then(|| (name.to_owned(), count)));
        }
        Ok((counts, findings))
    })
    .await
}

const NOT_OPENED: &str = "its secret does not open with the configured sealing keys";

fn not_opened(user: UserId, record: &DeviceRecord) -> UserFinding {
    UserFinding { user: user.to_string(), item: Some(format!("device {}", record.id)), what: NOT_OPENED.to_owned() }
}
