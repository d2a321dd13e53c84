//! Everything at once: two users, and an intruder who knows both passwords, do anything in any
//! order. Time passes, commits lose their races, and the process dies before or after any call. Two
//! deployments serve side by side: with another setting of `MFA_REQUIRED`, with another phase of
//! the change of sealing keys, and one of them is of a newer version. A small model says which
//! answers and which changes are allowed.
//!
//! `MFA_MODEL_CASES=500 cargo test --workspace --test it model -- --nocapture` tries more sequences
//! than the default, and other ones each time. It prints how often each answer came.

#![expect(clippy::print_stdout, reason = "what was tried is printed")]

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use lambda_http::http::Method;
use mfa_tests::{InjectedFault, Login, Person, Response, TestApp, claims_of, totp_code, wrong_code};
use proptest::{
    prelude::*,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use serde_json::{Value, json};

const USERS: [&str; 2] = ["alice", "bob"];
/// Alice's addresses. Bob has no address, only authenticators.
const EMAIL: &str = "alice@example.com";
const PHONE: &str = "+442079460018";
/// The logins of each user: two of the owner, and one of the intruder.
const LOGINS: usize = 3;
const INTRUDER: usize = 2;
/// Longer than trust lasts, and longer than a lock level or an unforgiven answer is remembered.
const MONTH: u64 = 31 * 86_400;

/// What somebody does.
#[derive(Clone, Debug)]
enum Act {
    OpenSetup,
    Confirm {
        right: bool,
    },
    Toggle {
        on: bool,
    },
    Challenge {
        sms: bool,
    },
    VerifySent {
        right: bool,
        trust: bool,
    },
    VerifyTotp {
        device: usize,
        offset: i64,
        right: bool,
        trust: bool,
    },
    /// Gives five wrong codes, which lock.
    Guess {
        device: usize,
    },
    Remove {
        device: usize,
    },
    Generate,
    Recover {
        set: usize,
        code: usize,
    },
    Reset {
        set: usize,
        code: usize,
    },
    /// Uses a recovery code that nobody was given.
    WrongRecovery {
        reset: bool,
    },
    /// Uses something of the other user.
    Foreign {
        what: usize,
    },
    Refresh {
        session: usize,
        back: usize,
    },
    VerifyTrusted {
        trust: usize,
    },
    Revoke,
    /// Lists the sessions and ends one of them, or all others.
    EndSession {
        which: usize,
    },
    /// Signs out.
    SignOut,
}

/// What goes wrong during an act.
#[derive(Clone, Debug)]
enum Trouble {
    None,
    /// The first commit loses its race.
    LostRace,
    /// The first commit is done, and its answer is lost.
    LostAnswer,
    /// The same request is sent twice at once.
    Twice,
    /// The process dies at this call, before it is made or after it was done.
    Death {
        call: usize,
        after: bool,
    },
}

#[derive(Clone, Debug)]
enum Step {
    Wait(u64),
    /// The older deployment is gone, and a new one begins to serve beside the present one. It may
    /// be one phase further in the change of sealing keys.
    Deploy {
        required: bool,
        rotate: bool,
    },
    /// The newer deployment is gone.
    RollBack,
    /// A newer version writes an attribute into every item that this version does not know.
    WriteAsNewerVersion,
    Do {
        user: usize,
        login: usize,
        act: Act,
        trouble: Trouble,
        /// Whether the newer deployment answers.
        newer: bool,
    },
}

/// The phases of the change of sealing keys, as `docs/operations.md` describes it: the list of
/// keys, and the one that seals.
const KEY_PHASES: [(&str, &str); 3] = [
    ("k1:QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=", "k1"),
    ("k1:QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=,k2:QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkI=", "k1"),
    ("k1:QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=,k2:QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkI=", "k2"),
];

/// What a newer version writes.
const UNKNOWN: &str = "of_a_newer_version";

/// A bundle that serves.
#[derive(Clone)]
struct Deployment {
    mfa: Arc<TestApp>,
    required: bool,
    key_phase: usize,
}

impl Deployment {
    fn beside(mfa: &Arc<TestApp>, required: bool, key_phase: usize) -> Self {
        let (keys, sealing) = KEY_PHASES[key_phase];
        let flag = if required { "true" } else { "false" };
        let settings = [("MFA_REQUIRED", flag), ("MFA_SEALING_KEYS", keys), ("MFA_SEALING_KEY", sealing)];
        Self { mfa: mfa.redeployed_with(&settings), required, key_phase }
    }
}

fn step() -> impl Strategy<Value = Step> {
    let act = prop_oneof![
        2 => Just(Act::OpenSetup),
        3 => any::<bool>().prop_map(|right| Act::Confirm { right }),
        2 => prop::bool::weighted(0.75).prop_map(|on| Act::Toggle { on }),
        2 => any::<bool>().prop_map(|sms| Act::Challenge { sms }),
        3 => any::<(bool, bool)>().prop_map(|(right, trust)| Act::VerifySent { right, trust }),
        6 => (0..3_usize, -2..3_i64, prop::bool::weighted(0.6), any::<bool>())
            .prop_map(|(device, offset, right, trust)| Act::VerifyTotp { device, offset, right, trust }),
        1 => (0..3_usize).prop_map(|device| Act::Guess { device }),
        1 => (0..3_usize).prop_map(|device| Act::Remove { device }),
        1 => Just(Act::Generate),
        2 => (0..2_usize, 0..3_usize).prop_map(|(set, code)| Act::Recover { set, code }),
        1 => (0..2_usize, 0..3_usize).prop_map(|(set, code)| Act::Reset { set, code }),
        1 => any::<bool>().prop_map(|reset| Act::WrongRecovery { reset }),
        2 => (0..6_usize).prop_map(|what| Act::Foreign { what }),
        3 => (0..4_usize, 0..3_usize).prop_map(|(session, back)| Act::Refresh { session, back }),
        2 => (0..4_usize).prop_map(|trust| Act::VerifyTrusted { trust }),
        1 => Just(Act::Revoke),
        2 => (0..5_usize).prop_map(|which| Act::EndSession { which }),
        1 => Just(Act::SignOut),
    ];
    let trouble = prop_oneof![
        10 => Just(Trouble::None),
        1 => Just(Trouble::LostRace),
        1 => Just(Trouble::LostAnswer),
        2 => Just(Trouble::Twice),
        1 => (0..7_usize, any::<bool>()).prop_map(|(call, after)| Trouble::Death { call, after }),
    ];
    prop_oneof![
        2 => prop::sample::select(vec![1_u64, 8, 31, 60, 120, 400, 901, 3700, 46_800, MONTH]).prop_map(Step::Wait),
        1 => prop_oneof![
            4 => any::<(bool, bool)>().prop_map(|(required, rotate)| Step::Deploy { required, rotate }),
            1 => Just(Step::RollBack),
            1 => Just(Step::WriteAsNewerVersion),
        ],
        10 => (0..USERS.len(), 0..LOGINS, act, trouble, any::<bool>())
            .prop_map(|(user, login, act, trouble, newer)| Step::Do { user, login, act, trouble, newer }),
    ]
}

/// A proof as the model knows it: the epoch that it was made in, and when a code was judged.
#[derive(Clone, Copy)]
struct Proof {
    epoch: u32,
    auth_time: u64,
}

struct Session {
    /// Its id, as our tokens name it.
    id: String,
    /// Its refresh tokens so far, one for each generation.
    tokens: Vec<String>,
    rotated: u64,
    epoch: u32,
    ends: u64,
    ended: bool,
    /// The trust token that opened it, if no code did.
    trust: Option<String>,
}

struct Trust {
    token: String,
    epoch: u32,
    made: u64,
    revoked: bool,
}

struct Device {
    id: String,
    secret: String,
    /// When it was set up.
    made: u64,
    /// The login that set it up, and so knows the secret.
    maker: usize,
    /// The login that confirmed it or used it last.
    confirmed_by: usize,
    /// Whether another login switched MFA on since.
    inactive: bool,
}

struct RecoverySet {
    codes: Vec<String>,
    /// The login that made it or last used one of its codes.
    made_by: usize,
    made: u64,
}

/// What the model knows of a user.
struct User {
    person: Person,
    logins: Vec<Login>,
    /// The token that each login got for a second factor, and when it expires.
    proven: [Option<(Login, u64)>; LOGINS],
    proofs: [Option<Proof>; LOGINS],
    /// When each login last gave a right code.
    right: [Option<u64>; LOGINS],
    /// Who counts as proven because of having begun the epoch, and until when.
    grace: Option<(String, u64)>,
    /// The addresses whose codes were judged right, by method, and the login that gave the code.
    addresses: BTreeMap<&'static str, usize>,
    /// The epoch of what is made now.
    epoch: u32,
    /// The oldest epoch that may still count. It is below `epoch` if the process died, and nobody
    /// knows whether a new epoch began.
    floor: u32,
    setups: Vec<Device>,
    devices: Vec<Device>,
    steps: BTreeMap<String, u64>,
    /// The outstanding code of each login, when it expires, and the method that it was sent by.
    codes: [Option<(String, u64, &'static str)>; LOGINS],
    /// When codes were sent, and to which login.
    sends: Vec<(u64, usize)>,
    spent: BTreeSet<String>,
    sets: Vec<RecoverySet>,
    sessions: Vec<Session>,
    trusts: Vec<Trust>,
    /// Wrong answers since the last right one: at least, and at most.
    consecutive: (u32, u32),
    /// Wrong answers that may be unforgiven, at most.
    wrong: u32,
    locked_at: Option<u64>,
    enabled: bool,
    /// Whether the model knows for certain: no death of the process has left anything open.
    certain: bool,
}

/// Who made a request.
#[derive(Clone, Default)]
struct Caller {
    /// What a grace is bound to: the session that the token names, or the login.
    holder: String,
    /// Until when the caller counts as proven, if that was so at the request.
    proven_until: Option<u64>,
    /// Whether changing factors took a proof.
    gated: bool,
}

struct World {
    mfa: Arc<TestApp>,
    /// The older deployment and the newer one.
    deployed: [Deployment; 2],
    /// Which of them answers.
    serving: usize,
    /// The ledgers that a newer version wrote to.
    of_newer_version: BTreeSet<String>,
    users: Vec<User>,
    serial: u32,
    /// Whether the next request is sent twice.
    twice: bool,
    /// The status of the answer to the step's last request. `None` if the process died during it, 0
    /// if there was no request.
    status: Option<u16>,
    /// The device that the last removal was to remove.
    removed: Option<String>,
    /// Who made the last request.
    caller: Caller,
    /// The table as the last step left it.
    table: Vec<Value>,
    /// How often each request got each answer. This shows that the test tried enough.
    seen: BTreeMap<String, u32>,
}

impl World {
    async fn new() -> Self {
        let mfa = TestApp::start().await;
        let first = Deployment::beside(&mfa, false, 0);
        let people = [mfa.user(USERS[0]).with_email(EMAIL).with_phone(PHONE), mfa.user(USERS[1])];
        let users = people.into_iter().map(User::new).collect();
        let (table, seen) = (Vec::new(), BTreeMap::new());
        let caller = Caller::default();
        Self {
            mfa,
            deployed: [first.clone(), first],
            serving: 0,
            of_newer_version: BTreeSet::new(),
            users,
            serial: 0,
            twice: false,
            status: Some(0),
            removed: None,
            caller,
            table,
            seen,
        }
    }

    fn now(&self) -> u64 {
        self.mfa.clock.now().as_secs()
    }

    async fn play(&mut self, step: &Step) {
        let (user, login, act, trouble) = match step {
            Step::Wait(seconds) => {
                self.mfa.advance(*seconds);
                for of in self.users.iter_mut().filter(|_| *seconds == MONTH) {
                    // By then, locks and unforgiven answers are forgotten. The consecutive count is
                    // not.
                    of.wrong = of.consecutive.1;
                }
                return;
            }
            Step::Deploy { required, rotate } => {
                self.deployed.swap(0, 1);
                let phase = self.deployed[0].key_phase + usize::from(*rotate);
                self.deployed[1] = Deployment::beside(&self.mfa, *required, phase.min(KEY_PHASES.len() - 1));
                return;
            }
            Step::RollBack => {
                self.deployed[1] = self.deployed[0].clone();
                return;
            }
            Step::WriteAsNewerVersion => return self.write_as_a_newer_version().await,
            Step::Do { user, login, act, trouble, newer } => {
                self.serving = usize::from(*newer);
                (user, login, act, trouble)
            }
        };
        let others = self.items_of(1 - user);
        match trouble {
            Trouble::None => {}
            Trouble::LostRace => self.mfa.fault_proxy.break_calls("UpdateItem MFA#LEDGER", InjectedFault::LoseRace),
            Trouble::LostAnswer => {
                self.mfa.fault_proxy.break_calls("UpdateItem MFA#LEDGER", InjectedFault::LoseOneAnswer);
            }
            Trouble::Twice => self.twice = true,
            Trouble::Death { call, after } => {
                let fault = if *after { InjectedFault::HangAfter } else { InjectedFault::Hang };
                self.mfa.fault_proxy.break_call("", *call, fault);
            }
        }
        self.status = Some(0);
        self.act(*user, *login, act).await;
        self.mfa.fault_proxy.heal();
        self.twice = false;
        self.table = self.mfa.dump().await;
        assert_eq!(self.items_of(1 - user), others, "{act:?} changed an item of the other user");
        self.assert_carried(act);
        self.observe(*user, *login, act).await;
    }

    /// The bundle that answers this step.
    fn serving(&self) -> &Deployment {
        &self.deployed[self.serving]
    }

    async fn write_as_a_newer_version(&mut self) {
        for item in self.mfa.dump().await {
            let key = |name: &str| item[name]["S"].as_str().expect("a key").to_owned();
            if key("pk").starts_with("USER#") {
                self.mfa.table.set(&key("pk"), &key("sk"), UNKNOWN, Some(&json!({ "N": "1" }))).await.expect("written");
            }
            if key("sk") == "MFA#LEDGER" {
                self.of_newer_version.insert(key("pk"));
            }
        }
        self.table = self.mfa.dump().await;
    }

    /// Fails unless each ledger still has what a newer version wrote.
    fn assert_carried(&self, act: &Act) {
        let ledgers = self.table.iter().filter(|item| item["sk"]["S"] == "MFA#LEDGER");
        for ledger in
            ledgers.filter(|item| item["pk"]["S"].as_str().is_some_and(|pk| self.of_newer_version.contains(pk)))
        {
            assert_eq!(ledger[UNKNOWN], json!({ "N": "1" }), "{act:?} dropped what a newer version wrote");
        }
    }

    /// Whether the user is bound to a factor: MFA is on, or it is required and the user has one.
    fn is_bound(&self, user: usize, has_address: bool) -> bool {
        let of = &self.users[user];
        let has_factor = has_address || of.devices.iter().any(|device| !device.inactive);
        of.enabled || self.serving().required && has_factor
    }

    /// Whether changing factors takes a proof: the user is bound, or MFA is required and a code can
    /// be sent.
    fn is_gated(&self, user: usize) -> bool {
        let of = &self.users[user];
        self.is_bound(user, !of.addresses.is_empty()) || self.serving().required && of.person.has_email()
    }

    /// All items of a user.
    fn items_of(&self, user: usize) -> Vec<String> {
        let id = self.mfa.app.keys.user_id(USERS[user]);
        let (pk, name) = (format!("USER#{id}"), id.to_string());
        let own = self.table.iter().filter(|item| item["pk"]["S"] == *pk || item["user"]["S"] == *name);
        let mut own: Vec<_> = own.map(Value::to_string).collect();
        own.sort();
        own
    }

    /// Makes a request. `None` if the process dies during it.
    async fn send(&mut self, user: usize, login: usize, method: Method, path: &str, body: Value) -> Option<Response> {
        self.caller = self.caller(user, login);
        let login = self.bearer(user, login);
        let body = if method == Method::POST { body.to_string().into_bytes() } else { Vec::new() };
        let stem = path.split('/').nth(3).unwrap_or_default();
        // If two sets were made at once, nobody could tell which one counts.
        if !std::mem::take(&mut self.twice) || stem == "generate-recovery-code" {
            return self.alive(stem, login.call(method, path, body)).await;
        }
        let both = async {
            let again = login.call(method.clone(), path, body.clone());
            let (one, two) = tokio::join!(login.call(method.clone(), path, body.clone()), again);
            // If a thing works once, at most one request succeeds. The other one is answered as if
            // it had come later.
            let works_once = stem.starts_with("verify") && stem != "verify-totp-setup" || stem == "reset-totp";
            let (one, two) = match (one.status, &one.body["accessToken"]) {
                // Of two requests to switch MFA on, the one that did it may answer with tokens.
                (200, serde_json::Value::Null) => (two, one),
                _ => (one, two),
            };
            assert!(!(works_once && one.status == 200 && two.status == 200), "{stem} worked twice");
            // The second request may have met the lock that the first one caused.
            if one.status == 200 || two.code() == Some("ACCOUNT_LOCKED") { one } else { two }
        };
        self.alive(stem, both).await
    }

    /// The token that a login calls with: the one that proves a second factor until it expires, and
    /// otherwise the login token.
    fn bearer(&self, user: usize, login: usize) -> Login {
        let of = &self.users[user];
        let proven = of.proven[login].as_ref().filter(|(_, until)| self.now() < *until);
        proven.map_or(&of.logins[login], |(token, _)| token).at(&self.serving().mfa)
    }

    async fn alive(&mut self, what: &str, request: impl Future<Output = Response>) -> Option<Response> {
        let answer = tokio::select! {
            answer = request => Some(answer),
            () = self.mfa.fault_proxy.hung() => None,
        };
        self.status = answer.as_ref().map(|answer| answer.status);
        let shown = answer.as_ref().map_or("died".to_owned(), |answer| answer.code().unwrap_or("200").to_owned());
        *self.seen.entry(format!("{what}: {shown}")).or_insert(0) += 1;
        if let Some(answer) = &answer {
            assert!(answer.status < 500, "{}", answer.body);
        }
        answer
    }

    async fn act(&mut self, user: usize, login: usize, act: &Act) {
        match *act {
            Act::OpenSetup => self.open_setup(user, login).await,
            Act::Confirm { right } => self.confirm(user, login, right).await,
            Act::Toggle { on } => self.toggle(user, login, on).await,
            Act::Challenge { sms } => self.challenge(user, login, if sms { "sms" } else { "email" }).await,
            Act::VerifySent { right, trust } => self.verify_sent(user, login, right, trust).await,
            Act::VerifyTotp { device, offset, right, trust } => {
                self.verify_totp(user, login, device, (offset, right, trust)).await;
            }
            Act::Guess { device } => {
                for _ in 0..5 {
                    self.verify_totp(user, login, device, (0, false, false)).await;
                }
            }
            Act::Remove { device } => self.remove(user, login, device).await,
            Act::Generate => self.generate(user, login).await,
            Act::Recover { set, code } => self.recover(user, login, set, code).await,
            Act::Reset { set, code } => self.reset(user, login, set, code).await,
            Act::WrongRecovery { reset } => self.wrong_recovery(user, login, reset).await,
            Act::Foreign { what } => self.foreign(user, login, what).await,
            Act::Refresh { session, back } => self.refresh(user, session, back).await,
            Act::VerifyTrusted { trust } => self.verify_trusted(user, login, trust).await,
            Act::Revoke => self.revoke(user, login).await,
            Act::EndSession { which } => self.end_session(user, login, which).await,
            Act::SignOut => self.sign_out(user, login).await,
        }
    }

    /// Whether a gate route may serve this login: nothing is gated, or the login is proven. A token
    /// of an ended epoch opens nothing.
    fn may_change_factors(&self, user: usize, login: usize) -> bool {
        let of = &self.users[user];
        let sends_ours = of.proven[login].as_ref().is_some_and(|(_, until)| self.now() < *until);
        let has_ended = of.proofs[login].is_some_and(|proof| sends_ours && proof.epoch < of.floor);
        !(self.is_gated(user) || has_ended) || self.caller(user, login).proven_until.is_some()
    }

    /// What the next request of a login shows of it.
    fn caller(&self, user: usize, login: usize) -> Caller {
        let (of, now) = (&self.users[user], self.now());
        let sent = of.proven[login].as_ref().filter(|(_, until)| now < *until);
        let holder = sent.map_or_else(|| format!("login {login}"), |(token, _)| session_of(&token.token));
        let proof = of.proofs[login].filter(|proof| sent.is_some() && proof.epoch >= of.floor);
        let by_token = proof.map(|proof| proof.auth_time + 900).filter(|until| now <= *until);
        let by_grace = of.grace.as_ref().filter(|(held, until)| *held == holder && now < *until);
        let proven_until = by_token.max(by_grace.map(|(_, until)| *until));
        Caller { holder, proven_until, gated: self.is_gated(user) }
    }

    /// Whether a code of `method` may go to the login's address.
    fn may_receive(&self, user: usize, login: usize, method: &str) -> bool {
        let of = &self.users[user];
        // After a death, it is not certain that an address was proven.
        let bound = self.is_bound(user, of.certain && !of.addresses.is_empty());
        !bound || of.addresses.contains_key(method) || self.caller(user, login).proven_until.is_some()
    }

    /// Fails unless an answer of a gate route is allowed.
    fn assert_gate(&self, user: usize, login: usize, answer: Option<&Response>) {
        let allowed = self.may_change_factors(user, login);
        if let Some(answer) = answer {
            assert!(allowed || answer.code() == Some("MFA_REQUIRED"), "without a proof: {}", answer.body);
            let of = &self.users[user];
            assert!(!(allowed && of.certain) || answer.code() != Some("MFA_REQUIRED"), "with a proof: {}", answer.body);
        }
    }

    async fn open_setup(&mut self, user: usize, login: usize) {
        let answer = self.send(user, login, Method::POST, "/auth/mfa/setup-totp", json!({})).await;
        self.assert_gate(user, login, answer.as_ref());
        if let Some(answer) = answer.filter(|answer| answer.status == 200) {
            let made = self.now();
            let device = Device {
                id: answer.text("deviceId"),
                secret: answer.text("secret"),
                made,
                maker: login,
                confirmed_by: login,
                inactive: false,
            };
            self.users[user].setups.push(device);
        }
    }

    async fn confirm(&mut self, user: usize, login: usize, right: bool) {
        if self.users[user].setups.is_empty() {
            self.open_setup(user, login).await;
        }
        let Some(setup) = self.users[user].setups.pop() else { return };
        let otp = if right { totp_code(&setup.secret, self.now()) } else { self.wrong_code() };
        let body = json!({ "otp": otp, "secret": setup.secret });
        let answer = self.send(user, login, Method::POST, "/auth/mfa/verify-totp-setup", body).await;
        self.assert_gate(user, login, answer.as_ref());
        let (now, of) = (self.now(), &mut self.users[user]);
        let judged = answer.as_ref().is_none_or(|answer| matches!(answer.code(), Some("MFA_CODE_INVALID")));
        match &answer {
            Some(answer) if answer.status == 200 => {
                let open = now < setup.made + 600;
                assert!(right && open && !of.must_be_locked(now), "confirmed: {}", answer.body);
                of.right_code(login, now);
            }
            Some(answer) => of.assert_lock(answer, now),
            None => {
                of.certain = false;
                of.consecutive.0 = 0;
                of.right[login] = Some(now);
            }
        }
        if !right && judged {
            // It is not certain that the code was counted: the answer to an expired set-up, which
            // judges nothing, is the same.
            of.wrong_code(now, false);
        }
        if answer.is_none_or(|answer| answer.status == 200) && right {
            of.steps.insert(setup.id.clone(), now / 30);
            of.devices.push(Device { confirmed_by: login, ..setup });
            if self.status == Some(200) {
                self.first_right_code(user, login);
            }
        }
    }

    /// Where MFA is required, the first right code switches it on.
    fn first_right_code(&mut self, user: usize, login: usize) {
        let now = self.now();
        if self.serving().required && !self.users[user].enabled {
            self.users[user].switched(login, false, &self.caller.holder, now);
            self.users[user].enabled = true;
        }
    }

    async fn toggle(&mut self, user: usize, login: usize, on: bool) {
        let answer = self.send(user, login, Method::POST, "/auth/mfa/toggle", json!({ "enabled": on })).await;
        self.assert_gate(user, login, answer.as_ref());
        // `observe` sees what the request changed.
        let (now, of) = (self.now(), &mut self.users[user]);
        of.certain &= answer.is_some();
        let Some(answer) = answer.filter(|answer| answer.status == 200) else { return };
        assert!(on || !self.deployed[self.serving].required, "off, where MFA is required");
        let proven_at = of.right[login].filter(|at| on && !of.enabled && now < at + 900);
        let has_tokens = answer.body["accessToken"].is_string();
        assert!(!has_tokens || proven_at.is_some(), "tokens without a code: {}", answer.body);
        assert!(has_tokens || proven_at.is_none() || !of.certain, "no tokens after a code: {}", answer.body);
        if let Some(at) = proven_at.filter(|_| has_tokens) {
            // They are of the epoch that this begins.
            of.switched(login, true, &self.caller.holder, now);
            of.enabled = true;
            of.passed(login, &answer, at, now);
        }
        if on && of.certain {
            of.assert_told(&answer);
        }
    }

    async fn challenge(&mut self, user: usize, login: usize, method: &'static str) {
        let received = self.mfa.inbox.received();
        let may_receive = self.may_receive(user, login, method);
        let answer = self.send(user, login, Method::POST, "/auth/mfa/challenge", json!({ "method": method })).await;
        let (now, of) = (self.now(), &mut self.users[user]);
        if let Some(answer) = &answer {
            of.assert_lock(answer, now);
        }
        let lived = answer.is_some();
        let sent = self.mfa.inbox.received() > received;
        assert!(answer.is_none_or(|answer| (answer.status == 200) == sent), "only a 200 means that it was sent");
        if sent {
            assert!(may_receive, "a code goes to an address that is not proven");
            let message = self.mfa.inbox.messages().pop().expect("a message");
            assert_eq!((user, message.to.as_str()), (0, if method == "sms" { PHONE } else { EMAIL }));
            of.codes[login] = Some((message.code.expect("a code"), now + 300, method));
            let within = |span: u64, wanted: &dyn Fn(usize) -> bool| {
                of.sends.iter().filter(|(at, by)| *at + span > now && wanted(*by)).count()
            };
            let intruders = |by| by == INTRUDER;
            assert!(within(30, &|_| true) < 2 && within(3600, &|_| true) < 10, "sent too often: {:?}", of.sends);
            if login == INTRUDER {
                assert!(within(30, &intruders) < 1 && within(3600, &intruders) < 5, "sent too often: {:?}", of.sends);
            }
            of.sends.push((now, login));
        }
        of.certain &= lived;
    }

    async fn verify_sent(&mut self, user: usize, login: usize, right: bool, trust: bool) {
        if self.users[user].codes[login].is_none() {
            self.challenge(user, login, "email").await;
        }
        let Some((code, until, method)) = self.users[user].codes[login].clone() else { return };
        // The intruder does not read the owner's mail.
        let right = right && login != INTRUDER;
        let otp = if right { code.clone() } else { wrong_code(&code, 0) };
        let may_receive = self.may_receive(user, login, method);
        let body = json!({ "method": method, "otp": otp, "trustDevice": trust });
        let answer = self.send(user, login, Method::POST, "/auth/mfa/verify", body).await;
        let (now, of) = (self.now(), &mut self.users[user]);
        let was_spent = of.spent.contains(&code);
        match &answer {
            Some(answer) if answer.status == 200 => {
                assert!(right && now < until && !of.must_be_locked(now), "it must be refused: {}", answer.body);
                assert!(may_receive, "a code of an address that is not proven");
                of.addresses.insert(method, login);
                assert!(of.spent.insert(code), "a code works once");
                of.right_code(login, now);
                self.first_right_code(user, login);
                self.users[user].passed(login, answer, now, now);
            }
            Some(answer) => {
                of.assert_lock(answer, now);
                let fresh = right && now < until && !was_spent && may_receive && of.certain && of.is_surely_open();
                // Switching MFA on cancels the codes that were sent before. `observe` forgets them.
                assert!(!fresh, "a right code is refused: {}", answer.body);
                if answer.code() == Some("VERIFICATION_CODE_INVALID") {
                    // A right code is refused too, if the process died after it reserved a newer
                    // one.
                    of.wrong_code(now, false);
                }
            }
            None => {
                of.died();
                if right && !was_spent {
                    // The code may have been spent. Then its tokens are lost.
                    of.addresses.insert(method, login);
                    of.right[login] = Some(now);
                    of.consecutive.0 = 0;
                } else {
                    of.wrong_code(now, false);
                }
            }
        }
    }

    async fn verify_totp(
        &mut self,
        user: usize,
        login: usize,
        device: usize,
        (offset, right, trust): (i64, bool, bool),
    ) {
        let now = self.now();
        let wrong = self.wrong_code();
        let Some(device) = pick(&self.users[user].devices, device) else { return };
        // The intruder knows only the secrets of the intruder's own set-ups.
        let is_own = (device.maker == INTRUDER) == (login == INTRUDER);
        let (id, right) = (device.id.clone(), right && is_own);
        let may_judge = !device.inactive || self.caller(user, login).proven_until.is_some();
        let step = (now / 30).saturating_add_signed(offset);
        let otp = if right { totp_code(&device.secret, step * 30) } else { wrong };
        let body = json!({ "method": "totp", "otp": otp, "deviceId": id, "trustDevice": trust });
        let answer = self.send(user, login, Method::POST, "/auth/mfa/verify", body).await;
        let of = &mut self.users[user];
        let last = of.steps.get(&id).copied();
        let in_window = offset.abs() <= 1;
        match &answer {
            Some(answer) if answer.status == 200 => {
                assert!(right && in_window && !of.must_be_locked(now), "it must be refused: {}", answer.body);
                assert!(may_judge, "an inactive device without a proof: {}", answer.body);
                assert!(last.is_none_or(|last| step > last), "step {step} after {last:?}");
                of.steps.insert(id.clone(), step);
                of.used_device(&id, login);
                of.right_code(login, now);
                self.first_right_code(user, login);
                self.users[user].passed(login, answer, now, now);
            }
            Some(answer) => {
                of.assert_lock(answer, now);
                let fresh = right && in_window && may_judge && last.is_none_or(|last| step > last);
                assert!(!(fresh && of.certain && of.is_surely_open()), "a right code is refused: {}", answer.body);
                if answer.code() == Some("MFA_CODE_INVALID") {
                    // A code of a used step does not count as a guess. One from outside the window
                    // does.
                    of.wrong_code(now, !right);
                }
            }
            None => {
                of.died();
                if right && in_window && last.is_none_or(|last| step > last) {
                    // The code may have been used.
                    of.used_device(&id, login);
                    of.right[login] = Some(now);
                    of.consecutive.0 = 0;
                } else {
                    of.wrong_code(now, false);
                }
            }
        }
    }

    async fn remove(&mut self, user: usize, login: usize, device: usize) {
        let Some(id) = pick(&self.users[user].devices, device).map(|device| device.id.clone()) else { return };
        self.removed = Some(id.clone());
        let answer = self.send(user, login, Method::DELETE, &format!("/auth/mfa/devices/{id}"), Value::Null).await;
        self.assert_gate(user, login, answer.as_ref());
        self.users[user].certain &= answer.is_some();
        let refused = answer.filter(|answer| answer.code() == Some("MFA_LAST_METHOD"));
        let of = &self.users[user];
        let is_inactive = of.devices.iter().any(|device| device.id == id && device.inactive);
        assert!(refused.is_none() || !is_inactive || !of.certain, "an inactive device can always be removed");
    }

    async fn generate(&mut self, user: usize, login: usize) {
        let answer = self.send(user, login, Method::POST, "/auth/mfa/generate-recovery-code", json!({})).await;
        self.assert_gate(user, login, answer.as_ref());
        let (now, of) = (self.now(), &mut self.users[user]);
        let former = of.sets.first();
        match answer {
            Some(answer) if answer.status == 200 => {
                if of.certain {
                    let again = former.is_some_and(|set| set.made_by == login && now < set.made + 10);
                    assert!(!again, "a double click is answered twice");
                    let replaced = former.is_some_and(|set| set.made_by != login);
                    assert_eq!(answer.body["replaced"] == true, replaced, "{}", answer.body);
                }
                let codes = answer.body["codes"].as_array().expect("codes").iter();
                let codes = codes.map(|code| code.as_str().expect("a code").to_owned()).collect();
                of.sets.insert(0, RecoverySet { codes, made_by: login, made: now });
            }
            Some(_) => {}
            // A set that nobody has seen may count now, and no earlier set.
            None => of.certain = false,
        }
    }

    /// Uses a recovery code. Only an unused code of the newest set may pass.
    async fn recover(&mut self, user: usize, login: usize, set: usize, code: usize) {
        let Some(text) = self.users[user].recovery_code(login, set, code) else { return };
        let answer =
            self.send(user, login, Method::POST, "/auth/mfa/verify-recovery-code", json!({ "code": text })).await;
        let (now, of) = (self.now(), &mut self.users[user]);
        match &answer {
            Some(answer) if answer.status == 200 => {
                assert!(set == 0 && of.spent.insert(text), "a code of the newest set works once: {}", answer.body);
                of.sets[0].made_by = login;
                of.new_epoch(None);
                of.unlocked();
                of.passed(login, answer, now, now);
                of.right_code(login, now);
            }
            Some(answer) => of.assert_may_refuse(set, &text, answer),
            None => {
                of.died_over_recovery();
                of.right[login] = Some(now);
            }
        }
    }

    async fn reset(&mut self, user: usize, login: usize, set: usize, code: usize) {
        let Some(text) = self.users[user].recovery_code(login, set, code) else { return };
        let answer = self.send(user, login, Method::POST, "/auth/mfa/reset-totp", json!({ "code": text })).await;
        let of = &mut self.users[user];
        match &answer {
            Some(answer) if answer.status == 200 => {
                assert!(set == 0 && of.spent.insert(text), "a code of the newest set works once: {}", answer.body);
                of.forget_factors();
            }
            Some(answer) => of.assert_may_refuse(set, &text, answer),
            None => of.died_over_recovery(),
        }
    }

    async fn wrong_recovery(&mut self, user: usize, login: usize, reset: bool) {
        let path = if reset { "/auth/mfa/reset-totp" } else { "/auth/mfa/verify-recovery-code" };
        let body = json!({ "code": "0000-0000-0000-0000-0000-0000" });
        let answer = self.send(user, login, Method::POST, path, body).await;
        assert!(answer.is_none_or(|answer| answer.status != 200), "a code that nobody was given");
        self.users[user].certain &= self.status.is_some();
    }

    /// Uses something of the other user. `play` checks that nothing of the other user changes.
    async fn foreign(&mut self, user: usize, login: usize, what: usize) {
        let now = self.now();
        let other = &self.users[1 - user];
        let keys = &self.mfa.app.keys;
        let post = |path: &str, body: Value| Some((Method::POST, format!("/auth/mfa/{path}"), body));
        let request = match what {
            0 => other.devices.first().map(|of| (Method::DELETE, format!("/auth/mfa/devices/{}", of.id), Value::Null)),
            1 => other.setups.last().and_then(|of| {
                post("verify-totp-setup", json!({ "otp": totp_code(&of.secret, now), "secret": of.secret }))
            }),
            2 => other
                .codes
                .iter()
                .flatten()
                .next()
                .and_then(|(code, _, method)| post("verify", json!({ "otp": code, "method": method }))),
            3 => other.devices.first().and_then(|of| {
                post("verify", json!({ "otp": totp_code(&of.secret, now), "method": "totp", "deviceId": of.id }))
            }),
            4 => other.trusts.first().map(|of| {
                let token = mfa::domain::trust::TrustToken::parse(&of.token).expect("a token");
                let id = keys.trust_id(keys.user_id(USERS[1 - user]), &token);
                (Method::DELETE, format!("/auth/mfa/trusted-devices/{id}"), Value::Null)
            }),
            _ => other.sets.first().and_then(|of| post("reset-totp", json!({ "code": of.codes[0] }))),
        };
        let Some((method, path, body)) = request else { return };
        let answer = self.send(user, login, method, &path, body).await;
        let of = &mut self.users[user];
        of.certain &= answer.is_some();
        let guessed = |code| matches!(code, "MFA_CODE_INVALID" | "VERIFICATION_CODE_INVALID");
        if answer.as_ref().is_none_or(|answer| answer.code().is_some_and(guessed)) {
            of.wrong_code(now, false);
        }
        assert!(answer.is_none_or(|answer| answer.status != 200), "{path} of another");
    }

    async fn refresh(&mut self, user: usize, session: usize, back: usize) {
        let of = &self.users[user];
        let session = session % of.sessions.len().max(1);
        let Some(session_of) = of.sessions.get(session) else { return };
        let place = session_of.tokens.len().saturating_sub(back + 1);
        let token = session_of.tokens[place].clone();
        let mfa = Arc::clone(&self.serving().mfa);
        let answer = self.alive("refresh-token", mfa.refresh(&token)).await;
        let (now, of) = (self.now(), &mut self.users[user]);
        let (floor, certain) = (of.floor, of.certain);
        let session = &mut of.sessions[session];
        let newest = place + 1 == session.tokens.len();
        let repeat = place + 2 == session.tokens.len() && now - session.rotated <= 10;
        let alive = !session.ended && session.epoch >= floor && now < session.ends;
        match answer {
            Some(answer) if answer.status == 200 => {
                assert!(alive && (newest || repeat), "refreshed by token {place} of {}", session.tokens.len());
                let successor = answer.text("refreshToken");
                if newest {
                    session.tokens.push(successor);
                    session.rotated = now;
                } else {
                    assert_eq!(session.tokens.last(), Some(&successor), "one successor");
                }
            }
            Some(answer) => {
                assert!(!(alive && certain && (newest || repeat)), "a session is lost: {}", answer.body);
                session.ended |= !(newest || repeat);
            }
            None => of.certain = false,
        }
    }

    async fn verify_trusted(&mut self, user: usize, login: usize, trust: usize) {
        let Some(trust) = pick(&self.users[user].trusts, trust) else { return };
        let (token, made) = (trust.token.clone(), trust.made);
        let counts = !trust.revoked && trust.epoch >= self.users[user].floor && self.now() < made + 30 * 86_400;
        // A trust token never works for the other user.
        let foreign = self.bearer(1 - user, login);
        if let Some(answer) = self.alive("verify-trusted-device of another", foreign.verify_trusted(&token)).await {
            assert_eq!(answer.status, 404, "{}", answer.body);
        }
        let own = self.bearer(user, login);
        let answer = self.alive("verify-trusted-device", own.verify_trusted(&token)).await;
        let (now, of) = (self.now(), &mut self.users[user]);
        match answer {
            Some(answer) if answer.status == 200 => {
                assert!(counts, "trusted too long: {}", answer.body);
                of.passed(login, &answer, made, now);
                of.sessions[0].trust = Some(token.clone());
                let of_device = of.sessions.iter_mut().filter(|session| session.trust.as_ref() == Some(&token));
                of_device.skip(2).for_each(|session| session.ended = true);
            }
            // With more than ten, the oldest one ends. The model does not know which one that is.
            Some(_) => assert!(!(counts && of.certain && of.trusts.len() <= 10), "trust is lost"),
            None => of.died(),
        }
    }

    async fn revoke(&mut self, user: usize, login: usize) {
        let list = self.send(user, login, Method::GET, "/auth/mfa/trusted-devices", Value::Null).await;
        self.assert_gate(user, login, list.as_ref());
        let Some(id) = list.and_then(|list| list.body[0]["id"].as_str().map(ToOwned::to_owned)) else { return };
        let answer =
            self.send(user, login, Method::DELETE, &format!("/auth/mfa/trusted-devices/{id}"), Value::Null).await;
        let keys = Arc::clone(&self.mfa.app.keys);
        let user_id = keys.user_id(USERS[user]);
        let of = &mut self.users[user];
        let is_it = |trust: &&mut Trust| {
            let token = mfa::domain::trust::TrustToken::parse(&trust.token).expect("a token");
            keys.trust_id(user_id, &token).to_string() == id
        };
        if let Some(trust) = of.trusts.iter_mut().find(is_it) {
            trust.revoked = answer.as_ref().is_some_and(|answer| answer.status == 200);
        }
        of.certain &= answer.is_some();
    }

    /// Lists the sessions, and ends one of them or all others.
    async fn end_session(&mut self, user: usize, login: usize, which: usize) {
        let list = self.send(user, login, Method::GET, "/auth/mfa/sessions", Value::Null).await;
        self.assert_gate(user, login, list.as_ref());
        let Some(list) = list.filter(|list| list.status == 200) else { return };
        let (now, of) = (self.now(), &self.users[user]);
        let listed: Vec<_> = list.body.as_array().expect("sessions").iter().map(|one| one["id"].clone()).collect();
        let goes_on = |id: &Value| {
            let mut named = of.sessions.iter().filter(|session| session.id == *id);
            named.any(|session| !session.ended && session.epoch >= of.floor && now < session.ends)
        };
        assert!(!of.certain || listed.iter().all(goes_on), "a session that has ended is listed: {}", list.body);

        let id = pick(&listed, which).filter(|_| which > 0).and_then(Value::as_str).unwrap_or("others").to_owned();
        let answer = self.send(user, login, Method::DELETE, &format!("/auth/mfa/sessions/{id}"), Value::Null).await;
        self.assert_gate(user, login, answer.as_ref());
        let (caller, of) = (self.caller.clone(), &mut self.users[user]);
        match answer {
            Some(answer) if answer.status == 200 && id == "others" => {
                of.new_epoch_of(&caller.holder, caller.proven_until.filter(|_| caller.gated));
            }
            Some(answer) if answer.status == 200 => of.end_session(&id),
            Some(answer) => assert_eq!(answer.code(), Some("MFA_REQUIRED"), "{}", answer.body),
            None => {
                of.died();
                // A new epoch may have begun.
                of.epoch += u32::from(id == "others");
            }
        }
    }

    /// Ends the session of the token that is sent.
    async fn sign_out(&mut self, user: usize, login: usize) {
        let token = self.bearer(user, login).token;
        let session = claims_of(&token).get("mfa").map(|_| session_of(&token));
        let answer = self.send(user, login, Method::DELETE, "/auth/mfa/sessions/current", Value::Null).await;
        let of = &mut self.users[user];
        match (answer, session) {
            (Some(answer), Some(session)) => {
                answer.assert_ok();
                of.end_session(&session);
            }
            (Some(answer), None) => drop(answer.assert_problem(404, "SESSION_NOT_FOUND")),
            (None, _) => of.died(),
        }
    }

    /// Checks what a person sees afterwards: which devices there are, and whether MFA is on.
    async fn observe(&mut self, user: usize, login: usize, act: &Act) {
        let status = self.users[user].person.login().at(&self.serving().mfa).status().await;
        let required = self.serving().required;
        let enabled = self.mfa.ledger(USERS[user]).await.is_some_and(|ledger| ledger.enabled);
        let (now, of) = (self.now(), &mut self.users[user]);
        let devices = status["totpDevices"].as_array().expect("devices").iter();
        let verified = devices
            .filter(|device| device["verified"] == true || device["inactive"] == true)
            .map(|device| (device["id"].as_str().expect("an id").to_owned(), device["inactive"] == true));
        let verified: BTreeMap<_, _> = verified.collect();
        assert_eq!(status["isEnabled"], enabled || required, "whether a second factor is demanded");
        let (done, died) = (self.status == Some(200), self.status.is_none());
        for gone in of.devices.iter().filter(|device| !verified.contains_key(&device.id)) {
            let may_go = match act {
                Act::Remove { .. } => Some(&gone.id) == self.removed.as_ref(),
                Act::Reset { .. } => true,
                // The process died before the device was confirmed.
                Act::Confirm { .. } => died,
                _ => false,
            };
            assert!(may_go && (done || died), "{act:?} took a device away, and was answered {:?}", self.status);
        }
        let removed = of.devices.iter().find(|device| !verified.contains_key(&device.id));
        if removed.is_some_and(|device| !device.inactive) && matches!(act, Act::Remove { .. }) {
            let grace = self.caller.proven_until.filter(|_| self.caller.gated);
            of.new_epoch_of(&self.caller.holder, grace);
        }
        of.devices.retain(|device| verified.contains_key(&device.id));
        assert_eq!(of.devices.len(), verified.len(), "{act:?} added a device");
        assert!(of.devices.len() <= 5);
        if enabled != of.enabled {
            let may_switch = match act {
                Act::Toggle { on } => *on == enabled,
                Act::Reset { .. } => !enabled,
                // The first right code did, and its answer is lost.
                Act::Confirm { .. } | Act::VerifySent { .. } | Act::VerifyTotp { .. } => required && died && enabled,
                _ => false,
            };
            assert!(may_switch && (done || died), "{act:?} switched MFA {enabled}, and was answered {:?}", self.status);
            if enabled {
                of.switched(login, matches!(act, Act::Toggle { .. }), &self.caller.holder, now);
            } else if matches!(act, Act::Toggle { .. }) {
                of.new_epoch_of(&self.caller.holder, self.caller.proven_until);
                of.codes = [const { None }; LOGINS];
            }
        }
        if of.certain {
            let inactive: BTreeMap<_, _> = of.devices.iter().map(|of| (of.id.clone(), of.inactive)).collect();
            assert_eq!(inactive, verified, "{act:?}: which devices are inactive");
            let unused = |set: &RecoverySet| set.codes.iter().filter(|code| !of.spent.contains(*code)).count();
            assert_eq!(status["recoveryCodesLeft"].as_u64(), of.sets.first().map(|set| unused(set) as u64), "{act:?}");
            assert_eq!(status.get("deadEnd"), None, "{act:?}: a dead end");
        }
        for device in &mut of.devices {
            device.inactive = verified[&device.id];
        }
        match act {
            Act::Toggle { on } if done => assert_eq!(enabled, *on, "the state is not as answered"),
            Act::Reset { .. } if done => assert!(!enabled && verified.is_empty(), "a reset left something"),
            Act::Remove { .. } if done => assert!(self.removed.as_ref().is_none_or(|id| !verified.contains_key(id))),
            _ => {}
        }
        of.enabled = enabled;
        if enabled && matches!(act, Act::Remove { .. }) {
            assert_ne!(status["verifiedMethods"], json!([]), "nothing is left to sign in with");
        }
    }

    /// Six digits that are not a code of any device here, and differ from call to call.
    fn wrong_code(&mut self) -> String {
        let now = self.now() / 30;
        let secrets: Vec<_> =
            self.users.iter().flat_map(|of| of.devices.iter().chain(&of.setups)).map(|d| &d.secret).collect();
        let right: BTreeSet<_> =
            secrets.iter().flat_map(|secret| (now - 3..now + 4).map(|step| totp_code(secret, step * 30))).collect();
        loop {
            self.serial += 1;
            let code = format!("{:06}", self.serial % 1_000_000);
            if !right.contains(&code) {
                return code;
            }
        }
    }

    /// Fails unless, a day later, an authenticator or an unused recovery code lets its owner in.
    async fn assert_nobody_is_locked_out(&mut self) {
        for user in 0..self.users.len() {
            self.mfa.advance(25 * 3600);
            let (now, of) = (self.now(), &self.users[user]);
            let login = of.person.login().at(&self.deployed[1].mfa);
            if let Some(device) = of.devices.iter().find(|device| device.maker != INTRUDER && !device.inactive) {
                let otp = totp_code(&device.secret, now);
                let body = json!({ "method": "totp", "otp": otp, "deviceId": device.id });
                let answer = login.post("/auth/mfa/verify", body).await.assert_ok();
                // Where MFA is required, this code may have switched it on.
                if answer["recoveryCodesVoided"] == true {
                    continue;
                }
            }
            let unused = of.sets.first().filter(|set| set.made_by != INTRUDER);
            let unused = unused.and_then(|set| set.codes.iter().find(|code| !of.spent.contains(*code)));
            if let Some(code) = unused.filter(|_| of.certain) {
                login.recover(code).await.assert_ok();
            }
        }
    }
}

impl User {
    fn new(person: Person) -> Self {
        Self {
            logins: (0..LOGINS)
                .map(|n| if n == INTRUDER { person.login().from("192.0.2.66") } else { person.login() })
                .collect(),
            person,
            proven: [const { None }; LOGINS],
            proofs: [None; LOGINS],
            right: [None; LOGINS],
            grace: None,
            addresses: BTreeMap::new(),
            epoch: 0,
            floor: 0,
            setups: Vec::new(),
            devices: Vec::new(),
            steps: BTreeMap::new(),
            codes: [const { None }; LOGINS],
            sends: Vec::new(),
            spent: BTreeSet::new(),
            sets: Vec::new(),
            sessions: Vec::new(),
            trusts: Vec::new(),
            consecutive: (0, 0),
            wrong: 0,
            locked_at: None,
            enabled: false,
            certain: true,
        }
    }

    /// Keeps the tokens of an answer to a passed second factor.
    fn passed(&mut self, login: usize, answer: &Response, auth_time: u64, now: u64) {
        self.proofs[login] = Some(Proof { epoch: self.epoch, auth_time });
        let token = self.logins[login].with(answer.text("accessToken"));
        // The token expires no later than the one that was sent, which may be one of ours.
        let ends = claims_of(&token.token)["exp"].as_u64().expect("a time");
        self.proven[login] = Some((token, ends));
        let tokens = vec![answer.text("refreshToken")];
        let claims = claims_of(&answer.text("accessToken"));
        let (id, ends) = (session_of(&answer.text("accessToken")), claims["mfa"]["ends"].as_u64().expect("a time"));
        assert!(ends <= now + 43_200, "a session is too long");
        self.sessions
            .insert(0, Session { id, tokens, rotated: now, epoch: self.epoch, ends, ended: false, trust: None });
        if let Some(token) = answer.body["trustToken"].as_str() {
            let trust = Trust { token: token.to_owned(), epoch: self.epoch, made: auth_time, revoked: false };
            self.trusts.insert(0, trust);
        }
    }

    fn right_code(&mut self, login: usize, now: u64) {
        self.right[login] = Some(now);
        self.consecutive = (0, 0);
    }

    fn end_session(&mut self, id: &str) {
        self.sessions.iter_mut().filter(|session| session.id == id).for_each(|session| session.ended = true);
    }

    fn used_device(&mut self, id: &str, login: usize) {
        for device in self.devices.iter_mut().filter(|device| device.id == id) {
            device.confirmed_by = login;
            device.inactive = false;
        }
    }

    /// Counts a wrong answer. `for_sure` says whether the bundle certainly counted it too.
    fn wrong_code(&mut self, now: u64, for_sure: bool) {
        self.consecutive = (self.consecutive.0 + u32::from(for_sure), self.consecutive.1 + 1);
        self.wrong += 1;
        if for_sure && self.consecutive.0 >= 5 {
            self.locked_at = Some(now);
        }
    }

    fn unlocked(&mut self) {
        self.consecutive = (0, 0);
        self.locked_at = None;
    }

    /// Whether a lock must still last. Five consecutive wrong answers lock for at least a quarter
    /// of an hour.
    fn must_be_locked(&self, now: u64) -> bool {
        self.locked_at.is_some_and(|at| now < at + 900)
    }

    /// Whether no lock is possible. Fewer than five wrong answers, consecutive or unforgiven, lock
    /// nobody.
    fn is_surely_open(&self) -> bool {
        self.consecutive.1 < 5 && self.wrong < 5
    }

    fn assert_lock(&self, answer: &Response, now: u64) {
        let locked = answer.code() == Some("ACCOUNT_LOCKED");
        let before = ["MFA_REQUIRED", "MFA_DEVICE_LIMIT_REACHED", "MFA_METHOD_NOT_AVAILABLE"];
        let gate = answer.code().is_some_and(|code| before.contains(&code));
        assert!(locked || gate || !self.must_be_locked(now), "judged while locked: {}", answer.body);
        assert!(!(locked && self.is_surely_open()), "locked after {} wrong answers", self.wrong);
    }

    fn new_epoch(&mut self, grace: Option<(String, u64)>) {
        self.epoch += 1;
        self.floor = self.epoch;
        self.grace = grace;
    }

    /// A new epoch, begun by a caller whose session goes on if it was alive, and whose proof goes
    /// on too.
    fn new_epoch_of(&mut self, holder: &str, proven_until: Option<u64>) {
        let floor = self.floor;
        self.new_epoch(proven_until.map(|until| (holder.to_owned(), until)));
        for session in self.sessions.iter_mut().filter(|session| session.id == holder && session.epoch >= floor) {
            session.epoch = self.epoch;
        }
    }

    /// Fails unless a reply that switched MFA on names what stopped counting.
    fn assert_told(&self, answer: &Response) {
        let told = answer.body["inactiveDevices"].as_array().map_or(0, Vec::len);
        let inactive = self.devices.iter().filter(|device| device.inactive).count();
        let is_on = answer.body["accessToken"].is_string();
        assert!(!is_on || told == inactive, "{inactive} are inactive: {}", answer.body);
    }

    /// The process died during a change that later requests may or may not see.
    fn died(&mut self) {
        self.certain = false;
    }

    /// Like [`Self::died`], but during the use of a recovery code: a new epoch may have begun, and
    /// the lock may be over.
    fn died_over_recovery(&mut self) {
        self.died();
        self.epoch += 1;
        self.consecutive.0 = 0;
        self.locked_at = None;
    }

    /// A recovery code that the owner was shown. The intruder has none.
    fn recovery_code(&self, login: usize, set: usize, code: usize) -> Option<String> {
        self.sets.get(set)?.codes.get(code).filter(|_| login != INTRUDER).cloned()
    }

    /// Fails if a right recovery code was refused. It passes even while codes are locked, and even
    /// after ten wrong ones within an hour.
    fn assert_may_refuse(&self, set: usize, code: &str, answer: &Response) {
        let good = set == 0 && self.certain && !self.spent.contains(code);
        assert!(!good, "a right recovery code is refused: {}", answer.body);
    }

    fn forget_factors(&mut self) {
        self.new_epoch(None);
        self.unlocked();
        self.setups.clear();
        self.sets.clear();
        self.addresses.clear();
        self.codes = [const { None }; LOGINS];
        self.right = [None; LOGINS];
    }

    /// MFA came on: nothing counts that another login made or last used.
    fn switched(&mut self, login: usize, by_toggle: bool, holder: &str, now: u64) {
        if self.enabled {
            return;
        }
        let until = self.right[login].map(|at| at + 900).filter(|until| *until > now);
        if by_toggle {
            self.new_epoch_of(holder, until);
        } else {
            self.new_epoch(until.map(|until| (holder.to_owned(), until)));
        }
        self.codes = [const { None }; LOGINS];
        self.devices.iter_mut().for_each(|device| device.inactive = device.confirmed_by != login);
        if self.sets.first().is_some_and(|set| set.made_by != login) {
            self.sets.clear();
        }
        self.addresses.retain(|_, by| *by == login);
        if by_toggle && self.devices.is_empty() && self.person.has_email() {
            // For clients that switch on at once.
            self.addresses.insert("email", login);
        }
    }
}

/// The id of the session that a token of ours names.
fn session_of(token: &str) -> String {
    claims_of(token)["mfa"]["session"].as_str().expect("a session").to_owned()
}

/// Picks one of the elements that there are, so that few steps find nothing to do.
fn pick<T>(list: &[T], n: usize) -> Option<&T> {
    list.get(n % list.len().max(1))
}

/// What owners with MFA on have done before. Most of what can go wrong starts from this state. One
/// sequence in four starts without it.
fn prelude() -> Vec<Step> {
    let acts = [
        Act::Confirm { right: true },
        Act::Toggle { on: true },
        Act::Generate,
        Act::VerifySent { right: true, trust: true },
    ];
    let step = |user, act| Step::Do { user, login: 0, act, trouble: Trouble::None, newer: false };
    let alices = acts.into_iter().map(|act| step(0, act));
    let bobs = [Act::Confirm { right: true }, Act::Toggle { on: true }].into_iter().map(|act| step(1, act));
    alices.chain(bobs).chain([Step::Wait(31)]).collect()
}

/// The number of sequences, if the environment asks for a longer search.
#[expect(clippy::disallowed_methods, reason = "the suite's own switch")]
fn cases() -> Option<u32> {
    std::env::var("MFA_MODEL_CASES").ok()?.parse().ok()
}

#[test]
fn whatever_two_users_and_an_intruder_do_the_whole_holds() {
    let cases = cases();
    let config =
        Config { cases: cases.unwrap_or(24), failure_persistence: None, max_shrink_iters: 60, ..Config::default() };
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let mut runner = match cases {
        // The same sequences every time, so that a change does not fail by an older bug that is
        // found only now.
        None => TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha)),
        Some(_) => TestRunner::new(config),
    };
    let seen = std::cell::RefCell::new(BTreeMap::<String, u32>::new());
    let sequence = (prop::bool::weighted(0.75), prop::collection::vec(step(), 20..60));
    let result = runner.run(&sequence, |(after_prelude, steps)| {
        runtime.block_on(async {
            let mut world = World::new().await;
            let prelude = if after_prelude { prelude() } else { Vec::new() };
            for step in prelude.iter().chain(&steps) {
                world.play(step).await;
            }
            world.assert_nobody_is_locked_out().await;
            for (what, count) in world.seen {
                *seen.borrow_mut().entry(what).or_insert(0) += count;
            }
        });
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
    let seen = seen.into_inner();
    for (what, count) in &seen {
        println!("{count:>6} {what}");
    }
    if cases.is_some() {
        return;
    }
    let answered = |with: &str| seen.keys().filter(|what| what.ends_with(with)).count();
    assert!(answered(": 200") >= 12 && answered(": died") >= 5 && answered(": ACCOUNT_LOCKED") >= 1, "{seen:?}");
}
