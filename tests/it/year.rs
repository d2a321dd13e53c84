//! Rows 5 and 30 of the threat model: a year of guessing at one account, by every route and from a
//! new login each time, while its owner signs in now and then.
//! `cargo test --workspace --test it year -- --nocapture` prints the figures.
#![expect(clippy::print_stdout, reason = "the figures are printed")]

use std::sync::Arc;

use mfa_tests::{Authenticator, Login, Person, Response, TestApp};
use serde_json::json;

const DAY: u64 = 86_400;
const YEAR: u64 = 365 * DAY;

/// The strategy of the guesser.
#[derive(Clone, Copy, PartialEq)]
enum Plan {
    /// Guesses whenever nothing stops it.
    Greedy,
    /// Makes four guesses after each sign-in of the owner. That stays below five consecutive ones,
    /// so none of them locks.
    Patient,
}

/// One year of one account.
struct Year {
    mfa: Arc<TestApp>,
    person: Person,
    device: Authenticator,
    trust_token: Option<String>,
    recovery_codes: Vec<String>,
    serial: u32,
    /// The number of guesses that may be judged in a year.
    most: u32,
    /// How many authenticators the user has.
    authenticators: u32,
    /// The number of judged guesses on each day.
    judged: Vec<u32>,
    /// The chance that none of them was right.
    all_wrong: f64,
    /// The number of requests that the guesser made.
    requests: u32,
    /// How often the owner signed in, by which means, and how often not.
    by_code: u32,
    by_trust: u32,
    by_recovery: u32,
    kept_out: u32,
}

impl Year {
    async fn of_at_most(most: u32) -> Self {
        Self::with_authenticators(1, most).await
    }

    async fn with_authenticators(authenticators: u32, most: u32) -> Self {
        let mfa = TestApp::start().await;
        let person = mfa.user("alice").with_email("alice@example.com");
        let owner = person.login();
        let device = owner.enrol().await;
        for _ in 1..authenticators {
            owner.enrol().await;
        }
        owner.toggle(true).await.assert_ok();
        let recovery_codes = owner.generate_recovery_codes().await;
        let trust_token = Some(owner.trust("totp", &device.advance_to_next_code(&mfa)).await);
        Self {
            mfa,
            person,
            device,
            trust_token,
            recovery_codes,
            serial: 0,
            most,
            authenticators,
            judged: vec![0; 366],
            all_wrong: 1.0,
            requests: 0,
            by_code: 0,
            by_trust: 0,
            by_recovery: 0,
            kept_out: 0,
        }
    }

    /// Guesses by the next of the routes that take a secret, and counts the guess if it was judged.
    /// If codes are locked, returns how long to wait.
    async fn guess(&mut self, day: usize) -> Option<u64> {
        self.serial += 1;
        self.requests += 1;
        let login = self.person.login();
        let wrong = format!("{:06}", self.serial % 1_000_000);
        let answer = match self.serial % 8 {
            0 => login.recover("0000-0000-0000-0000-0000-0000").await,
            1 => login.reset("0000-0000-0000-0000-0000-0000").await,
            2 => login.verify_trusted(&format!("mfat_{}", "A".repeat(43))).await,
            3 => self.mfa.refresh(&format!("mfa_{}.0.{}", "A".repeat(22), "A".repeat(43))).await,
            4 => login.confirm(&wrong, &self.device.secret).await,
            5 => self.guess_by_email(&login, &wrong).await,
            _ => login.verify("totp", &wrong).await,
        };
        assert_ne!(answer.status, 200, "the guesser is in: {}", answer.body);
        let judged = match answer.code() {
            Some("MFA_CODE_INVALID") => self.serial % 8 >= 6,
            Some("VERIFICATION_CODE_INVALID") => true,
            _ => false,
        };
        self.judged[day] += u32::from(judged);
        if judged {
            // Three codes of a million are right for each authenticator, and one if it was sent.
            let right = if self.serial % 8 == 5 { 1.0 } else { 3.0 * f64::from(self.authenticators) };
            self.all_wrong *= 1.0 - right / 1e6;
        }
        // Checked at once, because a year of unlimited guesses would run for hours.
        assert!(self.total() <= self.most, "{} guesses by day {day}", self.total());
        (answer.code() == Some("ACCOUNT_LOCKED")).then(|| answer.retry_after().expect("a time"))
    }

    /// Asks for a code first: if no code is outstanding, a guess is not judged.
    async fn guess_by_email(&self, login: &Login, wrong: &str) -> Response {
        let challenge = login.challenge("email").await;
        if challenge.status != 200 {
            return challenge;
        }
        login.verify("email", wrong).await
    }

    /// The owner signs in by a code. If a lock forbids that, by a trusted device; if that trust has
    /// ended, by a recovery code.
    async fn sign_in(&mut self) {
        let login = self.person.login();
        let body = json!({ "method": "totp", "otp": self.device.code(&self.mfa), "trustDevice": true });
        let by_code = login.post("/auth/mfa/verify", body).await;
        if by_code.status == 200 {
            self.by_code += 1;
            self.trust_token = Some(by_code.text("trustToken"));
            return;
        }
        assert_eq!(by_code.code(), Some("ACCOUNT_LOCKED"), "{}", by_code.body);
        if let Some(token) = &self.trust_token
            && login.verify_trusted(token).await.status == 200
        {
            self.by_trust += 1;
            return;
        }
        let Some(code) = self.recovery_codes.pop() else {
            self.kept_out += 1;
            return;
        };
        let body = json!({ "code": code, "trustDevice": true });
        let recovered = login.post("/auth/mfa/verify-recovery-code", body).await;
        assert_eq!(recovered.status, 200, "{}", recovered.body);
        self.by_recovery += 1;
        self.trust_token = Some(recovered.text("trustToken"));
        if self.recovery_codes.len() < 3 {
            self.recovery_codes = login.with(recovered.text("accessToken")).generate_recovery_codes().await;
        }
    }

    async fn play(mut self, name: &str, owner_every: u64, plan: Plan) -> Self {
        let began = self.mfa.clock.now().as_secs();
        let (mut next_guess, mut next_owner) = (began, began + owner_every / 2);
        loop {
            let now = self.mfa.clock.now().as_secs();
            let next = next_guess.min(next_owner);
            if next >= began + YEAR {
                break;
            }
            self.mfa.advance(next.saturating_sub(now));
            if next == next_owner {
                self.sign_in().await;
                next_owner += owner_every;
                if plan == Plan::Patient {
                    next_guess = next + 60;
                }
                continue;
            }
            let day = usize::try_from((next - began) / DAY).expect("a day");
            next_guess = match plan {
                Plan::Greedy => next + self.burst(day).await,
                Plan::Patient => {
                    self.four(day).await;
                    began + YEAR
                }
            };
        }
        self.report(name);
        self
    }

    /// Guesses until a lock, and returns how long the lock lasts.
    async fn burst(&mut self, day: usize) -> u64 {
        for _ in 0..64 {
            if let Some(wait) = self.guess(day).await {
                return wait;
            }
        }
        panic!("64 requests and no lock");
    }

    async fn four(&mut self, day: usize) {
        let before = self.judged[day];
        while self.judged[day] < before + 4 {
            if self.guess(day).await.is_some() {
                return;
            }
        }
    }

    fn total(&self) -> u32 {
        self.judged.iter().sum()
    }

    fn report(&self, name: &str) {
        let judged = self.total();
        println!(
            "{name:<28} {judged:>4} guesses judged of {} requests, at most {} on a day after the first, chance of a hit {:.2} %",
            self.requests,
            self.judged[1..].iter().max().expect("days"),
            (1.0 - self.all_wrong) * 100.0
        );
        println!(
            "{:<28} the owner got in {} times by a code, {} by a trusted device, {} by a recovery code; {} times not at all",
            "", self.by_code, self.by_trust, self.by_recovery, self.kept_out
        );
    }

    fn assert_spread(&self) {
        assert!(self.judged[1..].iter().all(|day| *day <= 11), "{:?}", self.judged);
        assert_eq!(self.kept_out, 0, "the owner was kept out");
    }
}

#[tokio::test]
async fn with_the_owner_away_codes_are_off_after_a_hundred_guesses_and_a_recovery_code_opens() {
    let year = Year::of_at_most(101).await.play("the owner away", 2 * YEAR, Plan::Greedy).await;
    year.assert_spread();
    year.person.login().recover(&year.recovery_codes[0]).await.assert_ok();
    year.mfa.advance(DAY);
    year.person.login().verify("totp", &year.device.code(&year.mfa)).await.assert_ok();
}

#[tokio::test]
async fn against_five_authenticators_the_chance_is_five_times_as_high_and_the_guesses_are_no_more() {
    let year = Year::with_authenticators(5, 400).await.play("five authenticators", DAY, Plan::Greedy).await;
    year.assert_spread();
    assert!(year.all_wrong > 1.0 - 0.006, "{}", year.all_wrong);
}

#[tokio::test]
async fn with_the_owner_there_daily_a_greedy_guesser_gets_at_most_400_guesses_a_year() {
    Year::of_at_most(400).await.play("the owner daily", DAY, Plan::Greedy).await.assert_spread();
}

#[tokio::test]
async fn with_the_owner_there_every_eight_hours_a_greedy_guesser_gets_at_most_400_guesses_a_year() {
    Year::of_at_most(400).await.play("the owner every 8 h", DAY / 3, Plan::Greedy).await.assert_spread();
}

#[tokio::test]
async fn with_the_owner_there_daily_a_patient_guesser_gets_at_most_400_guesses_a_year() {
    Year::of_at_most(400).await.play("the owner daily, patiently", DAY, Plan::Patient).await.assert_spread();
}
