use super::{
    AddressTag, Context, Decision, DeviceId, Factor, Ledger, Method, Policy, Refusal, Snapshot, gate,
    ledger::{Grace, RecentLogin, Unreachable},
    listing::{device_name, passkey_name},
    verify::Verified,
};

/// What a toggle did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switch {
    /// MFA is on.
    On,
    /// MFA is off.
    Off,
}

/// What no longer counts since MFA was switched on, because another login made it. It may be an
/// intruder's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stopped {
    /// These authenticators are inactive until one of their codes is entered under a fresh proof.
    /// With their names.
    pub inactive_devices: Vec<(DeviceId, String)>,
    /// The recovery codes are void.
    pub recovery_codes_voided: bool,
    /// These addresses receive no code without a proof. Masked. If the token does not carry an
    /// address, nothing of it is shown, because the ledger knows only its hash.
    pub addresses_unproven: Vec<String>,
}

/// How a toggle ended.
#[derive(Clone, Debug)]
pub struct Toggled {
    /// What MFA is now.
    pub switch: Switch,
    /// What stopped counting.
    pub stopped: Stopped,
    /// What the caller proved in the last quarter of an hour, if the toggle switched MFA on.
    pub verified: Option<Verified>,
}

/// Switches MFA on or off. Idempotent: requesting the current state succeeds and changes nothing.
#[must_use]
pub fn toggle(snapshot: &Snapshot, wanted: Switch, cx: &Context<'_>) -> Decision<Toggled> {
    if let Err(refusal) = gate::require_fresh_factor(snapshot, cx) {
        return Decision::refuse(refusal);
    }
    let enabled = snapshot.ledger.enabled;
    let done = |stopped, verified| Ok(Toggled { switch: wanted, stopped, verified });
    match wanted {
        _ if !cx.policy.allow_user_toggle => Decision::refuse(Refusal::ToggleNotAllowed),
        Switch::Off if gate::is_required(&snapshot.ledger, cx) => Decision::refuse(Refusal::ToggleNotAllowed),
        Switch::On if enabled => Decision::NoChange(done(Stopped::default(), None)),
        Switch::Off if !enabled => Decision::NoChange(done(Stopped::default(), None)),
        Switch::On => {
            let mut ledger = snapshot.ledger.clone();
            let proves = first_address(snapshot, cx).filter(|_| is_proven_by_toggle(snapshot, cx));
            let stopped = switch_on(&mut ledger, snapshot, proves, cx);
            let after = Snapshot { ledger, ..snapshot.clone() };
            if !gate::has_lasting_method(&after, true, cx) {
                return Decision::refuse(Refusal::NoUsableMethod);
            }
            let verified = own_recent(&after.ledger, cx).filter(|_| after.ledger.grace.is_some());
            let verified = verified.map(|recent| Verified::of(&after.ledger, recent.factor, recent.verified_at));
            Decision::commit(after.ledger, done(stopped, verified)).carrying_session(&snapshot.ledger, cx)
        }
        Switch::Off => {
            let mut ledger = snapshot.ledger.clone();
            switch_off(&mut ledger, rest_of_proof(snapshot, cx));
            Decision::commit(ledger, done(Stopped::default(), None)).carrying_session(&snapshot.ledger, cx)
        }
    }
}

/// Switches MFA off: a new security epoch, and no outstanding code.
fn switch_off(ledger: &mut Ledger, grace: Option<Grace>) {
    ledger.enabled = false;
    ledger.begin_epoch(grace);
    ledger.codes.clear();
}

/// What follows when the provider refuses the caller's address for good: it is no method and holds
/// no gate shut, until a code goes there again, and for a number a day at most.
///
/// If MFA was switched on with an address that no code was sent to before, no code has been judged
/// right since, and nothing else opens the gate, then MFA goes off again: the user has no factor
/// that they could lose, and nobody but the provider can bring it about. Says whether it did.
pub(super) fn refused_for_good(ledger: &mut Ledger, snapshot: &Snapshot, tag: AddressTag, cx: &Context<'_>) -> bool {
    let until = match tag.method {
        Method::Email | Method::Totp | Method::Passkey => None,
        Method::Sms => Some(cx.now.plus(Policy::NUMBER_UNREACHABLE_FOR)),
    };
    ledger.set_unreachable(tag, Some(Unreachable::Refused { until }));
    let after = Snapshot { ledger: ledger.clone(), ..snapshot.clone() };
    let has_nothing = || !gate::has_lasting_method(&after, true, cx) && !after.has_recovery_code();
    let goes_off = ledger.enabled && ledger.is_untried() && has_nothing();
    if goes_off {
        switch_off(ledger, None);
    }
    goes_off
}

/// The grace of a caller who passed the gate by a fresh proof, or by a grace, and begins an epoch:
/// the rest of that quarter of an hour. It is never prolonged, and an open gate gives none.
pub(super) fn rest_of_proof(snapshot: &Snapshot, cx: &Context<'_>) -> Option<Grace> {
    let until = gate::proven_until(snapshot, cx).filter(|_| gate::is_gated(snapshot, cx))?;
    Some(Grace { holder: cx.grace_holder()?, until })
}

/// Whether a toggle proves the caller's first address, for clients that switch on at once. It does
/// so only for a user without any authenticator, because an intruder may have changed the address.
/// The threat model says what this costs, and `MFA_ENROL_WITH_CODE` ends it.
fn is_proven_by_toggle(snapshot: &Snapshot, cx: &Context<'_>) -> bool {
    let has_any = snapshot.verified_devices().next().is_some() || snapshot.named_passkeys().next().is_some();
    !cx.policy.enrol_with_code && !has_any
}

/// The caller's address for the first method that the application offers.
fn first_address(snapshot: &Snapshot, cx: &Context<'_>) -> Option<AddressTag> {
    let reaches_caller = |method: &&Method| gate::reaches_caller(snapshot, **method, cx);
    cx.policy.methods.iter().find(reaches_caller).and_then(|method| cx.caller.address_tag(*method))
}

/// What any right code of a method does in addition to its own effect: the consecutive count is
/// reset, the login is remembered, and if the application requires MFA, the first right code
/// switches it on.
pub(super) fn right_code(ledger: &mut Ledger, snapshot: &Snapshot, factor: Factor, cx: &Context<'_>) -> Stopped {
    ledger.failures.right();
    right_factor(ledger, snapshot, factor, cx)
}

/// The same of a passkey, which is no code: it passes a lock and leaves the count of wrong codes alone.
pub(super) fn right_factor(ledger: &mut Ledger, snapshot: &Snapshot, factor: Factor, cx: &Context<'_>) -> Stopped {
    remember(ledger, factor, cx);
    // Asked of the ledger with the factor that the code was of: who enrols before a date that is to
    // come has MFA on, and the grace of switching it on.
    let switches_on = gate::is_required(ledger, cx) && !ledger.enabled;
    let stopped = if switches_on { switch_on(ledger, snapshot, None, cx) } else { Stopped::default() };
    ledger.switched_on_with(None);
    // While MFA is off, a right code may be that of an intruder.
    if let Some(network) = cx.network().filter(|_| ledger.enabled) {
        ledger.know(network, cx.now);
    }
    stopped
}

/// Remembers the login for the grace of switching on.
pub(super) fn remember(ledger: &mut Ledger, factor: Factor, cx: &Context<'_>) {
    if let Some(login) = cx.provenance {
        ledger.remember(login, factor, cx.now);
    }
}

/// Switches MFA on: a new security epoch, and nothing counts that another login made or last used
/// (`docs/decisions/0005-planted-devices.md`), except the address that switching on `proves`.
/// Returns what stopped counting.
fn switch_on(ledger: &mut Ledger, snapshot: &Snapshot, proves: Option<AddressTag>, cx: &Context<'_>) -> Stopped {
    let mut stopped = Stopped::default();
    ledger.enabled = true;
    ledger.codes.clear();
    ledger.forget_networks_but(cx.network());

    for device in &mut ledger.devices {
        device.inactive = !cx.is_trustworthy(device.confirmed_by);
        stopped.inactive_devices.extend(device.inactive.then(|| (device.id, device_name(snapshot, device.id))));
    }
    for passkey in &mut ledger.passkeys {
        passkey.inactive = !cx.is_trustworthy(passkey.confirmed_by);
        let listed = || (passkey.id.into(), passkey_name(snapshot, passkey.id));
        stopped.inactive_devices.extend(passkey.inactive.then(listed));
    }
    stopped.recovery_codes_voided = ledger.recovery.take_if(|set| !cx.is_own(set.made_by)).is_some();
    let unproven = ledger.proven.extract_if(.., |address| !cx.is_trustworthy(address.by));
    let unproven = unproven.filter(|address| Some(address.tag) != proves);
    stopped.addresses_unproven = unproven.map(|address| masked(address.tag, cx)).collect();
    let tried = Snapshot { ledger: ledger.clone(), ..snapshot.clone() };
    let untried = first_address(&tried, cx).filter(|_| !gate::has_tried_method(&tried, cx));
    ledger.switched_on_with(untried);
    if let Some(tag) = proves {
        ledger.prove(tag, cx.provenance);
    }

    let until = own_recent(ledger, cx).map(|recent| recent.verified_at.plus(Policy::PROOF_FRESH_FOR));
    let grace = cx.grace_holder().zip(until.filter(|until| *until > cx.now));
    ledger.begin_epoch(grace.map(|(holder, until)| Grace { holder, until }));
    stopped
}

fn masked(tag: AddressTag, cx: &Context<'_>) -> String {
    let own = cx.caller.contact.address_for(tag.method).ok().filter(|_| cx.caller.address_tag(tag.method) == Some(tag));
    own.map_or_else(|| tag.method.hidden_address().to_owned(), |address| address.masked())
}

/// Whether the caller's own login gave a right code within the last quarter of an hour.
pub(super) fn was_right_lately(snapshot: &Snapshot, cx: &Context<'_>) -> bool {
    own_recent(&snapshot.ledger, cx).is_some_and(|recent| recent.verified_at.plus(Policy::PROOF_FRESH_FOR) > cx.now)
}

/// When and how the caller's own login last gave a right code.
fn own_recent<'a>(ledger: &'a Ledger, cx: &Context<'_>) -> Option<&'a RecentLogin> {
    ledger.recent.iter().find(|recent| cx.is_own(Some(recent.login)))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::{
        ClaimedPolicy, CodeId, LoginId, NetworkTag, NoAddress, RecoveryId, Timestamp,
        ledger::{KnownNetwork, ProvenAddress, RecoverySet, SentCode},
        recovery::RecoveryRecord,
        scenario::{NOW, OTHER, OWN, Scenario, committed, refused},
    };

    const TOTP: Factor = Factor::Code(Method::Totp);

    fn ago(seconds: u64) -> Timestamp {
        Timestamp::from_secs(NOW.as_secs() - seconds)
    }

    /// The user gets recovery codes that `by` made.
    fn add_recovery_codes(scenario: &mut Scenario, by: LoginId) {
        let id = RecoveryId([1; 8]);
        scenario.user.recovery.push(RecoveryRecord { id, tags: Vec::new() });
        scenario.user.ledger.recovery = Some(RecoverySet { id, used_mask: 0, created: NOW, made_by: Some(by) });
    }

    /// The login gets a code that is not used yet.
    fn add_code(scenario: &mut Scenario) {
        scenario.user.ledger.codes.push(SentCode { id: CodeId([1; 8]), login: OWN, known: false, until: NOW });
    }

    fn networks(ledger: &Ledger) -> Vec<NetworkTag> {
        ledger.networks.iter().map(|network| network.tag).collect()
    }

    #[test]
    fn a_person_toggles_if_the_application_lets_them_and_asking_again_changes_nothing() {
        use Switch::{Off, On};
        let not_allowed = || Err(Refusal::ToggleNotAllowed);
        for (allowed, required, enabled, wanted, changes) in [
            (true, false, false, On, Ok(true)),
            (true, false, true, On, Ok(false)),
            (true, false, true, Off, Ok(true)),
            (true, false, false, Off, Ok(false)),
            (true, true, false, On, Ok(true)),
            (true, true, true, Off, not_allowed()),
            (true, true, false, Off, not_allowed()),
            (false, false, false, On, not_allowed()),
            (false, false, true, Off, not_allowed()),
        ] {
            let mut scenario = if enabled { Scenario::enabled() } else { Scenario::new() };
            (scenario.policy.allow_user_toggle, scenario.policy.required) = (allowed, required);
            scenario.prove(Duration::ZERO);
            scenario.add_device(1, OWN);
            add_code(&mut scenario);
            let case = format!("allowed {allowed}, required {required}, on {enabled}, wanted {wanted:?}");
            let outcome = match toggle(&scenario.user, wanted, &scenario.cx()) {
                Decision::NoChange(outcome) => outcome.map(|toggled| (toggled.switch, false)),
                Decision::Commit(change) => {
                    assert_eq!(change.ledger.enabled, wanted == On, "{case}");
                    assert_eq!(change.ledger.security_epoch, scenario.user.ledger.security_epoch + 1, "{case}");
                    assert_eq!((change.ledger.codes, change.after.len()), (Vec::new(), 1), "{case}");
                    change.outcome.map(|toggled| (toggled.switch, true))
                }
            };
            assert_eq!(outcome, changes.map(|changes| (wanted, changes)), "{case}");
        }
    }

    #[test]
    fn switching_on_proves_the_first_address_of_a_user_without_any_authenticator_alone() {
        for (device, enrol_with_code, expected) in [
            (None, false, Ok(true)),
            (None, true, Err(Refusal::NoUsableMethod)),
            (Some(OWN), false, Ok(false)),
            (Some(OTHER), false, Err(Refusal::NoUsableMethod)),
        ] {
            let mut scenario = Scenario::new();
            scenario.policy.methods = vec![Method::Totp, Method::Sms, Method::Email];
            scenario.policy.enrol_with_code = enrol_with_code;
            scenario.prove(Duration::ZERO);
            if let Some(by) = device {
                scenario.add_device(1, by);
            }
            let decision = toggle(&scenario.user, Switch::On, &scenario.cx());
            let case = format!("authenticator of {device:?}, enrolment with a code {enrol_with_code}");
            match expected {
                Err(refusal) => assert_eq!(refused(decision), refusal, "{case}"),
                Ok(is_proven) => {
                    let sms = ProvenAddress { tag: scenario.tag(Method::Sms), by: Some(OWN) };
                    assert_eq!(committed(decision).ledger.proven, is_proven.then_some(sms).as_slice(), "{case}");
                }
            }
        }
    }

    #[test]
    fn an_address_that_switching_on_proved_is_untried_unless_this_login_gave_a_code_for_it() {
        for (by, untried) in [(None, true), (Some(OTHER), true), (Some(OWN), false)] {
            let mut scenario = Scenario::new();
            let tag = scenario.tag(Method::Email);
            if by.is_some() {
                scenario.user.ledger.prove(tag, by);
            }
            let ledger = committed(toggle(&scenario.user, Switch::On, &scenario.cx())).ledger;
            assert_eq!(ledger.is_untried(), untried, "proven before by {by:?}");
            assert_eq!(ledger.proven, [ProvenAddress { tag, by: Some(OWN) }]);
        }
    }

    #[test]
    fn when_mfa_comes_on_what_another_login_made_stops_counting_and_is_named() {
        for (by, stops) in [(OWN, false), (OTHER, true)] {
            let mut scenario = Scenario::new();
            scenario.add_device(1, OWN);
            let device = scenario.add_device(2, by);
            add_recovery_codes(&mut scenario, by);
            let former = AddressTag { method: Method::Sms, hash: [9; 8] };
            let own_network = scenario.cx().network().expect("a network");
            let ledger = &mut scenario.user.ledger;
            ledger.networks = [own_network, NetworkTag([9; 8])].map(|tag| KnownNetwork { tag, used_at: NOW }).into();
            for tag in [scenario.caller.address_tags[0], former] {
                ledger.prove(tag, Some(by));
            }

            let change = committed(toggle(&scenario.user, Switch::On, &scenario.cx()));
            let stopped = change.outcome.expect("it is on").stopped;
            let expected = Stopped {
                inactive_devices: vec![(device, "Phone 2".to_owned())],
                recovery_codes_voided: true,
                addresses_unproven: vec!["a***@example.com".to_owned(), "+***".to_owned()],
            };
            assert_eq!(stopped, if stops { expected } else { Stopped::default() });
            let ledger = change.ledger;
            assert_eq!(ledger.devices.iter().map(|device| device.inactive).collect::<Vec<_>>(), [false, stops]);
            assert_eq!((ledger.recovery.is_none(), ledger.proven.is_empty()), (stops, stops));
            assert_eq!(networks(&ledger), [own_network]);
        }
    }

    #[test]
    fn who_gave_a_right_code_in_the_last_quarter_of_an_hour_and_switches_on_has_the_rest_of_it() {
        for (login, seconds, proven) in [(OWN, 0, true), (OWN, 899, true), (OWN, 900, false), (OTHER, 0, false)] {
            let mut scenario = Scenario::new();
            scenario.add_device(1, OWN);
            scenario.user.ledger.remember(login, TOTP, ago(seconds));
            assert_eq!(was_right_lately(&scenario.user, &scenario.cx()), proven, "{login:?}, {seconds} s ago");
            let change = committed(toggle(&scenario.user, Switch::On, &scenario.cx()));
            let grace = Grace { holder: OWN, until: ago(seconds).plus(Duration::from_mins(15)) };
            assert_eq!(change.ledger.grace, proven.then_some(grace), "{login:?}, {seconds} s ago");
            let verified = change.outcome.expect("it is on").verified;
            let shown = verified.map(|verified| (verified.factor, verified.auth_time, verified.security_epoch));
            assert_eq!(shown, proven.then_some((TOTP, ago(seconds), change.ledger.security_epoch)));
        }
    }

    #[test]
    fn who_ends_an_epoch_keeps_the_rest_of_a_proof_that_opened_a_shut_gate() {
        for (enabled, seconds, left) in [(true, Some(60), Some(840)), (false, Some(60), None), (true, None, None)] {
            let mut scenario = if enabled { Scenario::enabled() } else { Scenario::new() };
            let session = seconds.map(|seconds| scenario.prove(Duration::from_secs(seconds)));
            let holder = session.map_or(OWN, |id| scenario.keys.session_login(id));
            let until = left.map(|left| NOW.plus(Duration::from_secs(left)));
            let grace = rest_of_proof(&scenario.user, &scenario.cx());
            assert_eq!(grace, until.map(|until| Grace { holder, until }), "MFA on {enabled}, {seconds:?}");
        }
    }

    #[test]
    fn mfa_goes_off_if_the_provider_refuses_the_untried_address_that_is_all_a_user_has() {
        type Has = fn(&mut Scenario);
        let cases: [(&str, Has, bool); 6] = [
            ("nothing else", |_| (), true),
            ("a recovery code", |scenario| add_recovery_codes(scenario, OWN), false),
            ("an authenticator", |scenario| _ = scenario.add_device(1, OWN), false),
            (
                "an inactive one",
                |scenario| {
                    scenario.add_device(1, OTHER);
                    scenario.user.ledger.devices[0].inactive = true;
                },
                true,
            ),
            ("given a right code", |scenario| scenario.user.ledger.switched_on_with(None), false),
            ("MFA off", |scenario| scenario.user.ledger.enabled = false, false),
        ];
        for (what, has, goes_off) in cases {
            let mut scenario = Scenario::enabled();
            scenario.caller.contact.phone = Err(NoAddress::Absent);
            let tag = scenario.tag(Method::Email);
            scenario.user.ledger.prove(tag, Some(OWN));
            scenario.user.ledger.switched_on_with(Some(tag));
            add_code(&mut scenario);
            has(&mut scenario);
            let mut ledger = scenario.user.ledger.clone();
            assert_eq!(refused_for_good(&mut ledger, &scenario.user, tag, &scenario.cx()), goes_off, "{what}");
            assert_eq!(ledger.enabled, scenario.user.ledger.enabled && !goes_off, "{what}");
            assert_eq!(ledger.security_epoch > scenario.user.ledger.security_epoch, goes_off, "{what}");
            assert_eq!((ledger.codes.is_empty(), ledger.is_refused(tag, NOW)), (goes_off, true), "{what}");
        }
    }

    #[test]
    fn a_right_code_switches_mfa_on_if_it_is_required_and_makes_the_network_known_if_it_is_on() {
        for (required, enabled, on) in
            [(false, false, false), (false, true, true), (true, false, true), (true, true, true)]
        {
            let mut scenario = if enabled { Scenario::enabled() } else { Scenario::new() };
            scenario.policy.required = required;
            let before = &mut scenario.user.ledger;
            before.switched_on_with(Some(scenario.caller.address_tags[0]));
            before.failures.consecutive = 4;
            let mut ledger = before.clone();
            right_code(&mut ledger, &scenario.user, TOTP, &scenario.cx());
            let case = format!("required {required}, on {enabled}");
            assert_eq!(
                (ledger.enabled, ledger.security_epoch > scenario.user.ledger.security_epoch),
                (on, on && !enabled)
            );
            let network = on.then(|| scenario.cx().network()).flatten();
            assert_eq!(networks(&ledger), network.as_slice(), "{case}");
            assert_eq!((ledger.failures.consecutive, ledger.is_untried()), (0, false), "{case}");
            assert_eq!(ledger.recent, [RecentLogin { login: OWN, verified_at: NOW, factor: TOTP }], "{case}");
        }
    }

    #[test]
    fn who_enrols_while_the_requirement_is_lifted_has_mfa_on_and_the_grace_of_it() {
        let says = |required, from, exempt| ClaimedPolicy { required, required_from: from, exempt };
        let later = Some(NOW.plus(Duration::from_secs(1)));
        for (setting, claimed, on) in [
            (true, says(false, None, true), true),
            (true, says(false, later, false), true),
            (false, says(true, later, false), true),
            (false, says(false, later, false), false),
            (false, says(false, None, true), false),
            (false, says(true, None, false), true),
        ] {
            let mut scenario = Scenario::new();
            (scenario.policy.required, scenario.caller.claimed_policy) = (setting, claimed);
            let mut ledger = scenario.user.ledger.clone();
            ledger.prove(scenario.tag(Method::Email), Some(OWN));
            right_code(&mut ledger, &scenario.user, Factor::Code(Method::Email), &scenario.cx());
            assert_eq!((ledger.enabled, ledger.grace.is_some()), (on, on), "setting {setting}, {claimed:?}");
        }
    }

    #[test]
    fn nobody_whom_a_claim_requires_to_use_mfa_switches_it_off() {
        let off = |claimed: ClaimedPolicy, setting| {
            let mut scenario = Scenario::enabled();
            scenario.prove(Duration::ZERO);
            scenario.add_device(1, OWN);
            (scenario.policy.required, scenario.caller.claimed_policy) = (setting, claimed);
            match toggle(&scenario.user, Switch::Off, &scenario.cx()) {
                Decision::Commit(change) => change.outcome.map(|toggled| toggled.switch),
                Decision::NoChange(outcome) => outcome.map(|toggled| toggled.switch),
            }
        };
        let required = ClaimedPolicy { required: true, ..ClaimedPolicy::default() };
        let exempt = ClaimedPolicy { exempt: true, ..ClaimedPolicy::default() };
        assert_eq!(off(required, false), Err(Refusal::ToggleNotAllowed));
        assert_eq!(off(exempt, true), Err(Refusal::ToggleNotAllowed), "an exemption is for who has no factor");
        assert_eq!(off(exempt, false), Ok(Switch::Off));
    }

    #[test]
    fn a_right_code_of_a_login_that_others_share_is_remembered_of_nobody() {
        let mut scenario = Scenario::new();
        scenario.caller.provenance = None;
        let mut ledger = scenario.user.ledger.clone();
        right_code(&mut ledger, &scenario.user, TOTP, &scenario.cx());
        assert_eq!(ledger.recent, []);
    }
}
