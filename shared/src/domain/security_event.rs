//! What a commit changed about the security of a user, and whether the owner is told.
//!
//! It is derived from what the ledger was and what it is, so there is none for a commit that was lost.

use super::{
    DeviceId, Ledger, LoginId, Method, NetworkTag, Notices, Timestamp,
    failures::Failures,
    ledger::{Passkey, RecoverySet},
};

/// What happened, for the owner and for the application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecurityEvent {
    /// MFA was switched on.
    MfaOn,
    /// MFA was switched off.
    MfaOff,
    /// An authenticator was confirmed.
    AuthenticatorAdded(Authenticator),
    /// One that another login had made counts again.
    AuthenticatorActivated(Authenticator),
    /// An authenticator was removed.
    AuthenticatorRemoved(Authenticator),
    /// The counter of a passkey did not rise, so its answer was refused: somebody may have a copy.
    PasskeySuspected(Authenticator),
    /// Recovery codes were made. Earlier ones are void.
    RecoveryCodesMade,
    /// A recovery code was used.
    RecoveryCodeUsed {
        /// How many are left.
        left: u32,
    },
    /// The same, and three, one or none are left.
    RecoveryCodesLow {
        /// How many are left.
        left: u32,
    },
    /// Everything was taken away by a recovery code.
    Reset,
    /// A code for an address was right, or switching MFA on proved it.
    AddressProven(Method),
    /// Too many wrong codes: none is judged for a while.
    Locked {
        /// Until when.
        until: Timestamp,
    },
    /// So many wrong codes that none is judged until a recovery code is used or an operator unlocks.
    CodesOff,
    /// A refresh token that was used came back, and its session ended.
    TokenReused,
    /// Sessions were ended by somebody with a proof.
    SessionsEnded,
    /// An operator changed something.
    ByOperator(OperatorChange),
}

/// An authenticator, by its kind and id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Authenticator {
    /// Its kind.
    pub kind: AuthenticatorKind,
    /// Its id.
    pub id: DeviceId,
}

/// The kinds of authenticators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthenticatorKind {
    /// An app that shows codes.
    Totp,
    /// A passkey or security key.
    Passkey,
}

impl AuthenticatorKind {
    /// Its name, as the API has it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Totp => "totp",
            Self::Passkey => "passkey",
        }
    }
}

/// What an operator did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OperatorChange {
    /// Forgot wrong codes.
    Unlocked,
    /// Took every factor away.
    Reset,
    /// Ended all sessions.
    SessionsEnded,
    /// Brought the user from another system.
    Imported,
    /// Brought the user back from a backup, or ended what one brought back.
    Restored,
}

impl OperatorChange {
    /// Its name in the feed.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unlocked => "unlocked",
            Self::Reset => "reset",
            Self::SessionsEnded => "sessions_ended",
            Self::Imported => "imported",
            Self::Restored => "restored",
        }
    }
}

impl SecurityEvent {
    /// The name of its type in the feed, which is also that of its schema in `docs/events/`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::MfaOn => "mfa.on",
            Self::MfaOff => "mfa.off",
            Self::AuthenticatorAdded(_) => "authenticator.added",
            Self::AuthenticatorActivated(_) => "authenticator.activated",
            Self::AuthenticatorRemoved(_) => "authenticator.removed",
            Self::PasskeySuspected(_) => "passkey.suspected",
            Self::RecoveryCodesMade => "recovery_codes.made",
            Self::RecoveryCodeUsed { .. } => "recovery_code.used",
            Self::RecoveryCodesLow { .. } => "recovery_codes.low",
            Self::Reset => "mfa.reset",
            Self::AddressProven(_) => "address.proven",
            Self::Locked { .. } => "codes.locked",
            Self::CodesOff => "codes.off",
            Self::TokenReused => "refresh_token.reused",
            Self::SessionsEnded => "sessions.ended",
            Self::ByOperator(_) => "operator.changed",
        }
    }

    /// The setting from which on the owner is told.
    #[must_use]
    pub const fn told_from(&self) -> Notices {
        match self {
            // They do not shut the owner out. Nor do operators do the last ones to one user alone: a
            // restore would write to everybody.
            Self::SessionsEnded | Self::ByOperator(OperatorChange::Imported | OperatorChange::Restored) => Notices::All,
            Self::MfaOn
            | Self::MfaOff
            | Self::AuthenticatorAdded(_)
            | Self::AuthenticatorActivated(_)
            | Self::AuthenticatorRemoved(_)
            | Self::PasskeySuspected(_)
            | Self::RecoveryCodesMade
            | Self::RecoveryCodeUsed { .. }
            | Self::RecoveryCodesLow { .. }
            | Self::Reset
            | Self::AddressProven(_)
            | Self::Locked { .. }
            | Self::CodesOff
            | Self::TokenReused
            | Self::ByOperator(OperatorChange::Unlocked | OperatorChange::Reset | OperatorChange::SessionsEnded) => {
                Notices::Important
            }
        }
    }

    /// Whether the owner is told of it once a day at most. Whoever guesses codes could otherwise have
    /// the owner written to every quarter of an hour. What says that something changed is never held
    /// back.
    #[must_use]
    pub const fn is_told_once_a_day(&self) -> bool {
        matches!(self, Self::Locked { .. } | Self::CodesOff)
    }
}

/// What a commit changed, and by whom, as far as the ledger says it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    /// What happened, the most important first. Empty if nothing did that anybody is told of.
    pub events: Vec<SecurityEvent>,
    /// The login that did it.
    pub login: Option<LoginId>,
    /// The network that it came from.
    pub network: Option<NetworkTag>,
}

/// What the commit that made `after` of `before` changed. `before` is `None` for a user who is new.
#[must_use]
pub fn observe(before: Option<&Ledger>, after: &Ledger) -> Observed {
    let new = Ledger { security_epoch: after.security_epoch, ..Ledger::fresh(0) };
    let is_new = before.is_none();
    let before = before.unwrap_or(&new);
    let events = if after.commits.last().is_some_and(|commit| commit.is_of_operator()) {
        operator_change(before, after, is_new).map(SecurityEvent::ByOperator).into_iter().collect()
    } else {
        changes(before, after)
    };
    let login = after.recent.iter().rev().find(|recent| !before.recent.contains(recent)).map(|recent| recent.login);
    let made_by = || after.recovery.as_ref().filter(|set| is_another_set(before, set)).and_then(|set| set.made_by);
    let network = after.networks.iter().rev().find(|network| !before.networks.contains(network));
    Observed { events, login: login.or_else(made_by), network: network.map(|network| network.tag) }
}

fn changes(before: &Ledger, after: &Ledger) -> Vec<SecurityEvent> {
    if is_reset(before, after) {
        return vec![SecurityEvent::Reset];
    }
    let mut events = Vec::new();
    match (before.enabled, after.enabled) {
        (false, true) => events.push(SecurityEvent::MfaOn),
        (true, false) => events.push(SecurityEvent::MfaOff),
        (true, true) | (false, false) => {}
    }
    events.extend(authenticators(before, after));
    events.extend(suspected(before, after));
    events.extend(recovery(before, after));
    let proven = after.proven.iter().filter(|address| !before.has_proven(address.tag));
    events.extend(proven.map(|address| SecurityEvent::AddressProven(address.tag.method)));
    events.extend(wrong_codes(&before.failures, &after.failures));
    if events.is_empty() && after.security_epoch != before.security_epoch {
        events.push(SecurityEvent::SessionsEnded);
    }
    events
}

/// Whether a recovery code took everything away.
fn is_reset(before: &Ledger, after: &Ledger) -> bool {
    !after.enabled && has_no_factor(after) && before.recovery.is_some() && after.security_epoch != before.security_epoch
}

fn has_no_factor(ledger: &Ledger) -> bool {
    let has_authenticator = !ledger.devices.is_empty() || !ledger.passkeys.is_empty();
    !has_authenticator && ledger.recovery.is_none() && ledger.proven.is_empty()
}

/// The authenticators of a ledger, and whether each is inactive.
fn authenticators_of(ledger: &Ledger) -> Vec<(Authenticator, bool)> {
    let apps = ledger.devices.iter().map(|device| (AuthenticatorKind::Totp, device.id, device.inactive));
    let passkeys = ledger.passkeys.iter().map(|one| (AuthenticatorKind::Passkey, one.id.into(), one.inactive));
    apps.chain(passkeys).map(|(kind, id, inactive)| (Authenticator { kind, id }, inactive)).collect()
}

fn authenticators(before: &Ledger, after: &Ledger) -> Vec<SecurityEvent> {
    let (was, is) = (authenticators_of(before), authenticators_of(after));
    let state_of =
        |list: &[(Authenticator, bool)], one| list.iter().find(|(known, _)| *known == one).map(|(_, it)| *it);
    let of_now = is.iter().filter_map(|(one, inactive)| match state_of(&was, *one) {
        None => Some(SecurityEvent::AuthenticatorAdded(*one)),
        Some(true) if !inactive => Some(SecurityEvent::AuthenticatorActivated(*one)),
        Some(_) => None,
    });
    let gone = was.iter().filter(|(one, _)| state_of(&is, *one).is_none());
    of_now.chain(gone.map(|(one, _)| SecurityEvent::AuthenticatorRemoved(*one))).collect()
}

fn suspected(before: &Ledger, after: &Ledger) -> Vec<SecurityEvent> {
    let was = |one: &Passkey| before.passkeys.iter().any(|known| known.id == one.id && known.suspected);
    let new = after.passkeys.iter().filter(|one| one.suspected && !was(one));
    let named = |one: &Passkey| Authenticator { kind: AuthenticatorKind::Passkey, id: one.id.into() };
    new.map(|one| SecurityEvent::PasskeySuspected(named(one))).collect()
}

fn is_another_set(before: &Ledger, set: &RecoverySet) -> bool {
    before.recovery.as_ref().is_none_or(|known| known.id != set.id)
}

fn recovery(before: &Ledger, after: &Ledger) -> Option<SecurityEvent> {
    let set = after.recovery.as_ref()?;
    if is_another_set(before, set) {
        return Some(SecurityEvent::RecoveryCodesMade);
    }
    let (left, used) = (set.left(), before.recovery.as_ref().is_some_and(|known| known.left() > set.left()));
    used.then_some(match left {
        3 | 1 | 0 => SecurityEvent::RecoveryCodesLow { left },
        _ => SecurityEvent::RecoveryCodeUsed { left },
    })
}

fn wrong_codes(before: &Failures, after: &Failures) -> Option<SecurityEvent> {
    match (before.are_codes_off(), after.are_codes_off()) {
        (false, true) => Some(SecurityEvent::CodesOff),
        _ if after.locked_until > before.locked_until => Some(SecurityEvent::Locked { until: after.locked_until }),
        _ => None,
    }
}

/// What an operator's commit did. `None` if it changed nothing about the user.
fn operator_change(before: &Ledger, after: &Ledger, is_new: bool) -> Option<OperatorChange> {
    let steps = after.security_epoch.wrapping_sub(before.security_epoch);
    match steps {
        _ if is_new => Some(OperatorChange::Imported),
        0 => (before.failures != after.failures).then_some(OperatorChange::Unlocked),
        1 if has_no_factor(after) && !after.enabled => Some(OperatorChange::Reset),
        1 => Some(OperatorChange::SessionsEnded),
        _ => Some(OperatorChange::Restored),
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::domain::{
        AddressTag, CommitId, Factor, GuessTag, PasskeyId, Policy, RecoveryId,
        ledger::{Backup, Device, KnownNetwork},
    };

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
    const LOGIN: LoginId = LoginId([1; 8]);

    fn device(n: u128, inactive: bool) -> Device {
        let id = DeviceId(Uuid::from_u128(n));
        Device { id, last_step: 1, last_used_at: None, confirmed_by: Some(LOGIN), inactive }
    }

    fn named(n: u128) -> Authenticator {
        Authenticator { kind: AuthenticatorKind::Totp, id: DeviceId(Uuid::from_u128(n)) }
    }

    fn set(n: u8, used_mask: u16) -> RecoverySet {
        RecoverySet { id: RecoveryId([n; 8]), used_mask, created: NOW, made_by: Some(LOGIN) }
    }

    fn proven(n: u8) -> AddressTag {
        AddressTag { method: Method::Sms, hash: [n; 8] }
    }

    /// A user with MFA on, an authenticator that counts and one that does not, and recovery codes.
    fn user() -> Ledger {
        let mut ledger = Ledger { enabled: true, recovery: Some(set(1, 0)), ..Ledger::fresh(7) };
        ledger.devices = vec![device(1, false), device(2, true)];
        ledger.prove(proven(1), Some(LOGIN));
        ledger
    }

    fn after(change: impl FnOnce(&mut Ledger)) -> Vec<SecurityEvent> {
        let mut ledger = user();
        change(&mut ledger);
        observe(Some(&user()), &ledger.committed_as(CommitId([7; 8]))).events
    }

    #[test]
    fn each_change_is_told_as_what_it_is() {
        use SecurityEvent as Event;
        assert_eq!(after(|ledger| ledger.enabled = false), [Event::MfaOff]);
        assert_eq!(after(|ledger| ledger.devices.push(device(3, false))), [Event::AuthenticatorAdded(named(3))]);
        assert_eq!(after(|ledger| ledger.devices[1].inactive = false), [Event::AuthenticatorActivated(named(2))]);
        assert_eq!(after(|ledger| ledger.devices[0].inactive = true), [], "switching on says it");
        let removed = after(|ledger| {
            ledger.devices.remove(0);
            ledger.begin_epoch(None);
        });
        assert_eq!(removed, [Event::AuthenticatorRemoved(named(1))], "that it ends sessions is a part of it");
        assert_eq!(after(|ledger| ledger.recovery = Some(set(2, 0))), [Event::RecoveryCodesMade]);
        assert_eq!(after(|ledger| ledger.prove(proven(2), None)), [Event::AddressProven(Method::Sms)]);
        assert_eq!(after(|ledger| ledger.prove(proven(1), None)), [], "it is known");
        assert_eq!(after(|ledger| ledger.begin_epoch(None)), [Event::SessionsEnded]);
        assert_eq!(after(Ledger::start_over), [Event::Reset]);
        assert_eq!(after(|_| {}), []);
    }

    #[test]
    fn passkeys_are_told_of_as_authenticators_are_and_a_possible_copy_is_told_once() {
        let passkey = |n: u8| Passkey {
            id: PasskeyId([n; 8]),
            spent_until: NOW,
            counter: 1,
            confirmed_by: Some(LOGIN),
            inactive: n == 2,
            used: true,
            backup: Backup::Never,
            suspected: false,
        };
        let named = |n: u8| Authenticator { kind: AuthenticatorKind::Passkey, id: PasskeyId([n; 8]).into() };
        let mut before = user();
        before.passkeys = vec![passkey(1), passkey(2)];
        let told = |change: &dyn Fn(&mut Ledger)| {
            let mut ledger = before.clone();
            change(&mut ledger);
            observe(Some(&before), &ledger.committed_as(CommitId([7; 8]))).events
        };
        assert_eq!(told(&|ledger| ledger.passkeys.push(passkey(3))), [SecurityEvent::AuthenticatorAdded(named(3))]);
        let activated = told(&|ledger| ledger.passkeys[1].inactive = false);
        assert_eq!(activated, [SecurityEvent::AuthenticatorActivated(named(2))]);
        assert_eq!(told(&|ledger| _ = ledger.passkeys.remove(0)), [SecurityEvent::AuthenticatorRemoved(named(1))]);
        assert_eq!(told(&|ledger| ledger.passkeys[0].counter = 2), [], "it was used");
        assert_eq!(told(&Ledger::start_over), [SecurityEvent::Reset]);
        let suspect = |ledger: &mut Ledger| ledger.passkeys[0].suspected = true;
        assert_eq!(told(&suspect), [SecurityEvent::PasskeySuspected(named(1))]);
        let mut noted = before.clone();
        suspect(&mut noted);
        assert_eq!(observe(Some(&noted), &noted).events, []);
        let mut only_passkeys = Ledger { devices: Vec::new(), recovery: None, proven: Vec::new(), ..before.clone() };
        only_passkeys.begin_epoch(None);
        assert_ne!(observe(Some(&before), &only_passkeys).events, [SecurityEvent::Reset], "a factor is left");
    }

    #[test]
    fn what_a_new_user_does_first_is_told_and_a_fresh_epoch_is_not() {
        let ledger = Ledger::fresh(7).committed_as(CommitId([1; 8]));
        assert_eq!(observe(None, &ledger), Observed::default());
        let mut ledger = Ledger { enabled: true, ..ledger };
        ledger.devices.push(device(1, false));
        let events = observe(None, &ledger).events;
        assert_eq!(events, [SecurityEvent::MfaOn, SecurityEvent::AuthenticatorAdded(named(1))]);
    }

    #[test]
    fn a_used_recovery_code_says_how_many_are_left_and_three_one_and_none_are_few() {
        let used = |count: u32| {
            let mut before = user();
            before.recovery = Some(set(1, (1 << (count - 1)) - 1));
            let mut after = before.clone();
            after.recovery = Some(set(1, (1 << count) - 1));
            after.begin_epoch(None);
            observe(Some(&before), &after).events
        };
        for count in 1..=10 {
            let left = 10 - count;
            let expected = match left {
                3 | 1 | 0 => SecurityEvent::RecoveryCodesLow { left },
                _ => SecurityEvent::RecoveryCodeUsed { left },
            };
            assert_eq!(used(count), [expected]);
        }
    }

    #[test]
    fn a_lock_is_told_when_it_begins_and_codes_that_are_off_once() {
        let mut ledger = user();
        let mut told = Vec::new();
        let mut now = NOW;
        for n in 0..=Policy::FAILURES_BEFORE_OFF {
            now = ledger.failures.locked_until.max(now).plus(std::time::Duration::from_mins(1));
            let before = ledger.clone();
            ledger.failures.wrong(GuessTag([n; 8]), 1, now);
            told.extend(observe(Some(&before), &ledger).events);
        }
        let off = told.iter().filter(|event| **event == SecurityEvent::CodesOff).count();
        let locks = told.iter().filter(|event| matches!(event, SecurityEvent::Locked { .. })).count();
        assert_eq!(off, 1);
        assert!(locks > 10 && told.iter().all(SecurityEvent::is_told_once_a_day), "{told:?}");
        let before = ledger.clone();
        ledger.failures.unlock(now);
        assert_eq!(observe(Some(&before), &ledger).events, []);
    }

    #[test]
    fn what_an_operator_does_is_told_as_that_alone() {
        let by_operator = |before: Option<Ledger>, change: &dyn Fn(&mut Ledger)| {
            let mut ledger = before.clone().unwrap_or_else(|| Ledger::fresh(3));
            change(&mut ledger);
            let ledger = ledger.committed_as(CommitId([7; 8]).of_operator());
            observe(before.as_ref(), &ledger).events
        };
        let told = |change| vec![SecurityEvent::ByOperator(change)];
        let locked = || {
            let mut ledger = user();
            ledger.failures.wrong(GuessTag([1; 8]), 1, NOW);
            Some(ledger)
        };
        let unlock = |ledger: &mut Ledger| ledger.failures = Failures::default();
        assert_eq!(by_operator(locked(), &unlock), told(OperatorChange::Unlocked));
        assert_eq!(by_operator(Some(user()), &unlock), [], "there was nothing to forget");
        assert_eq!(by_operator(Some(user()), &Ledger::start_over), told(OperatorChange::Reset));
        assert_eq!(by_operator(Some(user()), &|ledger| ledger.begin_epoch(None)), told(OperatorChange::SessionsEnded));
        assert_eq!(
            by_operator(Some(user()), &|ledger| ledger.security_epoch += 1 << 20),
            told(OperatorChange::Restored)
        );
        assert_eq!(by_operator(None, &|ledger| ledger.enabled = true), told(OperatorChange::Imported));
    }

    #[test]
    fn the_login_and_the_network_are_those_that_the_commit_added() {
        let mut ledger = user();
        ledger.remember(LoginId([5; 8]), Factor::Code(Method::Totp), NOW);
        ledger.know(NetworkTag([6; 8]), NOW);
        let observed = observe(Some(&user()), &ledger);
        assert_eq!((observed.login, observed.network), (Some(LoginId([5; 8])), Some(NetworkTag([6; 8]))));
        let mut next = ledger.clone();
        next.recovery = Some(set(9, 0));
        let observed = observe(Some(&ledger), &next);
        assert_eq!((observed.login, observed.network), (Some(LOGIN), None));
        assert_eq!(ledger.networks, [KnownNetwork { tag: NetworkTag([6; 8]), used_at: NOW }]);
    }
}
