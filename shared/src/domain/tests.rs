//! The rules together, against a small model: whatever an owner and an intruder with the password
//! do, in any order, with time passing and commits losing their races.

use std::{collections::HashSet, iter};

use proptest::prelude::*;
use uuid::Uuid;

use super::{
    challenge::{CodeRequest, Failure, cancel, reserve},
    code::Otp,
    keys::{Keys, SealingKey},
    ledger::RecentLogin,
    recovery::{RecoveryCode, RecoveryRecord},
    scenario::{code_in, secret},
    setup_totp,
    verify::{Guess, judge},
    verify_totp_setup, *,
};

mod dead_ends;

const START: Timestamp = Timestamp::from_secs(1_893_456_000);
const LOGINS: u8 = 5;

/// One thing that somebody does.
#[derive(Clone, Debug)]
enum Step {
    Wait(u64),
    OpenSetup { login: u8 },
    ConfirmSetup { login: u8, right: bool },
    Toggle { login: u8, on: bool },
    Challenge { login: u8 },
    ProviderRefuses { login: u8, failure: Failure },
    VerifySent { login: u8, right: bool },
    VerifyTotp { login: u8, device: usize, offset: i64, right: bool },
    Remove { login: u8, device: usize },
    GenerateRecovery { login: u8 },
    Redeem { login: u8, set: usize, place: u8 },
    Reset { login: u8, set: usize, place: u8 },
}

fn step() -> impl Strategy<Value = Step> {
    let login = 0..LOGINS;
    let right = prop::bool::weighted(0.8);
    let wait =
        prop_oneof![4 => Just(30), 2 => Just(1), 2 => Just(300), 1 => Just(900), 1 => Just(3600), 1 => Just(86_400)];
    prop_oneof![
        3 => wait.prop_map(Step::Wait),
        2 => login.clone().prop_map(|login| Step::OpenSetup { login }),
        2 => (login.clone(), right).prop_map(|(login, right)| Step::ConfirmSetup { login, right }),
        2 => (login.clone(), any::<bool>()).prop_map(|(login, on)| Step::Toggle { login, on }),
        2 => login.clone().prop_map(|login| Step::Challenge { login }),
        1 => (login.clone(), prop_oneof![Just(Failure::NotSent), Just(Failure::Rejected), Just(Failure::Barred)])
            .prop_map(|(login, failure)| Step::ProviderRefuses { login, failure }),
        3 => (login.clone(), right).prop_map(|(login, right)| Step::VerifySent { login, right }),
        1 => (login.clone(), 0_usize..3).prop_map(|(login, device)| Step::Remove { login, device }),
        1 => login.clone().prop_map(|login| Step::GenerateRecovery { login }),
        2 => (login.clone(), 0_usize..2, 0_u8..3).prop_map(|(login, set, place)| Step::Redeem { login, set, place }),
        1 => (login.clone(), 0_usize..2, 0_u8..3).prop_map(|(login, set, place)| Step::Reset { login, set, place }),
        5 => (login, 0_usize..3, -2_i64..=2, right)
            .prop_map(|(login, device, offset, right)| Step::VerifyTotp { login, device, offset, right }),
    ]
}

/// The world: what the table holds, what people know, and what already happened.
struct World {
    keys: Keys,
    policy: Policy,
    now: Timestamp,
    table: Snapshot,
    /// The newest code of each login, with its item.
    sent: Vec<(u8, Otp, CodeRecord)>,
    proofs: Vec<Option<Proof>>,
    used_steps: HashSet<(DeviceId, u64)>,
    used_codes: HashSet<[u8; 8]>,
    /// The recovery sets that were given out, newest first, and what was used of them.
    sets: Vec<RecoveryId>,
    used_recovery: HashSet<(RecoveryId, u8)>,
    serial: u64,
}

fn address() -> Address {
    Address::Email(Email::parse("alice@example.com").expect("an address"))
}

impl World {
    fn new() -> Self {
        let sealing = SealingKey::new("k", &[1; 32]).into_iter().collect();
        let policy = Policy { methods: vec![Method::Totp, Method::Email], ..Policy::default() };
        let table = Snapshot::empty(9);
        Self {
            keys: Keys::derive(&[5; 32], sealing),
            policy,
            now: START,
            table,
            sent: Vec::new(),
            proofs: vec![None; usize::from(LOGINS)],
            used_steps: HashSet::new(),
            used_codes: HashSet::new(),
            sets: Vec::new(),
            used_recovery: HashSet::new(),
            serial: 0,
        }
    }

    fn caller(&self, login: u8) -> Caller {
        let user = self.keys.user_id("alice");
        let Address::Email(email) = address() else { unreachable!("it is one") };
        Caller {
            user,
            login: LoginId([login; 8]),
            provenance: Some(LoginId([login; 8])),
            contact: Contact { email: Ok(email), ..Contact::default() },
            address_tags: vec![self.keys.address_tag(user, Method::Email, &address())],
            proof: self.proofs[usize::from(login)],
            login_factor: None,
            claimed_policy: ClaimedPolicy::default(),
            source: Some(Source::at([192, 0, 2 + login, 1].into())),
        }
    }

    fn next_id(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    /// What a load by `login` finds.
    fn snapshot(&self, login: u8) -> Snapshot {
        let codes = self.sent.iter().filter(|(of, ..)| *of == login).map(|(_, _, record)| record.clone()).collect();
        Snapshot { codes, ..self.table.clone() }
    }

    /// Commits as `storage` does, unless the race is lost: then nothing happened and it is decided
    /// again.
    fn decide<T>(
        &mut self,
        login: u8,
        lost: bool,
        rule: impl Fn(&Snapshot, &Context<'_>) -> Decision<T>,
    ) -> Result<T, Refusal> {
        let caller = self.caller(login);
        let provenance = caller.provenance;
        let cx = Context { caller: &caller, provenance, policy: &self.policy, keys: &self.keys, now: self.now };
        let snapshot = self.snapshot(login);
        if lost {
            let _ = rule(&snapshot, &cx);
        }
        match rule(&snapshot, &cx) {
            Decision::NoChange(outcome) => outcome,
            Decision::Commit(change) => {
                let commit = CommitId(self.next_id().to_be_bytes());
                for write in change.before {
                    match write {
                        Write::Device(record) => self.table.devices.push(record),
                        Write::Recovery(record) => self.table.recovery.push(record),
                        Write::ActiveDevice(_)
                        | Write::RestoredDevice(_)
                        | Write::Passkey(_)
                        | Write::Credential(_)
                        | Write::RestoredPasskey(_)
                        | Write::RestoredCredential(_)
                        | Write::RestoredRecovery(_)
                        | Write::KeptDevice(_)
                        | Write::Session(_)
                        | Write::Trust(_)
                        | Write::NoticeTo(_) => {}
                    }
                }
                self.table.ledger = change.ledger.committed_as(commit);
                self.table.stored = true;
                change.outcome
            }
        }
    }

    fn play(&mut self, step: &Step, lost: bool) {
        match *step {
            Step::Wait(seconds) => self.now = self.now.plus(std::time::Duration::from_secs(seconds)),
            Step::OpenSetup { login } => self.open_setup(login, lost),
            Step::ConfirmSetup { login, right } => self.confirm_setup(login, right, lost),
            Step::Toggle { login, on } => self.toggle(login, on, lost),
            Step::Challenge { login } => self.challenge(login, lost),
            Step::ProviderRefuses { login, failure } => self.provider_refuses(login, failure, lost),
            Step::VerifySent { login, right } => self.verify_sent(login, right, lost),
            Step::VerifyTotp { login, device, offset, right } => self.verify_totp(login, device, offset, right, lost),
            Step::Remove { login, device } => self.remove(login, device, lost),
            Step::GenerateRecovery { login } => self.generate_recovery(login, lost),
            Step::Redeem { login, set, place } => self.redeem(login, set, place, lost),
            Step::Reset { login, set, place } => self.reset(login, set, place, lost),
        }
        self.assert_sound();
    }

    /// Whether the gate must be open for `login`: nothing shuts it and the token's session goes on,
    /// or the login is proven. Everybody has the same address here.
    fn may_change_factors(&self, login: u8) -> bool {
        let ledger = &self.table.ledger;
        let is_refused = |marked: &ledger::MarkedAddress| ledger.is_refused(marked.tag, self.now);
        let takes_codes = !ledger.marked.iter().any(is_refused);
        let has_device = ledger.devices.iter().any(|device| !device.inactive);
        let own = Some(LoginId([login; 8]));
        let was_right =
            |recent: &RecentLogin| Some(recent.login) == own && self.now.since(recent.verified_at).as_secs() < 900;
        let shut = ledger.enabled
            || self.policy.required && (takes_codes || has_device)
            || self.policy.enrol_with_code && (takes_codes || has_device && !ledger.recent.iter().any(was_right));
        let proof = self.proofs[usize::from(login)];
        let has_ended = proof.is_some_and(|proof| proof.security_epoch != self.table.ledger.security_epoch);
        !(shut || has_ended) || self.is_proven(login)
    }

    /// Whether `login` proved a factor of this epoch lately, by its token or as the one who began
    /// the epoch.
    fn is_proven(&self, login: u8) -> bool {
        let ledger = &self.table.ledger;
        let proof = self.proofs[usize::from(login)];
        let by_token = proof
            .is_some_and(|p| p.security_epoch == ledger.security_epoch && self.now.since(p.auth_time).as_secs() <= 900);
        let holder = proof.map_or(LoginId([login; 8]), |proof| self.keys.session_login(proof.session.id));
        let by_grace = ledger.grace.as_ref().is_some_and(|g| g.holder == holder && self.now < g.until);
        by_token || by_grace
    }

    fn open_setup(&mut self, login: u8, lost: bool) {
        let allowed = self.may_change_factors(login) && self.table.ledger.devices.len() < 5;
        let id = DeviceId(Uuid::from_u128(u128::from(self.next_id())));
        let user = self.keys.user_id("alice");
        let sealed = self.keys.seal_totp(user, id, &secret(id), [0; 12]).expect("sealed");
        let record = DeviceRecord {
            id,
            name: String::new(),
            secret: sealed,
            created: self.now,
            variant: TotpVariant::default(),
        };
        let opened = self.decide(login, lost, |snapshot, cx| setup_totp::open(snapshot, &record, "alice", cx));
        assert_eq!(opened.is_ok(), allowed, "{opened:?}");
    }

    fn confirm_setup(&mut self, login: u8, right: bool, lost: bool) {
        let before = self.table.ledger.clone();
        let Some(setup) = before.setups.first() else { return };
        let secret = secret(setup.id);
        let otp = self.totp(&secret, 0, right);
        let confirmed =
            self.decide(login, lost, |snapshot, cx| verify_totp_setup::confirm(snapshot, &secret, &otp, cx));
        if confirmed.is_ok() {
            assert!(right && setup.until > self.now && before.failures.lock_end(self.now).is_none());
            self.used_steps.insert((setup.id, Policy::TOTP.period.step_at(self.now)));
            self.assert_switched_on(&before, login);
        }
    }

    fn toggle(&mut self, login: u8, on: bool, lost: bool) {
        let before = self.table.ledger.clone();
        let allowed = self.may_change_factors(login);
        let wanted = if on { Switch::On } else { Switch::Off };
        let toggled = self.decide(login, lost, |snapshot, cx| toggle(snapshot, wanted, cx));
        assert!(toggled.is_err() || allowed, "switched without a proof");
        let changed = self.table.ledger.enabled != before.enabled;
        assert_eq!(
            changed,
            self.table.ledger.security_epoch > before.security_epoch,
            "every change is an epoch of its own"
        );
        if changed && on {
            self.assert_all_own(login);
        }
    }

    /// Whoever switched MFA on, nothing counts that another login made or last used.
    fn assert_all_own(&self, login: u8) {
        let (ledger, login) = (&self.table.ledger, Some(LoginId([login; 8])));
        assert!(ledger.devices.iter().all(|device| device.inactive == (device.confirmed_by != login)), "{ledger:?}");
        assert!(ledger.recovery.iter().all(|set| set.made_by == login), "{ledger:?}");
        assert!(ledger.proven.iter().all(|address| address.by == login), "{ledger:?}");
        assert!(ledger.codes.is_empty());
    }

    fn challenge(&mut self, login: u8, lost: bool) {
        let id = CodeId(self.next_id().to_be_bytes());
        let source = Source::Unreadable("unknown".to_owned());
        let request = CodeRequest { id, method: Method::Email, address: address(), source, trusted_device: None };
        let Ok(reserved) = self.decide(login, lost, |snapshot, cx| reserve(snapshot, &request, cx)) else { return };
        let otp = Otp::from_random(self.serial * 7919, 6).expect("a code");
        let tag = self.keys.code_tag(self.keys.user_id("alice"), id, Method::Email, &address(), &otp);
        let before = self.sent.iter().position(|(of, ..)| *of == login).map(|place| self.sent.remove(place).2);
        let superseded = before.into_iter().flat_map(|record| iter::once(record.code).chain(record.superseded));
        let superseded = superseded.take(2).collect();
        let code = StoredCode { id, tag, until: reserved.code.until };
        self.sent.push((login, otp, CodeRecord { code, reserved_at: self.now, superseded }));
    }

    fn provider_refuses(&mut self, login: u8, failure: Failure, lost: bool) {
        let Some((_, _, record)) = self.sent.iter().find(|(of, ..)| *of == login).cloned() else { return };
        let (id, now) = (record.code.id, record.reserved_at);
        let before = self.table.ledger.clone();
        let undo = failure.undo().expect("a code that was not sent is cancelled");
        let source = Source::Unreadable("unknown".to_owned());
        let request = CodeRequest { id, method: Method::Email, address: address(), source, trusted_device: None };
        let cancelled =
            self.decide(login, lost, |snapshot, cx| cancel(snapshot, &request, None, undo, &Context { now, ..*cx }));
        let ledger = &self.table.ledger;
        if cancelled.is_ok_and(|cancelled| cancelled.switched_off) {
            let has_device = before.devices.iter().any(|device| !device.inactive);
            let is_all = before.is_untried() && !has_device && before.recovery.is_none();
            assert!(failure == Failure::Rejected && is_all && before.enabled && !ledger.enabled, "{before:?}");
            assert!(ledger.security_epoch > before.security_epoch && ledger.grace.is_none());
        } else {
            assert_eq!((ledger.enabled, ledger.security_epoch), (before.enabled, before.security_epoch));
        }
        assert!(self.table.ledger.codes.iter().all(|code| code.id != id), "what was not sent cannot be used");
    }

    fn verify_sent(&mut self, login: u8, right: bool, lost: bool) {
        let Some((_, otp, record)) = self.sent.iter().find(|(of, ..)| *of == login).cloned() else { return };
        let otp = if right { otp } else { other_than(&otp) };
        let before = self.table.ledger.clone();
        let guess = Guess::Sent { otp, method: Method::Email, address: address() };
        let verified = self.decide(login, lost, |snapshot, cx| judge(snapshot, &guess, cx));
        if let Ok(verified) = verified {
            assert!(right && self.now < record.code.until && before.failures.lock_end(self.now).is_none());
            assert!(self.used_codes.insert(record.code.id.0), "a code works once");
            self.assert_switched_on(&before, login);
            self.proofs[usize::from(login)] = Some(proof_of(&verified, login));
        }
    }

    fn verify_totp(&mut self, login: u8, device: usize, offset: i64, right: bool, lost: bool) {
        let before = self.table.ledger.clone();
        let Some(device) = before.devices.get(device) else { return };
        let otp = self.totp(&secret(device.id), offset, right);
        let guess = Guess::Totp { otp, device: Some(device.id) };
        let may_judge = !device.inactive || self.is_proven(login);
        let verified = self.decide(login, lost, |snapshot, cx| judge(snapshot, &guess, cx));
        if let Ok(verified) = verified {
            let step = Policy::TOTP.period.step_at(self.now).saturating_add_signed(offset);
            assert!(right && offset.abs() <= 1 && step > device.last_step, "only later steps of the window");
            assert!(self.used_steps.insert((device.id, step)), "a step passes once");
            assert!(before.failures.lock_end(self.now).is_none(), "not while locked");
            assert!(may_judge, "an inactive device stands in for nothing");
            self.assert_switched_on(&before, login);
            self.proofs[usize::from(login)] = Some(proof_of(&verified, login));
        }
    }

    /// The first right code of a method switches MFA on if the application requires it.
    fn assert_switched_on(&self, before: &Ledger, login: u8) {
        let ledger = &self.table.ledger;
        assert_eq!(ledger.enabled, before.enabled || self.policy.required);
        if ledger.enabled != before.enabled {
            assert!(ledger.security_epoch > before.security_epoch);
            self.assert_all_own(login);
        }
    }

    fn remove(&mut self, login: u8, device: usize, lost: bool) {
        let before = self.table.ledger.clone();
        let Some(device) = before.devices.get(device) else { return };
        let (allowed, proven) = (self.may_change_factors(login), self.is_proven(login));
        let removed = self.decide(login, lost, |snapshot, cx| remove_device::remove(snapshot, Some(device.id), cx));
        assert!(removed.is_err() || allowed, "removed without a proof");
        assert!(removed.is_ok() || !allowed || !device.inactive, "an inactive device can always be removed");
        let ledger = &self.table.ledger;
        let ends_sessions = ledger.security_epoch > before.security_epoch;
        assert_eq!(ends_sessions, removed.is_ok() && !device.inactive, "the removal of an active device ends sessions");
        let gated = before.enabled || self.policy.required;
        assert_eq!(ledger.grace.is_some() && ends_sessions, ends_sessions && gated && proven, "its caller goes on");
    }

    fn generate_recovery(&mut self, login: u8, lost: bool) {
        let set = self.table.ledger.recovery.clone();
        let is_again = set.is_some_and(|set| {
            set.made_by == Some(LoginId([login; 8])) && self.now.since(set.created) < Policy::RECOVERY_SPACING
        });
        let allowed = self.may_change_factors(login) && !is_again;
        let id = RecoveryId(self.next_id().to_be_bytes());
        let user = self.keys.user_id("alice");
        let tags = (0..10).map(|place| self.keys.recovery_tag(user, id, &recovery_code(id, place))).collect();
        let record = RecoveryRecord { id, tags };
        let made = self.decide(login, lost, |snapshot, cx| recovery::replace(snapshot, &record, cx));
        assert_eq!(made.is_ok(), allowed);
        if allowed {
            self.sets.insert(0, id);
        }
    }

    fn redeem(&mut self, login: u8, set: usize, place: u8, lost: bool) {
        let Some(&id) = self.sets.get(set) else { return };
        let named = self.table.ledger.recovery.as_ref().is_some_and(|set| set.id == id);
        let unused = !self.used_recovery.contains(&(id, place));
        let before = self.table.ledger.clone();
        let code = recovery_code(id, place);
        let redeemed = self.decide(login, lost, |snapshot, cx| recovery::redeem(snapshot, Some(&code), cx));
        // Also while locked: a right one always passes.
        assert_eq!(redeemed.is_ok(), named && unused, "{redeemed:?}");
        if let Ok(redeemed) = redeemed {
            self.used_recovery.insert((id, place));
            let ledger = &self.table.ledger;
            assert!(ledger.security_epoch > before.security_epoch);
            let kept = if before.enabled { None } else { before.failures.lock_end(self.now) };
            assert_eq!(ledger.failures.lock_end(self.now), kept, "while MFA is off, it buys no guess");
            assert_eq!((ledger.enabled, &ledger.grace), (before.enabled, &None), "it opens nothing else");
            self.proofs[usize::from(login)] = Some(proof_of(&redeemed.verified, login));
        }
    }

    fn reset(&mut self, login: u8, set: usize, place: u8, lost: bool) {
        let Some(&id) = self.sets.get(set) else { return };
        let named = self.table.ledger.recovery.as_ref().is_some_and(|set| set.id == id);
        let allowed = named && !self.used_recovery.contains(&(id, place));
        let code = recovery_code(id, place);
        let done = self.decide(login, lost, |snapshot, cx| recovery::reset(snapshot, Some(&code), cx));
        assert_eq!(done.is_ok(), allowed);
        let ledger = &self.table.ledger;
        let is_blank = !ledger.enabled && ledger.named_items().next().is_none() && ledger.codes.is_empty();
        let knows_nobody = ledger.proven.is_empty() && ledger.recent.is_empty() && ledger.grace.is_none();
        assert!(!allowed || is_blank && knows_nobody);
    }

    /// The code of a secret `offset` steps from now, or one that is wrong for the whole window.
    fn totp(&self, secret: &[u8], offset: i64, right: bool) -> Otp {
        let step = Policy::TOTP.period.step_at(self.now).saturating_add_signed(offset);
        let is_code_of = |number: u64, step: u64| {
            let otp = Otp::from_random(number, 6).expect("a code");
            (code_in(secret, step) == otp).then_some(otp)
        };
        if right {
            return code_in(secret, step);
        }
        let window = Policy::TOTP.period.step_at(self.now) - 4..=Policy::TOTP.period.step_at(self.now) + 4;
        let wrong =
            (self.serial..self.serial + 1000).find(|n| window.clone().all(|step| is_code_of(*n, step).is_none()));
        Otp::from_random(wrong.unwrap_or(0), 6).expect("a code")
    }

    fn assert_sound(&self) {
        let ledger = &self.table.ledger;
        assert!(ledger.devices.len() <= 5 && ledger.setups.len() <= 3 && ledger.codes.len() <= 3);
        assert!(ledger.commits.len() <= ledger::COMMITS_KEPT && ledger.recent.len() <= 3 && ledger.proven.len() <= 4);
        let logins: HashSet<_> = ledger.codes.iter().map(|code| code.login).collect();
        assert_eq!(logins.len(), ledger.codes.len(), "one code a login");
        let names: HashSet<_> = ledger.named_items().collect();
        let count = ledger.devices.len() + ledger.setups.len() + usize::from(ledger.recovery.is_some());
        assert_eq!(names.len(), count, "nothing is named twice");
    }
}

fn recovery_code(id: RecoveryId, place: u8) -> RecoveryCode {
    let bytes: Vec<u8> = id.0.into_iter().chain([place; 7]).collect();
    RecoveryCode::from_random(bytes.try_into().expect("15 bytes"))
}

fn other_than(otp: &Otp) -> Otp {
    let number: u64 = otp.as_str().parse().expect("digits");
    Otp::from_random((number + 1) % 1_000_000, 6).expect("a code")
}

fn proof_of(verified: &verify::Verified, id: u8) -> Proof {
    let login = LoginId([id; 8]);
    let session =
        ProofSession { id: SessionId([id; 16]), login, provenance: login, ends: Timestamp::from_secs(u64::MAX) };
    Proof { security_epoch: verified.security_epoch, method: verified.factor, auth_time: verified.auth_time, session }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_anybody_does_the_rules_hold(
        required in any::<bool>(),
        enrol_with_code in any::<bool>(),
        steps in prop::collection::vec((step(), any::<bool>()), 1..120),
    ) {
        let mut world = World::new();
        world.policy = Policy { required, enrol_with_code, ..world.policy };
        for (step, lost) in &steps {
            world.play(step, *lost);
        }
    }
}

#[test]
fn wrong_codes_are_counted_exactly_and_the_rest_of_the_ledger_stays() {
    let mut world = World::new();
    world.play(&Step::OpenSetup { login: 0 }, false);
    world.play(&Step::ConfirmSetup { login: 0, right: true }, false);
    let before = world.table.ledger.clone();
    for login in 0..4 {
        world.serial += 1000;
        world.play(&Step::VerifyTotp { login, device: 0, offset: 0, right: false }, true);
        assert_eq!(world.table.ledger.failures.lock_end(world.now), None);
    }
    let after = &world.table.ledger;
    assert_eq!(
        (&after.devices, &after.recent, after.security_epoch),
        (&before.devices, &before.recent, before.security_epoch)
    );
    world.serial += 1000;
    world.play(&Step::VerifyTotp { login: 4, device: 0, offset: 0, right: false }, false);
    assert!(world.table.ledger.failures.lock_end(world.now).is_some());
}
