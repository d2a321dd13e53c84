use std::ops::RangeInclusive;

use jsonwebtoken::{
    Algorithm, EncodingKey,
    jwk::{AlgorithmParameters, Jwk, PublicKeyUse, ThumbprintHash},
};
use zeroize::Zeroizing;

use super::{Part, login::public_key, pem, reader::Reader};

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

/// The algorithms that sign our own tokens, apart from a secret that the login shares.
const OF_OWN_KEYS: [Algorithm; 3] = [Algorithm::ES256, Algorithm::EdDSA, Algorithm::RS256];

/// How long the modulus of an RSA key is, in bytes. RFC 7518 3.3 asks for 2048 bits or more.
const RSA_BYTES: RangeInclusive<usize> = 256..=512;

const NAME: &str = "MFA_SIGNING_KEY";
const PUBLIC_NAME: &str = "MFA_SIGNING_PUBLIC_KEY";
const NEXT_NAME: &str = "MFA_NEXT_SIGNING_KEY";

const PRIVATE: &str = "must be a PEM private key: PKCS#8 of P-256 or Ed25519, or RSA of 2048 to 4096 bits";
const PUBLIC: &str = "must be a PEM public key of P-256, Ed25519, or RSA of 2048 to 4096 bits";
const NEXT: &str = "must be a PEM key as MFA_SIGNING_KEY is, or its public half";

/// Reads the key that signs, if the function signs, and the public halves that check our tokens:
/// first that of the key that signs, then that of the next one.
///
/// A function that does not sign needs no private key if `MFA_SIGNING_PUBLIC_KEY` is set. `shared` is
/// the secret of the login, which signs our tokens too if nothing else does.
pub(super) fn read(
    read: &mut Reader<'_>,
    shared: Option<(Algorithm, Zeroizing<String>)>,
) -> (Option<SigningKey>, Vec<Jwk>) {
    let signs = read.uses(Part::SigningKey);
    let is_told = read.text(PUBLIC_NAME).is_some();
    let told = read.parsed(PUBLIC_NAME, PUBLIC, public_half);
    let reads_private = signs || !is_told;
    let own = if reads_private { read.parsed(NAME, PRIVATE, private_key) } else { None };
    let (private, derived) = own.unzip();
    if told.is_some() && derived.is_some() && told != derived {
        read.fault(PUBLIC_NAME, "is not the public half of MFA_SIGNING_KEY");
    }
    let has_private = read.text(NAME).is_some();
    let has_own_key = is_told || has_private;
    if signs && !has_private && (is_told || shared.is_none()) {
        read.fault(NAME, "is required");
    } else if !has_own_key && shared.is_none() {
        read.fault(PUBLIC_NAME, "or MFA_SIGNING_KEY is required");
    }

    // A key that is only announced needs no private half here.
    let next = read.parsed(NEXT_NAME, NEXT, |text| public_half(text).or_else(|| Some(private_key(text)?.1)));
    if !has_own_key && read.text(NEXT_NAME).is_some() {
        read.fault(NEXT_NAME, "is nothing without MFA_SIGNING_KEY");
    }

    let shared = shared.map(|(algorithm, secret)| {
        let key = EncodingKey::from_secret(secret.as_bytes());
        SigningKey { algorithm, key, id: None }
    });
    let signing_key = private.or(shared).filter(|_| signs);
    (signing_key, told.or(derived).into_iter().chain(next).collect())
}

fn private_key(text: &str) -> Option<(SigningKey, Jwk)> {
    let pem = Zeroizing::new(pem::tidy(text)?);
    let ec = EncodingKey::from_ec_pem(pem.as_bytes()).map(|key| (Algorithm::ES256, key));
    let ed = || EncodingKey::from_ed_pem(pem.as_bytes()).map(|key| (Algorithm::EdDSA, key));
    let rsa = || EncodingKey::from_rsa_pem(pem.as_bytes()).map(|key| (Algorithm::RS256, key));
    let (algorithm, key) = ec.or_else(|_| ed()).or_else(|_| rsa()).ok()?;
    // A key of another curve or length is read without an error. Only its public half shows it.
    let public = named(Jwk::from_encoding_key(&key, algorithm).ok()?)?;
    Some((SigningKey { algorithm, key, id: public.common.key_id.clone() }, public))
}

fn public_half(text: &str) -> Option<Jwk> {
    let pem = pem::tidy(text)?;
    let of = |algorithm| Some((algorithm, public_key(algorithm, &pem)?));
    let (algorithm, key) = OF_OWN_KEYS.into_iter().find_map(of)?;
    named(Jwk::from_decoding_key(&key, Some(algorithm)).ok()?)
}

/// The key as `jwks` publishes it, named by its thumbprint (RFC 7638). `None` if an RSA key is too
/// short or too long.
fn named(mut jwk: Jwk) -> Option<Jwk> {
    if let AlgorithmParameters::RSA(key) = &jwk.algorithm {
        let length = data_encoding::BASE64URL_NOPAD.decode_len(key.n.len()).ok()?;
        if !RSA_BYTES.contains(&length) {
            return None;
        }
    }
    jwk.common.key_id = Some(jwk.thumbprint(ThumbprintHash::SHA256).ok()?);
    jwk.common.public_key_use = Some(PublicKeyUse::Signature);
    Some(jwk)
}
