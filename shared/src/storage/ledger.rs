//! `USER#<user>` / `MFA#LEDGER`: the ledger. All its attributes are written at once, if its version
//! is still the one that was loaded.

use aws_sdk_dynamodb::{operation::update_item::UpdateItemError, types::ReturnValuesOnConditionCheckFailure};
use serde::{Deserialize, Serialize};

use super::{
    StoreError, Table,
    item::{self, ReadError},
    packed::{self, Mark, MarkEnd, Packed},
    table::{self, Item, PrimaryKey, number},
};
use crate::domain::{
    CommitId, Ledger, NoticeMark, Snapshot, Timestamp, UserId,
    failures::Failures,
    ledger::{
        Device, Grace, KnownNetwork, MarkedAddress, Passkey, ProvenAddress, RecentLogin, RecoverySet, SentCode, Setup,
        Unreachable,
    },
    sends::{PastSend, Sends},
};

/// The beginning of the sort keys of the ledger and of the items that it names.
pub(super) const PREFIX: &str = "MFA#";

pub(super) const SORT_KEY: &str = "MFA#LEDGER";

/// How a commit ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Commit {
    /// The ledger is in the table.
    Done,
    /// Another commit came first.
    Lost,
}

/// The ledger as it is stored: one-letter names and packed lists keep it small.
///
/// Empty lists are stored too. If one were left out, a lost attribute would look like an empty
/// list, and silently remove every authenticator, or every wrong answer. Only the grace and the
/// marks of addresses may be missing: without them, less is allowed. So may the mark of the addresses for
/// notices, without which they are written again, and the passkeys, but not of a ledger whose schema
/// says that it has some.
///
/// An attribute is read by its name, and written by the name of its value in an update expression.
#[derive(Serialize, Deserialize)]
struct StoredLedger {
    #[serde(rename(serialize = ":v", deserialize = "v"))]
    version: u64,
    #[serde(rename(serialize = ":e", deserialize = "e"))]
    security_epoch: u64,
    #[serde(rename(serialize = ":o", deserialize = "o"))]
    enabled: bool,
    #[serde(rename(serialize = ":d", deserialize = "d"))]
    devices: Packed<Device>,
    #[serde(rename(serialize = ":k", deserialize = "k"), default, skip_serializing_if = "Option::is_none")]
    passkeys: Option<Packed<Passkey>>,
    /// See [`SCHEMA_OF_PASSKEYS`].
    #[serde(rename(serialize = ":schema", deserialize = "schema"), default, skip_serializing_if = "Option::is_none")]
    schema: Option<u64>,
    #[serde(rename(serialize = ":s", deserialize = "s"))]
    setups: Packed<Setup>,
    #[serde(rename(serialize = ":c", deserialize = "c"))]
    codes: Packed<SentCode>,
    #[serde(rename(serialize = ":r", deserialize = "r"))]
    recovery: Packed<RecoverySet>,
    #[serde(rename(serialize = ":f", deserialize = "f"))]
    failures: Packed<Failures>,
    #[serde(rename(serialize = ":n", deserialize = "n"))]
    sent: Packed<PastSend>,
    #[serde(rename(serialize = ":b", deserialize = "b"))]
    refunded_at: Packed<Timestamp>,
    #[serde(rename(serialize = ":p", deserialize = "p"))]
    proven: Packed<ProvenAddress>,
    #[serde(rename(serialize = ":m", deserialize = "m"), default)]
    marked: Packed<Mark>,
    #[serde(rename(serialize = ":u", deserialize = "u"), default)]
    mark_ends: Packed<MarkEnd>,
    #[serde(rename(serialize = ":l", deserialize = "l"))]
    recent: Packed<RecentLogin>,
    #[serde(rename(serialize = ":w", deserialize = "w"))]
    networks: Packed<KnownNetwork>,
    #[serde(rename(serialize = ":g", deserialize = "g"), default, skip_serializing_if = "Packed::is_empty")]
    grace: Packed<Grace>,
    #[serde(rename(serialize = ":t", deserialize = "t"), default)]
    notice_mark: Packed<NoticeMark>,
    #[serde(rename(serialize = ":i", deserialize = "i"))]
    commits: Packed<CommitId>,
}

/// Whether an attribute is a packed list.
fn is_packed(name: &str) -> bool {
    matches!(name, "d" | "k" | "s" | "c" | "r" | "f" | "n" | "b" | "p" | "m" | "u" | "l" | "w" | "g" | "t" | "i")
}

/// The mark of an address as it is stored, and its end.
fn stored_mark(marked: &MarkedAddress) -> (Mark, Option<MarkEnd>) {
    let MarkedAddress { tag, untried, unreachable } = *marked;
    let refused = matches!(unreachable, Some(Unreachable::Refused { .. }));
    let until = unreachable.and_then(Unreachable::until);
    (Mark { tag, untried, refused }, until.map(|until| MarkEnd { tag, until }))
}

/// The mark of an address, with its end. `None` if it says nothing.
fn read_mark(mark: Mark, ends: &[MarkEnd]) -> Option<MarkedAddress> {
    let Mark { tag, untried, refused } = mark;
    let until = ends.iter().find(|end| end.tag == tag).map(|end| end.until);
    let unreachable =
        if refused { Some(Unreachable::Refused { until }) } else { until.map(|until| Unreachable::Barred { until }) };
    (untried || unreachable.is_some()).then_some(MarkedAddress { tag, untried, unreachable })
}

impl From<Ledger> for StoredLedger {
    fn from(ledger: Ledger) -> Self {
        let schema = schema_of(&ledger);
        let (marks, ends): (Vec<_>, Vec<_>) = ledger.marked.iter().map(stored_mark).unzip();
        Self {
            version: ledger.version,
            security_epoch: ledger.security_epoch,
            enabled: ledger.enabled,
            schema,
            devices: Packed(ledger.devices),
            passkeys: schema.map(|_| Packed(ledger.passkeys)),
            setups: Packed(ledger.setups),
            codes: Packed(ledger.codes),
            recovery: Packed(ledger.recovery.into_iter().collect()),
            failures: Packed(vec![ledger.failures]),
            sent: Packed(ledger.sends.sent),
            refunded_at: Packed(ledger.sends.refunded_at),
            proven: Packed(ledger.proven),
            marked: Packed(marks),
            mark_ends: Packed(ends.into_iter().flatten().collect()),
            recent: Packed(ledger.recent),
            networks: Packed(ledger.networks),
            grace: Packed(ledger.grace.into_iter().collect()),
            notice_mark: Packed(ledger.notice_mark.into_iter().collect()),
            commits: Packed(ledger.commits),
        }
    }
}

impl From<StoredLedger> for Ledger {
    fn from(stored: StoredLedger) -> Self {
        Self {
            version: stored.version,
            security_epoch: stored.security_epoch,
            enabled: stored.enabled,
            devices: stored.devices.0,
            passkeys: stored.passkeys.map_or_else(Vec::new, |passkeys| passkeys.0),
            setups: stored.setups.0,
            codes: stored.codes.0,
            recovery: stored.recovery.0.into_iter().next(),
            failures: stored.failures.0.into_iter().next().unwrap_or_default(),
            sends: Sends { sent: stored.sent.0, refunded_at: stored.refunded_at.0 },
            proven: stored.proven.0,
            marked: stored.marked.0.into_iter().filter_map(|mark| read_mark(mark, &stored.mark_ends.0)).collect(),
            recent: stored.recent.0,
            networks: stored.networks.0,
            grace: stored.grace.0.into_iter().next(),
            notice_mark: stored.notice_mark.0.into_iter().next(),
            commits: stored.commits.0,
        }
    }
}

impl Table {
    /// Commits `ledger`, which was decided from `snapshot`, as `commit`.
    pub(super) async fn commit(
        &self,
        user: UserId,
        snapshot: &Snapshot,
        ledger: &Ledger,
        commit: CommitId,
    ) -> Result<Commit, StoreError> {
        if !snapshot.stored {
            self.claim().await?;
        }
        let (expression, values) = assignments(ledger.clone().committed_as(commit))?;
        let update = self
            .update_item(PrimaryKey::of_user(user, SORT_KEY))
            .update_expression(expression)
            .expression_attribute_names("#schema", "schema")
            .set_expression_attribute_values(Some(values))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let update = if snapshot.stored {
            update
                .condition_expression("v = :decided_from")
                .expression_attribute_values(":decided_from", number(snapshot.ledger.version))
        } else {
            update.condition_expression("attribute_not_exists(pk)")
        };
        let Err(error) = table::update(update).await else { return Ok(Commit::Done) };
        match error.as_service_error() {
            // After a lost answer, the retry of the SDK fails the condition. If the item holds my
            // id, the first try was applied.
            Some(UpdateItemError::ConditionalCheckFailedException(failed)) => {
                let now_stored = failed.item.clone().and_then(|item| read(item).ok());
                let is_mine = now_stored.is_some_and(|ledger| ledger.holds(commit));
                Ok(if is_mine { Commit::Done } else { Commit::Lost })
            }
            _ => Err(StoreError::of("UpdateItem ledger", &error)),
        }
    }
}

/// Writes every attribute of [`StoredLedger`].
///
/// Attributes that this version does not know stay as they are. A put would drop what a newer
/// version wrote, while both run side by side.
const ASSIGN_ALWAYS: &str = "SET v=:v,e=:e,o=:o,d=:d,s=:s,c=:c,r=:r,f=:f,n=:n,b=:b,p=:p,m=:m,u=:u,l=:l,w=:w,t=:t,i=:i";

/// What a ledger may be without. Then it is removed.
const OPTIONAL: [&str; 3] = ["g", "k", "#schema"];

/// The schema of a ledger that names a passkey, or whose last right answer was one's. A version that
/// does not know passkeys would carry them through a reset, and through what ends them otherwise.
pub(super) const SCHEMA_OF_PASSKEYS: u64 = 3;

/// The schema of a ledger, unless it is the first.
fn schema_of(ledger: &Ledger) -> Option<u64> {
    let was_used = ledger.recent.iter().any(|recent| recent.factor.is_passkey());
    (was_used || !ledger.passkeys.is_empty()).then_some(SCHEMA_OF_PASSKEYS)
}

/// The name of the value of an attribute. `schema` is a reserved word, so expressions call it `#schema`.
fn value_of(name: &str) -> String {
    format!(":{}", name.trim_start_matches('#'))
}

/// The update expression that writes a ledger, and its values.
fn assignments(ledger: Ledger) -> Result<(String, Item), StoreError> {
    let values = item::write(&StoredLedger::from(ledger), None)?;
    let (set, removed): (Vec<_>, Vec<_>) = OPTIONAL.into_iter().partition(|name| values.contains_key(&value_of(name)));
    let set: Vec<_> = set.into_iter().map(|name| format!(",{name}={}", value_of(name))).collect();
    let removed = if removed.is_empty() { String::new() } else { format!(" REMOVE {}", removed.join(",")) };
    Ok((format!("{ASSIGN_ALWAYS}{}{removed}", set.concat()), values))
}

pub(super) fn read(item: Item) -> Result<Ledger, StoreError> {
    let of_newer_format = item.iter().find(|(name, value)| packed::is_newer(value) && is_packed(name));
    if let Some((name, _)) = of_newer_format {
        let cause = format!("item {SORT_KEY}: attribute `{name}` has a newer format than this version reads");
        return Err(StoreError::Unavailable(cause));
    }
    let stored = has_its_passkeys(&item).and_then(|()| item::read::<StoredLedger>(item, None));
    stored.map(Ledger::from).map_err(|error| error.of_item(SORT_KEY))
}

/// A lost list of passkeys must not look like an empty one.
fn has_its_passkeys(item: &Item) -> Result<(), ReadError> {
    if item::schema_of(item, item::SCHEMA)? >= SCHEMA_OF_PASSKEYS && !item.contains_key("k") {
        return Err(ReadError::Malformed("missing field `k`".to_owned()));
    }
    Ok(())
}

/// The item after its first commit.
#[cfg(test)]
pub(super) fn stored(ledger: Ledger) -> Item {
    let (_, values) = assignments(ledger).expect("an item");
    values.into_iter().map(|(name, value)| (name.trim_start_matches(':').to_owned(), value)).collect()
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::{
        domain::{
            AddressTag, CodeId, DeviceId, Factor, GuessTag, LoginId, Method, NetworkTag, PasskeyId, Policy, RecoveryId,
            ledger::{Backup, COMMITS_KEPT},
        },
        storage::{
            operator::size_of,
            table::{binary, text, user_key},
        },
    };

    /// A ledger with as much in it as the rules allow.
    fn fullest() -> Ledger {
        let now = Timestamp::from_secs(1_893_456_000);
        let login = |n| LoginId([n; 8]);
        let mut ledger = Ledger::fresh(u64::MAX);
        ledger.enabled = true;
        for n in 0..5 {
            let id = DeviceId(Uuid::from_u128(n));
            ledger.devices.push(Device {
                id,
                last_step: now.as_secs() / 30,
                last_used_at: Some(now),
                confirmed_by: Some(login(1)),
                inactive: true,
            });
        }
        for n in 0..5 {
            ledger.passkeys.push(Passkey {
                id: PasskeyId([n; 8]),
                spent_until: now,
                counter: u32::MAX,
                confirmed_by: Some(login(1)),
                inactive: true,
                used: true,
                backup: Backup::Synced,
                suspected: true,
            });
        }
        for n in 0..3 {
            ledger.setups.push(Setup { id: DeviceId(Uuid::from_u128(n)), until: now });
        }
        for n in 0..3 {
            ledger.codes.push(SentCode { id: CodeId([n; 8]), login: login(n), known: true, until: now });
            ledger.know(NetworkTag([n; 8]), now);
            ledger.recent.push(RecentLogin { login: login(n), verified_at: now, factor: Factor::RecoveryCode });
        }
        for n in 0..20 {
            ledger.failures.wrong(GuessTag([n; 8]), 1, now);
        }
        let send = PastSend { at: now, known: true, reserve: true };
        ledger.sends.sent = vec![send; 2 * Policy::SENDS_PER_SHARE];
        ledger.sends.refunded_at = vec![now; Policy::SENDS_REFUNDED_PER_HOUR];
        let made_by = Some(login(1));
        ledger.recovery = Some(RecoverySet { id: RecoveryId([1; 8]), used_mask: 0x3FF, created: now, made_by });
        ledger.grace = Some(Grace { holder: login(1), until: now });
        (0..4).for_each(|n| ledger.prove(AddressTag { method: Method::Sms, hash: [n; 8] }, Some(login(1))));
        let untried = AddressTag { method: Method::Sms, hash: [5; 8] };
        ledger.switched_on_with(Some(untried));
        ledger.set_unreachable(untried, Some(Unreachable::Barred { until: now }));
        let refused = Unreachable::Refused { until: Some(now) };
        ledger.set_unreachable(AddressTag { method: Method::Sms, hash: [6; 8] }, Some(refused));
        ledger.notice_mark = Some(NoticeMark([1; 8]));
        (0..COMMITS_KEPT).fold(ledger, |ledger, n| ledger.committed_as(CommitId([u8::try_from(n).expect("few"); 8])))
    }

    /// A ledger whose records leave out what they can.
    fn sparse() -> Ledger {
        let now = Timestamp::from_secs(1_893_456_000);
        let mut ledger = Ledger::fresh(7);
        let id = DeviceId(Uuid::from_u128(1));
        ledger.devices = vec![Device { id, last_step: 1, last_used_at: None, confirmed_by: None, inactive: false }];
        ledger.passkeys = [(1, Backup::Never), (2, Backup::Eligible)]
            .map(|(n, backup)| Passkey {
                id: PasskeyId([n; 8]),
                spent_until: now,
                counter: 0,
                confirmed_by: None,
                inactive: false,
                used: false,
                backup,
                suspected: true,
            })
            .into();
        ledger.codes = vec![SentCode { id: CodeId([1; 8]), login: LoginId([1; 8]), known: false, until: now }];
        ledger.sends.sent = vec![PastSend { at: now, known: false, reserve: false }];
        ledger.recovery = Some(RecoverySet { id: RecoveryId([1; 8]), used_mask: 0, created: now, made_by: None });
        ledger.prove(AddressTag { method: Method::Email, hash: [1; 8] }, None);
        let barred = Unreachable::Barred { until: now };
        ledger.set_unreachable(AddressTag { method: Method::Sms, hash: [2; 8] }, Some(barred));
        let refused = Unreachable::Refused { until: None };
        ledger.set_unreachable(AddressTag { method: Method::Email, hash: [2; 8] }, Some(refused));
        ledger
    }

    #[test]
    fn a_list_of_a_newer_format_waits_for_a_newer_version_and_an_unknown_attribute_is_left_alone() {
        let read_with = |name: &str| {
            let mut item = stored(fullest());
            item.insert(name.to_owned(), binary([2, 8]));
            read(item)
        };
        for name in ["d", "k", "s", "c", "r", "f", "n", "b", "p", "m", "u", "l", "w", "g", "t", "i"] {
            assert!(matches!(read_with(name), Err(StoreError::Unavailable(_))), "{name}");
        }
        assert_eq!(read_with("z").expect("a ledger"), fullest());
    }

    #[test]
    #[expect(clippy::print_stdout, reason = "the figure is shown with --nocapture")]
    fn the_fullest_ledger_costs_one_unit_and_leaves_room() {
        let mut item = stored(fullest());
        item.insert("pk".to_owned(), text(user_key(UserId([1; 16]))));
        item.insert("sk".to_owned(), text(SORT_KEY));
        println!("the fullest ledger: {} bytes", size_of(&item));
        assert!(size_of(&item) <= 954, "{} bytes", size_of(&item));
    }

    #[test]
    fn a_mark_whose_end_an_older_version_left_alone_or_never_wrote_is_read_as_that_version_means_it() {
        let [barred, refused] = [2, 3].map(|n| AddressTag { method: Method::Sms, hash: [n; 8] });
        let until = Timestamp::from_secs(1_893_456_000);
        let mut ledger = Ledger::fresh(7);
        ledger.set_unreachable(barred, Some(Unreachable::Barred { until }));
        ledger.set_unreachable(refused, Some(Unreachable::Refused { until: Some(until) }));
        let written = stored(ledger.clone());
        let read_without = |name: &str| {
            let mut item = written.clone();
            item.remove(name);
            read(item).expect("a ledger").marked
        };
        assert_eq!(read_without("z"), ledger.marked);
        let without_end = Unreachable::Refused { until: None };
        assert_eq!(
            read_without("u"),
            [MarkedAddress { tag: refused, untried: false, unreachable: Some(without_end) }],
            "it does not know that a number can be barred, and its refusals count until the next request"
        );
        assert_eq!(read_without("m"), [], "it took the marks away");
    }

    #[test]
    fn a_version_that_does_not_know_passkeys_does_not_read_a_ledger_that_has_some_or_had_one_used() {
        let used = |factor| {
            let mut ledger = Ledger::fresh(7);
            ledger.remember(LoginId([1; 8]), factor, Timestamp::from_secs(1_893_456_000));
            ledger
        };
        for (ledger, schema) in [
            (fullest(), Some(3)),
            (used(Factor::passkey(false)), Some(3)),
            (used(Factor::passkey(true)), Some(3)),
            (used(Factor::RecoveryCode), None),
        ] {
            let mut item = stored(ledger);
            assert_eq!(item.get("schema"), schema.map(number).as_ref());
            let to_the_version_before = item::schema_of(&item, SCHEMA_OF_PASSKEYS - 1);
            assert_eq!(matches!(to_the_version_before, Err(ReadError::Newer(3))), schema.is_some());
            item.remove("k");
            let without = read(item);
            assert_eq!(matches!(without, Err(StoreError::Broken(_))), schema.is_some(), "a lost list is not empty");
        }
    }

    #[test]
    fn every_attribute_is_assigned_or_removed() {
        for (ledger, removed) in [(fullest(), ""), (sparse(), " REMOVE g"), (Ledger::fresh(7), " REMOVE g,k,#schema")] {
            let (expression, values) = assignments(ledger).expect("an item");
            for name in values.keys() {
                let assignment = format!("{}={name}", name.trim_start_matches(':'));
                assert_eq!(expression.matches(&assignment).count(), 1, "{assignment} in {expression}");
            }
            assert_eq!(expression.matches("=:").count(), values.len(), "{expression}");
            let removes = expression.split_once(" REMOVE").map_or("", |(set, _)| &expression[set.len()..]);
            assert_eq!(removes, removed, "{expression}");
        }
    }

    #[test]
    fn a_ledger_is_read_as_it_was_written() {
        for ledger in [fullest(), sparse(), Ledger::fresh(7)] {
            assert_eq!(read(stored(ledger.clone())).expect("a ledger"), ledger);
        }
    }
}
