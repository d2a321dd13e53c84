//! `LIMIT#<kind>#<key>#<window>` / `LIMIT`: how often something happened in a fixed window.

use super::{
    Fault, Table,
    table::{COUNT_UNITS, number, text},
};
use crate::domain::{Counter, Refusal, Timestamp};

impl Table {
    /// Raises a counter by one, where it is not full.
    pub(super) async fn raise(&self, counter: &Counter, now: Timestamp) -> Result<(), Fault> {
        let window = counter.window.as_secs().max(1);
        let index = now.as_secs() / window;
        let ends = Timestamp::from_secs((index + 1) * window);
        let key = format!("LIMIT#{}#{}#{index}", counter.kind.as_str(), counter.key);

        let update = self.client.update_item().table_name(&self.name).return_consumed_capacity(COUNT_UNITS);
        let update = update
            .key("pk", text(key))
            .key("sk", text("LIMIT"))
            .update_expression("ADD #n :one SET #ttl = :ttl")
            .condition_expression("attribute_not_exists(#n) OR #n < :max")
            .expression_attribute_names("#n", "count")
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_values(":one", number(1))
            .expression_attribute_values(":max", number(counter.max.into()))
            .expression_attribute_values(":ttl", number(ends.as_secs()));
        match update.send().await {
            Ok(_) => Ok(()),
            Err(error) if error.as_service_error().is_some_and(|e| e.is_conditional_check_failed_exception()) => {
                Err(Refusal::TooManySends { retry_at: ends }.into())
            }
            Err(error) => Err(Fault::of("UpdateItem counter", &error)),
        }
    }
}
