//! Rows 36 and 39 of the threat model: one day in which a thousand accounts try to use up the
//! application's text messages, and a stranger with the password an owner's codes.
//! `cargo test --workspace --test it day -- --nocapture` prints the figures.
#![expect(clippy::print_stdout, reason = "the figures are printed")]

use std::sync::Arc;

use futures_util::{StreamExt, stream};
use mfa_tests::{Login, Person, TestApp};

const ACCOUNTS: usize = 1000;
const HOURS: usize = 24;
const PER_DAY: usize = 200;
const OWNERS: &str = "198.51.100.20";

async fn asks(login: Login, method: &'static str) -> bool {
    login.challenge(method).await.status == 200
}

/// First all accounts, then in each hour a part of them ask for a text message to a number that
/// they never proved, from one of forty networks. A stranger asks for the owner's codes, from a
/// network of their own. Returns how many text messages went out.
async fn attack(mfa: &Arc<TestApp>, owner: &Person, hour: usize) -> usize {
    let accounts = (0..ACCOUNTS).filter(|n| n % HOURS == hour || hour == 0).map(|n| {
        let phone = format!("+4477{n:08}");
        let login = mfa.user(&format!("user-{n}")).with_phone(&phone).login();
        asks(login.from(&format!("10.{}.0.1", n % 40)), "sms")
    });
    let sent = stream::iter(accounts).buffer_unordered(32).collect::<Vec<_>>().await;
    let mut texts = sent.into_iter().filter(|is_sent| *is_sent).count();
    for n in 0..10 {
        let method = if n % 2 == 0 { "sms" } else { "email" };
        let is_sent = asks(owner.login().from(&format!("192.0.{n}.66")), method).await;
        texts += usize::from(is_sent && method == "sms");
        mfa.advance(150);
    }
    texts
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_a_day_of_a_thousand_accounts_the_owner_gets_a_code_whenever_it_is_asked_for() {
    let mfa = TestApp::start_with(&[("MFA_SMS_PER_DAY", &PER_DAY.to_string())]).await;
    let owner = mfa.user("owner").with_email("owner@example.com").with_phone("+442079460018");
    let login = owner.login().from(OWNERS);
    login.toggle(true).await.assert_ok();
    let code = login.receive_code("email").await;
    let proven = login.with(login.verify("email", &code).await.text("accessToken"));
    mfa.advance(30);
    let code = proven.receive_code("sms").await;
    proven.verify("sms", &code).await.assert_ok();
    // A day begins: the counter of the day before does not count.
    mfa.advance(86_400);

    let (mut texts, mut by_text, mut by_email) = (0, 0, 0);
    for hour in 0..HOURS {
        texts += attack(&mfa, &owner, hour).await;
        // Five text messages of the kept part go to one number. By e-mail there is always a code.
        let asked = owner.login().from(OWNERS);
        if hour % 5 == 0 {
            by_text += usize::from(asks(asked, "sms").await);
        } else {
            by_email += usize::from(asks(asked, "email").await);
        }
        mfa.advance(3600 - 1500);
    }
    let texts = texts + by_text;
    println!(
        "{texts} text messages of {PER_DAY} went out; the owner got {by_text} of 5 by text and {by_email} of 19 by e-mail"
    );
    assert_eq!((by_text, by_email), (5, 19));
}
