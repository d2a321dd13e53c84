//! Sending a code.

use std::time::Duration;

use super::{
    Address, CodeId, CodeRecord, Context, Counter, CounterKind, Decision, Method, Policy, Refusal, Snapshot, Timestamp,
    code::Otp, gate, ledger::SentCode, method::Channel,
};

/// A request for a code that is to be sent.
#[derive(Clone, Debug)]
pub struct CodeRequest {
    /// The id of the code.
    pub id: CodeId,
    /// How it is sent.
    pub method: Method,
    /// Where it goes.
    pub address: Address,
    /// The keyed hash of the network that the request comes from.
    pub source: String,
}

impl CodeRequest {
    /// The item that `otp` is checked against until `until`. It holds a keyed hash of the code.
    #[must_use]
    pub fn record(&self, otp: &Otp, until: Timestamp, cx: &Context<'_>) -> CodeRecord {
        let tag = cx.keys.code_tag(cx.caller.user, self.id, self.method, &self.address, otp);
        CodeRecord { id: self.id, tag, reserved_at: cx.now, until }
    }
}

/// A code that the ledger names. It may be stored and sent as soon as its counters are raised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reserved {
    /// From this moment on the code is refused.
    pub until: Timestamp,
    /// How long until the next code may be requested.
    pub resend_after: Duration,
    /// The limits outside the ledger. They are raised after the commit: a request that a limit
    /// refuses costs the user a send, so nobody can fill the application's counters faster than
    /// their own limit allows.
    pub counters: Vec<Counter>,
    /// The login's earlier code, which this one supersedes.
    pub previous: Option<SentCode>,
}

/// Reserves a code in the ledger, if one may be sent.
#[must_use]
pub fn reserve(snapshot: &Snapshot, request: &CodeRequest, cx: &Context<'_>) -> Decision<Reserved> {
    let mut ledger = snapshot.ledger.clone();
    if let Some(until) = ledger.failures.lock_end(cx.now) {
        return Decision::refuse(Refusal::Locked { until });
    }
    if !gate::may_receive(snapshot, request.method, cx) {
        return Decision::refuse(Refusal::AddressNotProven);
    }
    if let Some(retry_at) = ledger.sends.wait_until(cx.now) {
        return Decision::refuse(Refusal::RateLimited { retry_at });
    }
    let until = cx.now.plus(cx.policy.code_lifetime);
    let previous = ledger.code_of(cx.caller.login).cloned();
    if let Err(retry_at) = ledger.reserve(SentCode { id: request.id, login: cx.caller.login, until }, cx.now) {
        return Decision::refuse(Refusal::RateLimited { retry_at });
    }
    ledger.sends.record(cx.now);
    let next = ledger.sends.wait_until(cx.now).unwrap_or(cx.now);
    let counters = counters(snapshot, request, cx);
    let reserved = Reserved { until, resend_after: next.since(cx.now), counters, previous };
    Decision::commit(ledger, Ok(reserved))
}

/// The limits outside the ledger, which belong to more than one user.
fn counters(snapshot: &Snapshot, request: &CodeRequest, cx: &Context<'_>) -> Vec<Counter> {
    let is_proven = cx.caller.address_tag(request.method).is_some_and(|tag| snapshot.ledger.has_proven(tag));
    let destination = (!is_proven).then(|| Counter {
        kind: CounterKind::Destination,
        key: cx.keys.limit_key(request.address.normalised().as_bytes()),
        window: Policy::SEND_WINDOW,
        max: Policy::SENDS_PER_DESTINATION,
    });
    let paid = match request.method.channel() {
        Channel::Device | Channel::Free => Vec::new(),
        Channel::Paid => vec![
            Counter {
                kind: CounterKind::Source,
                key: request.source.clone(),
                window: Policy::SEND_WINDOW,
                max: Policy::SMS_PER_SOURCE,
            },
            Counter {
                kind: CounterKind::PaidDay,
                key: "all".to_owned(),
                window: Policy::SMS_DAY,
                max: cx.policy.sms_per_day,
            },
        ],
    };
    destination.into_iter().chain(paid).collect()
}

/// The step at which a code request failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The commit that reserves the code has no known outcome.
    ReservationUnknown,
    /// A limit outside the ledger is reached.
    LimitReached,
    /// A limit outside the ledger could not be read, and the channel must not send without it.
    LimitUnknown,
    /// A newer code of the same login was stored first.
    Superseded,
    /// Nobody knows whether the code's item was stored.
    StoreUnknown,
    /// The provider definitely did not take the message.
    NotSent,
    /// Nobody knows whether the provider took the message.
    MayArrive,
}

/// What to undo after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Undo {
    /// Whether the login's earlier code counts again. It may be on its way.
    pub restore_previous: bool,
    /// Whether the user gets the send back.
    pub refund: bool,
}

impl Failure {
    /// What to undo, or `None` if the code stays valid and charged.
    ///
    /// The earlier code can be restored only while it is certain that its item was not overwritten.
    /// A send that a limit refused stays charged. Otherwise asking would be free.
    #[must_use]
    pub const fn undo(self) -> Option<Undo> {
        match self {
            Self::LimitReached => Some(Undo { restore_previous: true, refund: false }),
            Self::LimitUnknown => Some(Undo { restore_previous: true, refund: true }),
            Self::ReservationUnknown | Self::Superseded | Self::StoreUnknown | Self::NotSent => {
                Some(Undo { restore_previous: false, refund: true })
            }
            Self::MayArrive => None,
        }
    }
}

/// Cancels a code that was not sent. Says whether its send was refunded.
#[must_use]
pub fn cancel(
    snapshot: &Snapshot,
    id: CodeId,
    previous: Option<&SentCode>,
    undo: Undo,
    reserved_at: Timestamp,
    now: Timestamp,
) -> Decision<bool> {
    let mut ledger = snapshot.ledger.clone();
    let Some(place) = ledger.codes.iter().position(|code| code.id == id) else {
        // It was not reserved, or it is superseded, and the last send may belong to another
        // request.
        return Decision::NoChange(Ok(false));
    };
    ledger.codes.remove(place);
    let restored = previous.filter(|code| undo.restore_previous && code.until > now);
    ledger.codes.extend(restored.cloned());
    let refunded = undo.refund && ledger.sends.refund(reserved_at, now);
    Decision::commit(ledger, Ok(refunded))
}

/// The rule of `challenge` with `totp`. Nothing is sent, but the user must have an authenticator.
#[must_use]
pub fn totp_is_ready(snapshot: &Snapshot) -> Decision<()> {
    let has_any = snapshot.verified_devices().next().is_some();
    let is_ready = snapshot.active_devices().next().is_some();
    Decision::NoChange(match (has_any, is_ready) {
        (_, true) => Ok(()),
        (true, false) => Err(Refusal::InactiveAuthenticator),
        (false, false) => Err(Refusal::NoAuthenticator),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_undoes_what_is_certain_and_nothing_else() {
        let undo = |restore_previous, refund| Some(Undo { restore_previous, refund });
        let table = [
            (Failure::ReservationUnknown, undo(false, true)),
            (Failure::LimitReached, undo(true, false)),
            (Failure::LimitUnknown, undo(true, true)),
            (Failure::Superseded, undo(false, true)),
            (Failure::StoreUnknown, undo(false, true)),
            (Failure::NotSent, undo(false, true)),
            (Failure::MayArrive, None),
        ];
        for (failure, wanted) in table {
            assert_eq!(failure.undo(), wanted, "{failure:?}");
        }
    }
}
