use std::sync::Arc;

use jsonwebtoken::{
    Algorithm, AlgorithmFamily, DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, PublicKeyUse},
};
use serde_json::Value;

/// The keys of a JWK set (RFC 7517) that fit one algorithm.
#[derive(Clone, Default)]
pub struct KeySet(Vec<(Option<String>, Arc<DecodingKey>)>);

impl KeySet {
    /// Reads a set. Keys for other purposes or algorithms, and keys of unknown kinds, are skipped.
    /// `None` if it is not a set, or if no key is left.
    #[must_use]
    pub fn parse(json: &[u8], algorithm: Algorithm) -> Option<Self> {
        let set: Value = serde_json::from_slice(json).ok()?;
        let jwks =
            set.get("keys")?.as_array()?.iter().filter_map(|key| serde_json::from_value::<Jwk>(key.clone()).ok());
        let keys: Vec<_> =
            jwks.filter_map(|jwk| Some((jwk.common.key_id.clone(), Arc::new(key(&jwk, algorithm)?)))).collect();
        (!keys.is_empty()).then_some(Self(keys))
    }

    /// All keys.
    pub(super) fn keys(&self) -> impl Iterator<Item = &DecodingKey> {
        self.0.iter().map(|(_, key)| &**key)
    }

    /// The key that a token names. If it names none, the only key.
    #[must_use]
    pub fn find(&self, id: Option<&str>) -> Option<Arc<DecodingKey>> {
        let found = match (id, self.0.as_slice()) {
            (None, [(_, only)]) => Some(only),
            (None, _) => None,
            (Some(id), keys) => keys.iter().find(|(of, _)| of.as_deref() == Some(id)).map(|(_, key)| key),
        };
        found.map(Arc::clone)
    }
}

fn key(jwk: &Jwk, algorithm: Algorithm) -> Option<DecodingKey> {
    let fits = match (&jwk.algorithm, algorithm) {
        (AlgorithmParameters::RSA(_), _) => algorithm.family() == AlgorithmFamily::Rsa,
        (AlgorithmParameters::EllipticCurve(key), Algorithm::ES256) => key.curve == EllipticCurve::P256,
        (AlgorithmParameters::EllipticCurve(key), Algorithm::ES384) => key.curve == EllipticCurve::P384,
        (AlgorithmParameters::OctetKeyPair(key), Algorithm::EdDSA) => key.curve == EllipticCurve::Ed25519,
        _ => false,
    };
    let named = jwk.common.key_algorithm.is_none_or(|named| named == algorithm.into());
    let signs = !matches!(jwk.common.public_key_use, Some(PublicKeyUse::Encryption | PublicKeyUse::Other(_)));
    if fits && named && signs { DecodingKey::from_jwk(jwk).ok() } else { None }
}
