//! What an operator reads and deletes: every item of a user, and every user of the table.

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::{Value, json};

use super::{
    StoreError, Table,
    item::{self, ReadError},
    ledger, notice, passkey,
    table::{self, COUNT_UNITS, Item, PrimaryKey, text},
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
        let unneeded = unneeded(&self.items_of(user).await?)?;
        for sort_key in &unneeded {
            self.delete_item("DeleteItem", PrimaryKey::of_user(user, sort_key.as_str())).await?;
        }
        Ok(unneeded.len())
    }

    /// Looks for items of a user that cannot be read, that nothing stands for, or that are too large.
    ///
    /// # Errors
    /// [`StoreError`] if they cannot be loaded.
    pub async fn check(&self, user: UserId, now: Timestamp) -> Result<Checked, StoreError> {
        self.open().await?;
        Ok(checked(user, &self.items_of(user).await?, now))
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

/// The ids of the keys that sealed the secret of a device, the claims of a session or the addresses for
/// notices.
fn sealed_by(sort_key: &str, item: &Item) -> Vec<String> {
    let named = |sealed: &[u8]| keys::key_id_of(sealed).map(|(id, _)| String::from_utf8_lossy(id).into_owned());
    if notice::is_address_item(sort_key) {
        return notice::sealed_in(item).filter_map(|address| named(&address.sealed)).collect();
    }
    let sealed = item.get("secret").or_else(|| item.get("claims")).and_then(|value| value.as_b().ok());
    sealed.and_then(|sealed| named(sealed.as_ref())).into_iter().collect()
}

/// The ledger among the items of a user, if it is there.
fn ledger_in(items: &[Item]) -> Option<Result<Ledger, StoreError>> {
    let item = items.iter().find(|item| sort_key_of(item) == Some(ledger::SORT_KEY));
    item.cloned().map(ledger::read)
}

/// The sort keys of the items that the ledger among them does not stand for.
fn unneeded(items: &[Item]) -> Result<Vec<String>, StoreError> {
    let ledger = ledger_in(items).transpose()?;
    let stays = |sort_key: &str, item| ledger.as_ref().is_some_and(|ledger| stands_for(ledger, sort_key, item));
    let keys = items.iter().filter_map(|item| Some((sort_key_of(item)?, item)));
    Ok(keys.filter(|(sort_key, item)| !stays(sort_key, item)).map(|(sort_key, _)| sort_key.to_owned()).collect())
}

/// What is wrong with these items, which are all of a user.
fn checked(user: UserId, items: &[Item], now: Timestamp) -> Checked {
    let ledger = ledger_in(items);
    let (mut findings, mut sealed) = (Vec::new(), Vec::new());
    for item in items {
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
            sealed.extend(sealed_by(sort_key, item));
        }
        let bytes = size_of(item);
        let most = if sort_key == ledger::SORT_KEY { UNIT } else { 4 * UNIT };
        if bytes > most {
            found(ItemFault::Oversized(bytes));
        }
    }
    if let Some(Ok(ledger)) = &ledger {
        let is_over = |key| ledger.setups.iter().any(|setup| ItemKey::Device(setup.id) == key && setup.until <= now);
        let there: Vec<_> = items.iter().filter_map(|item| item::key_of(sort_key_of(item)?)).collect();
        let missing = ledger.named_items().filter(|key| !there.contains(key) && !is_over(*key));
        let sort_key = |key| item::primary_key(user, key).sk;
        findings.extend(missing.map(|key| Finding { sort_key: sort_key(key), fault: ItemFault::Missing }));
    }
    Checked { findings, sealed_by: sealed }
}

/// Whether an item counts, or may come to count: the ledger itself, what it names, and sessions,
/// trusted devices and codes of now.
fn stands_for(ledger: &Ledger, sort_key: &str, item: &Item) -> bool {
    match item::key_of(sort_key) {
        Some(key @ (ItemKey::Device(_) | ItemKey::Passkey(_) | ItemKey::Credential(_) | ItemKey::Recovery(_))) => {
            ledger.named_items().any(|named| named == key)
        }
        Some(ItemKey::Session(_) | ItemKey::Trust(_)) => number_in(item, "epoch") == Some(ledger.security_epoch),
        Some(ItemKey::NoticeTo) => true,
        None if sort_key == ledger::SORT_KEY || notice::is_of_notices(sort_key) => true,
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
        None if sort_key.starts_with(passkey::CHALLENGES) => {
            passkey::read_challenge(item).err().map(|error| error.to_string())
        }
        None if sort_key.starts_with("CODE#") => super::code::read(item).err().map(|error| error.to_string()),
        None if notice::is_of_notices(sort_key) => None,
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
pub(super) fn size_of(item: &Item) -> usize {
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
    use crate::domain::{
        CodeId, DeviceId, DeviceRecord, LoginId, TotpVariant,
        ledger::{Device, SentCode, Setup},
    };

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

    const NOW: Timestamp = Timestamp::from_secs(1_893_456_000);

    fn device_id(n: u128) -> DeviceId {
        DeviceId(uuid::Uuid::from_u128(n))
    }

    /// The item of a device whose name has so many letters, sealed under the key `k1`.
    fn device(n: u128, name: usize, ttl: Option<Timestamp>) -> Item {
        let (id, name, created) = (device_id(n), "x".repeat(name), NOW);
        let secret = [&[2_u8][..], b"k1", &[7; 40]].concat();
        let record = DeviceRecord { id, name, secret, created, variant: TotpVariant::default() };
        of_user(&format!("MFA#DEVICE#{}", id.0), crate::storage::device::write(&record, ttl).expect("an item"))
    }

    fn of_user(sort_key: &str, mut item: Item) -> Item {
        item.extend(key_of(&table::user_key(UserId([1; 16])), sort_key));
        item
    }

    fn ledger_item(ledger: Ledger) -> Item {
        of_user("MFA#LEDGER", ledger::stored(ledger))
    }

    fn naming(devices: &[u128]) -> Ledger {
        let mut ledger = Ledger::fresh(7);
        let named = |n: &u128| Device {
            id: device_id(*n),
            last_step: 1,
            last_used_at: None,
            confirmed_by: None,
            inactive: false,
        };
        ledger.devices = devices.iter().map(named).collect();
        ledger
    }

    /// What is wrong, and how many sealed items count.
    fn check(items: &[Item]) -> (Vec<(String, String)>, usize) {
        let Checked { findings, sealed_by } = checked(UserId([1; 16]), items, NOW);
        assert!(sealed_by.iter().all(|id| id == "k1"), "{sealed_by:?}");
        let findings = findings.into_iter().map(|found| (found.sort_key, found.fault.to_string()));
        (findings.collect(), sealed_by.len())
    }

    fn found(n: u128, fault: &str) -> (Vec<(String, String)>, usize) {
        (vec![(format!("MFA#DEVICE#{}", device_id(n).0), fault.to_owned())], 0)
    }

    #[test]
    fn what_the_ledger_names_must_be_there_unless_it_is_a_set_up_that_is_over() {
        assert_eq!(check(&[ledger_item(naming(&[1])), device(1, 5, None)]), (vec![], 1));
        assert_eq!(check(&[ledger_item(naming(&[1]))]), found(1, "missing"));
        let setup = |until| {
            let mut ledger = naming(&[]);
            ledger.setups = vec![Setup { id: device_id(2), until }];
            check(&[ledger_item(ledger)])
        };
        assert_eq!(setup(NOW), (vec![], 0));
        assert_eq!(setup(Timestamp::from_secs(NOW.as_secs() + 1)), found(2, "missing"));
    }

    #[test]
    fn what_no_ledger_stands_for_is_orphaned_unless_it_goes_by_itself() {
        let later = Timestamp::from_secs(NOW.as_secs() + 1);
        for ledger in [vec![], vec![ledger_item(naming(&[]))]] {
            assert_eq!(check(&[ledger.clone(), vec![device(1, 5, None)]].concat()), found(1, "orphaned"));
            assert_eq!(check(&[ledger, vec![device(1, 5, Some(later))]].concat()), (vec![], 0));
        }
        // Nobody knows what a ledger stands for that cannot be read.
        let broken = of_user("MFA#LEDGER", Item::new());
        let (findings, sealed) = check(&[broken, device(1, 5, None)]);
        assert_eq!((findings.len(), sealed), (1, 1));
        assert!(findings[0].0 == "MFA#LEDGER" && findings[0].1.starts_with("unreadable: "), "{findings:?}");
    }

    #[test]
    fn a_sealed_item_counts_until_its_end() {
        let sealed = |until| check(&[ledger_item(naming(&[1])), device(1, 5, Some(until))]);
        assert_eq!(sealed(NOW), (vec![], 0));
        assert_eq!(sealed(Timestamp::from_secs(NOW.as_secs() + 1)), (vec![], 1));
    }

    #[test]
    fn a_ledger_is_oversized_above_one_unit_and_other_items_above_four() {
        let rest = size_of(&device(1, 0, None));
        let with_name = |letters| check(&[ledger_item(naming(&[1])), device(1, letters, None)]);
        assert_eq!(with_name(4 * 1024 - rest), (vec![], 1));
        let (findings, sealed) = with_name(4 * 1024 - rest + 1);
        assert_eq!((findings, sealed), (found(1, "oversized: 4097 bytes").0, 1));

        let with_attribute = |bytes| {
            let mut ledger = ledger_item(naming(&[]));
            ledger.insert("z".to_owned(), binary(&vec![0; bytes]));
            check(&[ledger]).0
        };
        let rest = size_of(&ledger_item(naming(&[]))) + 1;
        assert_eq!(with_attribute(1024 - rest), []);
        assert_eq!(with_attribute(1025 - rest), [("MFA#LEDGER".to_owned(), "oversized: 1025 bytes".to_owned())]);
    }

    #[test]
    fn what_the_ledger_does_not_stand_for_is_unneeded_and_without_a_ledger_everything() {
        let devices = [device(1, 5, None), device(2, 5, Some(NOW))];
        let unneeded = |items: &[Item]| unneeded(items).expect("keys").len();
        assert_eq!(unneeded(&devices), 2);
        assert_eq!(unneeded(&[&devices[..], &[ledger_item(naming(&[1]))]].concat()), 1);
        assert_eq!(unneeded(&[&devices[..], &[ledger_item(naming(&[1, 2]))]].concat()), 0);
        let broken = of_user("MFA#LEDGER", Item::new());
        assert!(super::unneeded(&[broken]).is_err(), "it may stand for anything");
    }
}
