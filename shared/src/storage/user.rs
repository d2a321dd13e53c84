//! Load, decide, commit, answer: the only way that a ledger is read or changed.

use std::{collections::HashSet, time::Duration};

use futures_util::{
    FutureExt,
    future::{join, join_all},
};

use super::{
    Fault, Table, device,
    ledger::{self, Commit},
    recovery,
    table::{COUNT_UNITS, Item, as_text, text, user_key},
    trust,
};
use crate::{
    domain::{
        Beside, CommitId, Counter, CounterKind, Decision, Groundwork, ItemName, Ledger, LoginId, Policy, Refusal,
        Snapshot, Timestamp, UserId, keys::Keys,
    },
    random,
};

/// Pages of a user's items that are read, of 1 MB each. A user has some ten items; more is garbage that piles up.
const MOST_PAGES: usize = 8;

/// Whose ledger, and what to load beside it.
#[derive(Clone, Copy, Debug)]
pub struct Subject {
    user: UserId,
    code_of: Option<LoginId>,
    trusted: bool,
}

impl Subject {
    /// A user.
    #[must_use]
    pub const fn user(user: UserId) -> Self {
        Self { user, code_of: None, trusted: false }
    }

    /// And the code that one login has outstanding.
    #[must_use]
    pub const fn and_code_of(self, login: LoginId) -> Self {
        Self { code_of: Some(login), ..self }
    }

    /// And the trusted devices.
    #[must_use]
    pub const fn and_trusted(self) -> Self {
        Self { trusted: true, ..self }
    }
}

/// How strongly to read (`DynamoDB`: `ConsistentRead`).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Read {
    Eventual,
    Strong,
}

impl Table {
    /// What the table says of a user, strongly read.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn snapshot(&self, user: UserId, now: Timestamp) -> Result<Snapshot, Fault> {
        self.snapshot_of(Subject::user(user), now).await
    }

    /// As [`Self::snapshot`], with what the subject asks for.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn snapshot_of(&self, subject: Subject, now: Timestamp) -> Result<Snapshot, Fault> {
        let (snapshot, _) = self.load_whole(subject, Read::Strong, now).await?;
        Ok(snapshot)
    }

    /// Decides by `rule` and commits: nobody learns an outcome before the commit that pays for it.
    ///
    /// The first read may be stale: a commit decided from it loses its race. An answer without a commit must rest on a
    /// strong read, so that one is made before it is given.
    ///
    /// # Errors
    /// [`Fault::Refused`] where the rule says no, or every try lost its race.
    pub async fn decide<T: Send>(
        &self,
        subject: Subject,
        now: Timestamp,
        rule: impl Fn(&Snapshot) -> Decision<T> + Send + Sync,
    ) -> Result<T, Fault> {
        let mut work = Work::of(subject.user)?;
        let outcome = self.decide_and_commit(subject, now, rule, &mut work).await;
        if outcome.is_err() {
            self.clear_away(work).await;
        }
        outcome
    }

    /// Deletes what was written for a commit that did not come: nobody was told of it. TTL would take days, and until
    /// then it would make every load dearer, or stand in a list.
    async fn clear_away(&self, work: Work) {
        if let (Some(written), false) = (work.written, work.may_have_committed) {
            let _ = self.delete(work.user, written).await;
        }
        let deletions = work.beside.iter().map(|item| async move {
            let _ = match item {
                Beside::PutSession(record) => self.delete_session(record.id).await,
                Beside::PutTrust(record) => self.delete_trust(work.user, record.id).await,
                Beside::DropTrust(_) => Ok(()),
            };
        });
        join_all(deletions).await;
    }

    /// Decides by a rule that takes a recovery code. A wrong one cannot be a guess, so it neither locks nor contends: it
    /// raises a counter of its own. A right one passes even where that is full.
    ///
    /// # Errors
    /// [`Fault::Refused`] where the code is wrong, or too many were.
    pub async fn decide_recovery<T: Send>(
        &self,
        subject: Subject,
        keys: &Keys,
        now: Timestamp,
        rule: impl Fn(&Snapshot) -> Decision<T> + Send + Sync,
    ) -> Result<T, Fault> {
        let outcome = self.decide(subject, now, rule).await;
        if let Err(Fault::Refused(Refusal::WrongRecoveryCode)) = outcome {
            let counter = Counter {
                kind: CounterKind::Recovery,
                key: keys.limit_key(&subject.user.0),
                window: Policy::SEND_WINDOW,
                max: Policy::WRONG_RECOVERY_CODES,
            };
            self.raise(&counter, now).await?;
        }
        outcome
    }

    async fn decide_and_commit<T: Send>(
        &self,
        subject: Subject,
        now: Timestamp,
        rule: impl Fn(&Snapshot) -> Decision<T> + Send + Sync,
        work: &mut Work,
    ) -> Result<T, Fault> {
        let mut read = Read::Eventual;
        let mut tries = 0;
        loop {
            let (snapshot, strength) = self.load_whole(subject, read, now).await?;
            let (next, groundwork, beside, outcome) = match rule(&snapshot) {
                Decision::Answer(_) if strength == Read::Eventual => {
                    read = Read::Strong;
                    continue;
                }
                Decision::Answer(outcome) => return outcome.map_err(Fault::Refused),
                Decision::Commit { ledger, groundwork, beside, outcome } => (ledger, groundwork, beside, outcome),
            };
            let committed = match self.prepare(groundwork, work).await? {
                Commit::Done => {
                    let commit = self.commit(subject.user, &snapshot, &next, work.commit);
                    let (committed, ()) = join(commit, self.put_beside(subject.user, &beside)).await;
                    // A try that ends otherwise has nothing beside it, and what an earlier one wrote must still be cleared.
                    if !beside.is_empty() {
                        work.beside.clone_from(&beside);
                    }
                    committed
                }
                Commit::Lost => Ok(Commit::Lost),
            };
            let committed = match committed {
                Ok(committed) => committed,
                // The answer may be all that was lost. If the ledger holds the commit, it counts.
                Err(fault) => {
                    work.may_have_committed = true;
                    let is_there = self.load(subject, Read::Strong).await.is_ok_and(|s| s.ledger.holds(work.commit));
                    if !is_there {
                        return Err(fault);
                    }
                    Commit::Done
                }
            };
            match committed {
                Commit::Done => {
                    self.delete_dropped(subject.user, &snapshot.ledger, &next, &beside).await;
                    return outcome.map_err(Fault::Refused);
                }
                Commit::Lost => {
                    tries += 1;
                    if tries >= Policy::COMMIT_TRIES {
                        return Err(Refusal::Contended.into());
                    }
                    read = Read::Strong;
                    pause().await?;
                }
            }
        }
    }

    /// Writes what goes beside a commit. What fails here is missed by its own token alone.
    pub(super) async fn put_beside(&self, user: UserId, items: &[Beside]) {
        let writes = items.iter().map(|item| async move {
            let _ = match item {
                Beside::PutSession(record) => self.put_session(record).await,
                Beside::PutTrust(record) => self.put_trust(user, record).await,
                Beside::DropTrust(_) => Ok(()),
            };
        });
        join_all(writes).await;
    }

    /// Loads, and loads again, strongly, where the ledger names what is not there: that read was stale or torn. What is
    /// still missing then counts as not there.
    async fn load_whole(&self, subject: Subject, read: Read, now: Timestamp) -> Result<(Snapshot, Read), Fault> {
        let snapshot = self.load(subject, read).await?;
        if snapshot.is_whole(subject.code_of, now) {
            return Ok((snapshot, read));
        }
        Ok((self.load(subject, Read::Strong).await?, Read::Strong))
    }

    async fn load(&self, subject: Subject, read: Read) -> Result<Snapshot, Fault> {
        let (items, code) = match subject.code_of {
            None => (self.query_user(subject, read).await?, None),
            Some(login) => tokio::try_join!(
                self.query_user(subject, read),
                self.get_code(subject.user, login, read == Read::Strong),
            )?,
        };
        let is_ledger = |item: &&Item| as_text(item, "sk").as_deref() == Some(ledger::SORT_KEY);
        let stored = items.iter().find(is_ledger).map(ledger::read).transpose()?;
        let is_stored = stored.is_some();
        let ledger = match stored {
            Some(ledger) => ledger,
            None => Ledger::fresh(random::number()?),
        };
        let devices = items.iter().filter_map(device::read).collect();
        let recovery = items.iter().filter_map(recovery::read).collect();
        let trusted = items.iter().filter_map(trust::read).collect();
        Ok(Snapshot { ledger, stored: is_stored, devices, recovery, code, trusted })
    }

    async fn query_user(&self, subject: Subject, read: Read) -> Result<Vec<Item>, Fault> {
        // Trusted devices sort behind all else, codes before.
        let condition =
            if subject.trusted { "pk = :user AND sk >= :mfa" } else { "pk = :user AND begins_with(sk, :mfa)" };
        let mut items = Vec::new();
        let mut start = None;
        for _ in 0..MOST_PAGES {
            let query = self.client.query().table_name(&self.name).return_consumed_capacity(COUNT_UNITS);
            let page = query
                .key_condition_expression(condition)
                .expression_attribute_values(":user", user_key(subject.user))
                .expression_attribute_values(":mfa", text("MFA#"))
                .consistent_read(read == Read::Strong)
                .set_exclusive_start_key(start)
                .send()
                .await
                .map_err(|error| Fault::of("Query user", &error))?;
            items.extend(page.items.unwrap_or_default());
            start = page.last_evaluated_key;
            if start.is_none() {
                return Ok(items);
            }
        }
        // The ledger sorts behind the devices: without its page this would read as "MFA is off".
        Err(Fault::Broken("a user has more items than can be read".to_owned()))
    }

    /// Puts in place what the commit relies on. `Lost` where that is gone: the snapshot was stale.
    async fn prepare(&self, groundwork: Groundwork, work: &mut Work) -> Result<Commit, Fault> {
        let (name, written) = match &groundwork {
            Groundwork::None => return Ok(Commit::Done),
            Groundwork::KeepDevice(id) => return self.keep_device(work.user, *id).await,
            Groundwork::PutDevice(record) => (ItemName::Device(record.id), self.put_device(work.user, record).boxed()),
            Groundwork::PutRecovery(record) => {
                (ItemName::Recovery(record.id), self.put_recovery(work.user, record).boxed())
            }
        };
        // Decided again after a lost race: the item is there already.
        if work.written != Some(name) {
            work.written = Some(name);
            written.await?;
        }
        Ok(Commit::Done)
    }

    /// Deletes the items that the ledger names no more, and trusted devices that make room. What fails here is garbage,
    /// no more.
    async fn delete_dropped(&self, user: UserId, before: &Ledger, after: &Ledger, beside: &[Beside]) {
        let kept: HashSet<_> = after.named_items().collect();
        let dropped = before.named_items().filter(|name| !kept.contains(name));
        let dropped = dropped.map(|name| self.delete(user, name));
        let trusts = beside.iter().filter_map(|item| match item {
            Beside::DropTrust(id) => Some(self.delete_trust(user, *id)),
            _ => None,
        });
        join(join_all(dropped), join_all(trusts)).await;
    }

    async fn delete(&self, user: UserId, name: ItemName) -> Result<(), Fault> {
        let sort_key = match name {
            ItemName::Device(id) => device::sort_key(id),
            ItemName::Recovery(id) => recovery::sort_key(id),
        };
        self.delete_item("DeleteItem", user_key(user), sort_key).await
    }

    /// Raises counters side by side. The first that is full refuses; where one cannot be asked, that is said too.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn raise_all(&self, counters: &[Counter], now: Timestamp) -> Result<(), Fault> {
        let raised = join_all(counters.iter().map(|counter| self.raise(counter, now))).await;
        let (refused, other): (Vec<_>, Vec<_>) =
            raised.into_iter().filter_map(Result::err).partition(|fault| matches!(fault, Fault::Refused(_)));
        refused.into_iter().chain(other).next().map_or(Ok(()), Err)
    }
}

/// What one operation has done so far.
struct Work {
    user: UserId,
    commit: CommitId,
    /// The item that was written and is not named yet.
    written: Option<ItemName>,
    /// What was written beside a try to commit.
    beside: Vec<Beside>,
    /// Whether a commit ended with its outcome unknown: what it names must stay.
    may_have_committed: bool,
}

impl Work {
    fn of(user: UserId) -> Result<Self, Fault> {
        let commit = CommitId(random::bytes()?);
        Ok(Self { user, commit, written: None, beside: Vec::new(), may_have_committed: false })
    }
}

/// Waits a random while, so that those who lost a race do not meet again.
async fn pause() -> Result<(), Fault> {
    let (least, most) = Policy::COMMIT_PAUSE;
    let spread = u64::try_from(most.saturating_sub(least).as_millis()).unwrap_or(0).max(1);
    let extra = Duration::from_millis(random::number()? % spread);
    tokio::time::sleep(least + extra).await;
    Ok(())
}
