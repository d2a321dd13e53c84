use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use uuid::Uuid;

/// Declares an opaque identifier of a fixed number of bytes; as an attribute it is binary.
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

bytes_id!(
    /// Names a commit; the ledger keeps the last four, so that a write whose answer was lost is recognised.
    CommitId, 8
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
    /// Keyed hash of the login (session) that a bearer token belongs to.
    LoginId, 12
);
bytes_id!(
    /// Keyed hash of an e-mail address or phone number.
    AddressTag, 12
);
bytes_id!(
    /// Keyed hash of a wrong guess, to recognise the same one sent again.
    GuessTag, 8
);
bytes_id!(
    /// Names a session.
    SessionId, 16
);
bytes_id!(
    /// Keyed hash of a trust token: the trusted device's name in the table and in the list.
    TrustId, 16
);
bytes_id!(
    /// Names a set of recovery codes.
    RecoveryId, 8
);
bytes_id!(
    /// Keyed hash of a recovery code.
    RecoveryTag, 32
);

/// Keyed hash of a user's `sub`: the user's name in the table and in the log.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct UserId(pub [u8; 16]);

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&data_encoding::BASE64URL_NOPAD.encode(&self.0))
    }
}

impl fmt::Debug for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UserId({self})")
    }
}

impl fmt::Display for TrustId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&data_encoding::BASE64URL_NOPAD.encode(&self.0))
    }
}

impl TrustId {
    /// Reads the text that it is written as. Anything else is `None`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = data_encoding::BASE64URL_NOPAD.decode(text.as_bytes()).ok()?;
        bytes.try_into().ok().map(Self)
    }
}

/// Names an authenticator: a random UUID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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

// Sixteen bytes instead of thirty-six letters: the ledger must stay under 1 KB.
impl Serialize for DeviceId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0.as_bytes())
    }
}

impl<'de> Deserialize<'de> for DeviceId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_bytes(BytesVisitor::<16>).map(|bytes| Self(Uuid::from_bytes(bytes)))
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
