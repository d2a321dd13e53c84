//! Load, decide, commit, answer: the only way to read or change a ledger.

use std::time::Duration;

use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use futures_util::future::{join, join_all, try_join_all};

use super::{
    StoreError, Table, device,
    item::{self, ReadError},
    ledger::{self, Commit},
    passkey, session,
    table::{self, COUNT_UNITS, Item, text, user_key},
    trust,
};
use crate::{
    domain::{
        After, Change, CommitId, Counter, CounterKind, Decision, ItemKey, Ledger, LoginId, Policy, Refusal, Snapshot,
        Timestamp, UnreadableItem, UserId, Write, challenge::Limits, keys::Keys,
    },
    metrics::{self, Metric},
    random,
};

/// How many pages of a user's items are read, of 1 MB each. A user has some ten items. More pages
/// would be garbage.
const MOST_PAGES: usize = 8;

/// Whose ledger to load, and which other items.
#[expect(clippy::struct_excessive_bools, reason = "each says of one kind of items whether it is loaded, or who asks")]
#[derive(Clone, Copy, Debug)]
pub struct UserQuery {
    user: UserId,
    codes_of: Option<LoginId>,
    challenges_of: Option<LoginId>,
    credentials: bool,
    trusted: bool,
    sessions: bool,
    by_operator: bool,
}

impl UserQuery {
    /// A user's ledger with its devices and recovery set.
    #[must_use]
    pub const fn user(user: UserId) -> Self {
        Self {
            user,
            codes_of: None,
            challenges_of: None,
            credentials: false,
            trusted: false,
            sessions: false,
            by_operator: false,
        }
    }

    /// Also loads the outstanding codes of one login.
    #[must_use]
    pub const fn and_codes_of(self, login: LoginId) -> Self {
        Self { codes_of: Some(login), ..self }
    }

    /// Also loads the credentials of the passkeys.
    #[must_use]
    pub const fn and_credentials(self) -> Self {
        Self { credentials: true, ..self }
    }

    /// Also loads the challenges of passkeys that one login has.
    #[must_use]
    pub const fn and_challenges_of(self, login: LoginId) -> Self {
        Self { challenges_of: Some(login), ..self }
    }

    /// Also loads the trusted devices.
    #[must_use]
    pub const fn and_trusted(self) -> Self {
        Self { trusted: true, ..self }
    }

    /// Also loads the sessions.
    #[must_use]
    pub const fn and_sessions(self) -> Self {
        Self { sessions: true, ..self }
    }

    /// The commit is then known as that of an operator.
    #[must_use]
    pub const fn by_operator(self) -> Self {
        Self { by_operator: true, ..self }
    }
}

/// The consistency of a read (`ConsistentRead` of `DynamoDB`).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Read {
    Eventual,
    Strong,
}

impl Table {
    /// Reads a user strongly.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn snapshot(&self, user: UserId, now: Timestamp) -> Result<Snapshot, StoreError> {
        self.snapshot_of(UserQuery::user(user), now).await
    }

    /// Reads a user, and what else the query asks for, strongly.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn snapshot_of(&self, query: UserQuery, now: Timestamp) -> Result<Snapshot, StoreError> {
        let (snapshot, _) = self.load_whole(query, Read::Strong, now).await?;
        Ok(snapshot)
    }

    /// Decides by `rule` and commits: nobody learns an outcome before the commit that pays for it.
    ///
    /// The first read may be stale: a commit decided from it loses its race. An answer without a
    /// commit must rest on a strong read, so a strong read is made before it is given.
    ///
    /// # Errors
    /// [`StoreError::Refused`] if the rule says no, or if every try lost its race.
    pub async fn decide<T: Send>(
        &self,
        query: UserQuery,
        now: Timestamp,
        rule: impl Fn(&Snapshot) -> Decision<T> + Send + Sync,
    ) -> Result<T, StoreError> {
        let mut put = PutSoFar::new(query.by_operator)?;
        match self.decide_and_commit(query, now, rule, &mut put).await {
            Ok(outcome) => outcome.map_err(StoreError::Refused),
            Err(error) => {
                self.undo(query.user, &put).await;
                Err(error)
            }
        }
    }

    /// Asks a rule that changes nothing of the ledger, such as one that lets a challenge be made.
    ///
    /// The read may be stale, because whatever follows is judged anew. A refusal rests on a strong
    /// read.
    ///
    /// # Errors
    /// [`StoreError::Refused`] if the rule says no.
    pub async fn ask<T: Send>(
        &self,
        query: UserQuery,
        now: Timestamp,
        rule: impl Fn(&Snapshot) -> Result<T, Refusal> + Send + Sync,
    ) -> Result<T, StoreError> {
        let (snapshot, strength) = self.load_whole(query, Read::Eventual, now).await?;
        match rule(&snapshot) {
            Err(_) if strength == Read::Eventual => {
                rule(&self.snapshot_of(query, now).await?).map_err(StoreError::Refused)
            }
            outcome => outcome.map_err(StoreError::Refused),
        }
    }

    /// Deletes what was put for a commit that did not happen. Nobody was told of it. TTL would take
    /// days, and until then the items would make every load dearer, or stand in a list.
    async fn undo(&self, user: UserId, put: &PutSoFar) {
        let before = if put.may_have_committed { &[][..] } else { &put.before };
        join_all(before.iter().chain(&put.alongside).map(|key| self.delete(user, *key))).await;
    }

    /// Decides by a rule that takes a recovery code or a passkey. A wrong one cannot be a guess, so it
    /// neither locks nor contends. It raises a counter of its own. A right one passes even if that
    /// counter is full.
    ///
    /// # Errors
    /// [`StoreError::Refused`] if it is wrong, or if too many were.
    pub async fn decide_possession<T: Send>(
        &self,
        query: UserQuery,
        keys: &Keys,
        now: Timestamp,
        rule: impl Fn(&Snapshot) -> Decision<T> + Send + Sync,
    ) -> Result<T, StoreError> {
        let outcome = self.decide(query, now, rule).await;
        let wrong = match &outcome {
            Err(StoreError::Refused(Refusal::WrongRecoveryCode)) => {
                Some((CounterKind::Recovery, Policy::WRONG_RECOVERY_CODES))
            }
            Err(StoreError::Refused(Refusal::WrongPasskey(_) | Refusal::CopiedPasskey(_))) => {
                Some((CounterKind::WrongPasskeys, Policy::WRONG_PASSKEYS))
            }
            _ => None,
        };
        if let Some((kind, max)) = wrong {
            metrics::count(Metric::WrongCodes, 1.0);
            let (key, window) = (keys.limit_key(&query.user.0), Policy::SEND_WINDOW);
            self.raise(&Counter { kind, key, window, max, part: None }, now).await?;
        }
        outcome
    }

    /// `Ok` is the outcome of the rule, which may be told now. `Err` means that no commit is known
    /// to have happened.
    async fn decide_and_commit<T: Send>(
        &self,
        query: UserQuery,
        now: Timestamp,
        rule: impl Fn(&Snapshot) -> Decision<T> + Send + Sync,
        put: &mut PutSoFar,
    ) -> Result<Result<T, Refusal>, StoreError> {
        let mut read = Read::Eventual;
        let mut tries = 0;
        loop {
            let (snapshot, strength) = self.load_whole(query, read, now).await?;
            let change = match rule(&snapshot) {
                Decision::NoChange(_) if strength == Read::Eventual => {
                    read = Read::Strong;
                    continue;
                }
                Decision::NoChange(outcome) => {
                    // An earlier try may have put items before it lost its race.
                    self.undo(query.user, put).await;
                    return Ok(outcome);
                }
                Decision::Commit(change) => *change,
            };
            match self.try_to_commit(query, &snapshot, &change, put).await? {
                Commit::Done => {
                    if let Err(refusal) = &change.outcome {
                        metrics::count_wrong_code(refusal);
                    }
                    self.finish(query.user, &snapshot.ledger, &change, put).await;
                    return Ok(change.outcome);
                }
                Commit::Lost => {
                    tries += 1;
                    metrics::count(Metric::LostRaces, 1.0);
                    if tries >= Policy::COMMIT_TRIES {
                        return Err(Refusal::Contended.into());
                    }
                    read = Read::Strong;
                    pause().await?;
                }
            }
        }
    }

    async fn try_to_commit<T: Send>(
        &self,
        query: UserQuery,
        snapshot: &Snapshot,
        change: &Change<T>,
        put: &mut PutSoFar,
    ) -> Result<Commit, StoreError> {
        // After a lost race, what an earlier try put exists already.
        let is_put = |write: &&Write| write.undo().is_some_and(|key| put.before.contains(&key));
        let missing: Vec<_> = change.before.iter().filter(|write| !is_put(write)).collect();
        put.before.extend(missing.iter().filter_map(|write| write.undo()));
        let puts = join_all(missing.into_iter().map(|write| self.put(query.user, write))).await;
        if puts.into_iter().collect::<Result<Vec<_>, _>>()?.contains(&Commit::Lost) {
            return Ok(Commit::Lost);
        }
        // A retry may write no side items. Those of an earlier try stay noted, so that they are
        // still cleaned up.
        put.alongside.extend(change.alongside.iter().filter_map(Write::undo));
        let commit = self.commit(query.user, snapshot, &change.ledger, put.commit);
        let (committed, ()) = join(commit, self.put_alongside(query.user, &change.alongside)).await;
        match committed {
            Ok(committed) => Ok(committed),
            // Perhaps only the answer was lost. If the ledger holds the id of the commit, the
            // commit counts.
            Err(error) => {
                put.may_have_committed = true;
                let found = self.load(query, Read::Strong).await;
                let is_there = found.is_ok_and(|snapshot| snapshot.ledger.holds(put.commit));
                if is_there { Ok(Commit::Done) } else { Err(error) }
            }
        }
    }

    /// Writes what goes alongside a commit. If a write fails, only its own token is refused later.
    pub(super) async fn put_alongside(&self, user: UserId, writes: &[Write]) {
        join_all(writes.iter().map(|write| self.put(user, write))).await;
    }

    /// Deletes what the ledger no longer names and what only an earlier try put, and does what
    /// comes after the commit. If a deletion fails, garbage stays. If a session is not carried, it
    /// has ended.
    async fn finish<T>(&self, user: UserId, before: &Ledger, change: &Change<T>, put: &PutSoFar) {
        let own: Vec<_> = change.before.iter().chain(&change.alongside).map(Write::key).collect();
        let named: Vec<_> = change.ledger.named_items().collect();
        let is_left_over = |key: &ItemKey| !own.contains(key) && !named.contains(key);
        let left_over = put.before.iter().chain(&put.alongside).copied().filter(is_left_over);
        let deletions = change.ledger.dropped_since(before).chain(left_over).map(After::Delete);
        let after = deletions.chain(change.after.iter().cloned());
        join_all(after.map(|after| async move {
            match after {
                After::Delete(key) => self.delete(user, key).await,
                After::CarrySession { id, from, to } => self.carry_session(user, id, from, to).await,
            }
        }))
        .await;
    }

    /// Loads a user. If the ledger names an item that is missing, the read was stale or torn, so it
    /// loads again, strongly. What is still missing then counts as absent.
    async fn load_whole(&self, query: UserQuery, read: Read, now: Timestamp) -> Result<(Snapshot, Read), StoreError> {
        let snapshot = self.load(query, read).await?;
        if snapshot.is_whole(query.codes_of, query.credentials, now) {
            return Ok((snapshot, read));
        }
        Ok((self.load(query, Read::Strong).await?, Read::Strong))
    }

    async fn load(&self, query: UserQuery, read: Read) -> Result<Snapshot, StoreError> {
        self.open().await?;
        let (user, strong) = (query.user, read == Read::Strong);
        let prefixes = [
            (ledger::PREFIX, true),
            (passkey::CREDENTIALS, query.credentials),
            (trust::PREFIX, query.trusted),
            (session::PREFIX, query.sessions),
        ];
        let wanted = prefixes.into_iter().filter(|(_, is_wanted)| *is_wanted);
        let queries = try_join_all(wanted.map(|(prefix, _)| self.query_user(user, prefix, strong)));
        let mut snapshot = Snapshot::empty(0);
        let items = match (query.codes_of, query.challenges_of) {
            (None, None) => queries.await?,
            (Some(login), _) => {
                let (items, codes) = tokio::try_join!(queries, self.codes_of(user, login, strong))?;
                snapshot.codes = codes;
                items
            }
            (None, Some(login)) => {
                let (items, challenges) = tokio::try_join!(queries, self.challenges_of(user, login, strong))?;
                snapshot.challenges = challenges;
                items
            }
        };
        for item in items.into_iter().flatten() {
            let sort_key = item.get("sk").and_then(|sort_key| sort_key.as_s().ok()).cloned().unwrap_or_default();
            if sort_key == ledger::SORT_KEY {
                snapshot.ledger = ledger::read(item)?;
                snapshot.stored = true;
            } else if let Some(key) = item::key_of(&sort_key) {
                note(&mut snapshot, key, &sort_key, item)?;
            }
        }
        if !snapshot.stored {
            snapshot.ledger = Ledger::fresh(random::number()?);
        }
        Ok(snapshot)
    }

    /// The items of a user whose sort key begins with `prefix`.
    pub(super) async fn query_user(&self, user: UserId, prefix: &str, strong: bool) -> Result<Vec<Item>, StoreError> {
        let query = || {
            let query = self.client.query().key_condition_expression("pk = :user AND begins_with(sk, :prefix)");
            query.expression_attribute_values(":prefix", text(prefix))
        };
        self.all_pages(query, user, strong).await
    }

    /// All items of a user.
    pub(super) async fn items_of(&self, user: UserId) -> Result<Vec<Item>, StoreError> {
        self.all_pages(|| self.client.query().key_condition_expression("pk = :user"), user, true).await
    }

    /// The items of all pages of a query, which is made anew for each page.
    async fn all_pages(
        &self,
        query: impl Fn() -> QueryFluentBuilder,
        user: UserId,
        strong: bool,
    ) -> Result<Vec<Item>, StoreError> {
        let mut items = Vec::new();
        let mut start = None;
        for _ in 0..MOST_PAGES {
            let page = query()
                .table_name(&self.name)
                .return_consumed_capacity(COUNT_UNITS)
                .expression_attribute_values(":user", text(user_key(user)))
                .consistent_read(strong)
                .set_exclusive_start_key(start)
                .send()
                .await
                .map_err(|error| StoreError::of("Query user", &error))?;
            table::count(Metric::ReadUnits, page.consumed_capacity());
            items.extend(page.items.unwrap_or_default());
            start = page.last_evaluated_key;
            if start.is_none() {
                return Ok(items);
            }
        }
        // The ledger sorts after the devices. Without its page this would read as "MFA is off".
        Err(StoreError::Broken("a user has more items than can be read".to_owned()))
    }

    /// Raises the counter of a challenge.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn charge_challenge(&self, limit: &Counter, now: Timestamp) -> Result<(), StoreError> {
        self.raise(limit, now).await
    }

    /// Raises the counters of a code request.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn charge(&self, limits: &Limits, now: Timestamp) -> Result<(), StoreError> {
        match self.raise_in_order(&limits.counters, now).await {
            Err(StoreError::Refused(_)) if !limits.kept.is_empty() => self.raise_in_order(&limits.kept, now).await,
            charged => charged,
        }
    }

    async fn raise_in_order(&self, counters: &[Counter], now: Timestamp) -> Result<(), StoreError> {
        for counter in counters {
            self.raise(counter, now).await?;
        }
        Ok(())
    }
}

/// Adds an item that was loaded.
fn note(snapshot: &mut Snapshot, key: ItemKey, sort_key: &str, item: Item) -> Result<(), StoreError> {
    match read_into(snapshot, key, item) {
        Err(error @ ReadError::Newer(_)) => return Err(error.of_item(sort_key)),
        Err(ReadError::Malformed(cause)) => {
            let cause = format!("item {sort_key}: {cause}");
            snapshot.unreadable.push(UnreadableItem { key, cause });
        }
        Ok(()) => {}
    }
    Ok(())
}

/// Reads an item into the snapshot.
pub(super) fn read_into(snapshot: &mut Snapshot, key: ItemKey, item: Item) -> Result<(), ReadError> {
    match key {
        ItemKey::Device(id) => device::read(item, id).map(|record| snapshot.devices.push(record)),
        ItemKey::Passkey(id) => item::read(item, Some(id.to_string())).map(|record| snapshot.passkeys.push(record)),
        ItemKey::Credential(id) => {
            item::read(item, Some(id.to_string())).map(|record| snapshot.credentials.push(record))
        }
        ItemKey::Recovery(id) => item::read(item, Some(id.to_string())).map(|record| snapshot.recovery.push(record)),
        ItemKey::Trust(id) => item::read(item, Some(id.to_string())).map(|record| snapshot.trusted.push(record)),
        ItemKey::Session(id) => item::read(item, Some(id.to_string())).map(|record| snapshot.sessions.push(record)),
        // No rule asks for them.
        ItemKey::NoticeTo => Ok(()),
    }
}

/// What one decision has put so far, and as which commit.
struct PutSoFar {
    commit: CommitId,
    /// Items that the ledger will name.
    before: Vec<ItemKey>,
    /// Items that were written alongside a try to commit.
    alongside: Vec<ItemKey>,
    /// Whether the outcome of a commit is unknown. If it is, the items that it names must stay.
    may_have_committed: bool,
}

impl PutSoFar {
    fn new(by_operator: bool) -> Result<Self, StoreError> {
        let commit = CommitId(random::bytes()?);
        Ok(Self {
            commit: if by_operator { commit.of_operator() } else { commit },
            before: Vec::new(),
            alongside: Vec::new(),
            may_have_committed: false,
        })
    }
}

/// Waits for a random time, so that requests that lost a race do not meet again.
async fn pause() -> Result<(), StoreError> {
    tokio::time::sleep(length_of_pause(random::number()?)).await;
    Ok(())
}

fn length_of_pause(random: u64) -> Duration {
    let (least, most) = Policy::COMMIT_PAUSE;
    let spread = u64::try_from(most.saturating_sub(least).as_millis()).unwrap_or(0).max(1);
    least + Duration::from_millis(random % spread)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{DeviceId, DeviceRecord, RecoveryId, SessionId, TotpVariant, TrustId},
        storage::table::number,
    };

    fn noted(key: ItemKey, item: Item) -> Result<Snapshot, StoreError> {
        let mut snapshot = Snapshot::empty(0);
        note(&mut snapshot, key, "KEY", item).map(|()| snapshot)
    }

    #[test]
    fn an_item_is_noted_as_what_it_is_or_as_unreadable() {
        let id = DeviceId(uuid::Uuid::from_u128(1));
        let record = DeviceRecord {
            id,
            name: "Phone".to_owned(),
            secret: vec![1],
            created: Timestamp::default(),
            variant: TotpVariant::default(),
        };
        let readable = item::write(&record, None).expect("an item");
        assert_eq!(noted(ItemKey::Device(id), readable).expect("noted").devices, [record]);
        for key in [
            ItemKey::Device(id),
            ItemKey::Recovery(RecoveryId([1; 8])),
            ItemKey::Trust(TrustId([1; 16])),
            ItemKey::Session(SessionId([1; 16])),
        ] {
            let unreadable = noted(key, Item::new()).expect("noted").unreadable;
            let causes: Vec<_> = unreadable.iter().map(|item| (item.key, item.cause.split(':').next())).collect();
            assert_eq!(causes, [(key, Some("item KEY"))]);
            let newer = noted(key, Item::from([("schema".to_owned(), number(item::SCHEMA + 1))]));
            assert!(matches!(newer, Err(StoreError::Unavailable(_))), "a newer version wrote it");
        }
    }

    #[test]
    fn a_pause_has_any_length_within_its_bounds() {
        let pauses = [0, 1, 74, 75, u64::MAX].map(|random| length_of_pause(random).as_millis());
        assert_eq!(pauses, [5, 6, 79, 5, 20]);
    }
}
