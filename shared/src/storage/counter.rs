//! `LIMIT#<kind>#<key>#<window>` / `LIMIT`: how often something happened in a fixed window.

use aws_sdk_dynamodb::{operation::update_item::UpdateItemError, types::ReturnValuesOnConditionCheckFailure};

use super::{
    StoreError, Table,
    table::{PrimaryKey, binary, number},
};
use crate::{
    domain::{Counter, Refusal, Timestamp},
    random,
};

impl Table {
    /// Raises a counter by one, unless it is full.
    pub(super) async fn raise(&self, counter: &Counter, now: Timestamp) -> Result<(), StoreError> {
        let id: [u8; 8] = random::bytes()?;
        let window = counter.window.as_secs().max(1);
        let index = now.as_secs() / window;
        let ends = Timestamp::from_secs((index + 1) * window);
        let pk = format!("LIMIT#{}#{}#{index}", counter.kind.as_str(), counter.key);

        let (add_part, part_has_room) = match counter.part {
            None => ("", ""),
            Some(_) => (", #part :one", " AND (attribute_not_exists(#part) OR #part < :part_max)"),
        };
        let update = self
            .update_item(PrimaryKey { pk, sk: "LIMIT".to_owned() })
            .update_expression(format!("ADD #n :one{add_part} SET #ttl = :ttl, #last = :id"))
            // `last` names the writer. A write whose answer was lost comes back as a failed
            // condition, and counts once. If another request wrote in between, it counts twice,
            // which is never too few.
            .condition_expression(format!("attribute_not_exists(#n) OR (#n < :max AND #last <> :id{part_has_room})"))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .expression_attribute_names("#last", "last")
            .expression_attribute_values(":id", binary(id))
            .expression_attribute_names("#n", "count")
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_values(":one", number(1))
            .expression_attribute_values(":max", number(counter.max.into()))
            .expression_attribute_values(":ttl", number(ends.as_secs()));
        let update = match &counter.part {
            None => update,
            Some(part) => update
                .expression_attribute_names("#part", &part.key)
                .expression_attribute_values(":part_max", number(part.max.into())),
        };
        match update.send().await {
            Ok(_) => Ok(()),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(failed)) => {
                    let last = failed.item.as_ref().and_then(|item| item.get("last")?.as_b().ok());
                    let is_mine = last.is_some_and(|last| last.as_ref() == id);
                    if is_mine { Ok(()) } else { Err(Refusal::RateLimited { retry_at: ends }.into()) }
                }
                _ => Err(StoreError::of("UpdateItem counter", &error)),
            },
        }
    }
}
