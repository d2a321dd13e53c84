//! A week of logins on a simulated clock, with failures of SES, SNS and the table by turns, a
//! deployment, a rotation of the sealing keys and an attack in between. It prints what the alarms of
//! `template.yaml` showed. docs/soak.md has a run with 10,000 users; the tests play eight hours with 200.
#![expect(clippy::print_stdout, reason = "the figures are printed")]

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use mfa_tests::{Authenticator, InjectedFault, Login, Person, TestApp, alarms::Watch, wrong_code};

use crate::contract::yaml;

/// How many users there are, for how many minutes.
struct Scale {
    users: usize,
    minutes: usize,
}

/// Something that goes wrong, or that an operator does.
struct Incident {
    name: &'static str,
    /// Minutes that it lasts.
    lasts: usize,
    /// Alarms that ring because of it.
    rings: &'static [&'static str],
    /// Alarms that may ring too.
    may_ring: &'static [&'static str],
    /// What happens in a minute of it, counted from 0.
    minute: fn(&mut Soak, usize),
    ends: fn(&mut Soak),
}

const INCIDENTS: &[Incident] = &[
    Incident {
        name: "SES has not verified the sender",
        lasts: 20,
        rings: &["EmailFailureAlarm"],
        may_ring: &["ServerErrorAlarm"],
        minute: |soak, _| soak.mfa.inbox.verify_sender(false),
        ends: |soak| soak.mfa.inbox.verify_sender(true),
    },
    Incident {
        name: "SNS is down",
        lasts: 40,
        rings: &["SmsFailureAlarm"],
        may_ring: &["ServerErrorAlarm"],
        minute: |soak, minute| {
            if minute == 0 {
                soak.mfa.fault_proxy.break_calls("Publish", InjectedFault::Error);
            }
        },
        ends: |soak| soak.mfa.fault_proxy.heal(),
    },
    Incident {
        name: "A deployment: old and new functions serve side by side for ten minutes",
        lasts: 10,
        rings: &[],
        may_ring: &[],
        minute: |soak, minute| {
            if minute == 0 {
                soak.deploy(&[("MFA_APP_NAME", "Example 2")]);
            }
        },
        ends: |soak| soak.old = None,
    },
    Incident {
        name: "The table throttles",
        lasts: 15,
        rings: &["ServerErrorAlarm"],
        may_ring: &[],
        minute: |soak, minute| {
            if minute == 0 {
                soak.mfa.fault_proxy.break_calls("Query", InjectedFault::Throttle);
            }
        },
        ends: |soak| soak.mfa.fault_proxy.heal(),
    },
    Incident {
        name: "The sealing keys rotate in three deployments, ten minutes each",
        lasts: 30,
        rings: &[],
        may_ring: &[],
        minute: |soak, minute| {
            let old = soak.mfa.variables["MFA_SEALING_KEYS"].clone();
            match minute {
                0 => soak.deploy(&[("MFA_SEALING_KEYS", &format!("{old},{NEXT_KEY}")), ("MFA_SEALING_KEY", "dev")]),
                10 => soak.deploy(&[("MFA_SEALING_KEY", "next")]),
                // The old key stays: it opens what it sealed, until nothing is left of that.
                20 => soak.deploy(&[("MFA_SEALING_KEYS", &format!("{NEXT_KEY},{}", soak.first_keys))]),
                _ => {}
            }
        },
        ends: |soak| soak.old = None,
    },
    Incident {
        name: "Somebody knows passwords and guesses codes: four users a minute, six codes each",
        lasts: 20,
        rings: &["LockAlarm", "WrongCodeAlarm"],
        may_ring: &[],
        minute: |soak, minute| {
            // Of six users, the first three have an authenticator.
            let place = |n| (minute * 4 + n) % (soak.users.len() / 2);
            soak.guessed = (0..4).map(|n| place(n) / 3 * 6 + place(n) % 3).collect();
        },
        ends: |soak| soak.guessed.clear(),
    },
];

const NEXT_KEY: &str = "next:bmV4dC1zZWFsaW5nLWtleS1vZi10aGUtc29hay0wMDE=";

/// Minutes after an incident in which an alarm may still begin to ring: its periods end later.
const AFTERMATH: usize = 16;

/// A user of the application.
struct User {
    person: Person,
    source_ip: String,
    method: &'static str,
    address: String,
    device: Option<Authenticator>,
    trust_token: Option<String>,
    /// Since which minute each try to sign in has failed.
    failing_since: Option<usize>,
}

struct Soak {
    mfa: Arc<TestApp>,
    /// The functions of the deployment before, while they still serve.
    old: Option<Arc<TestApp>>,
    first_keys: String,
    users: Vec<User>,
    guessed: Vec<usize>,
    watch: Watch,
    random: u64,
    minute: usize,
    requests: usize,
    sign_ins: usize,
    failed: usize,
    /// The longest time, in minutes, until somebody who failed got in.
    longest: usize,
}

impl Soak {
    async fn start(scale: &Scale) -> Self {
        let mfa = TestApp::start_with(&[("MFA_SMS_PER_DAY", "20000")]).await;
        let first_keys = mfa.variables["MFA_SEALING_KEYS"].clone();
        let watch = Watch::of(&yaml("template.yaml"), 0.8);
        let mut soak = Self {
            mfa,
            old: None,
            first_keys,
            users: Vec::new(),
            guessed: Vec::new(),
            watch,
            random: 1,
            minute: 0,
            requests: 0,
            sign_ins: 0,
            failed: 0,
            longest: 0,
        };
        for n in 0..scale.users {
            let user = soak.enrolled(n).await;
            soak.users.push(user);
            soak.mfa.inbox.clear();
        }
        soak.mfa.take_log();
        // Whoever has just switched MFA on needs no code for a while.
        soak.mfa.advance(86_400);
        soak
    }

    /// A user who has a factor, and MFA on.
    async fn enrolled(&mut self, n: usize) -> User {
        let method = ["totp", "totp", "totp", "email", "email", "sms"][n % 6];
        let address = if method == "sms" { format!("+44207{n:07}") } else { format!("user-{n}@example.com") };
        let person = self.mfa.user(&format!("user-{n}"));
        let person = if method == "sms" { person.with_phone(&address) } else { person.with_email(&address) };
        let source_ip = format!("10.{}.{}.7", n / 250 % 250, n % 250);
        let login = person.login().from(&source_ip);
        let device = if method == "totp" { Some(login.enrol().await) } else { None };
        login.toggle(true).await.assert_ok();
        User { person, source_ip, method, address, device, trust_token: None, failing_since: None }
    }

    /// From now on new functions serve, and for a while the old ones too.
    fn deploy(&mut self, settings: &[(&str, &str)]) {
        let new = self.mfa.redeployed_with(settings);
        self.old = Some(std::mem::replace(&mut self.mfa, new));
    }

    fn draw(&mut self, below: usize) -> usize {
        // Knuth's MMIX generator: the same week on every run.
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.random >> 33).expect("31 bits") % below
    }

    /// The functions that serve the next request.
    fn serving(&mut self) -> Arc<TestApp> {
        match self.old.clone() {
            Some(old) if self.draw(2) == 0 => old,
            _ => Arc::clone(&self.mfa),
        }
    }

    /// Signs a user in, as a client does. Says whether it went well.
    async fn sign_in(&mut self, n: usize) -> bool {
        self.sign_ins += 1;
        let (mistypes, trusts) = (self.draw(30) == 0, self.draw(20) == 0);
        let login = {
            let user = &self.users[n];
            user.person.login().from(&user.source_ip)
        };
        let at = |soak: &mut Self, login: &Login| login.at(&soak.serving());
        if at(self, &login).call(lambda_http::http::Method::GET, "/auth/mfa/status", Vec::new()).await.status != 200 {
            return false;
        }
        if let Some(token) = self.users[n].trust_token.take() {
            let answer = at(self, &login).verify_trusted(&token).await;
            if answer.status == 200 {
                self.users[n].trust_token = Some(token);
                return true;
            }
        }
        let method = self.users[n].method;
        let code = if let Some(device) = self.users[n].device.clone() {
            let code = device.code(&self.mfa);
            if mistypes {
                at(self, &login).verify(method, &wrong_code(&code, 0)).await;
            }
            code
        } else {
            if at(self, &login).challenge(method).await.status != 200 {
                return false;
            }
            let messages = self.mfa.inbox.messages();
            let message = messages.iter().rev().find(|message| message.to == self.users[n].address);
            message.and_then(|message| message.code.clone()).expect("a code in the inbox")
        };
        let body = mfa_tests::json!({ "method": method, "otp": code, "trustDevice": trusts });
        let answer = at(self, &login).post("/auth/mfa/verify", body).await;
        if answer.status != 200 {
            return false;
        }
        if trusts {
            self.users[n].trust_token = Some(answer.text("trustToken"));
        }
        let serving = self.serving();
        serving.refresh(&answer.text("refreshToken")).await.status == 200
    }

    /// A minute of the week: as many sign-ins as belong to it, whoever failed before, and guesses.
    async fn minute(&mut self, scale: &Scale) {
        // Few at night, many in the morning, in thousandths of the mean.
        const BY_HOUR: [usize; 24] = [
            200, 100, 100, 100, 200, 400, 900, 1800, 2400, 2200, 1800, 1500, 1400, 1500, 1400, 1300, 1200, 1100, 1000,
            900, 800, 600, 500, 300,
        ];
        let share = scale.users * BY_HOUR[self.minute / 60 % 24];
        let mean = (share / 1_440_000).max(2);
        let mut who: BTreeSet<usize> = (0..mean).map(|_| self.draw(scale.users)).collect();
        let again = |user: &User| user.failing_since.is_some_and(|since| (self.minute - since) % 10 == 9);
        who.extend((0..scale.users).filter(|n| again(&self.users[*n])));
        for n in who {
            if self.sign_in(n).await {
                let since = self.users[n].failing_since.take();
                self.longest = self.longest.max(since.map_or(0, |since| self.minute - since));
            } else {
                self.failed += 1;
                self.users[n].failing_since.get_or_insert(self.minute);
            }
        }
        for n in self.guessed.clone() {
            let user = &self.users[n];
            let stranger = user.person.login().from("203.0.113.66").at(&self.mfa);
            for guess in 0..6 {
                stranger.verify("totp", &format!("{:06}", (self.minute * 10 + guess) % 1_000_000)).await;
            }
        }
        let now = self.mfa.clock.now().as_secs();
        for mfa in [Some(&self.mfa), self.old.as_ref()].into_iter().flatten() {
            for line in mfa.take_log() {
                self.requests += 1;
                self.watch.take(&line, now);
            }
        }
        self.mfa.inbox.clear();
        self.mfa.fault_proxy.take_calls();
        self.mfa.advance(60);
        self.minute += 1;
    }

    /// Deletes the items whose TTL has passed, as `DynamoDB` does, and says how many are left.
    async fn expire(&self) -> usize {
        let now = self.mfa.clock.now().as_secs();
        let has_expired = |item: &serde_json::Value| {
            let ttl = item["ttl"]["N"].as_str().and_then(|ttl| ttl.parse::<u64>().ok());
            ttl.is_some_and(|ttl| ttl <= now)
        };
        let (expired, alive): (Vec<_>, Vec<_>) = self.mfa.dump().await.into_iter().partition(has_expired);
        for item in expired {
            let key = |name: &str| item[name]["S"].as_str().expect("a key");
            self.mfa.table.delete(key("pk"), key("sk")).await.expect("deleted");
        }
        alive.len()
    }
}

/// The memory of this process, in MB.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: usize = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or_default();
    pages * 4096 / 1_000_000
}

async fn play(scale: Scale) {
    let mut soak = Soak::start(&scale).await;
    // The first part is quiet, and so is the time after each incident.
    let gap = scale.minutes / (INCIDENTS.len() + 1);
    let mut rang: BTreeMap<usize, BTreeMap<String, usize>> = BTreeMap::new();
    for minute in 0..scale.minutes {
        let (number, within) =
            ((minute / gap).min(INCIDENTS.len()), minute - (minute / gap).min(INCIDENTS.len()) * gap);
        if let Some(incident) = number.checked_sub(1).map(|number| &INCIDENTS[number]) {
            if within < incident.lasts {
                (incident.minute)(&mut soak, within);
            } else if within == incident.lasts {
                (incident.ends)(&mut soak);
            }
            assert!(
                within < incident.lasts + AFTERMATH || soak.watch.ringing(soak.mfa.clock.now().as_secs()).is_empty(),
                "{} minutes after {}, {:?} rings",
                within - incident.lasts,
                incident.name,
                soak.watch.ringing(soak.mfa.clock.now().as_secs())
            );
        }
        soak.minute(&scale).await;
        for alarm in soak.watch.ringing(soak.mfa.clock.now().as_secs()) {
            rang.entry(number).or_default().entry(alarm.to_owned()).or_insert(within + 1);
        }
        if minute % 1440 == 1439 || minute + 1 == scale.minutes {
            soak.watch.forget(soak.mfa.clock.now().as_secs() - 7200);
            println!(
                "day {}: {} requests, {} sign-ins, {} failed, {} items, {} MB",
                minute / 1440 + 1,
                soak.requests,
                soak.sign_ins,
                soak.failed,
                soak.expire().await,
                resident()
            );
        }
    }
    println!("\n| What happened | Minutes | Alarms, and the minute in which they rang |\n|---|---|---|");
    assert_eq!(rang.get(&0), None, "the quiet time");
    for (number, incident) in INCIDENTS.iter().enumerate() {
        let rang = rang.remove(&(number + 1)).unwrap_or_default();
        let names: BTreeSet<_> = rang.keys().map(String::as_str).collect();
        let texts: Vec<_> = rang.iter().map(|(alarm, minute)| format!("`{alarm}` {minute}")).collect();
        let texts = if texts.is_empty() { "none".to_owned() } else { texts.join(", ") };
        println!("| {} | {} | {texts} |", incident.name, incident.lasts);
        let expected: BTreeSet<_> = incident.rings.iter().copied().collect();
        let allowed: BTreeSet<_> = expected.union(&incident.may_ring.iter().copied().collect()).copied().collect();
        assert!(names.is_superset(&expected) && names.is_subset(&allowed), "{}: {rang:?}", incident.name);
    }
    let stranded = soak.users.iter().filter(|user| user.failing_since.is_some()).count();
    println!("\n{} users could not sign in at the end; the longest wait was {} minutes", stranded, soak.longest);
    assert_eq!(stranded, 0);
}

#[tokio::test]
async fn in_eight_hours_of_200_users_each_alarm_has_its_cause_and_nobody_is_stranded() {
    play(Scale { users: 200, minutes: 8 * 60 }).await;
}

#[tokio::test]
#[ignore = "takes long: bash .ci/run soak"]
async fn in_a_week_of_10_000_users_each_alarm_has_its_cause_and_nobody_is_stranded() {
    play(Scale { users: 10_000, minutes: 7 * 24 * 60 }).await;
}
