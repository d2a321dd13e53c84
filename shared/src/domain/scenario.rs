//! What the tests of single rules begin with: one user, and a call in their name.

use std::{fmt::Debug, time::Duration};

use uuid::Uuid;

use super::{
    code::Otp,
    keys::{Keys, SealingKey},
    ledger::{Backup, Device, Passkey},
    passkey::{Challenge, ChallengeRecord, ChallengeSlot, CredentialRecord, PasskeyRecord, Purpose, challenge_ends},
    *,
};

/// The time of the call.
pub(super) const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
/// The login that calls.
pub(super) const OWN: LoginId = LoginId([1; 8]);
/// Another login of the user, perhaps an intruder's.
pub(super) const OTHER: LoginId = LoginId([2; 8]);

pub(super) struct Scenario {
    pub(super) caller: Caller,
    pub(super) policy: Policy,
    pub(super) keys: Keys,
    /// What the table has of the user.
    pub(super) user: Snapshot,
}

impl Scenario {
    /// A user who has an e-mail address and a phone, and set nothing up. Every method is offered.
    pub(super) fn new() -> Self {
        let keys = Keys::derive(&[5; 32], SealingKey::new("k", &[1; 32]).into_iter().collect());
        let email = Email::parse("alice@example.com").ok_or(NoAddress::Malformed);
        let contact = Contact { email, phone: Phone::parse("+12025550123").ok_or(NoAddress::Malformed) };
        let user = keys.user_id("alice");
        let tag = |method| contact.address_for(method).ok().map(|at| keys.address_tag(user, method, &at));
        let address_tags = Method::ALL.iter().filter_map(|method| tag(*method)).collect();
        let source = Some(Source::at([192, 0, 2, 1].into()));
        let (login, provenance, proof, login_factor) = (OWN, Some(OWN), None, None);
        let claimed_policy = ClaimedPolicy::default();
        let caller =
            Caller { user, login, provenance, contact, address_tags, proof, login_factor, claimed_policy, source };
        let sms_countries = Countries::parse("+1").expect("a list");
        let policy = Policy { methods: Method::ALL.to_vec(), sms_countries, ..Policy::default() };
        Self { caller, policy, keys, user: Snapshot { stored: true, ..Snapshot::empty(7) } }
    }

    /// The same user, with MFA on.
    pub(super) fn enabled() -> Self {
        let mut scenario = Self::new();
        scenario.user.ledger.enabled = true;
        scenario
    }

    pub(super) fn cx(&self) -> Context<'_> {
        let Self { caller, policy, keys, .. } = self;
        Context { caller, provenance: caller.provenance, policy, keys, now: NOW }
    }

    /// The call at another time.
    pub(super) fn cx_at(&self, now: Timestamp) -> Context<'_> {
        Context { now, ..self.cx() }
    }

    /// The token becomes one of ours, for a code that was right so long ago.
    pub(super) fn prove(&mut self, age: Duration) -> SessionId {
        let (id, ends) = (SessionId([3; 16]), NOW.plus(self.policy.session_lifetime));
        let session = ProofSession::named(id, self.caller.login, self.caller.provenance, ends);
        let auth_time = Timestamp::from_secs(NOW.as_secs() - age.as_secs());
        let security_epoch = self.user.ledger.security_epoch;
        self.caller.proof = Some(Proof { security_epoch, method: Factor::Code(Method::Totp), auth_time, session });
        id
    }

    /// The keyed hash of the caller's address.
    pub(super) fn tag(&self, method: Method) -> AddressTag {
        self.caller.address_tag(method).expect("the caller has one")
    }

    /// The user gets an authenticator that `by` confirmed.
    pub(super) fn add_device(&mut self, number: u128, by: LoginId) -> DeviceId {
        let id = self.add_device_item(number);
        let (last_step, last_used_at, inactive) = (1, None, false);
        self.user.ledger.devices.push(Device { id, last_step, last_used_at, confirmed_by: Some(by), inactive });
        id
    }

    /// The user gets a passkey that `by` registered, with the credential id `[number]`.
    pub(super) fn add_passkey(&mut self, number: u8, by: LoginId) -> PasskeyId {
        let id = PasskeyId::new(self.keys.credential_tag(self.caller.user, &[number]), [number; 4]);
        self.user.ledger.passkeys.push(Passkey {
            id,
            spent_until: Timestamp::from_secs(1),
            counter: 0,
            confirmed_by: Some(by),
            inactive: false,
            used: false,
            backup: Backup::Never,
            suspected: false,
        });
        self.user.passkeys.push(PasskeyRecord { id, name: format!("Key {number}"), created: NOW });
        self.user.credentials.push(CredentialRecord { id, credential: format!("{number}") });
        id
    }

    /// The caller's login gets a challenge that was made at `made` in the present epoch.
    pub(super) fn add_challenge(&mut self, purpose: Purpose, made: Timestamp) {
        let slot = ChallengeSlot { login: self.caller.login, purpose, of_known_caller: false };
        let security_epoch = Some(self.user.ledger.security_epoch);
        let challenge = Challenge { made, security_epoch, name: Some("Mine".to_owned()), state: "state".to_owned() };
        let sealed = self.keys.seal_challenge(self.caller.user, slot, &challenge, [0; 12]).expect("sealed");
        self.user.challenges = vec![ChallengeRecord { slot, until: challenge_ends(made), sealed }];
    }

    /// The table gets the item of an authenticator, which counts only if the ledger names it.
    pub(super) fn add_device_item(&mut self, number: u128) -> DeviceId {
        let id = DeviceId(Uuid::from_u128(number));
        let secret = self.keys.seal_totp(self.caller.user, id, &secret(id), [0; 12]).expect("sealed");
        self.user.devices.push(DeviceRecord {
            id,
            name: format!("Phone {number}"),
            secret,
            created: NOW,
            variant: TotpVariant::default(),
        });
        id
    }
}

/// The secret of an authenticator.
pub(super) fn secret(id: DeviceId) -> Vec<u8> {
    id.0.as_bytes().iter().chain(&[7; 4]).copied().collect()
}

/// The code of a secret in one TOTP step.
pub(super) fn code_in(secret: &[u8], step: u64) -> Otp {
    let generator = totp_rs::Builder::new().with_secret(secret).build_noncompliant();
    Otp::parse(&generator.generate(step * 30).to_string(), 6).expect("six digits")
}

/// What a rule commits.
pub(super) fn committed<T: Debug>(decision: Decision<T>) -> Change<T> {
    match decision {
        Decision::Commit(change) => *change,
        Decision::NoChange(outcome) => panic!("nothing is committed: {outcome:?}"),
    }
}

/// Why a rule refuses without a commit.
pub(super) fn refused<T: Debug>(decision: Decision<T>) -> Refusal {
    match decision {
        Decision::NoChange(Err(refusal)) => refusal,
        other => panic!("nothing is refused: {other:?}"),
    }
}
