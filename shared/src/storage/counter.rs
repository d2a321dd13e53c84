//! `LIMIT#<kind>#<key>#<window>` / `LIMIT`: how often something happened in a fixed window.

use aws_sdk_dynamodb::{
    operation::update_item::UpdateItemError,
    types::{ReturnValue::UpdatedNew, ReturnValuesOnConditionCheckFailure},
};

use super::{
    StoreError, Table,
    table::{self, Item, PrimaryKey, binary, number},
};
use crate::{
    domain::{Counter, CounterKind, Refusal, Timestamp},
    metrics::{self, Metric},
    random,
};

impl Table {
    /// Raises a counter by one, unless it is full.
    pub(super) async fn raise(&self, counter: &Counter, now: Timestamp) -> Result<(), StoreError> {
        let id: [u8; 8] = random::bytes()?;
        let (index, ends) = window_at(counter, now);
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
        // The day's text messages have an alarm, before they are used up.
        let update = if counter.kind == CounterKind::PaidDay { update.return_values(UpdatedNew) } else { update };
        match table::update(update).await {
            Ok(updated) => {
                note_day(counter, updated.attributes());
                Ok(())
            }
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(failed)) => {
                    let last = failed.item.as_ref().and_then(|item| item.get("last")?.as_b().ok());
                    let is_mine = last.is_some_and(|last| last.as_ref() == id);
                    note_day(counter, failed.item());
                    if is_mine {
                        Ok(())
                    } else {
                        Err(Refusal::RateLimited { retry_at: ends, limit: counter.kind.into() }.into())
                    }
                }
                _ => Err(StoreError::of("UpdateItem counter", &error)),
            },
        }
    }
}

/// Notes how much of the day's text messages is used up.
fn note_day(counter: &Counter, attributes: Option<&Item>) {
    let count = attributes.and_then(|item| item.get("count")?.as_n().ok()?.parse::<f64>().ok());
    if let (CounterKind::PaidDay, Some(count)) = (counter.kind, count) {
        metrics::at_least(Metric::SmsOfDayPercent, percent(count, counter.max));
    }
}

fn percent(count: f64, max: u32) -> f64 {
    count * 100.0 / f64::from(max)
}

/// The window that `now` lies in: its number, and when it ends.
fn window_at(counter: &Counter, now: Timestamp) -> (u64, Timestamp) {
    let window = counter.window.as_secs().max(1);
    let index = now.as_secs() / window;
    (index, Timestamp::from_secs((index + 1) * window))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_day_is_told_in_percent() {
        let shares = [(0.0, 800), (1.0, 800), (640.0, 800), (1000.0, 1000)].map(|(count, max)| percent(count, max));
        assert_eq!(shares.map(|share| share.to_string()), ["0", "0.125", "80", "100"]);
    }

    #[test]
    fn a_window_ends_where_the_next_one_begins() {
        let window = |length, now| {
            let (kind, key, window) = (CounterKind::Source, String::new(), Duration::from_secs(length));
            let counter = Counter { kind, key, window, max: 1, part: None };
            let (index, ends) = window_at(&counter, Timestamp::from_secs(now));
            (index, ends.as_secs())
        };
        assert_eq!([0, 59, 60, 119, 120].map(|now| window(60, now)), [(0, 60), (0, 60), (1, 120), (1, 120), (2, 180)]);
        assert_eq!(window(0, 7), (7, 8), "the shortest window is a second");
    }
}
