//! Lists that are stored as one binary attribute, so that the ledger stays small: a format byte,
//! the width of a record in bytes, then the records.
//!
//! A list of maps would cost its attribute names and a byte for each value, in every record.
//! Numbers are big-endian.

use aws_sdk_dynamodb::types::AttributeValue;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_bytes::{ByteBuf, Bytes};
use uuid::Uuid;

use crate::domain::{
    AddressTag, CodeId, CommitId, DeviceId, Factor, GuessTag, LoginId, Method, NetworkTag, NoticeMark, PasskeyId,
    RecoveryId, Timestamp,
    failures::{Failures, LastGuess},
    ledger::{Backup, Device, Grace, KnownNetwork, Passkey, ProvenAddress, RecentLogin, RecoverySet, SentCode, Setup},
    sends::PastSend,
};

/// The only format so far. Another one, which wider records need too, may be written only one
/// release after the version that can read it.
const FORMAT: u8 = 1;

/// Whether an attribute holds a list of a format that only a newer version reads.
pub(super) fn is_newer(value: &AttributeValue) -> bool {
    value.as_b().is_ok_and(|list| list.as_ref().first().is_some_and(|format| *format > FORMAT))
}

/// 2020-01-01T00:00:00Z. Times are stored as seconds since then, in four bytes, which lasts until
/// 2156. Zero is "never".
const EPOCH_SECONDS: u64 = 1_577_836_800;

const NEVER: Timestamp = Timestamp::from_secs(0);

/// A list of records in one attribute.
#[derive(Debug)]
pub(super) struct Packed<T>(pub(super) Vec<T>);

/// A record of a packed list.
pub(super) trait Record: Sized {
    /// The bytes of one record.
    const WIDTH: u8;
    /// Appends exactly `WIDTH` bytes.
    fn pack(&self, out: &mut Vec<u8>);
    /// Reads what [`Self::pack`] wrote.
    fn unpack(fields: &mut Fields<'_>) -> Option<Self>;
}

// A derived one would demand a default of the records.
impl<T> Default for Packed<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Packed<T> {
    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<T: Record> Serialize for Packed<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut bytes = vec![FORMAT, T::WIDTH];
        self.0.iter().for_each(|record| record.pack(&mut bytes));
        Bytes::new(&bytes).serialize(serializer)
    }
}

impl<'de, T: Record> Deserialize<'de> for Packed<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = ByteBuf::deserialize(deserializer)?;
        unpacked(&bytes).map(Self).ok_or_else(|| de::Error::custom("not a packed list"))
    }
}

fn unpacked<T: Record>(bytes: &[u8]) -> Option<Vec<T>> {
    let records = bytes.strip_prefix(&[FORMAT, T::WIDTH])?;
    let width = usize::from(T::WIDTH);
    if records.len() % width != 0 {
        return None;
    }
    records.chunks_exact(width).map(|record| T::unpack(&mut Fields(record))).collect()
}

/// The fields of one record, from the first to the last.
pub(super) struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn bytes<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*field)
    }

    fn byte(&mut self) -> Option<u8> {
        self.bytes().map(|[byte]| byte)
    }

    fn number(&mut self) -> Option<u64> {
        self.bytes().map(u32::from_be_bytes).map(u64::from)
    }

    fn flag(&mut self) -> Option<bool> {
        match self.byte()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    fn tag(&mut self) -> Option<AddressTag> {
        Some(AddressTag { method: Method::from_code(self.byte()?)?, hash: self.bytes()? })
    }

    fn time(&mut self) -> Option<Timestamp> {
        let seconds = self.number()?;
        Some(if seconds == 0 { NEVER } else { Timestamp::from_secs(EPOCH_SECONDS + seconds) })
    }
}

fn pack_number(number: u64, out: &mut Vec<u8>) {
    out.extend(u32::try_from(number).unwrap_or(u32::MAX).to_be_bytes());
}

fn pack_time(time: Timestamp, out: &mut Vec<u8>) {
    pack_number(time.as_secs().saturating_sub(EPOCH_SECONDS), out);
}

fn pack_tag(tag: AddressTag, out: &mut Vec<u8>) {
    out.push(tag.method.code());
    out.extend(tag.hash);
}

/// All zeros stand for `None`. A keyed hash of 64 bits is never all zeros in practice.
const NO_LOGIN: LoginId = LoginId([0; 8]);

fn known(login: LoginId) -> Option<LoginId> {
    Some(login).filter(|login| *login != NO_LOGIN)
}

fn pack_login(login: Option<LoginId>, out: &mut Vec<u8>) {
    out.extend(login.unwrap_or(NO_LOGIN).0);
}

impl Record for Device {
    const WIDTH: u8 = 16 + 4 + 4 + 8 + 1;

    fn pack(&self, out: &mut Vec<u8>) {
        out.extend(self.id.0.as_bytes());
        pack_number(self.last_step, out);
        pack_time(self.last_used_at.unwrap_or(NEVER), out);
        pack_login(self.confirmed_by, out);
        out.push(u8::from(self.inactive));
    }

    fn unpack(fields: &mut Fields<'_>) -> Option<Self> {
        let id = DeviceId(Uuid::from_bytes(fields.bytes()?));
        let (last_step, last_used_at) = (fields.number()?, Some(fields.time()?).filter(|at| *at != NEVER));
        let (confirmed_by, inactive) = (known(LoginId(fields.bytes()?)), fields.flag()?);
        Some(Self { id, last_step, last_used_at, confirmed_by, inactive })
    }
}

/// The bits of a passkey's last byte.
const INACTIVE: u8 = 1;
const USED: u8 = 2;
const ELIGIBLE: u8 = 4;
const SYNCED: u8 = 8;
/// An answer came whose counter did not rise.
const SUSPECTED: u8 = 16;

impl Record for Passkey {
    const WIDTH: u8 = 8 + 4 + 4 + 8 + 1;

    fn pack(&self, out: &mut Vec<u8>) {
        out.extend(self.id.0);
        pack_time(self.spent_until, out);
        out.extend(self.counter.to_be_bytes());
        pack_login(self.confirmed_by, out);
        let bit = |is_set: bool, bit: u8| if is_set { bit } else { 0 };
        let synced = bit(self.backup == Backup::Synced, SYNCED);
        let eligible = bit(self.backup.is_eligible(), ELIGIBLE);
        let suspected = bit(self.suspected, SUSPECTED);
        out.push(bit(self.inactive, INACTIVE) | bit(self.used, USED) | eligible | synced | suspected);
    }

    fn unpack(fields: &mut Fields<'_>) -> Option<Self> {
        let (id, spent_until) = (PasskeyId(fields.bytes()?), fields.time()?);
        let counter = u32::from_be_bytes(fields.bytes()?);
        let (confirmed_by, flags) = (known(LoginId(fields.bytes()?)), fields.byte()?);
        let backup = match flags & !(INACTIVE | USED | SUSPECTED) {
            0 => Backup::Never,
            ELIGIBLE => Backup::Eligible,
            both if both == ELIGIBLE | SYNCED => Backup::Synced,
            _ => return None,
        };
        let (inactive, used) = (flags & INACTIVE != 0, flags & USED != 0);
        let suspected = flags & SUSPECTED != 0;
        Some(Self { id, spent_until, counter, confirmed_by, inactive, used, backup, suspected })
    }
}

impl Record for Setup {
    const WIDTH: u8 = 16 + 4;

    fn pack(&self, out: &mut Vec<u8>) {
        out.extend(self.id.0.as_bytes());
        pack_time(self.until, out);
    }

    fn unpack(fields: &mut Fields<'_>) -> Option<Self> {
        Some(Self { id: DeviceId(Uuid::from_bytes(fields.bytes()?)), until: fields.time()? })
    }
}

impl Record for SentCode {
    const WIDTH: u8 = 8 + 8 + 1 + 4;

    fn pack(&self, out: &mut Vec<u8>) {
        out.extend(self.id.0);
        out.extend(self.login.0);
        out.push(u8::from(self.known));
        pack_time(self.until, out);
    }

    fn unpack(fields: &mut Fields<'_>) -> Option<Self> {
        let (id, login) = (CodeId(fields.bytes()?), LoginId(fields.bytes()?));
        Some(Self { id, login, known: fields.flag()?, until: fields.time()? })
    }
}

impl Record for PastSend {
    const WIDTH: u8 = 4 + 1 + 1;

    fn pack(&self, out: &mut Vec<u8>) {
        pack_time(self.at, out);
        out.extend([u8::from(self.known), u8::from(self.reserve)]);
    }

    fn unpack(fields: &mut Fields<'_>) -> Option<Self> {
        Some(Self { at: fields.time()?, known: fields.flag()?, reserve: fields.flag()? })
    }
}

impl Record for KnownNetwork {
    const WIDTH: u8 = 8 + 4;

    fn pack(&self, out: &mut Vec<u8>) {
        out.extend(self.tag.0);
        pack_time(self.used_at, out);
    }

    fn unpack(fields: &mut Fields<'_>) -> Option<Self> {
        Some(Self { tag: NetworkTag(fields.bytes()?), used_at: fields.time()? })
    }
}

impl Record for RecoverySet {
    const WIDTH: u8 = 8 + 2 + 4 + 8;

    fn pack(&self, out: &mut Vec<u8>) {
        out.extend(self.id.0);
        out.extend(self.used_mask.to_be_bytes());
        pack_time(self.created, out);
        pack_login(self.made_by, out);
    }

    fn unpack(fields: &mut Fields<'_>) -> Option<Self> {
        let (id, used_mask) = (RecoveryId(fields.bytes()?), u16::from_be_bytes(fields.bytes()?));
        Some(Self { id, used_mask, created: fields.time()?, made_by: known(LoginId(fields.bytes()?)) })
    }
}

impl Record for Failures {
    const WIDTH: u8 = 3 + 4 + 4 + 8 + 4;

    fn pack(&self, out: &mut Vec<u8>) {
        out.extend([self.consecutive, self.unforgiven, self.lock_level]);
        pack_time(self.forgiven_since, out);
        pack_time(self.locked_until, out);
        // Step 0 is "none": it ended in 1970.
        out.extend(self.last.as_ref().map_or([0; 8], |last| last.tag.0));
        pack_number(self.last.as_ref().map_or(0, |last| last.step), out);
    }

    fn unpack(fields: &mut Fields<'_>) -> Option<Self> {
        let [consecutive, unforgiven, lock_level] = fields.bytes()?;
        let (forgiven_since, locked_until) = (fields.time()?, fields.time()?);
        let (tag, step) = (GuessTag(fields.bytes()?), fields.number()?);
        let last = (step > 0).then_some(LastGuess { tag, step });
        Some(Self { consecutive, unforgiven, forgiven_since, lock_level, locked_until, last })
    }
}

impl Record for ProvenAddress {
    const WIDTH: u8 = 1 + 8 + 8;

    fn pack(&self, out: &mut Vec<u8>) {
        pack_tag(self.tag, out);
        pack_login(self.by, out);
    }

    fn unpack(fields: &mut Fields<'_>) -> Option<Self> {
        Some(Self { tag: fields.tag()?, by: known(LoginId(fields.bytes()?)) })
    }
}

/// A mark of an address, without its end. One that is neither untried nor refused is of a number that
/// is barred until its [`MarkEnd`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    pub(super) tag: AddressTag,
    pub(super) untried: bool,
    pub(super) refused: bool,
}

/// When a mark of an address ends.
///
/// A list of its own, because a wider record of [`Mark`] could not be read by the release before. That
/// one carries this list as it is, so an end may be left of a mark that is gone.
#[derive(Clone, Copy, Debug)]
pub(super) struct MarkEnd {
    pub(super) tag: AddressTag,
    pub(super) until: Timestamp,
}

impl Record for Mark {
    const WIDTH: u8 = 1 + 8 + 1 + 1;

    fn pack(&self, out: &mut Vec<u8>) {
        pack_tag(self.tag, out);
        out.extend([u8::from(self.untried), u8::from(self.refused)]);
    }

    fn unpack(fields: &mut Fields<'_>) -> Option<Self> {
        Some(Self { tag: fields.tag()?, untried: fields.flag()?, refused: fields.flag()? })
    }
}

impl Record for MarkEnd {
    const WIDTH: u8 = 1 + 8 + 4;

    fn pack(&self, out: &mut Vec<u8>) {
        pack_tag(self.tag, out);
        pack_time(self.until, out);
    }

    fn unpack(fields: &mut Fields<'_>) -> Option<Self> {
        Some(Self { tag: fields.tag()?, until: fields.time()? })
    }
}

impl Record for RecentLogin {
    const WIDTH: u8 = 8 + 4 + 1;

    fn pack(&self, out: &mut Vec<u8>) {
        out.extend(self.login.0);
        pack_time(self.verified_at, out);
        out.push(self.factor.code());
    }

    fn unpack(fields: &mut Fields<'_>) -> Option<Self> {
        let (login, verified_at) = (LoginId(fields.bytes()?), fields.time()?);
        Some(Self { login, verified_at, factor: Factor::from_code(fields.byte()?)? })
    }
}

impl Record for Grace {
    const WIDTH: u8 = 8 + 4;

    fn pack(&self, out: &mut Vec<u8>) {
        out.extend(self.holder.0);
        pack_time(self.until, out);
    }

    fn unpack(fields: &mut Fields<'_>) -> Option<Self> {
        Some(Self { holder: LoginId(fields.bytes()?), until: fields.time()? })
    }
}

impl Record for CommitId {
    const WIDTH: u8 = 8;

    fn pack(&self, out: &mut Vec<u8>) {
        out.extend(self.0);
    }

    fn unpack(fields: &mut Fields<'_>) -> Option<Self> {
        fields.bytes().map(Self)
    }
}

impl Record for NoticeMark {
    const WIDTH: u8 = 8;

    fn pack(&self, out: &mut Vec<u8>) {
        out.extend(self.0);
    }

    fn unpack(fields: &mut Fields<'_>) -> Option<Self> {
        fields.bytes().map(Self)
    }
}

impl Record for Timestamp {
    const WIDTH: u8 = 4;

    fn pack(&self, out: &mut Vec<u8>) {
        pack_time(*self, out);
    }

    fn unpack(fields: &mut Fields<'_>) -> Option<Self> {
        fields.time()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::table::{binary, number};

    #[test]
    fn a_list_is_two_bytes_and_its_records() {
        let list = Packed(vec![CommitId([7; 8]), CommitId([9; 8])]);
        let packed = serde_json::to_value(&list).expect("a list");
        let expected: Vec<u8> = [&[1, 8][..], &[7; 8], &[9; 8]].concat();
        assert_eq!(packed, serde_json::json!(expected));
    }

    #[test]
    fn what_is_not_a_packed_list_is_refused_whole() {
        let good = [&[1, 4][..], &[0, 0, 0, 1]].concat();
        assert_eq!(unpacked::<Timestamp>(&good), Some(vec![Timestamp::from_secs(EPOCH_SECONDS + 1)]));
        for bad in [&b""[..], &[1], &[2, 4, 0, 0, 0, 1], &[1, 5, 0, 0, 0, 1], &[1, 4, 0, 0, 1]] {
            assert_eq!(unpacked::<Timestamp>(bad), None, "{bad:?}");
        }
        let unknown_method = [&[1, 17, 200][..], &[0; 16]].concat();
        assert_eq!(unpacked::<ProvenAddress>(&unknown_method), None);
    }

    #[test]
    fn a_list_is_newer_only_by_a_higher_format_byte() {
        for (list, newer) in [(&[2, 4][..], true), (&[255], true), (&[1, 4], false), (&[0, 4], false), (&[], false)] {
            assert_eq!(is_newer(&binary(list)), newer, "{list:?}");
        }
        assert!(!is_newer(&number(2)), "it is no list");
    }

    #[test]
    fn a_flag_is_zero_or_one_and_zero_seconds_are_never() {
        let sends = |flag| unpacked::<PastSend>(&[1, 6, 0, 0, 0, 0, flag, 1]);
        let never = |known| Some(vec![PastSend { at: NEVER, known, reserve: true }]);
        assert_eq!((sends(0), sends(1), sends(2)), (never(false), never(true), None));
    }
}
