//! Sending a code.

use std::time::Duration;

use super::{
    Address, CodeId, Context, Counter, CounterKind, CounterPart, Decision, Limit, Method, Policy, Refusal, Snapshot,
    Source, StoredCode, Timestamp, TrustId,
    code::Otp,
    gate,
    ledger::{SentCode, Unreachable},
    method::Channel,
    toggle, trust,
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
    /// Where the request comes from.
    pub source: Source,
    /// The trusted device that the caller shows.
    pub trusted_device: Option<TrustId>,
}

impl CodeRequest {
    /// What `otp` is checked against until `until`.
    #[must_use]
    pub fn stored(&self, otp: &Otp, until: Timestamp, cx: &Context<'_>) -> StoredCode {
        let tag = cx.keys.code_tag(cx.caller.user, self.id, self.method, &self.address, otp);
        StoredCode { id: self.id, tag, until }
    }
}

/// A code that the ledger names. It may be stored and sent as soon as its counters are raised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reserved {
    /// The code, as the ledger names it.
    pub code: SentCode,
    /// How long until the next code may be requested.
    pub resend_after: Duration,
    /// The limits outside the ledger. They are raised after the commit: a request that a limit
    /// refuses costs the user a send, so nobody can fill the application's counters faster than
    /// their own limit allows.
    pub limits: Limits,
    /// The login's earlier code, which this one supersedes.
    pub previous: Option<SentCode>,
    /// Why no code reached the address before, if the provider said so.
    pub unreachable: Option<Unreachable>,
}

impl Reserved {
    /// Whether there is reason to ask the provider if the address still gets anything: the earlier
    /// code of this login was not used, or the provider took none before.
    #[must_use]
    pub const fn may_be_in_vain(&self) -> bool {
        self.previous.is_some() || self.unreachable.is_some()
    }
}

/// The limits outside the ledger, which belong to more than one user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Counters to raise one after the other. If one is full, those behind it stay as they are: a
    /// refused request must not use up what belongs to everybody.
    pub counters: Vec<Counter>,
    /// Counters to raise if one of those is full: what is kept for a known caller with a proven
    /// number.
    pub kept: Vec<Counter>,
}

/// Whether the caller is surely not a stranger who only knows the password: by a network that right
/// codes came from, or, while MFA is on, by a trusted device or a fresh proof. While MFA is off, a
/// stranger can have those two.
pub(super) fn is_known_caller(snapshot: &Snapshot, trusted_device: Option<TrustId>, cx: &Context<'_>) -> bool {
    let ledger = &snapshot.ledger;
    let by_network = !ledger.networks.is_empty() && cx.network().is_some_and(|network| ledger.knows(network, cx.now));
    let is_trusted = |id| trust::prove(snapshot, id, cx.policy, cx.now).is_ok();
    by_network || ledger.enabled && (trusted_device.is_some_and(is_trusted) || gate::is_proven(snapshot, cx))
}

/// Reserves a code in the ledger, if one may be sent.
#[must_use]
pub fn reserve(snapshot: &Snapshot, request: &CodeRequest, cx: &Context<'_>) -> Decision<Reserved> {
    let mut ledger = snapshot.ledger.clone();
    if let Some(locked) = ledger.failures.refusal(cx.now) {
        return Decision::refuse(locked);
    }
    if !gate::may_receive(snapshot, request.method, cx) {
        return Decision::refuse(Refusal::AddressNotProven);
    }
    let known = is_known_caller(snapshot, request.trusted_device, cx);
    let send = match ledger.sends.next(known, cx.now) {
        Ok(send) => send,
        Err(retry_at) => return Decision::refuse(Refusal::RateLimited { retry_at, limit: Limit::Sends }),
    };
    let until = cx.now.plus(cx.policy.code_lifetime);
    let code = SentCode { id: request.id, login: cx.caller.login, known, until };
    let previous = match ledger.reserve(code.clone(), cx.caller.shares_login(), cx.now) {
        Ok(previous) => previous,
        Err(retry_at) => return Decision::refuse(Refusal::RateLimited { retry_at, limit: Limit::Outstanding }),
    };
    ledger.sends.record(send);
    let tag = cx.caller.address_tag(request.method);
    let unreachable = tag.and_then(|tag| ledger.unreachable(tag, cx.now));
    if let Some(tag) = tag {
        // Perhaps the provider takes it now.
        ledger.set_unreachable(tag, None);
    }
    let resend_after = ledger.sends.next(known, cx.now).map_or_else(|next| next.since(cx.now), |_| Duration::ZERO);
    let limits = limits(snapshot, request, known, cx);
    Decision::commit(ledger, Ok(Reserved { code, resend_after, limits, previous, unreachable }))
}

fn limits(snapshot: &Snapshot, request: &CodeRequest, known: bool, cx: &Context<'_>) -> Limits {
    let Policy { sms_per_day, .. } = *cx.policy;
    let counter = |kind, key, window, max| Counter { kind, key, window, max, part: None };
    let address = cx.keys.limit_key(request.address.folded().as_bytes());
    let is_proven = cx.caller.address_tag(request.method).is_some_and(|tag| snapshot.ledger.has_proven(tag));
    let destination =
        || counter(CounterKind::Destination, address.clone(), Policy::SEND_WINDOW, Policy::SENDS_PER_DESTINATION);
    let day = |max| counter(CounterKind::PaidDay, "all".to_owned(), Policy::SMS_DAY, max);
    let for_everybody = day(sms_per_day - sms_per_day / Policy::SMS_RESERVE);
    let kept = || {
        let number = Policy::RESERVED_SMS_PER_NUMBER;
        vec![counter(CounterKind::PaidNumber, address.clone(), Policy::SMS_DAY, number), day(sms_per_day)]
    };
    match request.method.channel() {
        Channel::Browser | Channel::Device => Limits::default(),
        Channel::Free if is_proven => Limits::default(),
        Channel::Free => Limits { counters: vec![destination()], kept: Vec::new() },
        Channel::Paid if is_proven => {
            Limits { counters: vec![for_everybody], kept: if known { kept() } else { Vec::new() } }
        }
        Channel::Paid => Limits {
            counters: vec![destination(), source_counter(&request.source, cx), for_everybody],
            kept: Vec::new(),
        },
    }
}

/// One counter for an IPv4 address. For IPv6 one for the /48, with a part for the /64, so that both
/// limits are one write.
fn source_counter(source: &Source, cx: &Context<'_>) -> Counter {
    let subscriber = cx.keys.limit_key(source.subscriber().as_bytes());
    let (key, max, part) = match source.site() {
        None => (subscriber, Policy::SMS_PER_SOURCE, None),
        Some(site) => {
            let part = CounterPart { key: subscriber, max: Policy::SMS_PER_SOURCE };
            (cx.keys.limit_key(site.as_bytes()), Policy::SMS_PER_SITE, Some(part))
        }
    };
    Counter { kind: CounterKind::Source, key, window: Policy::SEND_WINDOW, max, part }
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
    /// The provider refuses the address for good.
    Rejected,
    /// The number's owner opted out, or the account may not send to it.
    Barred,
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
    /// How the address is marked.
    pub mark: Option<Mark>,
}

/// What is remembered of an address that the provider took no code for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// [`Unreachable::Refused`].
    Refused,
    /// [`Unreachable::Barred`].
    Barred,
}

/// What became of a code that was not sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cancelled {
    /// Whether the user got the send back.
    pub refunded: bool,
    /// Whether MFA went off, because the address was all that it was switched on with.
    pub switched_off: bool,
}

impl Failure {
    /// What to undo, or `None` if the code stays valid and charged.
    ///
    /// The earlier code can be restored only while it is certain that its item was not overwritten.
    /// A send that a limit refused stays charged. Otherwise asking would be free.
    #[must_use]
    pub const fn undo(self) -> Option<Undo> {
        let (restore_previous, refund, mark) = match self {
            Self::LimitReached => (true, false, None),
            Self::LimitUnknown => (true, true, None),
            Self::ReservationUnknown | Self::Superseded | Self::StoreUnknown | Self::NotSent => (false, true, None),
            Self::Rejected => (false, true, Some(Mark::Refused)),
            Self::Barred => (false, true, Some(Mark::Barred)),
            Self::MayArrive => return None,
        };
        Some(Undo { restore_previous, refund, mark })
    }
}

/// Cancels the code of a request that was made at `cx.now`.
#[must_use]
pub fn cancel(
    snapshot: &Snapshot,
    request: &CodeRequest,
    reserved: Option<&Reserved>,
    undo: Undo,
    cx: &Context<'_>,
) -> Decision<Cancelled> {
    let mut ledger = snapshot.ledger.clone();
    let Some(place) = ledger.codes.iter().position(|code| code.id == request.id) else {
        // It was not reserved, or it is superseded, and the last send may belong to another
        // request.
        return Decision::NoChange(Ok(Cancelled::default()));
    };
    let cancelled = ledger.codes.remove(place);
    let previous = reserved.and_then(|reserved| reserved.previous.as_ref());
    let restored = previous.filter(|code| undo.restore_previous && code.until > cx.now);
    ledger.codes.extend(restored.cloned());
    let refunded = undo.refund && ledger.sends.refund(cx.now, cancelled.known, cx.now);
    let tag = cx.caller.address_tag(request.method);
    let before = reserved.and_then(|reserved| reserved.unreachable);
    if let Some((tag, before)) = tag.zip(before) {
        // Nobody asked the provider again.
        ledger.set_unreachable(tag, Some(before));
    }
    let switched_off = match tag.zip(undo.mark) {
        Some((tag, Mark::Refused)) => toggle::refused_for_good(&mut ledger, snapshot, tag, cx),
        Some((tag, Mark::Barred)) => {
            let until = cx.now.plus(Policy::NUMBER_UNREACHABLE_FOR);
            ledger.set_unreachable(tag, Some(Unreachable::Barred { until }));
            false
        }
        None => false,
    };
    Decision::commit(ledger, Ok(Cancelled { refunded, switched_off }))
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
    use crate::domain::{
        LoginId, NetworkTag,
        scenario::{NOW, OWN, Scenario, committed, refused},
        trust::TrustRecord,
    };

    const DEVICE: TrustId = TrustId([4; 16]);

    /// A request for a code, with the token of a device that the user may have trusted.
    fn request(scenario: &Scenario, method: Method) -> CodeRequest {
        let address = scenario.caller.contact.address_for(method).expect("an address");
        let source = scenario.caller.source.clone().expect("a source");
        CodeRequest { id: CodeId([9; 8]), method, address, source, trusted_device: Some(DEVICE) }
    }

    fn reserved(scenario: &Scenario, method: Method) -> Reserved {
        let decision = reserve(&scenario.user, &request(scenario, method), &scenario.cx());
        committed(decision).outcome.expect("a code")
    }

    fn know_own_network(scenario: &mut Scenario) {
        let network = scenario.cx().network().expect("a network");
        scenario.user.ledger.know(network, NOW);
    }

    fn trust_device(scenario: &mut Scenario) {
        scenario.user.trusted.push(TrustRecord {
            id: DEVICE,
            label: String::new(),
            created: NOW,
            last_used_at: None,
            security_epoch: scenario.user.ledger.security_epoch,
            auth_time: NOW,
            until: NOW.plus(Policy::TRUST_LIFETIME),
            sessions: Vec::new(),
        });
    }

    #[test]
    fn a_caller_is_known_by_a_network_or_while_mfa_is_on_by_a_trusted_device_or_a_proof() {
        type Shows = fn(&mut Scenario);
        let table: [(&str, Shows, bool, bool); 5] = [
            ("nothing", |_| (), false, false),
            ("a known network", know_own_network, true, true),
            ("another network", |scenario| scenario.user.ledger.know(NetworkTag([9; 8]), NOW), false, false),
            ("a trusted device", trust_device, false, true),
            ("a fresh proof", |scenario| _ = scenario.prove(Duration::ZERO), false, true),
        ];
        for (what, shows, while_off, while_on) in table {
            for (enabled, known) in [(false, while_off), (true, while_on)] {
                let mut scenario = if enabled { Scenario::enabled() } else { Scenario::new() };
                scenario.user.ledger.prove(scenario.tag(Method::Email), Some(OWN));
                shows(&mut scenario);
                assert_eq!(reserved(&scenario, Method::Email).code.known, known, "{what}, MFA on: {enabled}");
            }
        }
    }

    #[test]
    fn while_mfa_is_on_a_code_goes_to_a_proven_address_alone() {
        let mut scenario = Scenario::enabled();
        let request = request(&scenario, Method::Email);
        assert_eq!(refused(reserve(&scenario.user, &request, &scenario.cx())), Refusal::AddressNotProven);
        scenario.user.ledger.prove(scenario.tag(Method::Email), Some(OWN));
        assert_eq!(reserved(&scenario, Method::Email).code.id, request.id);
    }

    #[test]
    fn shared_limits_spare_proven_addresses_and_keep_text_messages_for_known_callers() {
        use CounterKind::{Destination, PaidDay, PaidNumber, Source};
        type Raised = Vec<(CounterKind, u32)>;
        let strangers: Raised = vec![(Destination, 10), (Source, 30), (PaidDay, 800)];
        let kept: Raised = vec![(PaidNumber, 5), (PaidDay, 1000)];
        for (method, is_proven, known, counters, kept) in [
            (Method::Email, false, false, vec![(Destination, 10)], vec![]),
            (Method::Email, false, true, vec![(Destination, 10)], vec![]),
            (Method::Email, true, false, vec![], vec![]),
            (Method::Sms, false, false, strangers.clone(), vec![]),
            (Method::Sms, false, true, strangers, vec![]),
            (Method::Sms, true, false, vec![(PaidDay, 800)], vec![]),
            (Method::Sms, true, true, vec![(PaidDay, 800)], kept),
        ] {
            let mut scenario = Scenario::new();
            if is_proven {
                scenario.user.ledger.prove(scenario.tag(method), Some(OWN));
            }
            if known {
                know_own_network(&mut scenario);
            }
            let limits = reserved(&scenario, method).limits;
            let raised = |list: &[Counter]| -> Raised { list.iter().map(|of| (of.kind, of.max)).collect() };
            let case = format!("{method:?}, proven {is_proven}, known {known}");
            assert_eq!((raised(&limits.counters), raised(&limits.kept)), (counters, kept), "{case}");
        }
    }

    /// A user whose code was reserved, and the request for it.
    fn waiting() -> (Scenario, CodeRequest, Reserved) {
        let mut scenario = Scenario::new();
        let request = request(&scenario, Method::Email);
        let change = committed(reserve(&scenario.user, &request, &scenario.cx()));
        scenario.user.ledger = change.ledger;
        (scenario, request, change.outcome.expect("a reserved code"))
    }

    #[test]
    fn an_earlier_code_counts_again_only_if_it_is_certain_and_has_not_ended() {
        let (scenario, request, reserved) = waiting();
        for (restore_previous, seconds_left, restored) in [(true, 1, true), (true, 0, false), (false, 1, false)] {
            let until = NOW.plus(Duration::from_secs(seconds_left));
            let previous = SentCode { id: CodeId([8; 8]), login: LoginId([1; 8]), known: false, until };
            let undo = Undo { restore_previous, refund: true, mark: None };
            let reserved = Reserved { previous: Some(previous.clone()), ..reserved.clone() };
            let cancelled = cancel(&scenario.user, &request, Some(&reserved), undo, &scenario.cx());
            let outstanding = committed(cancelled).ledger.codes;
            assert_eq!(outstanding, restored.then_some(previous).as_slice(), "{undo:?}, {seconds_left} s left");
        }
    }

    #[test]
    fn an_address_that_was_refused_is_again_if_nobody_asked_the_provider() {
        let (scenario, request, reserved) = waiting();
        let tag = scenario.cx().caller.address_tag(Method::Email).expect("an address");
        let barred = Unreachable::Barred { until: NOW.plus(Duration::from_secs(9)) };
        for before in [None, Some(Unreachable::Refused { until: None }), Some(barred)] {
            let undo = Failure::LimitReached.undo().expect("something to undo");
            let reserved = Reserved { unreachable: before, ..reserved.clone() };
            let change = committed(cancel(&scenario.user, &request, Some(&reserved), undo, &scenario.cx()));
            assert_eq!(change.ledger.unreachable(tag, NOW), before);
        }
    }

    #[test]
    fn a_number_is_marked_for_a_day_and_a_mailbox_until_the_next_request() {
        let end = Some(NOW.plus(Duration::from_hours(24)));
        for (method, failure, until) in [
            (Method::Sms, Failure::Rejected, end),
            (Method::Sms, Failure::Barred, end),
            (Method::Email, Failure::Rejected, None),
        ] {
            let mut scenario = Scenario::new();
            let request = request(&scenario, method);
            scenario.user.ledger = committed(reserve(&scenario.user, &request, &scenario.cx())).ledger;
            let undo = failure.undo().expect("something to undo");
            let ledger = committed(cancel(&scenario.user, &request, None, undo, &scenario.cx())).ledger;
            let tag = scenario.tag(method);
            let marked = ledger.unreachable(tag, NOW).expect("a mark");
            assert_eq!(marked.until(), until, "{method:?}, {failure:?}");
            assert_eq!(ledger.is_refused(tag, NOW), failure == Failure::Rejected, "{method:?}, {failure:?}");
            let later = NOW.plus(Policy::NUMBER_UNREACHABLE_FOR);
            assert_eq!(ledger.unreachable(tag, later).is_some(), until.is_none(), "{method:?}, {failure:?}");
        }
    }

    #[test]
    fn a_send_is_refunded_only_if_the_failure_says_so() {
        let (scenario, request, _) = waiting();
        for (failure, refunded) in [(Failure::NotSent, true), (Failure::LimitReached, false)] {
            let undo = failure.undo().expect("something to undo");
            let change = committed(cancel(&scenario.user, &request, None, undo, &scenario.cx()));
            assert_eq!(change.outcome, Ok(Cancelled { refunded, switched_off: false }), "{failure:?}");
            assert_eq!(change.ledger.sends.sent.is_empty(), refunded, "{failure:?}");
        }
    }

    #[test]
    fn each_failure_undoes_what_is_certain_and_nothing_else() {
        let undo = |restore_previous, refund| Some(Undo { restore_previous, refund, mark: None });
        let marking = |mark| Some(Undo { restore_previous: false, refund: true, mark: Some(mark) });
        let table = [
            (Failure::ReservationUnknown, undo(false, true)),
            (Failure::LimitReached, undo(true, false)),
            (Failure::LimitUnknown, undo(true, true)),
            (Failure::Superseded, undo(false, true)),
            (Failure::StoreUnknown, undo(false, true)),
            (Failure::NotSent, undo(false, true)),
            (Failure::Rejected, marking(Mark::Refused)),
            (Failure::Barred, marking(Mark::Barred)),
            (Failure::MayArrive, None),
        ];
        for (failure, wanted) in table {
            assert_eq!(failure.undo(), wanted, "{failure:?}");
        }
    }
}
