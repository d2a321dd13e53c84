use super::{
    AddressTag, Context, Decision, DeviceId, Factor, Ledger, Method, Policy, Refusal, Snapshot, gate,
    ledger::{Grace, RecentLogin},
    listing::device_name,
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
        Switch::Off if cx.policy.required => Decision::refuse(Refusal::ToggleNotAllowed),
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
/// no gate shut, until a code goes there again.
///
/// If MFA was switched on with an address that no code was sent to before, no code has been judged
/// right since, and nothing else opens the gate, then MFA goes off again: the user has no factor
/// that they could lose, and nobody but the provider can bring it about. Says whether it did.
pub(super) fn refused_for_good(ledger: &mut Ledger, snapshot: &Snapshot, tag: AddressTag, cx: &Context<'_>) -> bool {
    ledger.set_refused(tag, true);
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
    !cx.policy.enrol_with_code && snapshot.verified_devices().next().is_none()
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
    remember(ledger, factor, cx);
    let switches_on = cx.policy.required && !ledger.enabled;
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
        device.inactive = !cx.is_own(device.confirmed_by);
        stopped.inactive_devices.extend(device.inactive.then(|| (device.id, device_name(snapshot, device.id))));
    }
    stopped.recovery_codes_voided = ledger.recovery.take_if(|set| !cx.is_own(set.made_by)).is_some();
    let unproven = ledger.proven.extract_if(.., |address| !cx.is_own(address.by));
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
