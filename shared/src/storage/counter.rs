//! `LIMIT#<kind>#<key>#<window>` / `LIMIT`: how often something happened in a fixed window.

use aws_sdk_dynamodb::{operation::update_item::UpdateItemError, types::ReturnValuesOnConditionCheckFailure};

use super::{
    Fault, Table,
    table::{COUNT_UNITS, as_binary, binary, number, text},
};
use crate::{
    domain::{Counter, Refusal, Timestamp},
    random,
};

impl Table {
    /// Raises a counter by one, where it is not full.
    pub(super) async fn raise(&self, counter: &Counter, now: Timestamp) -> Result<(), Fault> {
        let id: [u8; 8] = random::bytes()?;
        let window = counter.window.as_secs().max(1);
        let index = now.as_secs() / window;
        let ends = Timestamp::from_secs((index + 1) * window);
        let key = format!("LIMIT#{}#{}#{index}", counter.kind.as_str(), counter.key);

        let update = self.client.update_item().table_name(&self.name).return_consumed_capacity(COUNT_UNITS);
        let update = update
            .key("pk", text(key))
            .key("sk", text("LIMIT"))
            .update_expression("ADD #n :one SET #ttl = :ttl, #last = :id")
            // `last`: a write whose answer was lost comes back as a failed condition, and counts once. Where somebody else
            // came between, it counts twice: never too few.
            .condition_expression("attribute_not_exists(#n) OR (#n < :max AND #last <> :id)")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .expression_attribute_names("#last", "last")
            .expression_attribute_values(":id", binary(id))
            .expression_attribute_names("#n", "count")
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_values(":one", number(1))
            .expression_attribute_values(":max", number(counter.max.into()))
            .expression_attribute_values(":ttl", number(ends.as_secs()));
        match update.send().await {
            Ok(_) => Ok(()),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(failed)) => {
                    let last = failed.item.as_ref().and_then(|item| as_binary(item, "last"));
                    let is_mine = last.is_some_and(|last| last == id);
                    if is_mine { Ok(()) } else { Err(Refusal::RateLimited { retry_at: ends }.into()) }
                }
                _ => Err(Fault::of("UpdateItem counter", &error)),
            },
        }
    }
}
