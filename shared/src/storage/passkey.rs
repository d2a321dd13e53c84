//! The items of passkeys: `USER#<user>` / `MFA#PASSKEY#<id>`, what lists show, `PASSKEY#<id>`, the
//! credential, and `CHALLENGE#<login>`, a challenge.
//!
//! The credential stands apart, because only the routes of passkeys need it: next to the ledger, it
//! would make every load dearer.

use serde::{Deserialize, Serialize};

use super::{
    StoreError, Table, item,
    ledger::Commit,
    table::{self, Item, PrimaryKey},
};
use crate::domain::{
    ItemKey, LoginId, PasskeyId, Policy, Timestamp, UserId,
    passkey::{ChallengeRecord, ChallengeSlot, CredentialRecord, PasskeyRecord, Purpose},
};

const PREFIX: &str = "MFA#PASSKEY#";

/// The beginning of the sort keys of credentials.
pub(super) const CREDENTIALS: &str = "PASSKEY#";

/// The beginning of the sort keys of challenges.
pub(super) const CHALLENGES: &str = "CHALLENGE#";

impl Table {
    pub(super) async fn put_passkey(&self, user: UserId, record: &PasskeyRecord) -> Result<Commit, StoreError> {
        let put = table::put(self.put_item(key(user, record.id), item::write(record, None)?)).await;
        put.map(|_| Commit::Done).map_err(|error| StoreError::of("PutItem passkey", &error))
    }

    pub(super) async fn put_credential(&self, user: UserId, record: &CredentialRecord) -> Result<Commit, StoreError> {
        let put = table::put(self.put_item(credential_key(user, record.id), item::write(record, None)?)).await;
        put.map(|_| Commit::Done).map_err(|error| StoreError::of("PutItem credential", &error))
    }

    /// Stores a challenge in its place, over the one that was there.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn put_challenge(&self, user: UserId, record: &ChallengeRecord) -> Result<(), StoreError> {
        let ttl = record.until.plus(Policy::CODE_KEPT_AFTER_EXPIRY);
        let stored = StoredChallenge { sealed: record.sealed.clone(), until: record.until };
        let key = PrimaryKey::of_user(user, challenge_key(record.slot));
        let put = table::put(self.put_item(key, item::write(&stored, Some(ttl))?)).await;
        put.map(|_| ()).map_err(|error| StoreError::of("PutItem challenge", &error))
    }

    pub(super) async fn challenges_of(
        &self,
        user: UserId,
        login: LoginId,
        strong: bool,
    ) -> Result<Vec<ChallengeRecord>, StoreError> {
        let items = self.query_user(user, &format!("{CHALLENGES}{login}"), strong).await?;
        items.into_iter().map(read_challenge).collect()
    }
}

#[derive(Serialize, Deserialize)]
struct StoredChallenge {
    #[serde(with = "serde_bytes")]
    sealed: Vec<u8>,
    until: Timestamp,
}

pub(super) fn read_challenge(item: Item) -> Result<ChallengeRecord, StoreError> {
    let sort_key = item.get("sk").and_then(|sort_key| sort_key.as_s().ok()).cloned().unwrap_or_default();
    let slot = parse_challenge_key(&sort_key);
    let stored: Result<StoredChallenge, _> = item::read(item, None);
    let stored = stored.map_err(|error| error.of_item(&sort_key))?;
    let slot = slot.ok_or_else(|| StoreError::Broken(format!("item {sort_key}: no challenge has such a key")))?;
    Ok(ChallengeRecord { slot, until: stored.until, sealed: stored.sealed })
}

pub(super) fn key(user: UserId, id: PasskeyId) -> PrimaryKey {
    PrimaryKey::of_user(user, format!("{PREFIX}{id}"))
}

pub(super) fn credential_key(user: UserId, id: PasskeyId) -> PrimaryKey {
    PrimaryKey::of_user(user, format!("{CREDENTIALS}{id}"))
}

pub(super) fn parse_key(sort_key: &str) -> Option<ItemKey> {
    PasskeyId::parse(sort_key.strip_prefix(PREFIX)?).map(ItemKey::Passkey)
}

pub(super) fn parse_credential_key(sort_key: &str) -> Option<ItemKey> {
    PasskeyId::parse(sort_key.strip_prefix(CREDENTIALS)?).map(ItemKey::Credential)
}

fn challenge_key(slot: ChallengeSlot) -> String {
    let ChallengeSlot { login, purpose, of_known_caller } = slot;
    let known = if of_known_caller { "#KNOWN" } else { "" };
    format!("{CHALLENGES}{login}#{}{known}", purpose.as_str())
}

fn parse_challenge_key(sort_key: &str) -> Option<ChallengeSlot> {
    let (login, place) = sort_key.strip_prefix(CHALLENGES)?.split_once('#')?;
    let login = LoginId::parse(login)?;
    let slots = [Purpose::Setup, Purpose::Use]
        .into_iter()
        .flat_map(|purpose| [false, true].map(|of_known_caller| ChallengeSlot { login, purpose, of_known_caller }));
    slots.into_iter().find(|slot| challenge_key(*slot) == format!("{CHALLENGES}{login}#{place}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::table::number;

    #[test]
    fn each_purpose_and_share_of_a_login_has_a_place_of_its_own() {
        let login = LoginId([1; 8]);
        let mut keys = std::collections::HashSet::new();
        for purpose in [Purpose::Setup, Purpose::Use] {
            for of_known_caller in [false, true] {
                let slot = ChallengeSlot { login, purpose, of_known_caller };
                let key = challenge_key(slot);
                assert_eq!(parse_challenge_key(&key), Some(slot), "{key}");
                keys.insert(key);
            }
        }
        assert_eq!(keys.len(), 4);
        for bad in ["CHALLENGE#", "CHALLENGE#AQEBAQEBAQE", "CHALLENGE#AQEBAQEBAQE#OTHER", "CODE#AQEBAQEBAQE#USE"] {
            assert_eq!(parse_challenge_key(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_challenge_that_cannot_be_read_is_told() {
        let good =
            item::write(&StoredChallenge { sealed: vec![1], until: Timestamp::default() }, None).expect("an item");
        let with_key = |key: &str| {
            let mut item = good.clone();
            item.insert("sk".to_owned(), table::text(key));
            item
        };
        assert!(read_challenge(with_key("CHALLENGE#AQEBAQEBAQE#USE")).is_ok());
        assert!(matches!(read_challenge(with_key("CHALLENGE#x")), Err(StoreError::Broken(_))));
        let mut lacking = with_key("CHALLENGE#AQEBAQEBAQE#USE");
        lacking.remove("until");
        assert!(matches!(read_challenge(lacking), Err(StoreError::Broken(_))));
        let mut newer = with_key("CHALLENGE#AQEBAQEBAQE#USE");
        newer.insert("schema".to_owned(), number(item::SCHEMA + 1));
        assert!(matches!(read_challenge(newer), Err(StoreError::Unavailable(_))));
    }
}
