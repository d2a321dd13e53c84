//! What an operator reads and deletes: every item of a user, and every user of the table.

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::{Value, json};

use super::{
    StoreError, Table,
    item::{self, ReadError},
    ledger,
    table::{self, COUNT_UNITS, Item, PrimaryKey, text, user_key},
    user,
};
use crate::{
    domain::{ItemKey, Ledger, Snapshot, Timestamp, UserId, keys},
    metrics::Metric,
};

/// How many items one page looks at.
const PAGE: i32 = 1000;

/// `DynamoDB` reads and writes items of up to so many bytes for one unit.
const UNIT: usize = 1024;

/// One of several parts of the table that are read side by side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Which, from 0.
    pub number: u16,
    /// How many there are: 1 or more.
    pub of: u16,
}

/// Some users of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserPage {
    /// Each user that has items, once in all pages of a segment.
    pub users: Vec<UserId>,
    /// Where the next page starts, if there is one.
    pub next: Option<String>,
}

/// One item as it is stored, without its binary values: those are sealed, or keyed hashes, or lists
/// that the ledger packs.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredItem {
    /// Its sort key.
    pub sort_key: String,
    /// The other attributes, by name. A binary one says only how long it is.
    pub attributes: serde_json::Map<String, Value>,
}

/// What a look at all items of a user found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// What is wrong.
    pub findings: Vec<Finding>,
    /// The ids of the keys that sealed something that counts, one for each such item.
    pub sealed_by: Vec<String>,
}

/// Something that is wrong with an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Its sort key.
    pub sort_key: String,
    /// What is wrong.
    pub fault: ItemFault,
}

/// What can be wrong with an item.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ItemFault {
    /// It cannot be read.
    #[error("unreadable: {0}")]
    Unreadable(String),
    /// The ledger names it, and it is not there.
    #[error("missing")]
    Missing,
    /// No ledger stands for it, and nothing will delete it.
    #[error("orphaned")]
    Orphaned,
    /// It is dearer to read and write than an item of its kind should be.
    #[error("oversized: {0} bytes")]
    Oversized(usize),
}

impl Table {
    /// The next users of a segment. `start` is [`UserPage::next`] of the page before.
    ///
    /// # Errors
    /// [`StoreError`]. Also if `start` is no such text.
    pub async fn users(&self, segment: Segment, start: Option<&str>) -> Result<UserPage, StoreError> {
        self.open().await?;
        let start =
            start.map(|start| start.split_once(' ').ok_or_else(|| StoreError::Broken("no such page".to_owned())));
        let start = start.transpose()?;
        let scan = self.client.scan().table_name(&self.name).return_consumed_capacity(COUNT_UNITS);
        let scan = scan.projection_expression("pk, sk").limit(PAGE).consistent_read(true);
        let scan = scan.segment(segment.number.into()).total_segments(segment.of.into());
        let scan = scan.set_exclusive_start_key(start.map(|(pk, sk)| key_of(pk, sk)));
        let page = scan.send().await.map_err(|error| StoreError::of("Scan users", &error))?;
        table::count(Metric::ReadUnits, page.consumed_capacity());

        // The items of a user stand together. Those of the first may have begun on the page before.
        let mut last = start.and_then(|(pk, _)| user_of(pk));
        let mut users = Vec::new();
        for user in page.items().iter().filter_map(|item| user_of(item.get("pk")?.as_s().ok()?)) {
            if last.replace(user) != Some(user) {
                users.push(user);
            }
        }
        let next = page
            .last_evaluated_key
            .and_then(|key| Some(format!("{} {}", key.get("pk")?.as_s().ok()?, sort_key_of(&key)?)));
        Ok(UserPage { users, next })
    }

    /// Every item of a user.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn stored_items(&self, user: UserId) -> Result<Vec<StoredItem>, StoreError> {
        self.open().await?;
        let shown = |item: Item| {
            let sort_key = sort_key_of(&item)?.to_owned();
            let others = item.into_iter().filter(|(name, _)| !matches!(name.as_str(), "pk" | "sk"));
            Some(StoredItem { sort_key, attributes: others.map(|(name, value)| (name, to_json(&value))).collect() })
        };
        Ok(self.items_of(user).await?.into_iter().filter_map(shown).collect())
    }

    /// Deletes every item of a user, and says how many. The ledger goes first, so that nothing that
    /// a request under way decided is committed any more.
    ///
    /// A request under way can still write items that no ledger will name, or begin a new ledger. So
    /// this is to be done again once such requests are over: then it is [`Self::sweep`] that does it.
    ///
    /// # Errors
    /// [`StoreError`]. What was deleted stays deleted.
    pub async fn erase(&self, user: UserId) -> Result<usize, StoreError> {
        self.open().await?;
        let had_ledger = self.get_item("GetItem ledger", ledger_key(user), true).await?.is_some();
        self.delete_item("DeleteItem ledger", ledger_key(user)).await?;
        Ok(self.sweep(user).await? + usize::from(had_ledger))
    }

    /// Deletes every item of a user that the ledger does not stand for, and says how many.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn sweep(&self, user: UserId) -> Result<usize, StoreError> {
        self.open().await?;
        let items = self.items_of(user).await?;
        let ledger = items.iter().find(|item| sort_key_of(item) == Some(ledger::SORT_KEY)).cloned();
        let ledger = ledger.map(ledger::read).transpose()?;
        let mut deleted = 0;
        for item in &items {
            let Some(sort_key) = sort_key_of(item) else { continue };
            let stays = ledger.as_ref().is_some_and(|ledger| stands_for(ledger, sort_key, item));
            if !stays {
                let key = PrimaryKey { pk: user_key(user), sk: sort_key.to_owned() };
                self.delete_item("DeleteItem", key).await?;
                deleted += 1;
            }
        }
        Ok(deleted)
    }

    /// Looks for items of a user that cannot be read, that nothing stands for, or that are too large.
    ///
    /// # Errors
    /// [`StoreError`] if they cannot be loaded.
    pub async fn check(&self, user: UserId, now: Timestamp) -> Result<Checked, StoreError> {
        self.open().await?;
        let items = self.items_of(user).await?;
        let ledger = items.iter().find(|item| sort_key_of(item) == Some(ledger::SORT_KEY));
        let ledger = ledger.map(|item| ledger::read(item.clone()));
        let (mut findings, mut sealed) = (Vec::new(), Vec::new());
        for item in &items {
            let Some(sort_key) = sort_key_of(item) else { continue };
            let mut found = |fault| findings.push(Finding { sort_key: sort_key.to_owned(), fault });
            if let Some(cause) = unreadable(sort_key, item) {
                found(ItemFault::Unreadable(cause));
            }
            // Where the ledger cannot be read, nobody knows what it stands for.
            let stays = match &ledger {
                Some(Ok(ledger)) => stands_for(ledger, sort_key, item),
                Some(Err(_)) => true,
                None => false,
            };
            let ends = number_in(item, "ttl").map(Timestamp::from_secs);
            if !stays && ends.is_none() {
                found(ItemFault::Orphaned);
            }
            if stays && ends.is_none_or(|ends| ends > now) {
                sealed.extend(sealed_by(item));
            }
            let bytes = size_of(item);
            let most = if sort_key == ledger::SORT_KEY { UNIT } else { 4 * UNIT };
            if bytes > most {
                found(ItemFault::Oversized(bytes));
            }
        }
        if let Some(Ok(ledger)) = &ledger {
            let is_over =
                |key| ledger.setups.iter().any(|setup| ItemKey::Device(setup.id) == key && setup.until <= now);
            let there: Vec<_> = items.iter().filter_map(|item| item::key_of(sort_key_of(item)?)).collect();
            let missing = ledger.named_items().filter(|key| !there.contains(key) && !is_over(*key));
            let sort_key = |key| item::primary_key(user, key).sk;
            findings.extend(missing.map(|key| Finding { sort_key: sort_key(key), fault: ItemFault::Missing }));
        }
        Ok(Checked { findings, sealed_by: sealed })
    }
}

fn ledger_key(user: UserId) -> PrimaryKey {
    PrimaryKey::of_user(user, ledger::SORT_KEY)
}

fn key_of(pk: &str, sk: &str) -> Item {
    Item::from([("pk".to_owned(), text(pk)), ("sk".to_owned(), text(sk))])
}

fn user_of(pk: &str) -> Option<UserId> {
    UserId::parse(pk.strip_prefix("USER#")?)
}

fn sort_key_of(item: &Item) -> Option<&str> {
    item.get("sk")?.as_s().ok().map(String::as_str)
}

fn number_in(item: &Item, name: &str) -> Option<u64> {
    item.get(name)?.as_n().ok()?.parse().ok()
}

/// The id of the key that sealed the secret of a device or the claims of a session.
fn sealed_by(item: &Item) -> Option<String> {
    let sealed = item.get("secret").or_else(|| item.get("claims"))?.as_b().ok()?;
    let (id, _) = keys::key_id_of(sealed.as_ref())?;
    Some(String::from_utf8_lossy(id).into_owned())
}

/// Whether an item counts, or may come to count: the ledger itself, what it names, and sessions,
/// trusted devices and codes of now.
fn stands_for(ledger: &Ledger, sort_key: &str, item: &Item) -> bool {
    match item::key_of(sort_key) {
        Some(key @ (ItemKey::Device(_) | ItemKey::Recovery(_))) => ledger.named_items().any(|named| named == key),
        Some(ItemKey::Session(_) | ItemKey::Trust(_)) => number_in(item, "epoch") == Some(ledger.security_epoch),
        None if sort_key == ledger::SORT_KEY => true,
        None => ledger.codes.iter().any(|code| sort_key.starts_with(&super::code::prefix(code.login))),
    }
}

/// Why an item cannot be read. `None` if it can.
fn unreadable(sort_key: &str, item: &Item) -> Option<String> {
    let item = item.clone();
    match item::key_of(sort_key) {
        Some(key) => user::read_into(&mut Snapshot::empty(0), key, item).err().map(|error| match error {
            ReadError::Newer(schema) => format!("a newer version wrote it (schema {schema})"),
            ReadError::Malformed(cause) => cause,
        }),
        None if sort_key == ledger::SORT_KEY => ledger::read(item).err().map(|error| error.to_string()),
        None if sort_key.starts_with("CODE#") => super::code::read(item).err().map(|error| error.to_string()),
        None => Some("no item of this service has such a key".to_owned()),
    }
}

/// A value for people. A binary one is withheld.
fn to_json(value: &AttributeValue) -> Value {
    match value {
        AttributeValue::S(text) => json!(text),
        AttributeValue::N(number) => number.parse::<u64>().map_or_else(|_| json!(number), |number| json!(number)),
        AttributeValue::Bool(flag) => json!(flag),
        AttributeValue::L(list) => list.iter().map(to_json).collect(),
        AttributeValue::M(map) => map.iter().map(|(name, value)| (name.clone(), to_json(value))).collect(),
        AttributeValue::B(bytes) => json!(format!("withheld: {} bytes", bytes.as_ref().len())),
        AttributeValue::Null(_) => Value::Null,
        _ => json!("withheld: a set"),
    }
}

/// The size of an item as `DynamoDB` counts it, roughly.
///
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html>
fn size_of(item: &Item) -> usize {
    item.iter().map(|(name, value)| name.len() + size_of_value(value)).sum()
}

fn size_of_value(value: &AttributeValue) -> usize {
    match value {
        AttributeValue::S(text) => text.len(),
        AttributeValue::N(number) => number.len().div_ceil(2) + 1,
        AttributeValue::B(bytes) => bytes.as_ref().len(),
        AttributeValue::L(list) => 3 + list.iter().map(|value| 1 + size_of_value(value)).sum::<usize>(),
        AttributeValue::M(map) => {
            3 + map.iter().map(|(name, value)| 1 + name.len() + size_of_value(value)).sum::<usize>()
        }
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::primitives::Blob;

    use super::*;
    use crate::domain::{CodeId, LoginId, Timestamp, ledger::SentCode};

    fn binary(bytes: &[u8]) -> AttributeValue {
        AttributeValue::B(Blob::new(bytes))
    }

    #[test]
    fn binary_values_are_withheld_and_others_shown() {
        let map = AttributeValue::M([("tag".to_owned(), binary(&[7; 32])), ("n".to_owned(), text("x"))].into());
        for (value, shown) in [
            (text("Phone"), json!("Phone")),
            (AttributeValue::N("18446744073709551615".to_owned()), json!(u64::MAX)),
            (AttributeValue::N("-1".to_owned()), json!("-1")),
            (AttributeValue::Bool(true), json!(true)),
            (AttributeValue::Null(true), Value::Null),
            (binary(&[1, 2, 3]), json!("withheld: 3 bytes")),
            (map, json!({ "tag": "withheld: 32 bytes", "n": "x" })),
            (AttributeValue::L(vec![binary(&[]), text("y")]), json!(["withheld: 0 bytes", "y"])),
            (AttributeValue::Ss(vec!["secret".to_owned()]), json!("withheld: a set")),
        ] {
            assert_eq!(to_json(&value), shown, "{value:?}");
        }
    }

    #[test]
    fn the_size_of_an_item_counts_names_and_values() {
        let item = |value| Item::from([("name".to_owned(), value)]);
        for (value, bytes) in [
            (text("12345"), 9),
            (AttributeValue::N("1234567".to_owned()), 9),
            (binary(&[0; 10]), 14),
            (AttributeValue::Bool(true), 5),
            (AttributeValue::L(vec![text("ab"), text("c")]), 12),
            (AttributeValue::M(item(text("ab"))), 14),
        ] {
            assert_eq!(size_of(&item(value.clone())), bytes, "{value:?}");
        }
    }

    #[test]
    fn a_ledger_stands_for_what_it_names_and_for_what_is_of_its_epoch() {
        let mut ledger = Ledger::fresh(7);
        let login = LoginId([1; 8]);
        ledger.codes.push(SentCode { id: CodeId([1; 8]), login, known: false, until: Timestamp::default() });
        let of_epoch = |epoch: u64| Item::from([("epoch".to_owned(), table::number(epoch))]);
        let (now, nothing) = (ledger.security_epoch, Item::new());
        let session = format!("SESSION#{}", crate::domain::SessionId([1; 16]));
        let trust = format!("TRUST#{}", crate::domain::TrustId([1; 16]));
        for (sort_key, item, stays) in [
            ("MFA#LEDGER", &nothing, true),
            ("MFA#DEVICE#00000000-0000-0000-0000-000000000001", &nothing, false),
            (&session, &of_epoch(now), true),
            (&session, &of_epoch(now - 1), false),
            (&session, &nothing, false),
            (&trust, &of_epoch(now), true),
            (&trust, &of_epoch(now + 1), false),
            ("CODE#AQEBAQEBAQE", &nothing, true),
            ("CODE#AQEBAQEBAQE#KNOWN", &nothing, true),
            ("CODE#AgICAgICAgI", &nothing, false),
            ("OTHER", &nothing, false),
        ] {
            assert_eq!(stands_for(&ledger, sort_key, item), stays, "{sort_key}");
        }
    }

    #[test]
    fn a_key_of_no_item_of_this_service_is_told() {
        assert!(unreadable("OTHER", &Item::new()).is_some_and(|cause| cause.contains("such a key")));
        let newer = Item::from([("schema".to_owned(), table::number(9))]);
        let device = "MFA#DEVICE#00000000-0000-0000-0000-000000000001";
        assert_eq!(unreadable(device, &newer).as_deref(), Some("a newer version wrote it (schema 9)"));
        assert!(unreadable("CODE#AQEBAQEBAQE", &Item::new()).is_some());
        assert!(unreadable("MFA#LEDGER", &Item::new()).is_some());
    }
}
