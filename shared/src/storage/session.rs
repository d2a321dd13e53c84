//! `USER#<user>` / `SESSION#<id>`: a session. It counts only in the security epoch in which it was
//! opened.

use std::time::Duration;

use aws_sdk_dynamodb::{operation::update_item::UpdateItemError, types::ReturnValuesOnConditionCheckFailure};

use super::{
    StoreError, Table, item,
    ledger::{Commit, SCHEMA_OF_PASSKEYS},
    table::{self, Item, PrimaryKey, number, text},
};
use crate::domain::{
    ItemKey, Ledger, Refusal, SessionId, Timestamp, UserId,
    session::{self, RefreshOutcome, RefreshToken, SessionRecord},
};

pub(super) const PREFIX: &str = "SESSION#";

/// How long an ended session stays, so that the stream of the table says why it ended.
const KEPT_AFTER_END: Duration = Duration::from_hours(1);

/// Why a session ended before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionEnd {
    /// Its own user signed out.
    SignedOut,
    /// Another login of the user ended it.
    Ended,
    /// A refresh token of it was used again.
    Reused,
}

impl SessionEnd {
    const fn as_str(self) -> &'static str {
        match self {
            Self::SignedOut => "signed_out",
            Self::Ended => "ended",
            Self::Reused => "reused",
        }
    }

    /// Reads what [`Self::as_str`] wrote.
    pub(super) fn parse(text: &str) -> Option<Self> {
        [Self::SignedOut, Self::Ended, Self::Reused].into_iter().find(|why| why.as_str() == text)
    }
}

/// The attribute that says why a session ended.
pub(super) const ENDED: &str = "ended";

impl Table {
    /// Writes the item of a new session, but never over a later generation. A copy that arrives
    /// late must not set a session back.
    pub(super) async fn put_session(&self, user: UserId, record: &SessionRecord) -> Result<Commit, StoreError> {
        let mut item = item::write(record, Some(record.until))?;
        if record.factor.is_passkey() {
            // A version that does not know passkeys cannot read the factor.
            item.insert("schema".to_owned(), number(SCHEMA_OF_PASSKEYS));
        }
        let put = self
            .put_item(key(user, record.id), item)
            .condition_expression("attribute_not_exists(pk) OR (generation = :first AND attribute_not_exists(ended))")
            .expression_attribute_values(":first", number(record.generation));
        table::put(put).await.map(|_| Commit::Done).map_err(|error| StoreError::of("PutItem session", &error))
    }

    /// Uses a refresh token, and moves its session on to the successor. Session and ledger are read
    /// strongly.
    ///
    /// `open` opens the sealed claims. It is called before the token is used up: a session whose
    /// claims do not open must not lose its token.
    ///
    /// # Errors
    /// [`StoreError::Refused`] if the token may not be used, or no longer, or if the claims do not
    /// open.
    pub async fn use_refresh_token<T>(
        &self,
        token: RefreshToken,
        now: Timestamp,
        open: impl Fn(&SessionRecord) -> Option<T>,
    ) -> Result<(SessionRecord, T, Ledger), StoreError> {
        let get = self.get_item("GetItem session", key(token.user, token.session), true);
        let (item, snapshot) = tokio::try_join!(get, self.snapshot(token.user, now))?;
        let mut session = read(token.session, item.ok_or(Refusal::SessionInvalid)?)?;
        // Two rounds are enough: after a lost race the session has a later generation, and this
        // token is no longer the next.
        loop {
            let outcome = session::judge(&session, &snapshot, token, now)?;
            if outcome == RefreshOutcome::End {
                self.end_session(token.user, token.session, SessionEnd::Reused, now).await?;
                return Err(Refusal::SessionInvalid.into());
            }
            let cause = || format!("the claims of session {} do not open with the configured sealing keys", session.id);
            let claims = open(&session).ok_or_else(|| Refusal::Unreadable(cause()))?;
            if outcome == RefreshOutcome::Rotate
                && let Some(current) = self.rotate_session(token, session.security_epoch, now).await?
            {
                session = current;
                continue;
            }
            return Ok((session, claims, snapshot.ledger));
        }
    }

    /// Ends a session, if it is there and goes on. It stays for an hour, in the epoch 0, which is that of
    /// no user: so every version of the service takes it for one that has ended.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn end_session(
        &self,
        user: UserId,
        id: SessionId,
        why: SessionEnd,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let update = self
            .update_item(key(user, id))
            .update_expression("SET epoch = :none, ended = :why, #ttl = :ttl")
            .condition_expression("attribute_exists(pk) AND attribute_not_exists(ended)")
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_values(":none", number(0))
            .expression_attribute_values(":why", text(why.as_str()))
            .expression_attribute_values(":ttl", number(now.plus(KEPT_AFTER_END).as_secs()));
        match table::update(update).await {
            Ok(_) => Ok(()),
            Err(error) if StoreError::is_failed_condition(&error) => Ok(()),
            Err(error) => Err(StoreError::of("UpdateItem session", &error)),
        }
    }

    /// Carries a session into the epoch `to` if it is of the epoch `from`, so that an ended one is
    /// never revived.
    pub(super) async fn carry_session(
        &self,
        user: UserId,
        id: SessionId,
        from: u64,
        to: u64,
    ) -> Result<(), StoreError> {
        let update = self
            .update_item(key(user, id))
            .update_expression("SET epoch = :to")
            .condition_expression("epoch = :from")
            .expression_attribute_values(":from", number(from))
            .expression_attribute_values(":to", number(to));
        table::update(update).await.map(|_| ()).map_err(|error| StoreError::of("UpdateItem session", &error))
    }

    /// Replaces `token` by its successor. If another request did so first, returns the session as
    /// it is now.
    async fn rotate_session(
        &self,
        token: RefreshToken,
        epoch: u64,
        now: Timestamp,
    ) -> Result<Option<SessionRecord>, StoreError> {
        let update = self
            .update_item(key(token.user, token.session))
            .update_expression("SET generation = :next, rotated = :now")
            // An ended session is of no epoch.
            .condition_expression("generation = :this AND epoch = :epoch")
            .expression_attribute_values(":epoch", number(epoch))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .expression_attribute_values(":this", number(token.generation))
            .expression_attribute_values(":next", number(token.successor().generation))
            .expression_attribute_values(":now", number(now.as_millis()));
        let Err(error) = table::update(update).await else { return Ok(None) };
        match error.as_service_error() {
            // This also happens after a lost answer. The token is then judged as a repetition.
            Some(UpdateItemError::ConditionalCheckFailedException(failed)) => {
                let item = failed.item.clone().ok_or(Refusal::SessionInvalid)?;
                read(token.session, item).map(Some)
            }
            _ => Err(StoreError::of("UpdateItem session", &error)),
        }
    }
}

fn read(id: SessionId, item: Item) -> Result<SessionRecord, StoreError> {
    item::read(item, Some(id.to_string())).map_err(|error| error.of_item(&format!("SESSION#{id}")))
}

pub(super) fn key(user: UserId, id: SessionId) -> PrimaryKey {
    PrimaryKey::of_user(user, format!("{PREFIX}{id}"))
}

pub(super) fn parse_key(sort_key: &str) -> Option<ItemKey> {
    SessionId::parse(sort_key.strip_prefix(PREFIX)?).map(ItemKey::Session)
}
