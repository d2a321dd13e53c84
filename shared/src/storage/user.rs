//! Load, decide, commit, answer: the only way that anything about a user is read or changed.

use std::time::Duration;

use super::{
    Fault, Table, device,
    ledger::{self, Commit},
    table::{COUNT_UNITS, Item, as_text, text, user_key},
};
use crate::{
    domain::{CommitId, Counter, Decision, Groundwork, Ledger, LoginId, Policy, Refusal, Snapshot, Timestamp, UserId},
    random,
};

/// Whose ledger, and what to load beside it.
#[derive(Clone, Copy, Debug)]
pub struct Subject {
    /// The user.
    pub user: UserId,
    /// The login whose outstanding code is judged, if one is.
    pub code_of: Option<LoginId>,
}

impl Table {
    /// What the table says of a user, strongly read.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn snapshot(&self, user: UserId) -> Result<Snapshot, Fault> {
        self.load(Subject { user, code_of: None }, true).await
    }

    /// Decides by `rule` and commits: nobody learns an outcome before the commit that pays for it.
    ///
    /// The first read may be stale: a commit decided from it loses its race. An answer without a commit must rest on a
    /// strong read, so that one is made before it is given.
    ///
    /// # Errors
    /// [`Fault::Refused`] where the rule says no, or every try lost its race.
    pub async fn decide<T>(
        &self,
        subject: Subject,
        now: Timestamp,
        rule: impl Fn(&Snapshot) -> Decision<T> + Send + Sync,
    ) -> Result<T, Fault>
    where
        T: Send,
    {
        let commit = CommitId(random::bytes()?);
        let mut prepared = false;
        let mut strong = false;
        let mut tries = 0;
        loop {
            let snapshot = self.load(subject, strong).await?;
            if !strong && !snapshot.is_whole(subject.code_of, now) {
                strong = true;
                continue;
            }
            match rule(&snapshot) {
                Decision::Answer(_) if !strong => strong = true,
                Decision::Answer(outcome) => return outcome.map_err(Fault::Refused),
                Decision::Commit { ledger, groundwork, outcome } => {
                    if !prepared {
                        prepared = !matches!(groundwork, Groundwork::None);
                        self.prepare(subject.user, groundwork, now).await?;
                    }
                    match self.commit(subject.user, &snapshot, *ledger, commit).await {
                        Ok(Commit::Done) => return outcome.map_err(Fault::Refused),
                        // The answer may be all that was lost. If the ledger holds the commit, it counts.
                        Err(fault) => {
                            let holds = |now_there: Snapshot| now_there.ledger.holds(commit);
                            let is_there = self.load(subject, true).await.is_ok_and(holds);
                            return if is_there { outcome.map_err(Fault::Refused) } else { Err(fault) };
                        }
                        Ok(Commit::Lost) => {
                            tries += 1;
                            if tries >= Policy::COMMIT_TRIES {
                                return Err(Refusal::Contended.into());
                            }
                            strong = true;
                            pause().await?;
                        }
                    }
                }
            }
        }
    }

    async fn load(&self, subject: Subject, strong: bool) -> Result<Snapshot, Fault> {
        let (items, code) = match subject.code_of {
            None => (self.query_user(subject.user, strong).await?, None),
            Some(login) => {
                tokio::try_join!(self.query_user(subject.user, strong), self.get_code(subject.user, login, strong),)?
            }
        };
        let mut stored = None;
        let mut devices = Vec::new();
        for item in &items {
            let sort_key = as_text(item, "sk").unwrap_or_default();
            if sort_key == ledger::SORT_KEY {
                stored = Some(ledger::read(item)?);
            } else if sort_key.starts_with(device::PREFIX) {
                let record = device::read(item).ok_or_else(|| Fault::Broken("a device cannot be read".to_owned()))?;
                devices.push(record);
            }
        }
        let is_stored = stored.is_some();
        let ledger = match stored {
            Some(ledger) => ledger,
            None => Ledger::fresh(random::number()?),
        };
        Ok(Snapshot { ledger, stored: is_stored, devices, code })
    }

    async fn query_user(&self, user: UserId, strong: bool) -> Result<Vec<Item>, Fault> {
        let query = self.client.query().table_name(&self.name).return_consumed_capacity(COUNT_UNITS);
        let page = query
            .key_condition_expression("pk = :user AND begins_with(sk, :mfa)")
            .expression_attribute_values(":user", user_key(user))
            .expression_attribute_values(":mfa", text("MFA#"))
            .consistent_read(strong)
            .send()
            .await
            .map_err(|error| Fault::of("Query user", &error))?;
        // The ledger sorts last: half a page would read as "MFA is off". A user has some ten items, a page thousands.
        if page.last_evaluated_key.is_some() {
            return Err(Fault::Broken("a user has more items than a page holds".to_owned()));
        }
        Ok(page.items.unwrap_or_default())
    }

    async fn prepare(&self, user: UserId, groundwork: Groundwork, now: Timestamp) -> Result<(), Fault> {
        match groundwork {
            Groundwork::None => Ok(()),
            Groundwork::PutDevice(record) => self.put_device(user, &record).await,
            Groundwork::KeepDevice(id) => self.keep_device(user, id).await,
            Groundwork::Raise { counters, must_count } => self.raise_all(&counters, must_count, now).await,
        }
    }

    /// Raises counters side by side. The first that is full refuses; a counter that cannot be asked refuses only where
    /// `must_count` says so.
    async fn raise_all(&self, counters: &[Counter], must_count: bool, now: Timestamp) -> Result<(), Fault> {
        let raised = futures_util::future::join_all(counters.iter().map(|counter| self.raise(counter, now))).await;
        let mut unavailable = Ok(());
        for result in raised {
            match result {
                Err(Fault::Refused(refusal)) => return Err(refusal.into()),
                Err(fault) if must_count => unavailable = Err(fault),
                Err(_) | Ok(()) => {}
            }
        }
        unavailable
    }
}

/// Waits a random while, so that those who lost a race do not meet again.
async fn pause() -> Result<(), Fault> {
    let (least, most) = Policy::COMMIT_PAUSE;
    let spread = u64::try_from((most - least).as_millis()).unwrap_or(0).max(1);
    let extra = Duration::from_millis(random::number()? % spread);
    tokio::time::sleep(least + extra).await;
    Ok(())
}
