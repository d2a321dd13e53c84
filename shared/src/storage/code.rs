//! `USER#<user>` / `CODE#<login>`: the newest code of one login. It counts only while the ledger
//! names it. A login that others can share has a second one, `CODE#<login>#KNOWN`, for known callers.

use aws_sdk_dynamodb::{
    operation::update_item::UpdateItemError,
    types::{AttributeValue, ReturnValuesOnConditionCheckFailure},
};
use serde::Deserialize;

use super::{
    StoreError, Table, item,
    table::{self, Item, PrimaryKey, binary, number},
};
use crate::domain::{CodeRecord, LoginId, Policy, StoredCode, Timestamp, UserId, ledger::CodeSlot};

/// The item. Storing a newer code moves each code one place down.
#[derive(Deserialize)]
struct StoredCodes {
    code: StoredCode,
    #[serde(rename = "announced")]
    reserved_at: Timestamp,
    superseded: Option<StoredCode>,
    superseded_before: Option<StoredCode>,
}

impl Table {
    /// Stores a code that the ledger reserved, but only over an older one. Says whether it did: a
    /// newer code may have been reserved in the meantime.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn put_code(
        &self,
        user: UserId,
        slot: CodeSlot,
        code: &StoredCode,
        reserved_at: Timestamp,
    ) -> Result<bool, StoreError> {
        let CodeSlot { login, of_known_caller } = slot;
        let sort_key = if of_known_caller { format!("{}#KNOWN", prefix(login)) } else { prefix(login) };
        let update = self
            .update_item(PrimaryKey::of_user(user, sort_key))
            .update_expression(
                "SET superseded_before = if_not_exists(superseded, :none), superseded = if_not_exists(#code, :none), \
                 #code = :code, announced = :reserved_at, #ttl = :ttl",
            )
            // The id keeps a write whose answer was lost from moving the codes down twice.
            .condition_expression("attribute_not_exists(pk) OR (announced <= :reserved_at AND #code.#id <> :id)")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .expression_attribute_names("#code", "code")
            .expression_attribute_names("#id", "id")
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_values(":none", AttributeValue::Null(true))
            .expression_attribute_values(":code", AttributeValue::M(item::write(code, None)?))
            .expression_attribute_values(":id", binary(code.id.0))
            .expression_attribute_values(":reserved_at", number(reserved_at.as_millis()))
            .expression_attribute_values(":ttl", number(code.until.plus(Policy::CODE_KEPT_AFTER_EXPIRY).as_secs()));
        let Err(error) = table::update(update).await else { return Ok(true) };
        match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(failed)) => {
                let stored = failed.item.clone().and_then(|item| read(item).ok());
                Ok(stored.is_some_and(|stored| stored.code.id == code.id))
            }
            _ => Err(StoreError::of("UpdateItem code", &error)),
        }
    }

    pub(super) async fn codes_of(
        &self,
        user: UserId,
        login: LoginId,
        strong: bool,
    ) -> Result<Vec<CodeRecord>, StoreError> {
        let items = self.query_user(user, &prefix(login), strong).await?;
        items.into_iter().map(read).collect()
    }
}

pub(super) fn read(item: Item) -> Result<CodeRecord, StoreError> {
    let name = item.get("sk").and_then(|sort_key| sort_key.as_s().ok()).cloned();
    let stored: Result<StoredCodes, _> = item::read(item, None);
    let StoredCodes { code, reserved_at, superseded, superseded_before } =
        stored.map_err(|error| error.of_item(&name.unwrap_or_else(|| "CODE".to_owned())))?;
    let superseded = superseded.into_iter().chain(superseded_before).collect();
    Ok(CodeRecord { code, reserved_at, superseded })
}

pub(super) fn prefix(login: LoginId) -> String {
    format!("CODE#{login}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{CodeId, CodeTag};

    #[test]
    fn superseded_codes_are_read_newest_first() {
        let code = |n| StoredCode { id: CodeId([n; 8]), tag: CodeTag([n; 32]), until: Timestamp::from_secs(n.into()) };
        let stored = |n| AttributeValue::M(item::write(&code(n), None).expect("an item"));
        let none = AttributeValue::Null(true);
        for (superseded, before, expected) in [
            (none.clone(), none.clone(), vec![]),
            (stored(2), none, vec![code(2)]),
            (stored(2), stored(1), vec![code(2), code(1)]),
        ] {
            let attributes = [
                ("code", stored(3)),
                ("announced", number(5)),
                ("superseded", superseded),
                ("superseded_before", before),
            ];
            let item = attributes.map(|(name, value)| (name.to_owned(), value)).into();
            let (code, reserved_at) = (code(3), Timestamp::from_millis(5));
            assert_eq!(read(item).expect("a code"), CodeRecord { code, reserved_at, superseded: expected });
        }
    }

    #[test]
    fn each_login_has_a_place_of_its_own() {
        assert_eq!(prefix(LoginId([1; 8])), "CODE#AQEBAQEBAQE");
        assert_ne!(prefix(LoginId([1; 8])), prefix(LoginId([2; 8])));
    }
}
