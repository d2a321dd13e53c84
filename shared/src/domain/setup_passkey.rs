//! Asking for a new passkey. Nothing of the ledger changes, so a stale read does no harm: the answer is
//! judged anew ([`verify_passkey_setup`](super::verify_passkey_setup)).

use super::{
    Context, Policy, Refusal, Snapshot,
    challenge_passkey::{self, Asked},
    gate,
    passkey::{self, Purpose},
};

/// Lets the caller register one more passkey. Says which credentials the authenticator must not have
/// already, and which limit the challenge counts in.
///
/// # Errors
/// If the gate is shut, passkeys are not offered, or the user has five.
pub fn ask<'a>(snapshot: &'a Snapshot, cx: &Context<'_>) -> Result<Asked<'a>, Refusal> {
    may_set_up(snapshot, cx)?;
    if snapshot.ledger.passkeys.len() >= Policy::MAX_PASSKEYS {
        return Err(Refusal::PasskeyLimit);
    }
    let credentials = passkey::credentials(snapshot, &snapshot.ledger.passkeys)?;
    Ok(challenge_passkey::asked(snapshot, credentials, Purpose::Setup, None, cx))
}

/// Whether the caller may register passkeys at all.
pub(super) fn may_set_up(snapshot: &Snapshot, cx: &Context<'_>) -> Result<(), Refusal> {
    gate::require_fresh_factor(snapshot, cx)?;
    passkey::is_offered(cx)
}
