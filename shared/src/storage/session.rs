//! `SESSION#<id>` / `SESSION`: a session. It counts only in the epoch that it was opened in.

use aws_sdk_dynamodb::{
    operation::update_item::UpdateItemError,
    types::{AttributeValue, ReturnValuesOnConditionCheckFailure},
};

use super::{
    Fault, Table,
    table::{COUNT_UNITS, Item, as_binary, as_number, as_text, binary, number, text},
};
use crate::domain::{
    Factor, Ledger, Refusal, SessionId, Timestamp, UserId,
    session::{self, RefreshToken, SessionRecord, Turn},
};

impl Table {
    /// Writes the item of a new session, over none but itself: a copy that arrives late must not turn a session back.
    pub(super) async fn put_session(&self, record: &SessionRecord) -> Result<(), Fault> {
        let put = self.client.put_item().table_name(&self.name).return_consumed_capacity(COUNT_UNITS);
        put.item("pk", key(record.id))
            .item("sk", text("SESSION"))
            .item("user", binary(record.user.0))
            .item("epoch", number(record.epoch))
            .item("factor", text(record.factor.as_str()))
            .item("auth_time", number(record.auth_time.as_millis()))
            .item("claims", binary(record.claims.clone()))
            .item("generation", number(record.generation))
            .item("rotated", number(record.rotated.as_millis()))
            .item("until", number(record.until.as_millis()))
            .item("ttl", number(record.until.as_secs()))
            .condition_expression("attribute_not_exists(pk) OR generation = :first")
            .expression_attribute_values(":first", number(record.generation))
            .send()
            .await
            .map_err(|error| Fault::of("PutItem session", &error))?;
        Ok(())
    }

    /// Uses a refresh token: its session goes on with the successor. The ledger is read strongly, for its epoch.
    ///
    /// # Errors
    /// [`Fault::Refused`] where the token is not to be used, or not any more.
    pub async fn use_refresh_token(
        &self,
        token: RefreshToken,
        now: Timestamp,
    ) -> Result<(SessionRecord, Ledger), Fault> {
        let mut session = self.get_session(token.session).await?.ok_or(Refusal::SessionInvalid)?;
        let snapshot = self.snapshot(session.user, now).await?;
        if !snapshot.stored {
            // The epoch of a ledger that is not there was drawn this moment: no session is of it.
            return Err(Refusal::SessionInvalid.into());
        }
        let ledger = snapshot.ledger;
        // Twice at most: a lost race shows a later generation, and then it is no longer this token's turn.
        loop {
            match session::judge(&session, &ledger, token, now)? {
                Turn::Repeat => return Ok((session, ledger)),
                Turn::Rotate => match self.rotate_session(token, now).await? {
                    None => return Ok((session, ledger)),
                    Some(current) => session = current,
                },
                Turn::End => {
                    self.delete_session(token.session).await?;
                    return Err(Refusal::SessionInvalid.into());
                }
            }
        }
    }

    async fn get_session(&self, id: SessionId) -> Result<Option<SessionRecord>, Fault> {
        let get = self.client.get_item().table_name(&self.name).return_consumed_capacity(COUNT_UNITS);
        let got = get
            .key("pk", key(id))
            .key("sk", text("SESSION"))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| Fault::of("GetItem session", &error))?;
        got.item.map(|item| read(id, &item)).transpose()
    }

    /// Puts the successor of `token` in its place. Where another request did, says what the session is now.
    async fn rotate_session(&self, token: RefreshToken, now: Timestamp) -> Result<Option<SessionRecord>, Fault> {
        let update = self.client.update_item().table_name(&self.name).return_consumed_capacity(COUNT_UNITS);
        let update = update
            .key("pk", key(token.session))
            .key("sk", text("SESSION"))
            .update_expression("SET generation = :next, rotated = :now")
            .condition_expression("generation = :this")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .expression_attribute_values(":this", number(token.generation))
            .expression_attribute_values(":next", number(token.successor().generation))
            .expression_attribute_values(":now", number(now.as_millis()));
        match update.send().await {
            Ok(_) => Ok(None),
            Err(error) => match error.as_service_error() {
                // A write whose answer was lost comes back like this too, and is then judged as a repetition.
                Some(UpdateItemError::ConditionalCheckFailedException(failed)) => {
                    let item = failed.item.as_ref().ok_or(Refusal::SessionInvalid)?;
                    read(token.session, item).map(Some)
                }
                _ => Err(Fault::of("UpdateItem session", &error)),
            },
        }
    }

    pub(super) async fn delete_session(&self, id: SessionId) -> Result<(), Fault> {
        self.delete_item("DeleteItem session", key(id), text("SESSION")).await
    }
}

fn read(id: SessionId, item: &Item) -> Result<SessionRecord, Fault> {
    let record = || {
        Some(SessionRecord {
            id,
            user: UserId(as_binary(item, "user")?.try_into().ok()?),
            epoch: as_number(item, "epoch")?,
            factor: Factor::parse(&as_text(item, "factor")?)?,
            auth_time: Timestamp::from_millis(as_number(item, "auth_time")?),
            claims: as_binary(item, "claims")?,
            generation: as_number(item, "generation")?,
            rotated: Timestamp::from_millis(as_number(item, "rotated")?),
            until: Timestamp::from_millis(as_number(item, "until")?),
        })
    };
    record().ok_or_else(|| Fault::Broken("a session cannot be read".to_owned()))
}

fn key(id: SessionId) -> AttributeValue {
    text(format!("SESSION#{}", data_encoding::BASE64URL_NOPAD.encode(&id.0)))
}
