//! The MFA gate, and what a user can use.

use super::{Context, Method, Policy, Refusal, Snapshot};

/// Lets a caller through who may change factors: MFA is off for the user, or the token proves a fresh second factor.
///
/// Whether MFA is on is what the ledger says; the token's own `isMfaEnabled` may be stale and is never asked.
///
/// # Errors
/// [`Refusal::ProofRequired`].
pub fn require_fresh_factor(snapshot: &Snapshot, cx: &Context<'_>) -> Result<(), Refusal> {
    let on = snapshot.ledger.enabled || (cx.policy.required && !usable_methods(snapshot, cx).is_empty());
    if !on || is_proven(snapshot, cx) { Ok(()) } else { Err(Refusal::ProofRequired) }
}

/// Whether the caller counts as having passed a second factor within the last quarter of an hour.
#[must_use]
pub fn is_proven(snapshot: &Snapshot, cx: &Context<'_>) -> bool {
    let ledger = &snapshot.ledger;
    let by_token = cx.caller.proof.is_some_and(|proof| {
        proof.security_epoch == ledger.security_epoch && cx.now.since(proof.auth_time) <= Policy::PROOF_FRESH_FOR
    });
    // The login that switched MFA on keeps the token it had, and shows recovery codes next.
    let by_grace = ledger.grace.as_ref().is_some_and(|grace| grace.login == cx.caller.login && cx.now < grace.until);
    by_token || by_grace
}

/// The methods that the caller can use right now, in the application's order.
#[must_use]
pub fn usable_methods(snapshot: &Snapshot, cx: &Context<'_>) -> Vec<Method> {
    methods_with(snapshot, cx, may_receive)
}

/// Those of them that the next login can use too, when the proof of this one has ended.
#[must_use]
pub fn lasting_methods(snapshot: &Snapshot, cx: &Context<'_>) -> Vec<Method> {
    methods_with(snapshot, cx, is_known)
}

fn methods_with(
    snapshot: &Snapshot,
    cx: &Context<'_>,
    takes_codes: fn(&Snapshot, Method, &Context<'_>) -> bool,
) -> Vec<Method> {
    let is_usable = |method: &Method| match method {
        Method::Totp => snapshot.verified_devices().next().is_some(),
        Method::Email | Method::Sms => {
            cx.caller.contact.allowed_address(*method, cx.policy).is_some() && takes_codes(snapshot, *method, cx)
        }
    };
    cx.policy.methods.iter().copied().filter(is_usable).collect()
}

/// Whether a code may go to the caller's address: while MFA is on, only to one that the ledger has seen proven, or
/// under a proof. Otherwise whoever can change the address in the application has the factor.
#[must_use]
pub fn may_receive(snapshot: &Snapshot, method: Method, cx: &Context<'_>) -> bool {
    is_known(snapshot, method, cx) || is_proven(snapshot, cx)
}

fn is_known(snapshot: &Snapshot, method: Method, cx: &Context<'_>) -> bool {
    let known = || cx.caller.address_tag(method).is_some_and(|tag| snapshot.ledger.proven.contains(&tag));
    !cx.policy.bind_addresses || !snapshot.ledger.enabled || known()
}
