//! Keyed hashes (HMAC-SHA-256) and sealed secrets (AES-256-GCM). Each purpose has its own key
//! (HKDF, RFC 5869).

use std::fmt;

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    constant_time::verify_slices_are_equal,
    hkdf, hmac,
};
use zeroize::Zeroizing;

use super::{
    Address, AddressTag, CodeId, CodeTag, Contact, DeviceId, DeviceRecord, Email, GuessTag, LoginId, Method,
    NetworkTag, NoticeMark, Phone, Proof, RecoveryId, RecoveryTag, SessionId, StoredCode, Timestamp, TrustId, UserId,
    code::Otp,
    passkey::{Challenge, ChallengeRecord, ChallengeSlot},
    recovery::RecoveryCode,
    trust::TrustToken,
};

/// The keys of one bundle. They are never printed.
pub struct Keys {
    user: hmac::Key,
    login: hmac::Key,
    address: hmac::Key,
    limit: hmac::Key,
    code: hmac::Key,
    recovery: hmac::Key,
    guess: hmac::Key,
    proof: hmac::Key,
    refresh: hmac::Key,
    trust: hmac::Key,
    passkey: hmac::Key,
    sealing: Vec<SealingKey>,
}

/// A key for stored secrets. If there are several, the first seals and all open.
pub struct SealingKey {
    id: String,
    key: LessSafeKey,
    /// Each session and each login's challenges derive a key of their own from this one, so that random nonces never run out (NIST SP
    /// 800-38D 8.3: at most 2³² for one key).
    sessions: hkdf::Prk,
}

impl SealingKey {
    /// A key of 32 bytes under an `id` of 1 to 32 letters, digits, `-` or `_`, which is stored with
    /// what it sealed.
    #[must_use]
    pub fn new(id: &str, key: &[u8]) -> Option<Self> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        if !(1..=32).contains(&id.len()) || !id.chars().all(plain) {
            return None;
        }
        let sealing = UnboundKey::new(&AES_256_GCM, key).ok()?;
        // The key is uniformly random, so nothing has to be extracted (RFC 5869 3.3), and no
        // function pays for it at start.
        let sessions = hkdf::Prk::new_less_safe(hkdf::HKDF_SHA256, key);
        Some(Self { id: id.to_owned(), key: LessSafeKey::new(sealing), sessions })
    }

    /// The key of one session.
    fn of_session(&self, session: SessionId) -> Option<LessSafeKey> {
        self.derived(&[b"mfa/v1/session", &session.0])
    }

    /// The key of the challenges of one login.
    fn of_challenges(&self, user: UserId, login: LoginId) -> Option<LessSafeKey> {
        self.derived(&[b"mfa/v1/challenge", &user.0, &login.0])
    }

    fn derived(&self, info: &[&[u8]]) -> Option<LessSafeKey> {
        let okm = self.sessions.expand(info, &AES_256_GCM);
        okm.ok().map(|okm| LessSafeKey::new(UnboundKey::from(okm)))
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }
}

/// A sealed value cannot be made.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("cannot seal")]
pub struct CannotSeal;

impl Keys {
    /// Derives all keys.
    ///
    /// `root` is at least 32 random bytes and never changes, because the users' keys in the table
    /// depend on it. `sealing` holds at least one key.
    #[must_use]
    pub fn derive(root: &[u8], sealing: Vec<SealingKey>) -> Self {
        let root = hkdf::Salt::new(hkdf::HKDF_SHA256, b"mfa/v1").extract(root);
        let key = |purpose: &'static str| derive_hmac(&root, purpose);
        Self {
            user: key("user"),
            login: key("login"),
            address: key("address"),
            limit: key("limit"),
            code: key("code"),
            recovery: key("recovery"),
            guess: key("guess"),
            proof: key("proof"),
            refresh: key("refresh"),
            trust: key("trust"),
            passkey: key("passkey"),
            sealing,
        }
    }

    /// Tells this hash key from others, without showing anything of it.
    #[must_use]
    pub fn fingerprint(&self) -> [u8; 16] {
        truncated(&self.limit, &[b"hash key", b"fingerprint"])
    }

    /// The name of a user in the table. A `sub` may be an address, which must not stand there.
    #[must_use]
    pub fn user_id_in(&self, space: &str, subject: &str) -> UserId {
        let parts = [space.as_bytes(), subject.as_bytes()];
        // Each part goes in behind its length, so no user id of the empty space is one of another.
        UserId(truncated(&self.user, if space.is_empty() { &parts[1..] } else { &parts }))
    }

    /// The same in the empty space, that of a bundle with one login.
    #[must_use]
    pub fn user_id(&self, subject: &str) -> UserId {
        self.user_id_in("", subject)
    }

    /// The name of a login in the table: `value` is what `claim` says in a token of `issuer` for
    /// `subject`.
    #[must_use]
    pub fn login_id(&self, issuer: &str, subject: &str, claim: &str, value: &str) -> LoginId {
        LoginId(truncated(&self.login, &[issuer, subject, claim, value].map(str::as_bytes)))
    }

    /// What stands for the login that opens `session`, if somebody else can be in a login of the
    /// same name.
    #[must_use]
    pub fn session_login(&self, session: SessionId) -> LoginId {
        LoginId(truncated(&self.login, &[b"session", &session.0]))
    }

    /// The name of a user's address in the ledger, as `method` uses it.
    #[must_use]
    pub fn address_tag(&self, user: UserId, method: Method, address: &Address) -> AddressTag {
        let parts: [&[u8]; 3] = [&user.0, method.as_str().as_bytes(), address.as_str().as_bytes()];
        AddressTag { method, hash: truncated(&self.address, &parts) }
    }

    /// The name of a network in the ledger of a user.
    #[must_use]
    pub fn network_tag(&self, user: UserId, network: &str) -> NetworkTag {
        NetworkTag(truncated(&self.address, &[&user.0, b"network", network.as_bytes()]))
    }

    /// The name of something that a counter counts.
    #[must_use]
    pub fn limit_key(&self, value: &[u8]) -> String {
        data_encoding::BASE64URL_NOPAD.encode(&truncated::<16>(&self.limit, &[value]))
    }

    /// What is stored of a code that was sent: bound to user, code, method and destination.
    #[must_use]
    pub fn code_tag(&self, user: UserId, id: CodeId, method: Method, address: &Address, otp: &Otp) -> CodeTag {
        let (method, place) = (method.as_str(), address.as_str());
        let parts: [&[u8]; 5] = [&user.0, &id.0, method.as_bytes(), place.as_bytes(), otp.as_str().as_bytes()];
        CodeTag(truncated(&self.code, &parts))
    }

    /// Whether `otp` is `code`, in constant time.
    #[must_use]
    pub fn is_code(&self, user: UserId, code: &StoredCode, method: Method, address: &Address, otp: &Otp) -> bool {
        equal(&self.code_tag(user, code.id, method, address, otp).0, &code.tag.0)
    }

    /// What is remembered of a wrong guess at `target`.
    #[must_use]
    pub fn guess_tag(&self, user: UserId, target: &[u8], otp: &Otp) -> GuessTag {
        GuessTag(truncated(&self.guess, &[&user.0, target, otp.as_str().as_bytes()]))
    }

    /// What is stored of a recovery code.
    #[must_use]
    pub fn recovery_tag(&self, user: UserId, set: RecoveryId, code: &RecoveryCode) -> RecoveryTag {
        RecoveryTag(truncated(&self.recovery, &[&user.0, &set.0, code.as_bytes()]))
    }

    /// Whether `code` is the one of `tag`, in constant time.
    #[must_use]
    pub fn is_recovery_code(&self, user: UserId, set: RecoveryId, tag: &RecoveryTag, code: &RecoveryCode) -> bool {
        equal(&self.recovery_tag(user, set, code).0, &tag.0)
    }

    /// The MAC of a proof, bound to the token that carries it by `token_id`, to when that token
    /// expires, in whole seconds, and to the addresses in it.
    ///
    /// Whoever holds the secret that signs tokens can otherwise move a proof into a token with
    /// another address or end.
    #[must_use]
    pub fn proof_mac(
        &self,
        user: UserId,
        token_id: &str,
        expires: Timestamp,
        contact: &Contact,
        proof: &Proof,
    ) -> [u8; 32] {
        let Proof { security_epoch, method, auth_time, session } = proof;
        let parts: [&[u8]; 12] = [
            &user.0,
            token_id.as_bytes(),
            &expires.as_secs().to_be_bytes(),
            contact.email.as_ref().map_or("", Email::as_str).as_bytes(),
            contact.phone.as_ref().map_or("", Phone::as_str).as_bytes(),
            &security_epoch.to_be_bytes(),
            method.as_str().as_bytes(),
            &auth_time.as_secs().to_be_bytes(),
            &session.id.0,
            &session.login.0,
            &session.provenance.0,
            &session.ends.as_secs().to_be_bytes(),
        ];
        truncated(&self.proof, &parts)
    }

    /// A MAC under the key of refresh tokens.
    pub(super) fn refresh_mac(&self, parts: &[&[u8]]) -> [u8; 32] {
        truncated(&self.refresh, parts)
    }

    /// What the table knows of a trust token, bound to its user.
    #[must_use]
    pub fn trust_id(&self, user: UserId, token: &TrustToken) -> TrustId {
        TrustId(truncated(&self.trust, &[&user.0, token.as_bytes()]))
    }

    /// Seals the TOTP secret of a device for the table. `nonce` is random.
    ///
    /// # Errors
    /// [`CannotSeal`] if there is no key.
    pub fn seal_totp(
        &self,
        user: UserId,
        device: DeviceId,
        secret: &[u8],
        nonce: [u8; NONCE_LEN],
    ) -> Result<Vec<u8>, CannotSeal> {
        let sealing = self.sealing.first().ok_or(CannotSeal)?;
        seal(&sealing.id, &sealing.key, &device_aad(user, device), secret, nonce)
    }

    /// Opens the TOTP secret of a device. `None` if no configured key fits, or if the item belongs
    /// to another device or was altered.
    #[must_use]
    pub fn totp_secret(&self, user: UserId, record: &DeviceRecord) -> Option<Zeroizing<Vec<u8>>> {
        let (sealing, sealed) = self.sealed_by(&record.secret)?;
        open(&sealing.key, &device_aad(user, record.id), sealed)
    }

    /// Seals the claims that a session's tokens carry. `nonce` is random.
    ///
    /// # Errors
    /// [`CannotSeal`] if there is no key.
    pub fn seal_claims(
        &self,
        user: UserId,
        session: SessionId,
        claims: &[u8],
        nonce: [u8; NONCE_LEN],
    ) -> Result<Vec<u8>, CannotSeal> {
        let sealing = self.sealing.first().ok_or(CannotSeal)?;
        let key = sealing.of_session(session).ok_or(CannotSeal)?;
        seal(&sealing.id, &key, &session_aad(user, session), claims, nonce)
    }

    /// Opens the claims of a session. `None` as for [`Self::totp_secret`].
    #[must_use]
    pub fn claims(&self, user: UserId, session: SessionId, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (sealing, sealed) = self.sealed_by(sealed)?;
        open(&sealing.of_session(session)?, &session_aad(user, session), sealed)
    }

    /// Seals a challenge for its place. `nonce` is random.
    ///
    /// # Errors
    /// [`CannotSeal`] if there is no key.
    pub fn seal_challenge(
        &self,
        user: UserId,
        slot: ChallengeSlot,
        challenge: &Challenge,
        nonce: [u8; NONCE_LEN],
    ) -> Result<Vec<u8>, CannotSeal> {
        let sealing = self.sealing.first().ok_or(CannotSeal)?;
        let key = sealing.of_challenges(user, slot.login).ok_or(CannotSeal)?;
        let plain = Zeroizing::new(serde_json::to_vec(challenge).map_err(|_| CannotSeal)?);
        seal(&sealing.id, &key, &challenge_aad(user, slot), &plain, nonce)
    }

    /// Opens a challenge. `None` as for [`Self::totp_secret`].
    #[must_use]
    pub fn challenge(&self, user: UserId, record: &ChallengeRecord) -> Option<Challenge> {
        let (sealing, sealed) = self.sealed_by(&record.sealed)?;
        let key = sealing.of_challenges(user, record.slot.login)?;
        let plain = open(&key, &challenge_aad(user, record.slot), sealed)?;
        serde_json::from_slice(&plain).ok()
    }

    /// What the ledger knows of the credential id of a passkey.
    #[must_use]
    pub fn credential_tag(&self, user: UserId, credential_id: &[u8]) -> [u8; 4] {
        truncated(&self.passkey, &[&user.0, credential_id])
    }

    /// Tells what a user's addresses for notices were written with: the address, the language and the key
    /// that seals them.
    #[must_use]
    pub fn notice_mark(&self, user: UserId, slot: &str, locale: &str) -> NoticeMark {
        let key = self.sealing_key_ids().next().unwrap_or_default();
        let parts = [&user.0[..], b"notice", slot.as_bytes(), locale.as_bytes(), key.as_bytes()];
        NoticeMark(truncated(&self.address, &parts))
    }

    /// Seals an address for notices. `nonce` is random.
    ///
    /// # Errors
    /// [`CannotSeal`] if there is no key.
    pub fn seal_notice_to(
        &self,
        user: UserId,
        slot: &str,
        plain: &[u8],
        nonce: [u8; NONCE_LEN],
    ) -> Result<Vec<u8>, CannotSeal> {
        let sealing = self.sealing.first().ok_or(CannotSeal)?;
        seal(&sealing.id, &sealing.key, &notice_aad(user, slot), plain, nonce)
    }

    /// Opens an address for notices. `None` as for [`Self::totp_secret`].
    #[must_use]
    pub fn notice_to(&self, user: UserId, slot: &str, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (sealing, sealed) = self.sealed_by(sealed)?;
        open(&sealing.key, &notice_aad(user, slot), sealed)
    }

    /// The key that sealed `sealed`, and what follows its id.
    fn sealed_by<'a>(&self, sealed: &'a [u8]) -> Option<(&SealingKey, &'a [u8])> {
        let (id, rest) = key_id_of(sealed)?;
        Some((self.sealing.iter().find(|key| key.id.as_bytes() == id)?, rest))
    }

    /// The ids of the sealing keys. The first one seals.
    pub fn sealing_key_ids(&self) -> impl Iterator<Item = &str> {
        self.sealing.iter().map(SealingKey::id)
    }

    /// Whether `record` was sealed by an old key, and should be sealed again.
    #[must_use]
    pub fn is_sealed_by_an_old_key(&self, record: &DeviceRecord) -> bool {
        self.is_of_an_old_key(&record.secret)
    }

    /// Whether an old key sealed `sealed`.
    #[must_use]
    pub fn is_of_an_old_key(&self, sealed: &[u8]) -> bool {
        let current = self.sealing.first().map(|key| key.id.as_bytes());
        key_id_of(sealed).map(|(id, _)| id) != current
    }
}

fn seal(
    id: &str,
    key: &LessSafeKey,
    bound_to: &[u8],
    plain: &[u8],
    nonce: [u8; NONCE_LEN],
) -> Result<Vec<u8>, CannotSeal> {
    let mut sealed = Zeroizing::new(plain.to_vec());
    let tag = key
        .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from(bound_to), &mut sealed)
        .map_err(|_| CannotSeal)?;
    let id_len = u8::try_from(id.len()).map_err(|_| CannotSeal)?;
    Ok([&[id_len][..], id.as_bytes(), &nonce, &sealed, tag.as_ref()].concat())
}

fn open(key: &LessSafeKey, bound_to: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (nonce, sealed) = sealed.split_at_checked(NONCE_LEN)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
    let mut plain = Zeroizing::new(sealed.to_vec());
    let opened = key.open_in_place(nonce, Aad::from(bound_to), &mut plain).ok()?.len();
    plain.truncate(opened);
    Some(plain)
}

/// Binds a sealed secret to its user and device. Not to the table: a restored one has another name
/// (`docs/decisions/0006-associated-data.md`).
fn device_aad(user: UserId, device: DeviceId) -> Vec<u8> {
    framed(&[b"DEVICE", &user.0, device.0.as_bytes()])
}

/// Binds an address for notices to its user and its place in the item.
fn notice_aad(user: UserId, slot: &str) -> Vec<u8> {
    framed(&[b"NOTICE", &user.0, slot.as_bytes()])
}

/// Binds sealed claims to their user and session.
fn session_aad(user: UserId, session: SessionId) -> Vec<u8> {
    framed(&[b"SESSION", &user.0, &session.0])
}

/// Binds a sealed challenge to its user, login and purpose.
fn challenge_aad(user: UserId, slot: ChallengeSlot) -> Vec<u8> {
    framed(&[b"CHALLENGE", &user.0, &slot.login.0, slot.purpose.as_str().as_bytes()])
}

/// Compares secrets in constant time.
#[must_use]
pub fn equal(left: &[u8], right: &[u8]) -> bool {
    verify_slices_are_equal(left, right).is_ok()
}

pub(crate) fn key_id_of(sealed: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&len, rest) = sealed.split_first()?;
    rest.split_at_checked(usize::from(len))
}

fn derive_hmac(root: &hkdf::Prk, purpose: &str) -> hmac::Key {
    let info = [purpose.as_bytes()];
    match root.expand(&info, hmac::HMAC_SHA256) {
        Ok(okm) => hmac::Key::from(okm),
        Err(_) => unreachable!("HKDF-SHA-256 always yields 32 bytes"),
    }
}

/// The first `N` bytes (at most 32) of the MAC over the parts.
fn truncated<const N: usize>(key: &hmac::Key, parts: &[&[u8]]) -> [u8; N] {
    let tag = hmac::sign(key, &framed(parts));
    let mut bytes = [0; N];
    bytes.iter_mut().zip(tag.as_ref()).for_each(|(byte, mac)| *byte = *mac);
    bytes
}

/// Joins parts, each after its length, so that no two lists of parts give the same bytes.
fn framed(parts: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(parts.iter().map(|part| 8 + part.len()).sum());
    for part in parts {
        bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
        bytes.extend_from_slice(part);
    }
    bytes
}

// Keys are never printed, not even by accident.
impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys(…)")
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealingKey({})", self.id)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use uuid::Uuid;

    use super::*;
    use crate::domain::{Factor, NoAddress, ProofSession, Timestamp, TotpVariant};

    fn keys(sealing: &[(&str, u8)]) -> Keys {
        let sealing = sealing.iter().filter_map(|(id, byte)| SealingKey::new(id, &[*byte; 32])).collect();
        Keys::derive(&[7; 32], sealing)
    }

    fn record(keys: &Keys, user: UserId, id: u128) -> DeviceRecord {
        let id = DeviceId(Uuid::from_u128(id));
        let secret = keys.seal_totp(user, id, b"12345678901234567890", [9; 12]).expect("seals");
        DeviceRecord { id, name: String::new(), secret, created: Timestamp::default(), variant: TotpVariant::default() }
    }

    #[test]
    fn what_was_sealed_opens_again_and_does_not_show() {
        let keys = keys(&[("k1", 1)]);
        let user = keys.user_id("alice");
        let record = record(&keys, user, 1);
        assert_eq!(keys.totp_secret(user, &record).map(|s| s.to_vec()), Some(b"12345678901234567890".to_vec()));
        assert!(!record.secret.windows(4).any(|w| w == b"1234"));
    }

    #[test]
    fn a_secret_moved_to_another_user_or_device_does_not_open() {
        let home = keys(&[("k1", 1)]);
        let user = home.user_id("alice");
        let record = record(&home, user, 1);
        assert!(home.totp_secret(home.user_id("mallory"), &record).is_none());
        let moved = DeviceRecord { id: DeviceId(Uuid::from_u128(2)), ..record.clone() };
        assert!(home.totp_secret(user, &moved).is_none());
    }

    #[test]
    fn the_claims_of_each_session_are_sealed_by_a_key_of_its_own() {
        let keys = keys(&[("k1", 1)]);
        let user = keys.user_id("alice");
        let seal = |n| keys.seal_claims(user, SessionId([n; 16]), b"{}", [9; 12]).expect("seals");
        let opened = |n, sealed: &[u8]| keys.claims(user, SessionId([n; 16]), sealed).map(|claims| claims.to_vec());
        assert!(keys.claims(keys.user_id("mallory"), SessionId([1; 16]), &seal(1)).is_none(), "moved to another user");
        assert_eq!(opened(1, &seal(1)), Some(b"{}".to_vec()));
        assert_eq!(opened(2, &seal(1)), None);
        // The same text under the same nonce: with one key for all, the ciphertexts would be equal.
        let ciphertext = |sealed: Vec<u8>| sealed[3 + NONCE_LEN..][..2].to_vec();
        assert_ne!(ciphertext(seal(1)), ciphertext(seal(2)));
    }

    #[test]
    fn an_altered_or_cut_secret_does_not_open() {
        let keys = keys(&[("k1", 1)]);
        let user = keys.user_id("alice");
        let good = record(&keys, user, 1);
        for len in 0..good.secret.len() {
            let cut = DeviceRecord { secret: good.secret[..len].to_vec(), ..good.clone() };
            assert!(keys.totp_secret(user, &cut).is_none(), "{len} bytes");
            let mut altered = good.clone();
            altered.secret[len] ^= 1;
            assert!(keys.totp_secret(user, &altered).is_none(), "byte {len}");
        }
    }

    #[test]
    fn the_first_key_seals_all_open_and_an_old_one_is_known_as_old() {
        let before = keys(&[("old", 1)]);
        let after = keys(&[("new", 2), ("old", 1)]);
        let user = before.user_id("alice");
        let record = record(&before, user, 1);
        assert!(after.totp_secret(user, &record).is_some());
        assert!(after.is_sealed_by_an_old_key(&record));
        assert!(!before.is_sealed_by_an_old_key(&record));
        assert!(keys(&[("new", 2)]).totp_secret(user, &record).is_none(), "a key taken away opens nothing");
    }

    #[test]
    fn a_code_is_bound_to_user_code_method_and_destination() {
        let keys = keys(&[("k1", 1)]);
        let (alice, bob) = (keys.user_id("alice"), keys.user_id("bob"));
        let mail = |text| Address::Email(Email::parse(text).expect("an address"));
        let otp = Otp::parse("123456", 6).expect("six digits");
        let id = CodeId([1; 8]);
        let tag = keys.code_tag(alice, id, Method::Email, &mail("a@x.example"), &otp);
        assert_eq!(tag, keys.code_tag(alice, id, Method::Email, &mail("a@X.example"), &otp), "one mailbox");
        assert_ne!(tag, keys.code_tag(alice, id, Method::Email, &mail("A@x.example"), &otp), "perhaps another");
        assert_ne!(tag, keys.code_tag(bob, id, Method::Email, &mail("a@x.example"), &otp));
        assert_ne!(tag, keys.code_tag(alice, CodeId([2; 8]), Method::Email, &mail("a@x.example"), &otp));
        assert_ne!(tag, keys.code_tag(alice, id, Method::Email, &mail("b@x.example"), &otp));
        let phone = Address::Phone(crate::domain::Phone::parse("+442079460018").expect("a number"));
        assert_ne!(tag, keys.code_tag(alice, id, Method::Sms, &phone, &otp));
        let by_sms = keys.code_tag(alice, id, Method::Sms, &mail("a@x.example"), &otp);
        assert_ne!(tag, by_sms, "the method is no function of the address");

        let stored = StoredCode { id, tag, until: Timestamp::default() };
        let is_code = |typed| {
            let typed = Otp::parse(typed, 6).expect("six digits");
            keys.is_code(alice, &stored, Method::Email, &mail("a@x.example"), &typed)
        };
        assert!(is_code("123456") && !is_code("123457"));
    }

    #[test]
    fn parts_are_framed_so_that_no_two_lists_join_alike() {
        assert_ne!(framed(&[b"ab", b"c"]), framed(&[b"a", b"bc"]));
        assert_ne!(framed(&[b"ab"]), framed(&[b"ab", b""]));
    }

    #[test]
    fn a_proof_is_bound_to_everything_that_it_says() {
        type Said = (UserId, &'static str, Timestamp, Contact, Proof);
        let time = Timestamp::from_secs;
        let login = LoginId([1; 8]);
        let session = ProofSession { id: SessionId([1; 16]), login, provenance: login, ends: time(9) };
        let proof = Proof { security_epoch: 1, method: Factor::RecoveryCode, auth_time: time(1), session };
        let changes: [fn(&mut Said); 13] = [
            |_| (),
            |said| said.0 = UserId([9; 16]),
            |said| said.1 = "another",
            |said| said.2 = Timestamp::from_secs(3),
            |said| said.3.email = Email::parse("a@x.example").ok_or(NoAddress::Absent),
            |said| said.3.phone = Phone::parse("+442079460018").ok_or(NoAddress::Absent),
            |said| said.4.security_epoch = 2,
            |said| said.4.method = Factor::TrustedDevice,
            |said| said.4.auth_time = Timestamp::from_secs(2),
            |said| said.4.session.id = SessionId([2; 16]),
            |said| said.4.session.login = LoginId([2; 8]),
            |said| said.4.session.provenance = LoginId([2; 8]),
            |said| said.4.session.ends = Timestamp::from_secs(10),
        ];
        let macs = changes.map(|change| {
            let mut said: Said = (UserId([1; 16]), "this", time(2), Contact::default(), proof);
            change(&mut said);
            let (user, token_id, expires, contact, proof) = said;
            keys(&[]).proof_mac(user, token_id, expires, &contact, &proof)
        });
        assert_eq!(HashSet::from(macs).len(), changes.len());
    }

    #[test]
    fn another_hash_key_gives_other_names_and_sealing_keys_change_none() {
        let (home, other) = (keys(&[]), Keys::derive(&[8; 32], Vec::new()));
        let resealing = keys(&[("k1", 1)]);
        assert_eq!(home.fingerprint(), resealing.fingerprint());
        assert_ne!(home.fingerprint(), other.fingerprint());
        assert_eq!(home.limit_key(b"alice"), resealing.limit_key(b"alice"));
        assert_ne!(home.limit_key(b"alice"), other.limit_key(b"alice"));
        assert_ne!(home.limit_key(b"alice"), home.limit_key(b"bob"), "each value has a counter of its own");
    }

    #[test]
    fn a_sealing_key_is_32_bytes_under_a_short_plain_id() {
        let id = |id: &str, key: &[u8]| SealingKey::new(id, key).map(|key| key.id().to_owned());
        let longest = "k".repeat(32);
        for good in ["k", "2026-11_B", &longest] {
            assert_eq!(id(good, &[1; 32]).as_deref(), Some(good));
        }
        for bad in ["", "k 1", "k/1", "ключ", &format!("{longest}k")] {
            assert_eq!(id(bad, &[1; 32]), None, "{bad}");
        }
        assert_eq!(id("k", &[1; 31]), None);
    }

    #[test]
    fn debug_output_shows_no_key() {
        let sealing = SealingKey::new("k1", &[1; 32]).expect("a key");
        assert_eq!(format!("{sealing:?} of {:?}", keys(&[("k1", 1)])), "SealingKey(k1) of Keys(…)");
    }
}
