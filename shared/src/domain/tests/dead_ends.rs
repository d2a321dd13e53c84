//! A search over users, policies and what the provider refuses: nobody is shut out who did nothing
//! but what the API offers.

use super::*;

/// A user whose MFA is off, and what the provider says to each of their addresses.
#[derive(Clone, Debug)]
struct Newcomer {
    policy: Policy,
    email: Result<Email, NoAddress>,
    phone: Result<Phone, NoAddress>,
    refused: Vec<Method>,
    device: Option<bool>,
    has_recovery_code: bool,
    has_proven: bool,
}

fn newcomers() -> impl Iterator<Item = Newcomer> {
    let offers: Vec<Vec<Method>> = (1_u8..8)
        .map(|bits| {
            Method::ALL.iter().zip(0..).filter(|(_, bit)| bits >> bit & 1 == 1).map(|(method, _)| *method).collect()
        })
        .collect();
    let email = [Err(NoAddress::Malformed), Email::parse("alice@example.com").ok_or(NoAddress::Malformed)];
    let phone = |text| Phone::parse(text).ok_or(NoAddress::Malformed);
    let phone = [Err(NoAddress::Unverified), phone("+12025550123"), phone("+442079460018")];
    let refused = [vec![], vec![Method::Email], vec![Method::Sms], vec![Method::Email, Method::Sms]];
    (0..7 * 2 * 3 * 4 * 3 * 64_usize).map(move |n| {
        let (bit, n) = (|place: usize| n >> place & 1 == 1, n >> 6);
        let policy = Policy {
            required: bit(0),
            enrol_with_code: bit(1),
            bind_addresses: bit(2),
            allow_user_toggle: bit(3),
            methods: offers[n % 7].clone(),
            sms_countries: Countries::parse("+1").expect("a list"),
            ..Policy::default()
        };
        Newcomer {
            policy,
            email: email[n / 7 % 2].clone(),
            phone: phone[n / 14 % 3].clone(),
            refused: refused[n / 42 % 4].clone(),
            device: [None, Some(false), Some(true)][n / 168 % 3],
            has_recovery_code: bit(4),
            has_proven: bit(5),
        }
    })
}

/// The user switches MFA on if that is allowed, and asks for a code by every method that they are
/// shown, until one can be completed. Says whether MFA is on, and whether the gate is shut for good.
fn after_every_attempt(newcomer: &Newcomer) -> (bool, bool) {
    let mut world = World::new();
    let own = Some(LoginId([0; 8]));
    if let Some(inactive) = newcomer.device {
        let id = DeviceId(Uuid::from_u128(1));
        world.table.devices.push(DeviceRecord {
            id,
            name: String::new(),
            secret: Vec::new(),
            created: START,
            variant: TotpVariant::default(),
        });
        let (last_step, last_used_at) = (1, None);
        world.table.ledger.devices.push(ledger::Device { id, last_step, last_used_at, confirmed_by: own, inactive });
    }
    if newcomer.has_recovery_code {
        let id = RecoveryId([1; 8]);
        world.table.recovery.push(RecoveryRecord { id, tags: Vec::new() });
        let set = ledger::RecoverySet { id, used_mask: 0, created: START, made_by: own };
        world.table.ledger.recovery = Some(set);
    }
    let mut caller = world.caller(0);
    caller.contact = Contact { email: newcomer.email.clone(), phone: newcomer.phone.clone() };
    let user = caller.user;
    let tag = |method| caller.contact.address_for(method).ok().map(|at| world.keys.address_tag(user, method, &at));
    caller.address_tags = [Method::Email, Method::Sms].into_iter().filter_map(tag).collect();
    if newcomer.has_proven {
        caller.address_tags.iter().for_each(|tag| world.table.ledger.prove(*tag, own));
    }
    let World { keys, mut table, .. } = world;
    let cx = |now| Context { caller: &caller, provenance: own, policy: &newcomer.policy, keys: &keys, now };

    if let Decision::Commit(change) = toggle(&table, Switch::On, &cx(START)) {
        table.ledger = change.ledger;
    }
    let mut now = START;
    for _ in 0..3 {
        let shown = gate::usable_methods(&table, &cx(now));
        if shown.iter().any(|method| !newcomer.refused.contains(method)) {
            return (table.ledger.enabled, false);
        }
        for method in shown {
            now = now.plus(std::time::Duration::from_mins(5));
            let address = caller.contact.address_for(method).expect("it is shown");
            let source = Source::Unreadable("unknown".to_owned());
            let request = CodeRequest { id: CodeId([9; 8]), method, address, source, trusted_device: None };
            let Decision::Commit(change) = reserve(&table, &request, &cx(now)) else { continue };
            table.ledger = change.ledger;
            let undo = Failure::Rejected.undo().expect("something to undo");
            let Decision::Commit(change) = cancel(&table, &request, None, undo, &cx(now)) else { continue };
            table.ledger = change.ledger;
        }
    }
    let shut = gate::require_fresh_factor(&table, &cx(now)).is_err();
    (table.ledger.enabled, shut && !table.has_recovery_code())
}

#[test]
fn the_gate_never_becomes_shut_for_good_whatever_the_provider_refuses() {
    let (mut tried, mut switched_on) = (0, 0);
    for newcomer in newcomers() {
        let (enabled, is_shut) = after_every_attempt(&newcomer);
        // Whoever proved an address by a code, and whose provider refuses it later, lost the factor:
        // only the application's support can tell them from a thief.
        let lost_a_factor = newcomer.has_proven && enabled;
        assert!(!is_shut || lost_a_factor, "{newcomer:?}");
        tried += 1;
        switched_on += u32::from(enabled);
    }
    assert_eq!(tried, 7 * 2 * 3 * 4 * 3 * 64);
    assert!(switched_on > 1000, "{switched_on}");
}
