//! The MFA gate, and what a user can use.
//!
//! Three questions are asked of the same state, and no two of them are the same:
//!
//! - *demanded* ([`is_demanded`]): must this user show a second factor? Clients and the authorizer ask this.
//! - *gated* ([`is_gated`]): may a password alone change factors? The gate asks this.
//! - *bound* ([`is_bound`]): may a code go to an address that was never proven? The address rule asks this.
//!
//! Bound implies gated, and gated implies demanded. All three rest on one answer to whether the
//! application requires MFA of this user ([`required_by`]).

use super::{AddressTag, Context, Ledger, Method, Policy, Refusal, RequiredBy, Snapshot, Timestamp, toggle};

/// Who requires MFA of the user with this ledger, if anybody does: the application of everybody, or
/// the token of its user.
#[must_use]
pub fn required_by(ledger: &Ledger, cx: &Context<'_>) -> Option<RequiredBy> {
    cx.requirement().by(ledger)
}

/// Whether MFA is required of the user with this ledger.
pub(super) fn is_required(ledger: &Ledger, cx: &Context<'_>) -> bool {
    required_by(ledger, cx).is_some()
}

/// When MFA will be required of a user of whom it is not demanded yet, if the token says it.
#[must_use]
pub fn enrol_by(snapshot: &Snapshot, cx: &Context<'_>) -> Option<Timestamp> {
    cx.caller.claimed_policy.date_to_come(cx.now).filter(|_| !is_demanded(snapshot, cx))
}

/// Whether the user must show a second factor: MFA is on, or required.
#[must_use]
pub fn is_demanded(snapshot: &Snapshot, cx: &Context<'_>) -> bool {
    snapshot.ledger.enabled || is_required(&snapshot.ledger, cx)
}

/// Whether changing factors takes a fresh second factor. If MFA is required and the service could
/// send a code to the caller's address, a password alone enrols nothing.
#[must_use]
pub fn is_gated(snapshot: &Snapshot, cx: &Context<'_>) -> bool {
    is_bound(snapshot, cx) || is_required(&snapshot.ledger, cx) && has_address(snapshot, cx)
}

/// Whether only a proven address may receive codes without a proof. If the application begins to
/// require MFA, this holds at once for a user who has a factor. Otherwise whoever changes the
/// address of a user who never switched MFA on would take over the account.
#[must_use]
pub fn is_bound(snapshot: &Snapshot, cx: &Context<'_>) -> bool {
    let ledger = &snapshot.ledger;
    // A proven address that no code can reach is no factor. Of addresses that the token does not
    // carry, nobody knows.
    let may_reach = |tag: AddressTag| {
        let is_own = cx.caller.address_tag(tag.method) == Some(tag);
        cx.policy.offers(tag.method) && (!is_own || has_address_for(snapshot, tag.method, cx))
    };
    let has_factor = || has_active_device(snapshot, cx) || ledger.proven.iter().any(|proven| may_reach(proven.tag));
    ledger.enabled || is_required(ledger, cx) && has_factor()
}

/// Whether the user has an authenticator whose code counts, or a passkey that does.
fn has_active_device(snapshot: &Snapshot, cx: &Context<'_>) -> bool {
    let by_totp = || cx.policy.offers(Method::Totp) && snapshot.active_devices().next().is_some();
    by_totp() || cx.policy.offers(Method::Passkey) && snapshot.active_passkeys().next().is_some()
}

/// Whether the token carries an address that a code of an offered method can go to.
fn has_address(snapshot: &Snapshot, cx: &Context<'_>) -> bool {
    cx.policy.methods.iter().any(|method| has_address_for(snapshot, *method, cx))
}

/// Whether the token carries an address for this method that the provider did not refuse for good.
/// A number whose owner opted out is one: they can opt in again.
fn has_address_for(snapshot: &Snapshot, method: Method, cx: &Context<'_>) -> bool {
    let is_refused = |tag| snapshot.ledger.is_refused(tag, cx.now);
    cx.caller.contact.allowed_address(method, cx.policy).is_ok()
        && !cx.caller.address_tag(method).is_some_and(is_refused)
}

/// Whether a code for the token's address for this method reaches anybody now, as far as is known.
pub(super) fn reaches_caller(snapshot: &Snapshot, method: Method, cx: &Context<'_>) -> bool {
    let is_unreachable = |tag| snapshot.ledger.unreachable(tag, cx.now).is_some();
    has_address_for(snapshot, method, cx) && !cx.caller.address_tag(method).is_some_and(is_unreachable)
}

/// Lets the caller change factors if the gate is open, or if the token proves a fresh second
/// factor.
///
/// The ledger says whether MFA is on. The token's own `isMfaEnabled` may be stale and is never
/// asked. With `MFA_ENROL_WITH_CODE` the gate is shut while MFA is off too, so that a password
/// alone can plant nothing: neither for a user with an address, nor for one with an authenticator,
/// whose address the token may leave out.
///
/// A token of a session that has ended opens nothing, even where the gate is open. Otherwise a
/// thief who was signed out could still plant factors that count as those of the owner's login.
///
/// # Errors
/// [`Refusal::ProofRequired`].
pub fn require_fresh_factor(snapshot: &Snapshot, cx: &Context<'_>) -> Result<(), Refusal> {
    // Who has no address has just entered the first code of an authenticator, and has no token of
    // it.
    let has_method =
        || has_address(snapshot, cx) || has_active_device(snapshot, cx) && !toggle::was_right_lately(snapshot, cx);
    let shut = is_gated(snapshot, cx) || cx.policy.enrol_with_code && has_method();
    let has_ended = cx.caller.proof.is_some_and(|proof| !snapshot.is_of_epoch(proof.security_epoch));
    if !(shut || has_ended) || is_proven(snapshot, cx) { Ok(()) } else { Err(Refusal::ProofRequired) }
}

/// Whether the caller counts as having passed a second factor within the last quarter of an hour.
#[must_use]
pub fn is_proven(snapshot: &Snapshot, cx: &Context<'_>) -> bool {
    proven_until(snapshot, cx).is_some()
}

/// Until when the caller counts as proven, if it does now.
#[must_use]
pub fn proven_until(snapshot: &Snapshot, cx: &Context<'_>) -> Option<Timestamp> {
    let ledger = &snapshot.ledger;
    let proof = cx.caller.proof.filter(|proof| proof.security_epoch == ledger.security_epoch);
    let by_token = proof.map(|proof| proof.auth_time.plus(Policy::PROOF_FRESH_FOR)).filter(|until| cx.now <= *until);
    let grace = ledger.grace.as_ref().filter(|grace| Some(grace.holder) == cx.grace_holder());
    let by_grace = grace.map(|grace| grace.until).filter(|until| cx.now < *until);
    by_token.max(by_grace)
}

/// The methods that the caller can use right now, in the application's order.
#[must_use]
pub fn usable_methods(snapshot: &Snapshot, cx: &Context<'_>) -> Vec<Method> {
    methods_with(snapshot, cx, |method| may_receive(snapshot, method, cx))
}

/// Whether a code of a method that the caller can use was judged right before.
pub(super) fn has_tried_method(snapshot: &Snapshot, cx: &Context<'_>) -> bool {
    !methods_with(snapshot, cx, |method| has_proven(snapshot, method, cx)).is_empty()
}

/// Whether the next login has a method too, when the proof of this one has ended. `bound` is
/// whether only proven addresses count.
#[must_use]
pub fn has_lasting_method(snapshot: &Snapshot, bound: bool, cx: &Context<'_>) -> bool {
    !methods_with(snapshot, cx, |method| is_known(snapshot, method, bound, cx)).is_empty()
}

fn methods_with(snapshot: &Snapshot, cx: &Context<'_>, takes_codes: impl Fn(Method) -> bool) -> Vec<Method> {
    let is_usable = |method: &Method| match method {
        Method::Totp => snapshot.active_devices().next().is_some(),
        Method::Passkey => snapshot.active_passkeys().next().is_some(),
        Method::Email | Method::Sms => reaches_caller(snapshot, *method, cx) && takes_codes(*method),
    };
    cx.policy.methods.iter().copied().filter(is_usable).collect()
}

/// Whether a code may go to the caller's address. While MFA is bound, the address must be proven or
/// the caller must show a fresh proof. Otherwise whoever can change the address in the application
/// has the factor.
#[must_use]
pub fn may_receive(snapshot: &Snapshot, method: Method, cx: &Context<'_>) -> bool {
    is_known(snapshot, method, is_bound(snapshot, cx), cx) || is_proven(snapshot, cx)
}

fn is_known(snapshot: &Snapshot, method: Method, bound: bool, cx: &Context<'_>) -> bool {
    !cx.policy.bind_addresses || !bound || has_proven(snapshot, method, cx)
}

/// Whether a code for the caller's address was judged right.
fn has_proven(snapshot: &Snapshot, method: Method, cx: &Context<'_>) -> bool {
    cx.caller.address_tag(method).is_some_and(|tag| snapshot.ledger.has_proven(tag))
}

/// Whether the gate is shut and nothing that the user has opens it. Only the application's support
/// can help then.
#[must_use]
pub fn is_dead_end(snapshot: &Snapshot, cx: &Context<'_>) -> bool {
    require_fresh_factor(snapshot, cx).is_err()
        && usable_methods(snapshot, cx).is_empty()
        && !snapshot.has_recovery_code()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use uuid::Uuid;

    use super::*;
    use crate::domain::{
        AddressTag, Caller, ClaimedPolicy, Contact, DeviceId, DeviceRecord, Email, Factor, LoginId, NoAddress,
        TotpVariant, UserId,
        keys::Keys,
        ledger::{Device, Grace},
        scenario::{OWN as OWN_LOGIN, Scenario},
    };

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
    const LATER: Timestamp = Timestamp::from_secs(1_800_000_001);
    const OWN: AddressTag = AddressTag { method: Method::Email, hash: [1; 8] };
    const FORMER: AddressTag = AddressTag { method: Method::Email, hash: [2; 8] };

    /// What a user has: an authenticator (`Some(inactive)`), an address in the token, and the
    /// address that was proven.
    #[derive(Clone, Copy, Debug)]
    struct Has {
        device: Option<bool>,
        address: bool,
        proven: Option<AddressTag>,
    }

    fn snapshot(enabled: bool, has: Has) -> Snapshot {
        let mut snapshot = Snapshot::empty(7);
        snapshot.ledger.enabled = enabled;
        if let Some(inactive) = has.device {
            let id = DeviceId(Uuid::from_u128(1));
            let (last_step, last_used_at, confirmed_by) = (1, None, Some(LoginId([1; 8])));
            snapshot.ledger.devices.push(Device { id, last_step, last_used_at, confirmed_by, inactive });
            snapshot.devices.push(DeviceRecord {
                id,
                name: String::new(),
                secret: Vec::new(),
                created: NOW,
                variant: TotpVariant::default(),
            });
        }
        has.proven.into_iter().for_each(|tag| snapshot.ledger.prove(tag, Some(LoginId([1; 8]))));
        snapshot
    }

    #[test]
    fn bound_is_gated_and_gated_is_demanded_in_every_combination() {
        let keys = Keys::derive(&[1; 32], Vec::new());
        let says = |required, from, exempt| ClaimedPolicy { required, required_from: from, exempt };
        // The setting and the claims, and whether they require MFA of a user without and with a
        // factor.
        let policies = [
            (false, says(false, None, false), [false, false]),
            (true, says(false, None, false), [true, true]),
            (false, says(true, None, false), [true, true]),
            (false, says(false, Some(NOW), false), [true, true]),
            (false, says(false, Some(LATER), false), [false, false]),
            (true, says(false, Some(LATER), false), [false, true]),
            (false, says(true, Some(LATER), false), [false, true]),
            (false, says(false, None, true), [false, false]),
            (true, says(false, None, true), [false, true]),
            (false, says(true, None, true), [true, true]),
        ];
        let offers = [vec![Method::Totp], vec![Method::Totp, Method::Email], vec![Method::Email], vec![Method::Sms]];
        let mut tried = 0;
        for methods in offers {
            for bits in 0..(10 * 2 * 2 * 3 * 3) {
                let (enabled, address) = (bits % 2 == 1, bits / 2 % 2 == 1);
                let device = [None, Some(false), Some(true)][bits / 4 % 3];
                let proven = [None, Some(OWN), Some(FORMER)][bits / 12 % 3];
                let (setting, claimed_policy, [of_nobody, of_others]) = policies[bits / 36];
                let required = if device == Some(false) || proven.is_some() { of_others } else { of_nobody };
                let has = Has { device, address, proven };
                let email =
                    if address { Email::parse("a@b.c").ok_or(NoAddress::Malformed) } else { Err(NoAddress::Absent) };
                let caller = Caller {
                    user: UserId([1; 16]),
                    login: LoginId([1; 8]),
                    provenance: None,
                    contact: Contact { email, ..Contact::default() },
                    address_tags: has.address.then_some(OWN).into_iter().collect(),
                    proof: None,
                    login_factor: None,
                    claimed_policy,
                    source: None,
                };
                let policy = Policy { required: setting, methods: methods.clone(), ..Policy::default() };
                let cx = Context { caller: &caller, provenance: None, policy: &policy, keys: &keys, now: NOW };
                let snapshot = snapshot(enabled, has);
                let asked = (is_demanded(&snapshot, &cx), is_gated(&snapshot, &cx), is_bound(&snapshot, &cx));

                let totp = policy.offers(Method::Totp) && device == Some(false);
                let mail = policy.offers(Method::Email);
                let bound = enabled || required && (totp || mail && proven.is_some());
                let expected = (enabled || required, bound || required && mail && address, bound);
                assert_eq!(
                    asked, expected,
                    "enabled {enabled}, setting {setting}, {claimed_policy:?}, {methods:?}, {has:?}"
                );
                assert!(!asked.2 || asked.1, "bound is gated");
                assert!(!asked.1 || asked.0, "gated is demanded");

                let to_own = mail && address && (!bound || proven == Some(OWN));
                let lasting = has_lasting_method(&snapshot, bound, &cx);
                assert_eq!(lasting, totp || to_own, "{has:?}");
                assert_eq!(usable_methods(&snapshot, &cx).is_empty(), !(totp || to_own), "{has:?}");
                assert_eq!(is_dead_end(&snapshot, &cx), expected.1 && !(totp || to_own), "{has:?}");
                tried += 1;
            }
        }
        assert_eq!(tried, 4 * 360);
    }

    #[test]
    fn a_number_that_gets_nothing_is_no_method_and_only_one_that_is_refused_opens_the_gate() {
        use crate::domain::{ledger::Unreachable, scenario::NOW};
        let (past, future) = (NOW, NOW.plus(Duration::from_secs(1)));
        for (unreachable, is_usable, holds_gate) in [
            (None, true, true),
            (Some(Unreachable::Barred { until: future }), false, true),
            (Some(Unreachable::Barred { until: past }), true, true),
            (Some(Unreachable::Refused { until: Some(future) }), false, false),
            (Some(Unreachable::Refused { until: Some(past) }), true, true),
            (Some(Unreachable::Refused { until: None }), false, false),
        ] {
            for is_proven in [false, true] {
                let mut scenario = Scenario::new();
                scenario.policy.required = true;
                scenario.policy.methods = vec![Method::Sms, Method::Totp];
                let tag = scenario.tag(Method::Sms);
                if is_proven {
                    scenario.user.ledger.prove(tag, Some(OWN_LOGIN));
                }
                scenario.user.ledger.set_unreachable(tag, unreachable);
                let (user, cx) = (&scenario.user, scenario.cx());
                let case = format!("{unreachable:?}, proven {is_proven}");
                assert_eq!(usable_methods(user, &cx).contains(&Method::Sms), is_usable, "{case}");
                assert_eq!(has_lasting_method(user, is_proven, &cx), is_usable, "{case}");
                assert_eq!(is_gated(user, &cx), holds_gate, "{case}");
                assert_eq!(is_bound(user, &cx), holds_gate && is_proven, "{case}");
                assert_eq!(is_dead_end(user, &cx), holds_gate && !is_usable, "{case}");
            }
        }
    }

    #[test]
    fn a_date_to_come_is_told_while_mfa_is_not_demanded() {
        for (enabled, device, setting, from, told) in [
            (false, false, false, Some(LATER), true),
            (false, true, false, Some(LATER), true),
            (false, false, true, Some(LATER), true),
            (false, true, true, Some(LATER), false),
            (true, false, false, Some(LATER), false),
            (false, false, false, Some(NOW), false),
            (false, false, false, None, false),
        ] {
            let mut scenario = if enabled { Scenario::enabled() } else { Scenario::new() };
            scenario.policy.required = setting;
            scenario.caller.claimed_policy.required_from = from;
            if device {
                scenario.add_device(1, OWN_LOGIN);
            }
            let case = format!("MFA on {enabled}, authenticator {device}, setting {setting}, {from:?}");
            assert_eq!(enrol_by(&scenario.user, &scenario.cx()).is_some(), told, "{case}");
        }
    }

    #[test]
    fn enrolment_with_a_code_shuts_the_gate_for_whoever_has_a_method_and_gave_no_code() {
        for (address, device, was_right, open) in [
            (false, false, false, true),
            (false, true, false, false),
            (false, true, true, true),
            (true, false, false, false),
        ] {
            let mut scenario = Scenario::new();
            scenario.policy.enrol_with_code = true;
            if !address {
                scenario.caller.contact = Contact::default();
                scenario.caller.address_tags.clear();
            }
            if device {
                scenario.add_device(1, OWN_LOGIN);
            }
            if was_right {
                scenario.user.ledger.remember(OWN_LOGIN, Factor::Code(Method::Totp), NOW);
            }
            let passed = require_fresh_factor(&scenario.user, &scenario.cx()).is_ok();
            assert_eq!(passed, open, "address {address}, device {device}, right code {was_right}");
        }
    }

    #[test]
    fn a_proof_counts_for_a_quarter_of_an_hour_and_a_grace_until_its_end() {
        let secs = Duration::from_secs;
        for (age, proven) in [(secs(900), true), (secs(901), false)] {
            let mut scenario = Scenario::enabled();
            scenario.prove(age);
            assert_eq!(is_proven(&scenario.user, &scenario.cx()), proven, "{age:?}");
        }
        let mut scenario = Scenario::enabled();
        scenario.user.ledger.grace = Some(Grace { holder: OWN_LOGIN, until: NOW.plus(secs(60)) });
        assert!(is_proven(&scenario.user, &scenario.cx_at(NOW.plus(secs(59)))));
        assert!(!is_proven(&scenario.user, &scenario.cx_at(NOW.plus(secs(60)))));
    }
}
