use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der},
    error::Unspecified,
    rsa::KeySize,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RsaKeyPair},
};
use data_encoding::BASE64;
use mfa::random;
use serde::{Deserialize, Serialize};

/// The kind of key that signs our tokens.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
pub enum SigningKeyType {
    /// ECDSA on P-256.
    ES256,
    /// RSA of 2048 bits. The JWT authorizer of an HTTP API and the load balancer take no other.
    RS256,
}

/// What the secret of a bundle holds, by the names in `template.yaml`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BundleKeys {
    /// `MFA_SEALING_KEYS`.
    pub sealing_keys: String,
    /// `MFA_HASH_KEY`.
    pub hash_key: String,
    /// `MFA_SIGNING_KEY`.
    pub signing_key: String,
    /// `MFA_SIGNING_PUBLIC_KEY`.
    pub signing_public_key: String,
}

/// No key could be made.
#[derive(Debug, thiserror::Error)]
pub enum CannotMake {
    /// The operating system gave no random bytes.
    #[error("the operating system gives no random bytes")]
    NoRandomness(#[from] random::NoRandomness),
    /// The library made no key.
    #[error("the library makes no key")]
    NoKey(#[from] Unspecified),
}

impl BundleKeys {
    /// Makes new keys.
    ///
    /// # Errors
    /// [`CannotMake`].
    pub fn new(kind: SigningKeyType) -> Result<Self, CannotMake> {
        let [sealing_key, hash_key] = [base64_of_random()?, base64_of_random()?];
        let (private, public): (Vec<u8>, PublicKeyX509Der<'_>) = match kind {
            SigningKeyType::ES256 => {
                let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)?;
                (key.to_pkcs8v1()?.as_ref().to_vec(), key.public_key().as_der()?)
            }
            SigningKeyType::RS256 => {
                let key = RsaKeyPair::generate(KeySize::Rsa2048)?;
                let private: Pkcs8V1Der<'_> = key.as_der()?;
                (private.as_ref().to_vec(), key.public_key().as_der()?)
            }
        };
        Ok(Self {
            sealing_keys: format!("k1:{sealing_key}"),
            hash_key,
            signing_key: pem("PRIVATE KEY", &private),
            signing_public_key: pem("PUBLIC KEY", public.as_ref()),
        })
    }
}

fn base64_of_random() -> Result<String, random::NoRandomness> {
    random::bytes::<32>().map(|bytes| BASE64.encode(&bytes))
}

/// A PEM block (RFC 7468): lines of 64 characters.
fn pem(label: &str, der: &[u8]) -> String {
    let mut lines = String::new();
    for (place, character) in BASE64.encode(der).chars().enumerate() {
        if place > 0 && place % 64 == 0 {
            lines.push('\n');
        }
        lines.push(character);
    }
    format!("-----BEGIN {label}-----\n{lines}\n-----END {label}-----\n")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use mfa::config::{Config, Part};

    use super::*;

    #[test]
    fn a_bundle_starts_with_the_keys_that_are_made() {
        for kind in [SigningKeyType::ES256, SigningKeyType::RS256] {
            let keys = BundleKeys::new(kind).expect("keys");
            let public = keys.signing_public_key.clone();
            let variables = [
                ("MFA_JWT_ALGORITHM", "ES256".to_owned()),
                ("MFA_JWT_PUBLIC_KEY", BundleKeys::new(SigningKeyType::ES256).expect("keys").signing_public_key),
                ("MFA_SEALING_KEYS", keys.sealing_keys),
                ("MFA_HASH_KEY", keys.hash_key),
                ("MFA_SIGNING_KEY", keys.signing_key),
                ("MFA_SIGNING_PUBLIC_KEY", public.clone()),
            ];
            let variables = variables.map(|(name, value)| (name.to_owned(), value));
            let parts = [Part::Users, Part::SealingKeys, Part::SigningKey];
            let config = Config::from_vars(&parts, &BTreeMap::from(variables)).expect("a configuration");
            assert_eq!(config.jwt.signing_key.map(|key| format!("{:?}", key.algorithm)), Some(format!("{kind:?}")));
            assert!(public.lines().all(|line| line.len() <= 64), "{public}");
        }
    }

    #[test]
    fn no_two_secrets_are_alike() {
        let keys = || BundleKeys::new(SigningKeyType::ES256).expect("keys");
        let (first, second) = (keys(), keys());
        assert_ne!(first.hash_key, second.hash_key);
        assert_ne!(first.sealing_keys, second.sealing_keys);
        assert_ne!(first.signing_key, second.signing_key);
        assert!(!first.sealing_keys.contains(&first.hash_key));
    }
}
