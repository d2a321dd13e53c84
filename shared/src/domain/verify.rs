//! Judging a code.

use serde::Serialize;

use super::{
    Address, Context, Decision, DeviceId, DeviceRecord, Ledger, Method, Refusal, Snapshot, Timestamp,
    code::Otp,
    switch,
    totp::{self, Verdict},
};

/// A code that somebody claims to be right.
#[derive(Clone, Debug)]
pub enum Guess {
    /// A code of an authenticator, of any of the user's or of one.
    Totp {
        /// The code.
        otp: Otp,
        /// The device that it is said to be of.
        device: Option<DeviceId>,
    },
    /// A code that was sent.
    Sent {
        /// The code.
        otp: Otp,
        /// Where it went to, as the token says now.
        address: Address,
    },
}

/// What a passed second factor rested on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Factor {
    /// A code sent by e-mail.
    Email,
    /// A code sent by text message.
    Sms,
    /// A code of an authenticator.
    Totp,
    /// A recovery code.
    #[serde(rename = "recovery_code")]
    RecoveryCode,
    /// A trusted device.
    #[serde(rename = "trusted_device")]
    TrustedDevice,
}

impl Factor {
    /// Reads the name that [`Self::as_str`] gives.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let all = [Self::Email, Self::Sms, Self::Totp, Self::RecoveryCode, Self::TrustedDevice];
        all.into_iter().find(|factor| factor.as_str() == text)
    }

    /// The name in our tokens.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Sms => "sms",
            Self::Totp => "totp",
            Self::RecoveryCode => "recovery_code",
            Self::TrustedDevice => "trusted_device",
        }
    }

    /// What `amr` says of it (RFC 8176). E-mail, recovery codes and trusted devices have no value of their own there.
    #[must_use]
    pub const fn authentication_methods(self) -> &'static [&'static str] {
        match self {
            Self::Totp => &["otp", "mfa"],
            Self::Sms => &["sms", "mfa"],
            Self::Email | Self::RecoveryCode | Self::TrustedDevice => &["mfa"],
        }
    }
}

impl From<Method> for Factor {
    fn from(method: Method) -> Self {
        match method {
            Method::Email => Self::Email,
            Method::Sms => Self::Sms,
            Method::Totp => Self::Totp,
        }
    }
}

/// A second factor that passed.
#[derive(Clone, Copy, Debug)]
pub struct Verified {
    /// The factor.
    pub factor: Factor,
    /// The user's epoch from now on.
    pub epoch: u64,
    /// Whether MFA is on for the user.
    pub enabled: bool,
    /// When a code was last judged right.
    pub auth_time: Timestamp,
    /// The authenticator, where its secret should be sealed anew.
    pub sealed_by_old_key: Option<DeviceId>,
}

impl Verified {
    /// A factor that passed, by the ledger as it is or is about to be.
    #[must_use]
    pub(super) fn of(ledger: &Ledger, factor: Factor, auth_time: Timestamp) -> Self {
        Self { factor, epoch: ledger.epoch, enabled: ledger.enabled, auth_time, sealed_by_old_key: None }
    }
}

/// Judges a guess. Right or wrong, it is paid for by the commit; the verdict may be told only after it.
#[must_use]
pub fn judge(snapshot: &Snapshot, guess: &Guess, cx: &Context<'_>) -> Decision<Verified> {
    if let Some(until) = snapshot.ledger.failures.locked_until(cx.now) {
        return Decision::refuse(Refusal::Locked { until });
    }
    match guess {
        Guess::Totp { otp, device } => judge_totp(snapshot, otp, *device, cx),
        Guess::Sent { otp, address } => judge_sent(snapshot, otp, address, cx),
    }
}

fn judge_totp(snapshot: &Snapshot, otp: &Otp, only: Option<DeviceId>, cx: &Context<'_>) -> Decision<Verified> {
    let mut judged = false;
    let mut replayed = false;
    let mut unreadable = false;
    for (device, record) in snapshot.verified_devices().filter(|(device, _)| only.is_none_or(|id| id == device.id)) {
        let Some(secret) = cx.keys.totp_secret(cx.caller.user, record) else {
            unreadable = true;
            continue;
        };
        judged = true;
        match totp::judge(&secret, otp, cx.now, Some(device.step)) {
            Verdict::Fresh(step) => return right_totp(snapshot, record, step, cx),
            Verdict::Replayed => replayed = true,
            Verdict::Wrong => {}
        }
    }
    if !judged {
        // Where no secret opens, the keys are wrong and not the person: it costs no try, and nothing was guessed at.
        return Decision::refuse(match only {
            _ if unreadable => Refusal::Unreadable,
            Some(_) => Refusal::DeviceNotFound,
            None => Refusal::MethodNotAvailable,
        });
    }
    if replayed {
        // A client that sends the same code twice is no guesser.
        return Decision::refuse(Refusal::WrongTotp);
    }
    wrong(snapshot, b"totp", otp, Refusal::WrongTotp, cx)
}

fn right_totp(snapshot: &Snapshot, record: &DeviceRecord, step: u64, cx: &Context<'_>) -> Decision<Verified> {
    let mut ledger = snapshot.ledger.clone();
    for device in ledger.devices.iter_mut().filter(|device| device.id == record.id) {
        device.step = step;
        device.used = Some(cx.now);
        device.by = device.by.map(|_| cx.caller.login);
    }
    switch::right_code(&mut ledger, cx);
    let sealed_by_old_key = cx.keys.is_sealed_by_an_old_key(record).then_some(record.id);
    let verified = Verified { sealed_by_old_key, ..Verified::of(&ledger, Factor::Totp, cx.now) };
    Decision::commit(ledger, Ok(verified))
}

fn judge_sent(snapshot: &Snapshot, otp: &Otp, address: &Address, cx: &Context<'_>) -> Decision<Verified> {
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
    if !cx.keys.is_code(cx.caller.user, code, address, otp) {
        return wrong(snapshot, &code.id.0, otp, Refusal::WrongCode, cx);
    }

    let mut ledger = snapshot.ledger.clone();
    ledger.codes.retain(|sent| sent.login != login);
    switch::right_code(&mut ledger, cx);
    let method = address.method();
    if let Some(tag) = cx.caller.address_tag(method) {
        ledger.prove(tag);
    }
    let verified = Verified::of(&ledger, method.into(), cx.now);
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
