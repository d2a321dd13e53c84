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
