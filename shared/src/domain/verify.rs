//! Judging a code.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use zeroize::Zeroizing;

use super::{
    Address, Caller, Context, Decision, DeviceId, ItemKey, Ledger, Method, Refusal, Snapshot, Stopped, StoredCode,
    Timestamp,
    code::Otp,
    gate,
    ledger::Device,
    toggle,
    totp::{self, Verdict},
};

/// A code that somebody claims to be right.
#[derive(Clone, Debug)]
pub enum Guess {
    /// A code from any of the user's authenticators, or from one of them.
    Totp {
        /// The code.
        otp: Otp,
        /// The only device to judge it against, if one is named.
        device: Option<DeviceId>,
    },
    /// A code that was sent.
    Sent {
        /// The code.
        otp: Otp,
        /// How it was sent.
        method: Method,
        /// Where it went, as the token says now.
        address: Address,
    },
}

/// The kind of second factor that passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Factor {
    /// A code of this method.
    Code(Method),
    /// A recovery code.
    RecoveryCode,
    /// A trusted device.
    TrustedDevice,
}

impl Factor {
    /// Reads the name that [`Self::as_str`] gives.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::all().find(|factor| factor.as_str() == text)
    }

    /// The name in our tokens.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Code(method) => method.as_str(),
            Self::RecoveryCode => "recovery_code",
            Self::TrustedDevice => "trusted_device",
        }
    }

    /// The byte that names it in the ledger. Never reuse one.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Code(method) => method.code(),
            Self::RecoveryCode => 128,
            Self::TrustedDevice => 129,
        }
    }

    /// The factor that [`Self::code`] names.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        Self::all().find(|factor| factor.code() == code)
    }

    fn all() -> impl Iterator<Item = Self> {
        Method::ALL.iter().copied().map(Self::Code).chain([Self::RecoveryCode, Self::TrustedDevice])
    }

    /// Its value in `amr` (RFC 8176). Recovery codes and trusted devices have no value of their own
    /// there.
    #[must_use]
    pub const fn authentication_methods(self) -> &'static [&'static str] {
        match self {
            Self::Code(method) => method.authentication_methods(),
            Self::RecoveryCode | Self::TrustedDevice => &["mfa"],
        }
    }
}

impl fmt::Display for Factor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Factor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Factor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).ok_or_else(|| de::Error::custom("not a factor"))
    }
}

/// A second factor that passed.
#[derive(Clone, Debug)]
pub struct Verified {
    /// The factor.
    pub factor: Factor,
    /// The user's security epoch from now on.
    pub security_epoch: u64,
    /// Whether MFA is on for the user.
    pub enabled: bool,
    /// When a code was last judged right.
    pub auth_time: Timestamp,
    /// The authenticator, if its secret should be sealed again.
    pub sealed_by_old_key: Option<DeviceId>,
    /// What stopped counting, if the code switched MFA on.
    pub stopped: Stopped,
}

impl Verified {
    /// A factor that passed, according to the ledger as it is or as the commit will leave it.
    #[must_use]
    pub(super) fn of(ledger: &Ledger, factor: Factor, auth_time: Timestamp) -> Self {
        Self {
            factor,
            security_epoch: ledger.security_epoch,
            enabled: ledger.enabled,
            auth_time,
            sealed_by_old_key: None,
            stopped: Stopped::default(),
        }
    }
}

/// Judges a guess. Right or wrong, the commit pays for it, and the verdict may only be told after
/// the commit.
#[must_use]
pub fn judge(snapshot: &Snapshot, guess: &Guess, cx: &Context<'_>) -> Decision<Verified> {
    if let Some(until) = snapshot.ledger.failures.lock_end(cx.now) {
        return Decision::refuse(Refusal::Locked { until });
    }
    match guess {
        Guess::Totp { otp, device } => judge_totp(snapshot, otp, *device, cx),
        Guess::Sent { otp, method, address } => judge_sent(snapshot, otp, *method, address, cx),
    }
}

fn judge_totp(snapshot: &Snapshot, otp: &Otp, only: Option<DeviceId>, cx: &Context<'_>) -> Decision<Verified> {
    let candidates = match candidates(snapshot, only, cx) {
        Ok(candidates) => candidates,
        Err(refusal) => return Decision::refuse(refusal),
    };
    // If one secret does not open, nothing is judged. If right codes still counted, a wrong one
    // would cost no try.
    let opened = candidates.iter().map(|device| Ok((*device, secret_of(snapshot, device.id, cx)?)));
    let opened = match opened.collect::<Result<Vec<_>, _>>() {
        Ok(opened) => opened,
        Err(refusal) => return Decision::refuse(refusal),
    };
    let mut replayed = false;
    for (device, secret) in &opened {
        match totp::judge(secret, otp, cx.now, Some(device.last_step)) {
            Verdict::Fresh(step) => return right_totp(snapshot, device.id, step, cx),
            Verdict::Replayed => replayed = true,
            Verdict::Wrong => {}
        }
    }
    if replayed {
        // A client that sends the same code twice is not guessing.
        return Decision::refuse(Refusal::UsedTotp);
    }
    let weight = u8::try_from(opened.len()).unwrap_or(u8::MAX);
    // The same code against another authenticator is another guess.
    let target: Vec<_> = opened.iter().flat_map(|(device, _)| *device.id.0.as_bytes()).collect();
    wrong(snapshot, &target, otp, weight, |attempts_left| Refusal::WrongTotp { attempts_left }, cx)
}

/// The devices that a guess is judged against, at least one. An inactive one may be an intruder's:
/// it is judged only under a fresh proof.
fn candidates<'a>(
    snapshot: &'a Snapshot,
    only: Option<DeviceId>,
    cx: &Context<'_>,
) -> Result<Vec<&'a Device>, Refusal> {
    let named: Vec<_> = snapshot.verified_devices().filter(|device| only.is_none_or(|id| id == device.id)).collect();
    if named.is_empty() {
        return Err(if only.is_some() { Refusal::DeviceNotFound } else { Refusal::NoAuthenticator });
    }
    let proven = gate::is_proven(snapshot, cx);
    let judged: Vec<_> = named.into_iter().filter(|device| proven || !device.inactive).collect();
    if judged.is_empty() { Err(Refusal::InactiveAuthenticator) } else { Ok(judged) }
}

/// The secret of a device or set-up whose item is there.
pub(super) fn secret_of(snapshot: &Snapshot, id: DeviceId, cx: &Context<'_>) -> Result<Zeroizing<Vec<u8>>, Refusal> {
    snapshot.require_readable(ItemKey::Device(id))?;
    let secret = snapshot.device(id).and_then(|record| cx.keys.totp_secret(cx.caller.user, record));
    let cause = || format!("the secret of device {id} does not open with the configured sealing keys");
    secret.ok_or_else(|| Refusal::Unreadable(cause()))
}

fn right_totp(snapshot: &Snapshot, id: DeviceId, step: u64, cx: &Context<'_>) -> Decision<Verified> {
    let reseal = snapshot.device(id).is_some_and(|record| cx.keys.is_sealed_by_an_old_key(record));
    let mut ledger = snapshot.ledger.clone();
    for device in ledger.devices.iter_mut().filter(|device| device.id == id) {
        device.last_step = step;
        device.last_used_at = Some(cx.now);
        device.confirmed_by = cx.provenance;
        device.inactive = false;
    }
    let factor = Factor::Code(Method::Totp);
    let stopped = toggle::right_code(&mut ledger, snapshot, factor, cx);
    let sealed_by_old_key = reseal.then_some(id);
    let verified = Verified { sealed_by_old_key, stopped, ..Verified::of(&ledger, factor, cx.now) };
    Decision::commit(ledger, Ok(verified))
}

fn judge_sent(
    snapshot: &Snapshot,
    otp: &Otp,
    method: Method,
    address: &Address,
    cx: &Context<'_>,
) -> Decision<Verified> {
    let Caller { user, login, .. } = *cx.caller;
    // A code that is not judged is not counted.
    let not_judged = Refusal::WrongCode { attempts_left: snapshot.ledger.failures.attempts_left(1, cx.now) };
    let mut sent = snapshot.ledger.codes_of(login).peekable();
    if sent.peek().is_none() {
        return Decision::refuse(not_judged);
    }
    // The time is compared here: DynamoDB removes an expired item up to days late.
    if sent.all(|code| code.until <= cx.now) {
        return Decision::refuse(Refusal::ExpiredCode);
    }
    // It may have been sent before MFA was switched on, or before the application began to require
    // it.
    if !gate::may_receive(snapshot, method, cx) {
        return Decision::refuse(not_judged);
    }
    let is_it = |code: &StoredCode| code.until > cx.now && cx.keys.is_code(user, code, method, address, otp);
    let judged: Vec<_> = snapshot.outstanding_codes(login).filter(|record| record.code.until > cx.now).collect();
    if judged.is_empty() {
        return Decision::refuse(not_judged);
    }
    if !judged.iter().any(|record| is_it(&record.code)) {
        if judged.iter().flat_map(|record| &record.superseded).any(is_it) {
            return Decision::refuse(Refusal::SupersededCode);
        }
        let target: Vec<_> = judged.iter().flat_map(|record| record.code.id.0).collect();
        let weight = u8::try_from(judged.len()).unwrap_or(u8::MAX);
        return wrong(snapshot, &target, otp, weight, |attempts_left| Refusal::WrongCode { attempts_left }, cx);
    }

    let mut ledger = snapshot.ledger.clone();
    ledger.codes.retain(|sent| sent.login != login);
    if let Some(tag) = cx.caller.address_tag(method) {
        ledger.prove(tag, cx.provenance);
    }
    let factor = Factor::Code(method);
    let stopped = toggle::right_code(&mut ledger, snapshot, factor, cx);
    let verified = Verified { stopped, ..Verified::of(&ledger, factor, cx.now) };
    Decision::commit(ledger, Ok(verified))
}

/// Counts a wrong guess at `target`, unless it is the last one sent again. `weight` is how many
/// secrets it was judged against.
pub(super) fn wrong(
    snapshot: &Snapshot,
    target: &[u8],
    otp: &Otp,
    weight: u8,
    refusal: fn(u8) -> Refusal,
    cx: &Context<'_>,
) -> Decision<Verified> {
    let tag = cx.keys.guess_tag(cx.caller.user, target, otp);
    if snapshot.ledger.failures.is_repeat(tag, cx.now) {
        return Decision::refuse(refusal(snapshot.ledger.failures.attempts_left(weight, cx.now)));
    }
    let mut ledger = snapshot.ledger.clone();
    ledger.failures.wrong(tag, weight, cx.now);
    let refusal = refusal(ledger.failures.attempts_left(weight, cx.now));
    Decision::commit(ledger, Err(refusal))
}
