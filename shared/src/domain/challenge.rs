//! Sending a code.

use std::time::Duration;

use super::{
    Address, CodeId, Context, Counter, CounterKind, Decision, Method, Policy, Refusal, Snapshot, Timestamp, gate,
    ledger::SentCode,
};

/// A code that is about to be sent.
#[derive(Clone, Debug)]
pub struct Order {
    /// Its id.
    pub id: CodeId,
    /// Where it goes.
    pub address: Address,
    /// The keyed hash of the network that it is asked for from.
    pub source: String,
}

/// A code that the ledger names: it may be written and sent, once its counters are raised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announced {
    /// From this moment on the code is refused.
    pub until: Timestamp,
    /// How long until the next may be asked for.
    pub resend_after: Duration,
    /// The limits that lie outside the ledger. They are raised after the commit: a refused one costs the user a send,
    /// and so nobody can fill the application's counters faster than their own limit allows.
    pub counters: Vec<Counter>,
    /// The login's code from before, which this one supersedes.
    pub previous: Option<SentCode>,
}

/// Announces a code, where one may be sent.
#[must_use]
pub fn announce(snapshot: &Snapshot, order: &Order, cx: &Context<'_>) -> Decision<Announced> {
    let method = order.address.method();
    let mut ledger = snapshot.ledger.clone();
    if let Some(until) = ledger.failures.locked_until(cx.now) {
        return Decision::refuse(Refusal::Locked { until });
    }
    if !gate::may_receive(snapshot, method, cx) {
        return Decision::refuse(Refusal::AddressNotProven);
    }
    if let Some(retry_at) = ledger.sends.wait_until(cx.now) {
        return Decision::refuse(Refusal::RateLimited { retry_at });
    }
    let until = cx.now.plus(cx.policy.code_lifetime);
    let previous = ledger.code_of(cx.caller.login).cloned();
    if let Err(retry_at) = ledger.announce(SentCode { id: order.id, login: cx.caller.login, until }, cx.now) {
        return Decision::refuse(Refusal::RateLimited { retry_at });
    }
    ledger.sends.record(cx.now);
    let next = ledger.sends.wait_until(cx.now).unwrap_or(cx.now);
    let counters = counters(snapshot, order, cx);
    let announced = Announced { until, resend_after: next.since(cx.now), counters, previous };
    Decision::commit(ledger, Ok(announced))
}

/// The limits that lie outside the ledger, because they are not one user's.
fn counters(snapshot: &Snapshot, order: &Order, cx: &Context<'_>) -> Vec<Counter> {
    let method = order.address.method();
    let proven = cx.caller.address_tag(method).is_some_and(|tag| snapshot.ledger.proven.contains(&tag));
    let destination = (!proven).then(|| Counter {
        kind: CounterKind::Destination,
        key: cx.keys.limit_key(order.address.normalised().as_bytes()),
        window: Policy::SEND_WINDOW,
        max: Policy::SENDS_PER_DESTINATION,
    });
    let sms = (method == Method::Sms).then(|| {
        [
            Counter {
                kind: CounterKind::Source,
                key: order.source.clone(),
                window: Policy::SEND_WINDOW,
                max: Policy::SMS_PER_SOURCE,
            },
            Counter {
                kind: CounterKind::SmsDay,
                key: "all".to_owned(),
                window: Policy::SMS_DAY,
                max: cx.policy.sms_per_day,
            },
        ]
    });
    destination.into_iter().chain(sms.into_iter().flatten()).collect()
}

/// What becomes of the send of a code that surely was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsent {
    /// It was nobody's fault here: the send is given back, where that happened less than twice within the hour.
    GiveBack,
    /// A limit refused it: it stays counted.
    Keep,
}

/// Voids a code that surely was not sent, and takes back the one that it superseded, which may be on its way. Says whether
/// its send was given back.
#[must_use]
pub fn void(
    snapshot: &Snapshot,
    id: CodeId,
    previous: Option<&SentCode>,
    announced_at: Timestamp,
    unsent: Unsent,
    now: Timestamp,
) -> Decision<bool> {
    let mut ledger = snapshot.ledger.clone();
    let Some(place) = ledger.codes.iter().position(|code| code.id == id) else {
        // Not announced, or superseded: the last send may be another's.
        return Decision::Answer(Ok(false));
    };
    ledger.codes.remove(place);
    ledger.codes.extend(previous.filter(|code| code.until > now).cloned());
    let given_back = unsent == Unsent::GiveBack && ledger.sends.give_back(announced_at, now);
    Decision::commit(ledger, Ok(given_back))
}

/// `challenge` with `totp`: there is nothing to send, only something to have.
#[must_use]
pub fn totp_is_ready(snapshot: &Snapshot) -> Decision<()> {
    let ready = snapshot.verified_devices().next().is_some();
    Decision::Answer(if ready { Ok(()) } else { Err(Refusal::MethodNotAvailable) })
}
