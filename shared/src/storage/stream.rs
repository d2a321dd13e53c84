//! The stream of the table: which item was written, as it was and as it is.

use std::collections::HashMap;

use aws_sdk_dynamodb::{primitives::Blob, types::AttributeValue};
use serde::Deserialize;
use serde_json::Value;

use super::{
    StoreError, ledger,
    session::{self, SessionEnd},
    table::Item,
};
use crate::domain::{ItemKey, Ledger, LoginId, SessionId, Timestamp, UserId};

/// A record of the stream, as Lambda hands it to a function.
///
/// <https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html>
#[derive(Deserialize)]
pub struct StreamRecord {
    /// `INSERT`, `MODIFY` or `REMOVE`.
    #[serde(rename = "eventName")]
    event: String,
    dynamodb: Images,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Images {
    keys: HashMap<String, Value>,
    #[serde(default)]
    new_image: Option<HashMap<String, Value>>,
    #[serde(default)]
    old_image: Option<HashMap<String, Value>>,
    sequence_number: String,
    /// Seconds, perhaps with a fraction. The AWS CLI writes them otherwise.
    #[serde(default)]
    approximate_creation_date_time: Value,
}

/// What a record says.
#[derive(Clone, Debug, PartialEq)]
pub enum StreamChange {
    /// A commit.
    Ledger {
        /// The ledger before it, if the user was known.
        before: Option<Box<Ledger>>,
        /// The ledger of the commit.
        after: Box<Ledger>,
    },
    /// A session ended before its time.
    Session {
        /// Which.
        id: SessionId,
        /// The login that opened it.
        login: Option<LoginId>,
        /// Why.
        why: SessionEnd,
    },
}

impl StreamRecord {
    /// The place of the record in its shard.
    #[must_use]
    pub fn sequence_number(&self) -> &str {
        &self.dynamodb.sequence_number
    }

    /// When the item was written, in whole seconds, if the record says it in seconds.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "seconds of this millennium fit")]
    pub fn at(&self) -> Option<Timestamp> {
        self.dynamodb.approximate_creation_date_time.as_f64().map(|seconds| Timestamp::from_secs(seconds as u64))
    }

    /// What it says of which user. `None` if it is of no item that anybody is told of: also for a
    /// deletion, by an operator or by TTL.
    ///
    /// # Errors
    /// [`StoreError`] if the ledger cannot be read, or is of a newer version.
    pub fn change(&self) -> Result<Option<(UserId, StreamChange)>, StoreError> {
        let key = |name: &str| self.dynamodb.keys.get(name).and_then(|value| value["S"].as_str());
        let (Some(pk), Some(sk), Some(image)) = (key("pk"), key("sk"), &self.dynamodb.new_image) else {
            return Ok(None);
        };
        let Some(user) = pk.strip_prefix("USER#").and_then(UserId::parse) else { return Ok(None) };
        if sk == ledger::SORT_KEY {
            let before = self.dynamodb.old_image.as_ref().map(|image| ledger::read(item(image))).transpose()?;
            let (before, after) = (before.map(Box::new), Box::new(ledger::read(item(image))?));
            return Ok(Some((user, StreamChange::Ledger { before, after })));
        }
        let ended =
            |image: &HashMap<String, Value>| image.get(session::ENDED)?["S"].as_str().and_then(SessionEnd::parse);
        let had_ended = self.dynamodb.old_image.as_ref().and_then(ended).is_some();
        match (session::parse_key(sk), ended(image)) {
            (Some(ItemKey::Session(id)), Some(why)) if self.event == "MODIFY" && !had_ended => {
                let login = image.get("login").and_then(|value| value["S"].as_str()).and_then(LoginId::parse);
                Ok(Some((user, StreamChange::Session { id, login, why })))
            }
            _ => Ok(None),
        }
    }
}

/// An item of a record. What has no type of `DynamoDB` is left out.
fn item(image: &HashMap<String, Value>) -> Item {
    image.iter().filter_map(|(name, value)| Some((name.clone(), attribute(value)?))).collect()
}

/// The types of attributes that the ledger has.
fn attribute(value: &Value) -> Option<AttributeValue> {
    let (kind, value) = value.as_object()?.iter().next()?;
    match kind.as_str() {
        "S" => value.as_str().map(|text| AttributeValue::S(text.to_owned())),
        "N" => value.as_str().map(|number| AttributeValue::N(number.to_owned())),
        "BOOL" => value.as_bool().map(AttributeValue::Bool),
        "B" => {
            let bytes = data_encoding::BASE64.decode(value.as_str()?.as_bytes()).ok()?;
            Some(AttributeValue::B(Blob::new(bytes)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn record(event: &str, sk: &str, old: Option<Value>, new: Option<Value>) -> StreamRecord {
        let keys = json!({ "pk": { "S": format!("USER#{}", UserId([1; 16])) }, "sk": { "S": sk } });
        let mut images = json!({ "Keys": keys, "SequenceNumber": "7", "ApproximateCreationDateTime": 1_900_000_000.5 });
        for (name, image) in [("OldImage", old), ("NewImage", new)] {
            if let Some(image) = image {
                images[name] = image;
            }
        }
        serde_json::from_value(json!({ "eventName": event, "dynamodb": images })).expect("a record")
    }

    fn image(ledger: Ledger) -> Value {
        let values = ledger::stored(ledger).into_iter().map(|(name, value)| {
            let value = match value {
                AttributeValue::N(number) => json!({ "N": number }),
                AttributeValue::Bool(flag) => json!({ "BOOL": flag }),
                AttributeValue::B(bytes) => json!({ "B": data_encoding::BASE64.encode(bytes.as_ref()) }),
                other => panic!("{other:?}"),
            };
            (name, value)
        });
        Value::Object(values.collect())
    }

    #[test]
    fn a_commit_is_read_with_the_ledger_before_it() {
        let (before, after) = (Ledger::fresh(7), Ledger { enabled: true, ..Ledger::fresh(7) });
        let read = record("MODIFY", "MFA#LEDGER", Some(image(before.clone())), Some(image(after.clone())));
        let expected = StreamChange::Ledger { before: Some(Box::new(before)), after: Box::new(after.clone()) };
        assert_eq!(read.change().expect("read"), Some((UserId([1; 16]), expected)));
        assert_eq!((read.at(), read.sequence_number()), (Some(Timestamp::from_secs(1_900_000_000)), "7"));
        let first = record("INSERT", "MFA#LEDGER", None, Some(image(after.clone())));
        let expected = StreamChange::Ledger { before: None, after: Box::new(after.clone()) };
        assert_eq!(first.change().expect("read"), Some((UserId([1; 16]), expected)));
        assert_eq!(record("REMOVE", "MFA#LEDGER", Some(image(after)), None).change().expect("read"), None);
    }

    #[test]
    fn a_ledger_of_a_newer_version_waits_for_one_that_reads_it() {
        let mut newer = image(Ledger::fresh(7));
        newer["d"] = json!({ "B": data_encoding::BASE64.encode(&[2, 8]) });
        let error = record("MODIFY", "MFA#LEDGER", None, Some(newer)).change().expect_err("it is newer");
        assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
    }

    #[test]
    fn a_session_that_ends_is_told_once_and_its_deletion_is_nothing() {
        let sk = format!("SESSION#{}", SessionId([2; 16]));
        let session = |ended: Option<&str>| {
            let mut image = json!({ "login": { "S": LoginId([3; 8]).to_string() }, "epoch": { "N": "0" } });
            if let Some(why) = ended {
                image["ended"] = json!({ "S": why });
            }
            Some(image)
        };
        for (text, why) in
            [("signed_out", SessionEnd::SignedOut), ("ended", SessionEnd::Ended), ("reused", SessionEnd::Reused)]
        {
            let change = record("MODIFY", &sk, session(None), session(Some(text))).change().expect("read");
            let expected = StreamChange::Session { id: SessionId([2; 16]), login: Some(LoginId([3; 8])), why };
            assert_eq!(change, Some((UserId([1; 16]), expected)));
        }
        for record in [
            record("MODIFY", &sk, session(Some("ended")), session(Some("ended"))),
            record("MODIFY", &sk, session(None), session(None)),
            record("MODIFY", &sk, session(None), session(Some("otherwise"))),
            record("INSERT", &sk, None, session(Some("ended"))),
            record("REMOVE", &sk, session(Some("ended")), None),
            record("MODIFY", "NOTICE#TO", session(None), session(Some("ended"))),
        ] {
            assert_eq!(record.change().expect("read"), None);
        }
    }
}
