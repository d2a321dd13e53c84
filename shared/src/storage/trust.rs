//! `USER#<user>` / `TRUST#<hash>`: a trusted device. It counts only in the security epoch in which
//! it was trusted.

use aws_sdk_dynamodb::{
    operation::update_item::UpdateItemError,
    types::{AttributeValue, ReturnValuesOnConditionCheckFailure},
};

use super::{
    StoreError, Table, item,
    ledger::Commit,
    table::{self, PrimaryKey, number, text},
};
use crate::domain::{
    ItemKey, Refusal, SessionId, Timestamp, TrustId, UserId, session::SessionRecord, trust::TrustRecord,
};

pub(super) const PREFIX: &str = "TRUST#";

impl Table {
    /// Writes the item of a device that is trusted from now on.
    pub(super) async fn put_trust(&self, user: UserId, record: &TrustRecord) -> Result<Commit, StoreError> {
        let put = table::put(self.put_item(key(user, record.id), item::write(record, Some(record.until))?)).await;
        put.map(|_| Commit::Done).map_err(|error| StoreError::of("PutItem trust", &error))
    }

    /// Records that a trusted device stood in for a code, and writes the session that this opens.
    /// The device names its last sessions, and the one that makes room for the new session ends.
    ///
    /// # Errors
    /// [`Refusal::DeviceNotFound`] if it was revoked in the meantime. [`Refusal::Contended`] if it
    /// was used by another request at the same moment.
    pub async fn use_trust(
        &self,
        user: UserId,
        device: &TrustRecord,
        session: Option<&SessionRecord>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let (names, ended) = session.map_or_else(|| (device.sessions.clone(), None), |new| device.opening(new.id));
        // Written before the device names it. Otherwise two later uses could end it before it is
        // there, and it would live. If it is not written, only its own token is refused.
        if let Some(session) = session {
            let _ = self.put_session(user, session).await;
        }
        let outcome = self.name_sessions(user, device, &names, now).await;
        // If the deletion fails, the session lives until its end. Nobody has the token of a new one.
        let goes = if outcome.is_ok() { ended } else { session.map(|session| session.id) };
        if let Some(id) = goes {
            let _ = self.delete(user, ItemKey::Session(id)).await;
        }
        outcome
    }

    async fn name_sessions(
        &self,
        user: UserId,
        device: &TrustRecord,
        names: &[SessionId],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let update = self
            .update_item(key(user, device.id))
            .update_expression("SET used = :now, sessions = :names")
            .condition_expression("sessions = :seen")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .expression_attribute_values(":now", number(now.as_millis()))
            .expression_attribute_values(":names", session_list(names))
            .expression_attribute_values(":seen", session_list(&device.sessions));
        let Err(error) = table::update(update).await else { return Ok(()) };
        match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(failed)) => match &failed.item {
                None => Err(Refusal::DeviceNotFound.into()),
                // This also happens after a lost answer.
                Some(item) if item.get("sessions") == Some(&session_list(names)) => Ok(()),
                Some(_) => Err(Refusal::Contended.into()),
            },
            _ => Err(StoreError::of("UpdateItem trust", &error)),
        }
    }
}

pub(super) fn key(user: UserId, id: TrustId) -> PrimaryKey {
    PrimaryKey::of_user(user, format!("{PREFIX}{id}"))
}

pub(super) fn parse_key(sort_key: &str) -> Option<ItemKey> {
    TrustId::parse(sort_key.strip_prefix(PREFIX)?).map(ItemKey::Trust)
}

/// Writes a list of ids as `serde_dynamo` does.
fn session_list(sessions: &[SessionId]) -> AttributeValue {
    AttributeValue::L(sessions.iter().map(|session| text(session.to_string())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_are_compared_in_the_form_that_they_are_stored_in() {
        let (id, sessions, time) =
            (TrustId([1; 16]), vec![SessionId([1; 16]), SessionId([2; 16])], Timestamp::default());
        let (label, last_used_at, security_epoch, until) = (String::new(), None, 1, time);
        let (created, auth_time) = (time, time);
        let record = TrustRecord { id, label, created, last_used_at, security_epoch, auth_time, until, sessions };
        let stored = item::write(&record, None).expect("an item");
        assert_eq!(stored.get("sessions"), Some(&session_list(&record.sessions)));
    }
}
