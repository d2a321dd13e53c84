use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use uuid::Uuid;

use super::Method;

/// Declares an opaque identifier of a fixed number of bytes. It is stored as a binary attribute.
macro_rules! bytes_id {
    ($(#[$meta:meta])* $name:ident, $len:literal) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash)]
        pub struct $name(pub [u8; $len]);

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), data_encoding::HEXLOWER.encode(&self.0))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_bytes(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_bytes(BytesVisitor::<$len>).map(Self)
            }
        }
    };
}

/// Declares an opaque identifier of a fixed number of bytes. It is written as base64url, in keys
/// and in answers.
macro_rules! text_id {
    ($(#[$meta:meta])* $name:ident, $len:literal) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash)]
        pub struct $name(pub [u8; $len]);

        impl $name {
            /// Reads the text that it is written as. Anything else is `None`.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                data_encoding::BASE64URL_NOPAD.decode(text.as_bytes()).ok()?.try_into().ok().map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&data_encoding::BASE64URL_NOPAD.encode(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                Self::parse(&text).ok_or_else(|| de::Error::custom(concat!("not a ", stringify!($name))))
            }
        }
    };
}

bytes_id!(
    /// Names a commit. The ledger keeps the last ones, so that a write whose answer was lost is
    /// recognised.
    CommitId, 8
);
bytes_id!(
    /// What the item of a user's addresses for notices was last written with: a keyed hash.
    NoticeMark, 8
);
bytes_id!(
    /// Names one code that was sent.
    CodeId, 8
);
bytes_id!(
    /// Keyed hash of a code that was sent, over user, id, method, destination and code.
    CodeTag, 32
);
bytes_id!(
    /// Keyed hash of a wrong guess, to recognise the same guess sent again.
    GuessTag, 8
);
bytes_id!(
    /// Keyed hash of a recovery code.
    RecoveryTag, 32
);
bytes_id!(
    /// Keyed hash of a network that a user signs in from.
    NetworkTag, 8
);
text_id!(
    /// Keyed hash of a user's `sub`: the user's name in the table and in the log.
    UserId, 16
);
text_id!(
    /// Keyed hash of the login (session of the application) that a bearer token belongs to.
    LoginId, 8
);
text_id!(
    /// Names a session.
    SessionId, 16
);
text_id!(
    /// Keyed hash of a trust token: the trusted device's name in the table and in the list.
    TrustId, 16
);
text_id!(
    /// Names a set of recovery codes.
    RecoveryId, 8
);

text_id!(
    /// Names a passkey: a keyed hash of its credential id, then random bytes.
    ///
    /// The hash tells from the ledger alone whether the user has a credential. The random bytes keep
    /// what one request put apart from what another one put for the same credential.
    PasskeyId, 8
);

impl PasskeyId {
    /// The id of a new passkey.
    #[must_use]
    pub fn new(tag: [u8; 4], random: [u8; 4]) -> Self {
        let mut id = [0; 8];
        id[..4].copy_from_slice(&tag);
        id[4..].copy_from_slice(&random);
        Self(id)
    }

    /// Whether `tag` is that of its credential id.
    #[must_use]
    pub fn is_of(self, tag: [u8; 4]) -> bool {
        self.0.starts_with(&tag)
    }
}

/// In lists and paths a passkey has a UUID like every other device: one of version 8 (RFC 9562 5.8),
/// which no authenticator has.
impl From<PasskeyId> for DeviceId {
    #[expect(clippy::many_single_char_names, reason = "the bytes of an id, in order")]
    fn from(PasskeyId([a, b, c, d, e, f, g, h]): PasskeyId) -> Self {
        Self(Uuid::from_bytes([a, b, c, d, e, f, 0x80, g, 0x80, h, 0, 0, 0, 0, 0, 0]))
    }
}

impl DeviceId {
    /// The passkey that it stands for, if it is one.
    #[must_use]
    #[expect(clippy::many_single_char_names, reason = "the bytes of an id, in order")]
    pub const fn passkey(self) -> Option<PasskeyId> {
        match *self.0.as_bytes() {
            [a, b, c, d, e, f, 0x80, g, 0x80, h, 0, 0, 0, 0, 0, 0] => Some(PasskeyId([a, b, c, d, e, f, g, h])),
            _ => None,
        }
    }
}

impl CommitId {
    /// How the id of an operator's commit begins. That of another begins so with the chance of one in
    /// 2³².
    const OF_OPERATOR: [u8; 4] = *b"oper";

    /// This id as that of an operator's commit. Half of its bytes stay random, which tell it from the
    /// other commits that the ledger names.
    #[must_use]
    pub fn of_operator(mut self) -> Self {
        self.0.iter_mut().zip(Self::OF_OPERATOR).for_each(|(byte, mark)| *byte = mark);
        self
    }

    /// Whether an operator made the commit.
    #[must_use]
    pub fn is_of_operator(self) -> bool {
        self.0.starts_with(&Self::OF_OPERATOR)
    }
}

impl LoginId {
    /// Stands for the operator, who confirmed what was imported. It is the hash of no login, but
    /// with the chance of one in 2⁶⁴.
    pub const OPERATOR: Self = Self([0xFF; 8]);
}

/// The name of a user's address in the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AddressTag {
    /// The method that sends codes to it.
    pub method: Method,
    /// Keyed hash over user, method and address.
    pub hash: [u8; 8],
}

/// Names an authenticator: a random UUID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DeviceId(pub Uuid);

impl DeviceId {
    /// Reads a UUID in any of its usual forms. Anything else is `None`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Uuid::try_parse(text).ok().map(Self)
    }
}

impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

struct BytesVisitor<const N: usize>;

impl<const N: usize> de::Visitor<'_> for BytesVisitor<N> {
    type Value = [u8; N];

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{N} bytes")
    }

    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<[u8; N], E> {
        bytes.try_into().map_err(|_| E::invalid_length(bytes.len(), &self))
    }
}

#[cfg(test)]
mod tests {
    use serde::de::{IntoDeserializer, value};

    use super::*;

    #[test]
    fn a_device_id_is_read_in_any_usual_form_and_written_in_one() {
        let written = "67e55044-10b1-426f-9247-bb680e5fe0c8";
        for form in [written, &written.to_uppercase(), &written.replace('-', ""), &format!("{{{written}}}")] {
            assert_eq!(DeviceId::parse(form).map(|id| id.to_string()).as_deref(), Some(written), "{form}");
        }
        for bad in ["", "1", &written[1..], "sixty-seven"] {
            assert_eq!(DeviceId::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_passkey_is_listed_under_a_uuid_that_no_authenticator_has() {
        let passkey = PasskeyId::new([1, 2, 3, 4], [5, 6, 7, 8]);
        let listed = DeviceId::from(passkey);
        assert_eq!(listed.to_string(), "01020304-0506-8007-8008-000000000000");
        assert_eq!(DeviceId::parse(&listed.to_string()).and_then(DeviceId::passkey), Some(passkey));
        assert_eq!(DeviceId(Uuid::from_u128(u128::MAX)).passkey(), None);
        assert!(passkey.is_of([1, 2, 3, 4]) && !passkey.is_of([5, 6, 7, 8]));
    }

    #[test]
    fn an_id_of_bytes_is_read_whole_and_in_its_length_alone() {
        let read = |bytes: &[u8]| -> Result<CodeId, value::Error> { CodeId::deserialize(bytes.into_deserializer()) };
        assert_eq!(read(&[1, 2, 3, 4, 5, 6, 7, 8]), Ok(CodeId([1, 2, 3, 4, 5, 6, 7, 8])));
        for length in [0, 7, 9] {
            assert!(read(&vec![1; length]).is_err(), "{length} bytes");
        }
    }
}
