//! `USER#<user>` / `MFA#LEDGER`: the ledger. Written whole, conditional on the version that it was decided from.

use aws_sdk_dynamodb::{
    operation::put_item::PutItemError,
    types::{AttributeValue, ReturnValuesOnConditionCheckFailure},
};

use super::{
    Fault, Table,
    table::{COUNT_UNITS, Item, number, text, user_key},
};
use crate::domain::{CommitId, Ledger, Snapshot, UserId};

pub(super) const SORT_KEY: &str = "MFA#LEDGER";

/// How a commit ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Commit {
    /// It is in the table.
    Done,
    /// Another commit came first.
    Lost,
}

impl Table {
    /// Commits `ledger`, decided from `snapshot`, as `commit`.
    pub(super) async fn commit(
        &self,
        user: UserId,
        snapshot: &Snapshot,
        ledger: &Ledger,
        commit: CommitId,
    ) -> Result<Commit, Fault> {
        let decided_from = snapshot.ledger.version;
        let item = write(user, ledger.clone().committed_as(commit))?;
        let put = self.client.put_item().table_name(&self.name).return_consumed_capacity(COUNT_UNITS);
        let put = put
            .set_item(Some(item))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let put = if snapshot.stored {
            put.condition_expression("version = :decided_from")
                .expression_attribute_values(":decided_from", number(decided_from))
        } else {
            put.condition_expression("attribute_not_exists(pk)")
        };
        match put.send().await {
            Ok(_) => Ok(Commit::Done),
            Err(error) => match error.as_service_error() {
                // A write whose answer was lost comes back, after the SDK's retry, as a failed condition: if the item
                // holds my id, the commit is mine.
                Some(PutItemError::ConditionalCheckFailedException(failed)) => {
                    let is_mine =
                        failed.item.as_ref().and_then(|item| read(item).ok()).is_some_and(|l| l.holds(commit));
                    Ok(if is_mine { Commit::Done } else { Commit::Lost })
                }
                _ => Err(Fault::of("PutItem ledger", &error)),
            },
        }
    }
}

pub(super) fn read(item: &Item) -> Result<Ledger, Fault> {
    serde_dynamo::from_item(item.clone()).map_err(|error| Fault::Broken(format!("a ledger cannot be read: {error}")))
}

fn write(user: UserId, ledger: Ledger) -> Result<Item, Fault> {
    let mut item: Item =
        serde_dynamo::to_item(ledger).map_err(|error| Fault::Broken(format!("a ledger cannot be written: {error}")))?;
    item.insert("pk".to_owned(), user_key(user));
    item.insert("sk".to_owned(), text(SORT_KEY));
    // What is empty or not there need not be paid for; the ledger reads it as such.
    item.retain(|_, value| {
        !matches!(value, AttributeValue::Null(_)) && !matches!(value, AttributeValue::L(list) if list.is_empty())
    });
    Ok(item)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::domain::{
        AddressTag, CodeId, DeviceId, GuessTag, LoginId, Policy, RecoveryId, Timestamp,
        ledger::{Device, Grace, Recent, RecoverySet, SentCode, Setup},
    };

    /// The size of an item as `DynamoDB` counts it (developer guide, "Item sizes and formats").
    fn size(item: &Item) -> usize {
        item.iter().map(|(name, value)| name.len() + value_size(value)).sum()
    }

    fn value_size(value: &AttributeValue) -> usize {
        match value {
            AttributeValue::S(text) => text.len(),
            AttributeValue::N(number) => number.len().div_ceil(2) + 1,
            AttributeValue::B(blob) => blob.as_ref().len(),
            AttributeValue::L(list) => 3 + list.iter().map(|value| 1 + value_size(value)).sum::<usize>(),
            AttributeValue::M(map) => 3 + map.len() + size(map),
            _ => 1,
        }
    }

    /// A ledger with as much in it as the rules allow.
    fn fullest() -> Ledger {
        let now = Timestamp::from_millis(1_893_456_000_123);
        let login = |n| LoginId([n; 12]);
        let mut ledger = Ledger::fresh(u64::MAX);
        ledger.enabled = true;
        for n in 0..5 {
            let id = DeviceId(Uuid::from_u128(n));
            ledger.devices.push(Device { id, step: now.as_secs() / 30, used: Some(now), by: None });
        }
        for n in 0..3 {
            ledger.setups.push(Setup { id: DeviceId(Uuid::from_u128(n)), until: now });
        }
        for n in 0..3 {
            ledger.codes.push(SentCode { id: CodeId([n; 8]), login: login(n), until: now });
            ledger.recent.push(Recent { login: login(n), at: now });
        }
        for n in 0..20 {
            ledger.failures.wrong(GuessTag([n; 8]), now);
        }
        (0..Policy::SENDS_PER_HOUR).for_each(|_| ledger.sends.record(now));
        ledger.recovery = Some(RecoverySet { id: RecoveryId([1; 8]), used: 0x3FF, created: now });
        ledger.grace = Some(Grace { login: login(1), until: now });
        (0..4).for_each(|n| ledger.prove(AddressTag([n; 12])));
        (0..4).fold(ledger, |ledger, n| ledger.committed_as(CommitId([n; 8])))
    }

    #[test]
    fn the_fullest_ledger_costs_one_unit() {
        let item = write(UserId([1; 16]), fullest()).expect("an item");
        assert!(size(&item) <= 1024, "{} bytes", size(&item));
    }

    #[test]
    fn a_ledger_is_read_as_it_was_written() {
        for ledger in [fullest(), Ledger::fresh(7)] {
            let item = write(UserId([1; 16]), ledger.clone()).expect("an item");
            assert_eq!(read(&item).expect("a ledger"), ledger);
        }
    }
}
