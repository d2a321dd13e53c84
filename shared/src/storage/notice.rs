//! `USER#<user>` / `NOTICE#TO`: where the notices to a user go. `USER#<user>` / `NOTICE#<name>`: which
//! notices were sent.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::AttributeValue;

use super::{
    StoreError, Table,
    ledger::Commit,
    table::{self, Item, PrimaryKey, binary, number},
};
use crate::domain::{Timestamp, UserId, notice_to::SealedNoticeTo};

const PREFIX: &str = "NOTICE#";

/// What was sent for one change, or of one kind on one day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marker {
    /// Its name: the id of the change, or the kind and the day.
    pub name: String,
    /// Each thing that was sent.
    pub done: BTreeSet<String>,
}

impl Table {
    /// Writes an address for notices. Those that are there stay.
    pub(super) async fn put_notice_to(&self, user: UserId, address: &SealedNoticeTo) -> Result<Commit, StoreError> {
        let update = self.update_item(key(user)).update_expression("SET #slot = :sealed");
        let update = update
            .expression_attribute_names("#slot", &address.slot)
            .expression_attribute_values(":sealed", binary(address.sealed.clone()));
        table::update(update).await.map(|_| Commit::Done).map_err(|error| StoreError::of("UpdateItem notice", &error))
    }

    /// The addresses for notices of a user.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn notice_to(&self, user: UserId) -> Result<Vec<SealedNoticeTo>, StoreError> {
        let item = self.get_item("GetItem notice", key(user), true).await?;
        Ok(item.into_iter().flatten().filter_map(address).collect())
    }

    /// Drops addresses for notices, or replaces `old` by the same address sealed anew, unless another
    /// request has replaced it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn reseal_notice_to(
        &self,
        user: UserId,
        old: &SealedNoticeTo,
        sealed: Vec<u8>,
    ) -> Result<(), StoreError> {
        let update = self
            .update_item(key(user))
            .update_expression("SET #slot = :new")
            .condition_expression("#slot = :old")
            .expression_attribute_names("#slot", &old.slot)
            .expression_attribute_values(":new", binary(sealed))
            .expression_attribute_values(":old", binary(old.sealed.clone()));
        table::update(update).await.map(|_| ()).map_err(|error| StoreError::of("UpdateItem notice", &error))
    }

    /// Drops an address for notices.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn drop_notice_to(&self, user: UserId, slot: &str) -> Result<(), StoreError> {
        let update = self.update_item(key(user)).update_expression("REMOVE #slot");
        let update = update.condition_expression("attribute_exists(pk)").expression_attribute_names("#slot", slot);
        table::update(update).await.map(|_| ()).map_err(|error| StoreError::of("UpdateItem notice", &error))
    }

    /// What was sent under a name.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn marker(&self, user: UserId, name: &str) -> Result<Marker, StoreError> {
        let item = self.get_item("GetItem notice", marker_key(user, name), true).await?;
        let done = item.and_then(|mut item| item.remove("done"));
        let done = match done {
            Some(AttributeValue::Ss(done)) => done.into_iter().collect(),
            _ => BTreeSet::new(),
        };
        Ok(Marker { name: name.to_owned(), done })
    }

    /// Remembers, until `ttl`, that something more was sent.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn mark(
        &self,
        user: UserId,
        name: &str,
        done: impl IntoIterator<Item = String>,
        ttl: Timestamp,
    ) -> Result<(), StoreError> {
        let update = self
            .update_item(marker_key(user, name))
            .update_expression("ADD done :done SET #ttl = :ttl")
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_values(":done", AttributeValue::Ss(done.into_iter().collect()))
            .expression_attribute_values(":ttl", number(ttl.as_secs()));
        table::update(update).await.map(|_| ()).map_err(|error| StoreError::of("UpdateItem notice", &error))
    }
}

/// An address of the item of addresses.
fn address((slot, value): (String, AttributeValue)) -> Option<SealedNoticeTo> {
    match value {
        AttributeValue::B(sealed) if slot.starts_with('a') => {
            Some(SealedNoticeTo { slot, sealed: sealed.into_inner() })
        }
        _ => None,
    }
}

/// The sealed values of the item of addresses.
pub(super) fn sealed_in(item: &Item) -> impl Iterator<Item = SealedNoticeTo> {
    item.clone().into_iter().filter_map(address)
}

pub(super) fn key(user: UserId) -> PrimaryKey {
    PrimaryKey::of_user(user, format!("{PREFIX}TO"))
}

fn marker_key(user: UserId, name: &str) -> PrimaryKey {
    PrimaryKey::of_user(user, format!("{PREFIX}{name}"))
}

/// Whether a sort key is that of the addresses.
pub(super) fn is_address_item(sort_key: &str) -> bool {
    sort_key.strip_prefix(PREFIX) == Some("TO")
}

/// Whether a sort key is that of the addresses or of what was sent.
pub(super) fn is_of_notices(sort_key: &str) -> bool {
    sort_key.starts_with(PREFIX)
}
