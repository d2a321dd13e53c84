use std::fmt;

use data_encoding::{BASE32_NOPAD, BASE64, Encoding, HEXLOWER_PERMISSIVE};
use mfa::domain::{Policy, pasted};
use zeroize::Zeroizing;

use crate::Problem;

/// How a file writes a secret.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SecretEncoding {
    /// Base 32 (RFC 4648), in either case, with or without padding, blanks and dashes.
    #[default]
    Base32,
    /// Hexadecimal, in either case.
    Hex,
    /// Base 64 (RFC 4648) with padding.
    Base64,
}

impl SecretEncoding {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Base32, Self::Hex, Self::Base64];

    /// Its name in a file.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Base32 => "base32",
            Self::Hex => "hex",
            Self::Base64 => "base64",
        }
    }

    /// Reads the name that [`Self::as_str`] gives.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|encoding| encoding.as_str() == text)
    }

    fn decode(self, text: &str) -> Option<Vec<u8>> {
        match self {
            Self::Base32 => {
                let plain = Zeroizing::new(pasted::plain(text).to_ascii_uppercase());
                lenient_base32()?.decode(plain.trim_end_matches('=').as_bytes()).ok()
            }
            Self::Hex => HEXLOWER_PERMISSIVE.decode(text.trim().as_bytes()).ok(),
            Self::Base64 => BASE64.decode(text.trim().as_bytes()).ok(),
        }
    }
}

/// Base 32 whose last bits, which stand for nothing, may be anything: apps ignore them, and so do
/// the systems that made some secrets letter by letter.
fn lenient_base32() -> Option<Encoding> {
    let mut specification = BASE32_NOPAD.specification();
    specification.check_trailing_bits = false;
    specification.encoding().ok()
}

/// A TOTP secret of a length that [`Policy::IMPORTED_SECRET`] allows.
#[derive(Clone, PartialEq, Eq)]
pub struct ImportedSecret(Zeroizing<Vec<u8>>);

impl ImportedSecret {
    /// A secret of these bytes.
    ///
    /// # Errors
    /// [`Problem::SecretLength`].
    pub fn new(bytes: Vec<u8>) -> Result<Self, Problem> {
        let secret = Zeroizing::new(bytes);
        if Policy::IMPORTED_SECRET.contains(&secret.len()) {
            Ok(Self(secret))
        } else {
            Err(Problem::SecretLength { bytes: secret.len() })
        }
    }

    /// Reads a secret.
    ///
    /// # Errors
    /// [`Problem::SecretMalformed`] or [`Problem::SecretLength`].
    pub fn decode(text: &str, encoding: SecretEncoding) -> Result<Self, Problem> {
        Self::new(encoding.decode(text).ok_or(Problem::SecretMalformed(encoding))?)
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The secret in base 32.
    #[must_use]
    pub fn to_base32(&self) -> Zeroizing<String> {
        Zeroizing::new(BASE32_NOPAD.encode(&self.0))
    }
}

// A stray `{:?}` must not write a secret to a log.
impl fmt::Debug for ImportedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ImportedSecret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(text: &str, encoding: SecretEncoding) -> Result<Vec<u8>, Problem> {
        ImportedSecret::decode(text, encoding).map(|secret| secret.as_bytes().to_vec())
    }

    #[test]
    fn a_secret_is_read_in_each_encoding_however_it_was_copied() {
        let secret = Ok(b"12345678901234567890".to_vec());
        for base32 in [
            "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ",
            "gezd gnbv gy3t qojq gezd gnbv gy3t qojq",
            "GEZDGNBVGY3TQOJQ-GEZDGNBVGY3TQOJQ=",
        ] {
            assert_eq!(decode(base32, SecretEncoding::Base32), secret, "{base32}");
        }
        for hex in ["3132333435363738393031323334353637383930", " 3132333435363738393031323334353637383930\t"] {
            assert_eq!(decode(hex, SecretEncoding::Hex), secret);
        }
        assert_eq!(decode("MTIzNDU2Nzg5MDEyMzQ1Njc4OTA=", SecretEncoding::Base64), secret);
        assert!(decode("GEZDGNBVGY3TQOJQGF", SecretEncoding::Base32).is_ok(), "the last bits stand for nothing");
    }

    #[test]
    fn a_secret_has_10_to_64_bytes() {
        for (length, is_one) in [(9, false), (10, true), (20, true), (64, true), (65, false)] {
            assert_eq!(ImportedSecret::new(vec![7; length]).is_ok(), is_one, "{length}");
        }
        assert_eq!(decode("", SecretEncoding::Base32), Err(Problem::SecretLength { bytes: 0 }));
    }

    #[test]
    fn what_is_no_text_of_its_encoding_is_malformed() {
        for (text, encoding) in [
            ("GEZDGNBVGY3TQOJ1", SecretEncoding::Base32),
            ("GEZDGNBVGY3TQOJQG", SecretEncoding::Base32),
            ("GEZDGNBV=GY3TQOJQ", SecretEncoding::Base32),
            ("313", SecretEncoding::Hex),
            ("zz", SecretEncoding::Hex),
            ("MTIzNDU2Nzg5MDEyMzQ1Njc4OTA", SecretEncoding::Base64),
        ] {
            assert_eq!(decode(text, encoding), Err(Problem::SecretMalformed(encoding)), "{text}");
        }
    }

    #[test]
    fn debug_output_shows_no_secret() {
        assert_eq!(format!("{:?}", ImportedSecret::new(vec![7; 20])), "Ok(ImportedSecret(…))");
    }
}
