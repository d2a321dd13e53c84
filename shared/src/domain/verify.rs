//! Judging a code.

use std::{fmt, time::Duration};

use super::{
    Address, Caller, Context, Decision, DeviceId, DeviceRecord, ItemKey, Ledger, Method, Refusal, Snapshot, Stopped,
    StoredCode, Timestamp,
    code::Otp,
    gate,
    ledger::{Device, attribution},
    toggle,
    totp::{TotpSecret, Verdict},
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

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
    /// A code of this method, or a passkey that cannot leave its authenticator.
    Code(Method),
    /// A passkey that may be synced, so it is no key of one piece of hardware.
    SyncedPasskey,
    /// A recovery code.
    RecoveryCode,
    /// A trusted device.
    TrustedDevice,
}

impl Factor {
    /// A passkey, by whether it may be synced.
    #[must_use]
    pub const fn passkey(synced: bool) -> Self {
        if synced { Self::SyncedPasskey } else { Self::Code(Method::Passkey) }
    }

    /// Whether it is a passkey. Its browser shows it to no other origin, so nobody can phish it.
    #[must_use]
    pub const fn is_passkey(self) -> bool {
        matches!(self, Self::SyncedPasskey | Self::Code(Method::Passkey))
    }

    /// The name that people and applications are told.
    #[must_use]
    pub const fn told(self) -> &'static str {
        match self {
            Self::SyncedPasskey => Method::Passkey.as_str(),
            Self::Code(_) | Self::RecoveryCode | Self::TrustedDevice => self.as_str(),
        }
    }

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
            Self::SyncedPasskey => "synced_passkey",
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
            Self::SyncedPasskey => 130,
        }
    }

    /// The factor that [`Self::code`] names.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        Self::all().find(|factor| factor.code() == code)
    }

    fn all() -> impl Iterator<Item = Self> {
        Method::ALL.iter().copied().map(Self::Code).chain([
            Self::RecoveryCode,
            Self::TrustedDevice,
            Self::SyncedPasskey,
        ])
    }

    /// Its value in `amr` (RFC 8176). Recovery codes and trusted devices have no value of their own
    /// there.
    #[must_use]
    pub const fn authentication_methods(self) -> &'static [&'static str] {
        match self {
            Self::Code(method) => method.authentication_methods(),
            Self::SyncedPasskey => &["swk", "user", "mfa"],
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
    if let Some(locked) = snapshot.ledger.failures.refusal(cx.now) {
        return Decision::refuse(locked);
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
    // Nothing is judged, so nothing is counted (docs/decisions/0016-imported-authenticators.md).
    let candidates: Vec<_> = candidates.into_iter().filter(|device| may_show(snapshot, device.id, otp)).collect();
    if candidates.is_empty() {
        let attempts_left = snapshot.ledger.failures.attempts_left(1, cx.now);
        return Decision::refuse(Refusal::WrongTotp { attempts_left });
    }
    // If one secret does not open, nothing is judged. If right codes still counted, a wrong one
    // would cost no try.
    let opened = candidates.iter().map(|device| Ok((*device, secret_of(snapshot, device.id, cx)?)));
    let opened = match opened.collect::<Result<Vec<_>, _>>() {
        Ok(opened) => opened,
        Err(refusal) => return Decision::refuse(refusal),
    };
    let mut replayed = false;
    for (device, secret) in &opened {
        match secret.judge(otp, cx.now, Some(device.last_step)) {
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
    // Of all secrets, so that the time taken tells nothing.
    let behind: Vec<_> = opened.iter().filter_map(|(_, secret)| secret.time_behind(otp, cx.now)).collect();
    wrong(snapshot, &target, otp, weight, wrong_totp(behind.first().copied()), cx)
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

/// Whether a device shows codes as long as `otp`. If its item cannot be read, it may.
fn may_show(snapshot: &Snapshot, id: DeviceId, otp: &Otp) -> bool {
    snapshot.device(id).is_none_or(|record| record.variant.digits.are_those_of(otp))
}

/// The secret of a device or set-up whose item is there.
pub(super) fn secret_of(snapshot: &Snapshot, id: DeviceId, cx: &Context<'_>) -> Result<TotpSecret, Refusal> {
    snapshot.require_readable(ItemKey::Device(id))?;
    let open =
        |record: &DeviceRecord| Some(TotpSecret::new(cx.keys.totp_secret(cx.caller.user, record)?, record.variant));
    let secret = snapshot.device(id).and_then(open);
    let cause = || format!("the secret of device {id} does not open with the configured sealing keys");
    secret.ok_or_else(|| Refusal::Unreadable(cause()))
}

fn right_totp(snapshot: &Snapshot, id: DeviceId, step: u64, cx: &Context<'_>) -> Decision<Verified> {
    let reseal = snapshot.device(id).is_some_and(|record| cx.keys.is_sealed_by_an_old_key(record));
    let mut ledger = snapshot.ledger.clone();
    for device in ledger.devices.iter_mut().filter(|device| device.id == id) {
        device.last_step = step;
        device.last_used_at = Some(cx.now);
        device.confirmed_by = attribution(device.confirmed_by, cx.provenance);
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

/// The refusal of a wrong authenticator code, which was perhaps right some minutes ago.
pub(super) fn wrong_totp(age: Option<Duration>) -> impl Fn(u8) -> Refusal {
    move |attempts_left| match age {
        Some(age) => Refusal::OldTotp { attempts_left, age },
        None => Refusal::WrongTotp { attempts_left },
    }
}

/// Counts a wrong guess at `target`, unless it is the last one sent again. `weight` is how many
/// secrets it was judged against.
pub(super) fn wrong(
    snapshot: &Snapshot,
    target: &[u8],
    otp: &Otp,
    weight: u8,
    refusal: impl Fn(u8) -> Refusal,
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

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::domain::{
        CodeId, CodeRecord, LoginId, TotpAlgorithm, TotpDigits, TotpPeriod, TotpVariant, UnreadableItem,
        keys::{Keys, SealingKey},
        ledger::SentCode,
        scenario::{NOW, OTHER, OWN, Scenario, code_in, committed, refused, secret},
    };

    /// The TOTP step of the call.
    const STEP: u64 = NOW.as_secs() / 30;

    fn otp(digits: &str) -> Otp {
        Otp::parse(digits, 6).expect("six digits")
    }

    fn totp(scenario: &Scenario, otp: Otp, device: Option<DeviceId>) -> Decision<Verified> {
        judge(&scenario.user, &Guess::Totp { otp, device }, &scenario.cx())
    }

    fn sent(scenario: &Scenario, digits: &str) -> Decision<Verified> {
        let address = scenario.caller.contact.address_for(Method::Email).expect("an address");
        judge(&scenario.user, &Guess::Sent { otp: otp(digits), method: Method::Email, address }, &scenario.cx())
    }

    /// What is stored of the code `000 00n`.
    fn stored(scenario: &Scenario, n: u8, seconds_left: u64) -> StoredCode {
        let (user, id) = (scenario.caller.user, CodeId([n; 8]));
        let address = scenario.caller.contact.address_for(Method::Email).expect("an address");
        let tag = scenario.keys.code_tag(user, id, Method::Email, &address, &otp(&format!("00000{n}")));
        StoredCode { id, tag, until: NOW.plus(Duration::from_secs(seconds_left)) }
    }

    /// The login gets the code `000 00n`.
    fn add_code(scenario: &mut Scenario, n: u8, login: LoginId, seconds_left: u64) {
        let code = stored(scenario, n, seconds_left);
        scenario.user.ledger.codes.push(SentCode { id: code.id, login, known: false, until: code.until });
        scenario.user.codes.push(CodeRecord { code, reserved_at: NOW, superseded: Vec::new() });
    }

    const NOT_JUDGED: Refusal = Refusal::WrongCode { attempts_left: 5 };

    #[test]
    fn every_factor_has_a_name_and_a_byte_of_its_own_and_is_read_by_both() {
        for factor in Factor::all() {
            assert_eq!(Factor::parse(factor.as_str()), Some(factor));
            assert_eq!(Factor::from_code(factor.code()), Some(factor));
            assert_eq!(factor.to_string(), factor.as_str());
            let json = serde_json::to_value(factor).expect("JSON");
            assert_eq!(
                (json.as_str(), serde_json::from_value(json.clone()).ok()),
                (Some(factor.as_str()), Some(factor))
            );
        }
        let (count, names) = (Factor::all().count(), Factor::all().map(Factor::as_str));
        assert_eq!((count, names.collect::<HashSet<_>>().len()), (Method::ALL.len() + 3, count));
        assert_eq!(Factor::all().map(Factor::code).collect::<HashSet<_>>().len(), count);
        assert!(Factor::parse("pigeon").is_none() && serde_json::from_str::<Factor>("\"pigeon\"").is_err());
    }

    #[test]
    fn a_passed_factor_is_told_as_mfa_and_by_its_own_value_if_it_has_one() {
        let told: Vec<_> = Factor::all().map(Factor::authentication_methods).collect();
        assert_eq!(
            told,
            [
                &["mfa"][..],
                &["sms", "mfa"],
                &["otp", "mfa"],
                &["hwk", "user", "mfa"],
                &["mfa"],
                &["mfa"],
                &["swk", "user", "mfa"]
            ]
        );
    }

    #[test]
    fn a_wrong_code_costs_one_for_each_authenticator_that_it_was_judged_against() {
        for (names_one, proven, cost) in [(false, false, 2), (false, true, 3), (true, false, 1)] {
            let mut scenario = Scenario::enabled();
            let ids = [1, 2, 3].map(|number| scenario.add_device(number, OWN));
            scenario.user.ledger.devices[2].inactive = true;
            if proven {
                scenario.prove(Duration::ZERO);
            }
            let change = committed(totp(&scenario, otp("000000"), names_one.then_some(ids[0])));
            assert!(matches!(change.outcome, Err(Refusal::WrongTotp { attempts_left: 4 })), "{:?}", change.outcome);
            let failures = change.ledger.failures;
            assert_eq!(
                (failures.consecutive, failures.unforgiven),
                (1, cost),
                "names one {names_one}, proven {proven}"
            );
        }
    }

    #[test]
    fn the_same_wrong_code_again_is_answered_alike_and_not_counted() {
        let mut scenario = Scenario::enabled();
        let ids = [1, 2].map(|number| scenario.add_device(number, OWN));
        let wrong = Refusal::WrongTotp { attempts_left: 4 };
        let change = committed(totp(&scenario, otp("000000"), Some(ids[0])));
        assert_eq!(change.outcome.err(), Some(wrong.clone()));
        scenario.user.ledger = change.ledger;
        assert_eq!(refused(totp(&scenario, otp("000000"), Some(ids[0]))), wrong);
        let elsewhere = committed(totp(&scenario, otp("000000"), Some(ids[1])));
        assert_eq!(elsewhere.ledger.failures.consecutive, 2, "against another authenticator it is another guess");
    }

    #[test]
    fn a_right_code_makes_its_own_authenticator_active_and_used() {
        let mut scenario = Scenario::enabled();
        let [id, _] = [1, 2].map(|number| scenario.add_device(number, OTHER));
        scenario.user.ledger.devices.iter_mut().for_each(|device| device.inactive = true);
        scenario.prove(Duration::ZERO);
        let right = |scenario: &Scenario| committed(totp(scenario, code_in(&secret(id), STEP), None));
        let change = right(&scenario);
        let used = Device { id, last_step: STEP, last_used_at: Some(NOW), confirmed_by: Some(OWN), inactive: false };
        assert_eq!(change.ledger.devices, [used, scenario.user.ledger.devices[1].clone()]);
        assert_eq!(change.outcome.expect("it is right").sealed_by_old_key, None);

        let sealing = [("new", 2), ("k", 1)].into_iter().filter_map(|(id, byte)| SealingKey::new(id, &[byte; 32]));
        scenario.keys = Keys::derive(&[5; 32], sealing.collect());
        assert_eq!(right(&scenario).outcome.expect("it is right").sealed_by_old_key, Some(id));
    }

    #[test]
    fn a_code_is_judged_only_against_authenticators_that_count_for_the_caller() {
        let mut scenario = Scenario::enabled();
        let guess = |scenario: &Scenario, only| refused(totp(scenario, otp("000000"), only));
        assert_eq!(guess(&scenario, None), Refusal::NoAuthenticator);
        let id = scenario.add_device(1, OTHER);
        scenario.user.ledger.devices[0].inactive = true;
        assert_eq!(guess(&scenario, None), Refusal::InactiveAuthenticator);
        assert_eq!(guess(&scenario, Some(id)), Refusal::InactiveAuthenticator);
        let unnamed = scenario.add_device_item(2);
        assert_eq!(guess(&scenario, Some(unnamed)), Refusal::DeviceNotFound);
    }

    /// The user gets an authenticator whose codes have eight digits and change every 60 s.
    fn add_device_of_eight_digits(scenario: &mut Scenario, number: u128) -> DeviceId {
        let id = scenario.add_device(number, OWN);
        scenario.user.devices.iter_mut().filter(|record| record.id == id).for_each(|record| record.variant = EIGHT);
        id
    }

    const EIGHT: TotpVariant =
        TotpVariant { algorithm: TotpAlgorithm::Sha512, digits: TotpDigits::Eight, period: TotpPeriod::Seconds60 };

    /// The code that an authenticator of [`EIGHT`] shows in a step of its own.
    fn eight_in(id: DeviceId, step: u64) -> Otp {
        let generator = EIGHT.builder().with_secret(secret(id)).build_noncompliant();
        Otp::parse(&generator.generate(step * 60).to_string(), 8).expect("eight digits")
    }

    fn wrong_of_eight() -> Otp {
        Otp::parse("00000000", 8).expect("eight digits")
    }

    #[test]
    fn a_code_is_judged_and_counted_against_the_authenticators_that_show_as_many_digits() {
        let mut scenario = Scenario::enabled();
        (1..=2).for_each(|number| _ = scenario.add_device(number, OWN));
        let id = add_device_of_eight_digits(&mut scenario, 3);
        for (code, cost) in [(otp("000000"), 2), (wrong_of_eight(), 1)] {
            let change = committed(totp(&scenario, code, None));
            assert!(matches!(change.outcome, Err(Refusal::WrongTotp { attempts_left: 4 })), "{:?}", change.outcome);
            assert_eq!(change.ledger.failures.unforgiven, cost);
        }
        let step = STEP / 2;
        for right in [eight_in(id, step - 1), eight_in(id, step), eight_in(id, step + 1)] {
            let change = committed(totp(&scenario, right, None));
            assert!(change.outcome.is_ok());
            assert!(change.ledger.devices[2].last_step.abs_diff(step) <= 1, "steps are those of its period");
        }
        let old = committed(totp(&scenario, eight_in(id, step - 2), None));
        let age = Duration::from_mins(2);
        assert_eq!(old.outcome.err(), Some(Refusal::OldTotp { attempts_left: 4, age }));
        scenario.user.ledger.devices[2].last_step = step;
        assert_eq!(refused(totp(&scenario, eight_in(id, step), None)), Refusal::UsedTotp);
    }

    #[test]
    fn a_code_that_no_authenticator_can_show_is_wrong_and_not_counted() {
        let mut scenario = Scenario::enabled();
        let six = scenario.add_device(1, OWN);
        let not_judged = Refusal::WrongTotp { attempts_left: 5 };
        for only in [None, Some(six)] {
            assert_eq!(refused(totp(&scenario, wrong_of_eight(), only)), not_judged);
        }
        let eight = add_device_of_eight_digits(&mut scenario, 2);
        assert_eq!(refused(totp(&scenario, otp("000000"), Some(eight))), not_judged);
        // The owner keeps entering six of the eight digits, because a client takes no more.
        scenario.user.ledger.devices.remove(0);
        for n in 0..6 {
            assert_eq!(refused(totp(&scenario, otp(&format!("00000{n}")), None)), not_judged);
        }
        assert!(committed(totp(&scenario, eight_in(eight, STEP / 2), None)).outcome.is_ok());
    }

    #[test]
    fn an_authenticator_that_cannot_be_read_may_show_any_number_of_digits() {
        let mut scenario = Scenario::enabled();
        let id = scenario.add_device(1, OWN);
        let cause = "attribute `variant` is malformed".to_owned();
        scenario.user.devices.clear();
        scenario.user.unreadable.push(UnreadableItem { key: ItemKey::Device(id), cause: cause.clone() });
        for code in [otp("000000"), wrong_of_eight()] {
            assert_eq!(refused(totp(&scenario, code, None)), Refusal::Unreadable(cause.clone()));
        }
    }

    #[test]
    fn a_used_code_is_told_as_used_and_not_counted() {
        let mut scenario = Scenario::enabled();
        let [id, _] = [1, 2].map(|number| scenario.add_device(number, OWN));
        scenario.user.ledger.devices[0].last_step = STEP;
        assert_eq!(refused(totp(&scenario, code_in(&secret(id), STEP), None)), Refusal::UsedTotp);
    }

    #[test]
    fn if_one_secret_does_not_open_no_code_is_judged_against_it_or_the_others() {
        let mut scenario = Scenario::enabled();
        let [id, _] = [1, 2].map(|number| scenario.add_device(number, OWN));
        scenario.user.devices[1].secret.clear();
        for code in [otp("000000"), code_in(&secret(id), STEP)] {
            assert!(matches!(refused(totp(&scenario, code, None)), Refusal::Unreadable(_)));
        }
        assert!(committed(totp(&scenario, code_in(&secret(id), STEP), Some(id))).outcome.is_ok(), "it is named");
    }

    #[test]
    fn a_sent_code_is_judged_only_while_its_login_has_one() {
        let mut scenario = Scenario::new();
        assert_eq!(refused(sent(&scenario, "000001")), NOT_JUDGED, "none was sent");
        add_code(&mut scenario, 1, OTHER, 60);
        assert_eq!(refused(sent(&scenario, "000001")), NOT_JUDGED, "it is of another login");
        add_code(&mut scenario, 2, OWN, 0);
        assert_eq!(refused(sent(&scenario, "000002")), Refusal::ExpiredCode);
        add_code(&mut scenario, 3, OWN, 1);
        let change = committed(sent(&scenario, "000002"));
        assert_eq!(change.ledger.failures.unforgiven, 1, "the code that ended counts no more");
        assert!(committed(sent(&scenario, "000003")).outcome.is_ok());
        scenario.user.codes.clear();
        assert_eq!(refused(sent(&scenario, "000003")), NOT_JUDGED, "its item is gone");
    }

    #[test]
    fn a_code_that_was_on_its_way_when_mfa_came_on_proves_no_address() {
        let mut scenario = Scenario::enabled();
        add_code(&mut scenario, 1, OWN, 60);
        assert_eq!(refused(sent(&scenario, "000001")), NOT_JUDGED);
    }

    #[test]
    fn a_right_code_uses_up_the_codes_of_its_login_and_proves_the_address() {
        let mut scenario = Scenario::new();
        for (n, login) in [(1, OWN), (2, OTHER), (3, OWN)] {
            add_code(&mut scenario, n, login, 60);
        }
        let change = committed(sent(&scenario, "000001"));
        let verified = change.outcome.expect("it is right");
        assert_eq!((verified.factor, verified.auth_time), (Factor::Code(Method::Email), NOW));
        let left: Vec<_> = change.ledger.codes.iter().map(|code| code.login).collect();
        assert_eq!(left, [OTHER]);
        assert!(change.ledger.has_proven(scenario.tag(Method::Email)));
        let wrong = committed(sent(&scenario, "000002")).ledger;
        assert_eq!((wrong.failures.unforgiven, wrong.codes.len()), (2, 3), "it was judged against two codes");
    }

    #[test]
    fn a_right_code_with_which_a_required_mfa_begins_names_what_stopped() {
        let mut scenario = Scenario::new();
        scenario.policy.required = true;
        let own = scenario.add_device(1, OWN);
        let other = scenario.add_device(2, OTHER);
        scenario.user.ledger.prove(scenario.tag(Method::Email), Some(OWN));
        add_code(&mut scenario, 1, OWN, 60);
        for right in [totp(&scenario, code_in(&secret(own), STEP), None), sent(&scenario, "000001")] {
            let stopped = committed(right).outcome.expect("it is right").stopped;
            assert_eq!(stopped.inactive_devices, [(other, "Phone 2".to_owned())]);
        }
    }

    #[test]
    fn a_superseded_code_is_no_guess_until_it_ends() {
        let mut scenario = Scenario::new();
        add_code(&mut scenario, 1, OWN, 60);
        scenario.user.codes[0].superseded = [(2, 1), (3, 0)].map(|(n, left)| stored(&scenario, n, left)).into();
        assert_eq!(refused(sent(&scenario, "000002")), Refusal::SupersededCode);
        assert_eq!(committed(sent(&scenario, "000003")).ledger.failures.consecutive, 1);
    }
}
