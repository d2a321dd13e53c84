use jsonwebtoken::{
    Algorithm, EncodingKey,
    jwk::{Jwk, PublicKeyUse, ThumbprintHash},
};
use zeroize::Zeroizing;

use super::{Part, is_shared_secret, public_key, reader::Reader, unescaped};

/// The key that signs our own tokens.
#[derive(Clone)]
pub struct SigningKey {
    /// Its algorithm.
    pub algorithm: Algorithm,
    /// The key.
    pub key: EncodingKey,
    /// What tokens name it by: the thumbprint of its public half (RFC 7638). A shared secret has
    /// none.
    pub id: Option<String>,
}

const PRIVATE: &str = "must be a PKCS#8 PEM private key for ES256 or EdDSA";
const PUBLIC: &str = "must be a PEM public key for ES256 or EdDSA";

/// Reads the key that signs, if the function signs, and the public halves that check our tokens:
/// first that of the key that signs, then that of the next one.
///
/// A public half comes from its own variable, or else from the private key. A function that does
/// not sign thus needs no private key.
pub(super) fn read(
    read: &mut Reader<'_>,
    login_algorithm: Algorithm,
    shared_secret: &str,
) -> (Option<SigningKey>, Vec<Jwk>) {
    let signs = read.uses(Part::SigningKey);
    let is_told = read.text("MFA_SIGNING_PUBLIC_KEY").is_some();
    let (private, public) =
        pair(read, ["MFA_SIGNING_KEY", "MFA_SIGNING_PUBLIC_KEY"], "is not the public half of MFA_SIGNING_KEY");
    let has_private = read.text("MFA_SIGNING_KEY").is_some();
    let has_own_key = is_told || has_private;
    if signs && !has_private && (is_told || !is_shared_secret(login_algorithm)) {
        read.fault("MFA_SIGNING_KEY", "is required");
    } else if !has_own_key && !is_shared_secret(login_algorithm) {
        read.fault("MFA_SIGNING_PUBLIC_KEY", "or MFA_SIGNING_KEY is required");
    }

    let (_, next) = pair(
        read,
        ["MFA_NEXT_SIGNING_KEY", "MFA_NEXT_SIGNING_PUBLIC_KEY"],
        "is not the public half of MFA_NEXT_SIGNING_KEY",
    );
    for name in ["MFA_NEXT_SIGNING_KEY", "MFA_NEXT_SIGNING_PUBLIC_KEY"] {
        if read.text(name).is_some() && !has_own_key {
            read.fault(name, "is nothing without MFA_SIGNING_KEY");
        }
    }

    let shared =
        || SigningKey { algorithm: login_algorithm, key: EncodingKey::from_secret(shared_secret.as_bytes()), id: None };
    let signing_key = signs.then(|| private.unwrap_or_else(shared));
    (signing_key, public.into_iter().chain(next).collect())
}

/// A private key and its public half. A function that does not sign reads the private key only if
/// nothing else tells the public half.
fn pair(
    read: &mut Reader<'_>,
    [private_name, public_name]: [&'static str; 2],
    differ: &'static str,
) -> (Option<SigningKey>, Option<Jwk>) {
    let is_told = read.text(public_name).is_some();
    let told = public_half(read, public_name);
    let reads_private = read.uses(Part::SigningKey) || !is_told;
    let (private, derived) = if reads_private { private_key(read, private_name) } else { None }.unzip();
    if told.is_some() && derived.is_some() && told != derived {
        read.fault(public_name, differ);
    }
    (private, told.or(derived))
}

fn private_key(read: &mut Reader<'_>, name: &'static str) -> Option<(SigningKey, Jwk)> {
    read.parsed(name, PRIVATE, |text| {
        let pem = Zeroizing::new(unescaped(text));
        let ec = EncodingKey::from_ec_pem(pem.as_bytes()).map(|key| (Algorithm::ES256, key));
        let ed = || EncodingKey::from_ed_pem(pem.as_bytes()).map(|key| (Algorithm::EdDSA, key));
        let (algorithm, key) = ec.or_else(|_| ed()).ok()?;
        // A key of another curve is read without an error. Only making its public half shows it.
        let public = named(Jwk::from_encoding_key(&key, algorithm).ok()?)?;
        Some((SigningKey { algorithm, key, id: public.common.key_id.clone() }, public))
    })
}

fn public_half(read: &mut Reader<'_>, name: &'static str) -> Option<Jwk> {
    read.parsed(name, PUBLIC, |text| {
        let pem = unescaped(text);
        let of = |algorithm| Some((algorithm, public_key(algorithm, &pem)?));
        let (algorithm, key) = of(Algorithm::ES256).or_else(|| of(Algorithm::EdDSA))?;
        named(Jwk::from_decoding_key(&key, Some(algorithm)).ok()?)
    })
}

/// The key as `jwks` publishes it, named by its thumbprint (RFC 7638).
fn named(mut jwk: Jwk) -> Option<Jwk> {
    jwk.common.key_id = Some(jwk.thumbprint(ThumbprintHash::SHA256).ok()?);
    jwk.common.public_key_use = Some(PublicKeyUse::Signature);
    Some(jwk)
}
