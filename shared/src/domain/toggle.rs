use super::{Context, Decision, Ledger, Method, Policy, Refusal, Snapshot, gate, ledger::Grace};

/// What a toggle did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switch {
    /// MFA is on.
    On,
    /// MFA is off.
    Off,
}

/// Switches MFA on or off. Idempotent: requesting the current state succeeds and changes nothing.
#[must_use]
pub fn toggle(snapshot: &Snapshot, wanted: Switch, cx: &Context<'_>) -> Decision<Switch> {
    if let Err(refusal) = gate::require_fresh_factor(snapshot, cx) {
        return Decision::refuse(refusal);
    }
    let enabled = snapshot.ledger.enabled;
    match wanted {
        _ if !cx.policy.allow_user_toggle => Decision::refuse(Refusal::ToggleNotAllowed),
        Switch::Off if cx.policy.required => Decision::refuse(Refusal::ToggleNotAllowed),
        Switch::On if enabled => Decision::NoChange(Ok(wanted)),
        Switch::Off if !enabled => Decision::NoChange(Ok(wanted)),
        Switch::On => {
            let mut ledger = snapshot.ledger.clone();
            switch_on(&mut ledger, cx);
            let after = Snapshot { ledger, ..snapshot.clone() };
            if gate::usable_methods(&after, cx).is_empty() {
                return Decision::refuse(Refusal::NoUsableMethod);
            }
            Decision::commit(after.ledger, Ok(wanted))
        }
        Switch::Off => {
            let mut ledger = snapshot.ledger.clone();
            ledger.enabled = false;
            ledger.begin_epoch();
            ledger.codes.clear();
            Decision::commit(ledger, Ok(wanted))
        }
    }
}

/// What any right code does in addition to its own effect: the consecutive count is reset, the login is remembered, and
/// if the application requires MFA, the first right code switches it on.
pub(super) fn right_code(ledger: &mut Ledger, cx: &Context<'_>) {
    ledger.failures.right();
    ledger.remember(cx.caller.login, cx.now);
    if cx.policy.required && !ledger.enabled {
        switch_on(ledger, cx);
    }
}

/// Switches MFA on: a new security epoch, and nothing that an intruder may have planted before it goes on.
fn switch_on(ledger: &mut Ledger, cx: &Context<'_>) {
    ledger.enabled = true;
    ledger.begin_epoch();
    ledger.codes.clear();

    // A device that another login confirmed may be an intruder's. Its owner only has to enter one of its codes first
    // (`docs/decisions/0005-planted-devices.md`).
    ledger.devices.retain(|device| device.confirmed_by.is_none_or(|login| login == cx.caller.login));
    for device in &mut ledger.devices {
        device.confirmed_by = None;
    }

    let recent = |made| cx.now.since(made) <= Policy::RECOVERY_TRUSTED_FOR;
    ledger.recovery = ledger.recovery.take().filter(|set| recent(set.created));

    ledger.proven.clear();
    Method::ALL.iter().filter_map(|method| cx.caller.address_tag(*method)).for_each(|tag| ledger.prove(tag));

    let own = ledger.recent.iter().find(|recent| recent.login == cx.caller.login);
    ledger.grace = own
        .map(|recent| Grace { login: recent.login, until: recent.verified_at.plus(Policy::PROOF_FRESH_FOR) })
        .filter(|grace| grace.until > cx.now);
}
