//! Judging a code.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use zeroize::Zeroizing;

use super::{
    Address, Context, Decision, DeviceId, ItemKey, Ledger, Method, Refusal, Snapshot, Timestamp,
    code::Otp,
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

/// What a passed second factor rested on.
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
        let codes = Method::ALL.iter().copied().map(Self::Code);
        codes.chain([Self::RecoveryCode, Self::TrustedDevice]).find(|factor| factor.as_str() == text)
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

    /// What `amr` says of it (RFC 8176). Recovery codes and trusted devices have no value of their own there.
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
#[derive(Clone, Copy, Debug)]
pub struct Verified {
    /// The factor.
    pub factor: Factor,
    /// The user's security epoch from now on.
    pub security_epoch: u64,
    /// Whether MFA is on for the user.
    pub enabled: bool,
    /// When a code was last judged right.
    pub auth_time: Timestamp,
    /// The authenticator, if its secret should be sealed anew.
    pub sealed_by_old_key: Option<DeviceId>,
}

impl Verified {
    /// A factor that passed, by the ledger as it is or is about to be.
    #[must_use]
    pub(super) fn of(ledger: &Ledger, factor: Factor, auth_time: Timestamp) -> Self {
        Self {
            factor,
            security_epoch: ledger.security_epoch,
            enabled: ledger.enabled,
            auth_time,
            sealed_by_old_key: None,
        }
    }
}

/// Judges a guess. Right or wrong, the commit pays for it, and the verdict may only be told after the commit.
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
    let mut judged = false;
    let mut replayed = false;
    let mut unreadable = None;
    for device in snapshot.verified_devices().filter(|device| only.is_none_or(|id| id == device.id)) {
        let secret = match secret_of(snapshot, device.id, cx) {
            Ok(secret) => secret,
            Err(refusal) => {
                unreadable = Some(refusal);
                continue;
            }
        };
        judged = true;
        match totp::judge(&secret, otp, cx.now, Some(device.last_step)) {
            Verdict::Fresh(step) => return right_totp(snapshot, device.id, step, cx),
            Verdict::Replayed => replayed = true,
            Verdict::Wrong => {}
        }
    }
    if !judged {
        // If no secret opens, the keys or the items are wrong and not the person. That costs no try.
        return Decision::refuse(match (unreadable, only) {
            (Some(unreadable), _) => unreadable,
            (None, Some(_)) => Refusal::DeviceNotFound,
            (None, None) => Refusal::MethodNotAvailable,
        });
    }
    if replayed {
        // A client that sends the same code twice is no guesser.
        return Decision::refuse(Refusal::UsedTotp);
    }
    wrong(snapshot, b"totp", otp, Refusal::WrongTotp, cx)
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
        device.confirmed_by = device.confirmed_by.map(|_| cx.caller.login);
    }
    toggle::right_code(&mut ledger, cx);
    let factor = Factor::Code(Method::Totp);
    let verified = Verified { sealed_by_old_key: reseal.then_some(id), ..Verified::of(&ledger, factor, cx.now) };
    Decision::commit(ledger, Ok(verified))
}

fn judge_sent(
    snapshot: &Snapshot,
    otp: &Otp,
    method: Method,
    address: &Address,
    cx: &Context<'_>,
) -> Decision<Verified> {
    let login = cx.caller.login;
    match snapshot.ledger.code_of(login) {
        None => return Decision::refuse(Refusal::WrongCode),
        // The time is compared here: DynamoDB removes an expired item up to days late.
        Some(code) if code.until <= cx.now => return Decision::refuse(Refusal::ExpiredCode),
        Some(_) => {}
    }
    let Some(code) = snapshot.outstanding_code(login) else {
        return Decision::refuse(Refusal::WrongCode);
    };
    if !cx.keys.is_code(cx.caller.user, code, method, address, otp) {
        return wrong(snapshot, &code.id.0, otp, Refusal::WrongCode, cx);
    }

    let mut ledger = snapshot.ledger.clone();
    ledger.codes.retain(|sent| sent.login != login);
    toggle::right_code(&mut ledger, cx);
    if let Some(tag) = cx.caller.address_tag(method) {
        ledger.prove(tag);
    }
    let verified = Verified::of(&ledger, Factor::Code(method), cx.now);
    Decision::commit(ledger, Ok(verified))
}

/// Counts a wrong guess at `target`, unless it is the last one sent again.
fn wrong(snapshot: &Snapshot, target: &[u8], otp: &Otp, refusal: Refusal, cx: &Context<'_>) -> Decision<Verified> {
    let tag = cx.keys.guess_tag(cx.caller.user, target, otp);
    if snapshot.ledger.failures.is_repeat(tag, cx.now) {
        return Decision::refuse(refusal);
    }
    let mut ledger = snapshot.ledger.clone();
    ledger.failures.wrong(tag, cx.now);
    Decision::commit(ledger, Err(refusal))
}
