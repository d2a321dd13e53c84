//! Each alarm of `template.yaml` is provoked: what goes wrong, the metrics of the log lines, and the
//! alarm's own definition. `-- --nocapture` prints the table of docs/operations.md.
#![expect(clippy::print_stdout, reason = "the table is printed")]

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use futures_util::{FutureExt, future::BoxFuture};
use mfa::domain::{SessionId, session::RefreshToken};
use mfa_tests::{InjectedFault, Login, Response, START, TestApp, alarms::Watch, json, wrong_code};

use crate::contract::{assert_table_up_to_date, yaml};

/// A day with one cause, minute by minute.
struct Cause {
    name: &'static str,
    /// The alarms that it rings. Each other one is silent.
    rings: &'static [&'static str],
    settings: &'static [(&'static str, &'static str)],
    /// What happens in a minute, counted from 0.
    minute: for<'a> fn(&'a Arc<TestApp>, &'a mut Watch, usize) -> BoxFuture<'a, ()>,
}

/// How long a cause lasts.
const MINUTES: usize = 30;

/// A user of their own, with an address of their own, asks for a code.
async fn ask_by_email(mfa: &Arc<TestApp>, minute: usize, n: usize, domain: &str) -> Response {
    let name = format!("user-{minute}-{n}");
    mfa.user(&name).with_email(&format!("{name}@{domain}")).login().challenge("email").await
}

/// The same by text message.
async fn ask_by_sms(mfa: &Arc<TestApp>, minute: usize) -> Response {
    let number = format!("+44207946{minute:04}");
    mfa.user(&format!("user-{minute}")).with_phone(&number).login().challenge("sms").await
}

const CAUSES: &[Cause] = &[
    Cause {
        name: "The table is down",
        rings: &["ServerErrorAlarm"],
        settings: &[],
        minute: |mfa, _, minute| {
            async move {
                mfa.fault_proxy.break_calls("Query", InjectedFault::Error);
                if minute % 5 == 0 {
                    let login = mfa.user("alice").login();
                    login.challenge("totp").await.assert_problem(503, "SERVICE_UNAVAILABLE");
                }
            }
            .boxed()
        },
    },
    Cause {
        name: "A function cannot start",
        rings: &["CrashAlarm"],
        settings: &[],
        minute: |mfa, watch, _| {
            async move {
                let line =
                    "INIT_REPORT Init Duration: 9.41 ms\tPhase: init\tStatus: error\tError Type: Runtime.ExitError";
                watch.take_text(line, mfa.clock.now().as_secs());
                watch.take_text("REPORT RequestId: 1\tDuration: 9.41 ms", mfa.clock.now().as_secs());
            }
            .boxed()
        },
    },
    Cause {
        name: "SES has not verified the sender",
        rings: &["EmailFailureAlarm", "ServerErrorAlarm"],
        settings: &[],
        minute: |mfa, _, minute| {
            async move {
                mfa.inbox.verify_sender(false);
                ask_by_email(mfa, minute, 0, "example.com").await.assert_problem(503, "MFA_DELIVERY_FAILED");
            }
            .boxed()
        },
    },
    Cause {
        name: "SES refuses every address for good",
        rings: &["EmailFailureAlarm"],
        settings: &[],
        minute: |mfa, _, minute| {
            async move {
                for n in 0..3 {
                    let answer = ask_by_email(mfa, minute, n, "rejected.example").await;
                    answer.assert_problem(422, "MFA_DELIVERY_REJECTED");
                }
            }
            .boxed()
        },
    },
    Cause {
        name: "SNS is down",
        rings: &["ServerErrorAlarm", "SmsFailureAlarm"],
        settings: &[],
        minute: |mfa, _, minute| {
            async move {
                mfa.fault_proxy.break_calls("Publish", InjectedFault::Error);
                ask_by_sms(mfa, minute).await.assert_problem(503, "MFA_DELIVERY_FAILED");
            }
            .boxed()
        },
    },
    Cause {
        name: "The day's text messages run out",
        rings: &["SmsDayAlarm"],
        settings: &[("MFA_SMS_PER_DAY", "20")],
        minute: |mfa, _, minute| {
            async move {
                ask_by_sms(mfa, minute).await;
            }
            .boxed()
        },
    },
    Cause {
        name: "Text messages cost more than the limit",
        rings: &["SmsSpendAlarm"],
        settings: &[],
        minute: |mfa, watch, minute| {
            async move {
                if minute == 3 {
                    watch.add("AWS/SNS/SMSMonthToDateSpentUSD", mfa.clock.now().as_secs(), 0.9);
                }
            }
            .boxed()
        },
    },
    Cause {
        name: "Text messages through End User Messaging cost more than the limit",
        rings: &["EndUserMessagingSpendAlarm"],
        settings: &[],
        minute: |mfa, watch, minute| {
            async move {
                if minute == 3 {
                    watch.add("AWS/SMSVoice/TextMessageMonthlySpend", mfa.clock.now().as_secs(), 0.9);
                }
            }
            .boxed()
        },
    },
    Cause {
        name: "Somebody guesses codes of many users",
        rings: &["LockAlarm", "WrongCodeAlarm"],
        settings: &[],
        minute: |mfa, _, minute| {
            async move {
                for n in 0..4 {
                    let login = mfa.user(&format!("user-{minute}-{n}")).login();
                    let device = login.enrol().await;
                    for guess in 0..5 {
                        login.verify("totp", &wrong_code(&device.code(mfa), guess)).await;
                    }
                }
            }
            .boxed()
        },
    },
    Cause {
        name: "Sessions have ended, and every refresh token is refused",
        rings: &["RefreshTokenAlarm"],
        settings: &[],
        minute: |mfa, _, minute| {
            async move {
                let login = mfa.user("alice").login();
                if minute == 0 {
                    login.enrol().await;
                }
                for session in 0..5 {
                    let token = RefreshToken {
                        user: mfa.app.keys.user_id("alice"),
                        session: SessionId([session; 16]),
                        generation: 0,
                    };
                    mfa.refresh(&token.to_text(&mfa.app.keys)).await.assert_problem(401, "REFRESH_TOKEN_INVALID");
                }
            }
            .boxed()
        },
    },
    Cause {
        name: "A stranger without an account sends made-up tokens, thousands an hour",
        rings: &[],
        settings: &[],
        minute: |mfa, _, _| {
            async move {
                for _ in 0..20 {
                    mfa.refresh("mfa_none").await.assert_problem(401, "REFRESH_TOKEN_INVALID");
                    Login::with_token(mfa, "no token").challenge("totp").await.assert_problem(401, "INVALID_TOKEN");
                }
            }
            .boxed()
        },
    },
    Cause {
        name: "Somebody with one account repeats wrong codes, set-ups and codes that were never sent",
        rings: &[],
        settings: &[],
        minute: |mfa, _, _| {
            async move {
                let login = mfa.user("mallory").with_email("mallory@example.com").login();
                let device = login.open_authenticator().await;
                for _ in 0..15 {
                    login.verify("email", "000000").await;
                    login.confirm("000000", "JBSWY3DPEHPK3PXP").await;
                    login.confirm(&wrong_code(&device.code(mfa), 0), &device.secret).await;
                }
            }
            .boxed()
        },
    },
    Cause {
        name: "The table is down, and a stranger without an account sends thirty times as many requests",
        rings: &["ServerErrorAlarm"],
        settings: &[],
        minute: |mfa, _, _| {
            async move {
                mfa.fault_proxy.break_calls("Query", InjectedFault::Error);
                mfa.user("alice").login().challenge("totp").await.assert_problem(503, "SERVICE_UNAVAILABLE");
                for _ in 0..30 {
                    Login::with_token(mfa, "no token").challenge("totp").await.assert_problem(401, "INVALID_TOKEN");
                }
            }
            .boxed()
        },
    },
    Cause {
        name: "An item is damaged",
        rings: &["UnreadableItemAlarm", "ServerErrorAlarm"],
        settings: &[],
        minute: |mfa, _, minute| {
            async move {
                let login = mfa.user("alice").login();
                if minute == 0 {
                    login.enrol().await;
                    let ledger = mfa.items("MFA#LEDGER").await.remove(0);
                    let user = ledger["pk"]["S"].as_str().expect("a key");
                    mfa.table.set(user, "MFA#LEDGER", "d", Some(&json!({ "S": "x" }))).await.expect("damaged");
                }
                login.challenge("totp").await.assert_problem(500, "INTERNAL_ERROR");
            }
            .boxed()
        },
    },
    Cause {
        name: "The account's concurrency is used up",
        rings: &["ThrottleAlarm"],
        settings: &[],
        minute: |mfa, watch, _| {
            async move { watch.add("AWS/Lambda/Throttles", mfa.clock.now().as_secs(), 3.0) }.boxed()
        },
    },
    Cause {
        name: "What could not be told of stands in the queue",
        rings: &["NoticeAlarm"],
        settings: &[],
        minute: |mfa, watch, minute| {
            async move {
                if minute == 3 {
                    watch.add("AWS/SQS/ApproximateNumberOfMessagesVisible", mfa.clock.now().as_secs(), 1.0);
                }
            }
            .boxed()
        },
    },
    Cause {
        name: "Answers take seconds",
        rings: &["LatencyAlarm"],
        settings: &[],
        minute: |mfa, watch, _| {
            async move { watch.add("AWS/ApiGateway/Latency", mfa.clock.now().as_secs(), 4000.0) }.boxed()
        },
    },
    Cause {
        name: "A quiet day: people sign in, some mistype, an address bounces",
        rings: &[],
        settings: &[],
        minute: |mfa, _, minute| {
            async move {
                let login = mfa.user(&format!("user-{}", minute % 7)).with_email("alice@example.com").login();
                let device = login.enrol().await;
                if minute % 3 == 0 {
                    login.verify("totp", &wrong_code(&device.code(mfa), 0)).await;
                }
                login.verify("totp", &device.advance_to_next_code(mfa)).await;
                if minute == 9 {
                    mfa.user("bob").with_email("bob@rejected.example").login().challenge("email").await;
                }
            }
            .boxed()
        },
    },
    Cause {
        name: "One request fails, once",
        rings: &[],
        settings: &[],
        minute: |mfa, _, minute| {
            async move {
                if minute == 5 {
                    mfa.fault_proxy.break_calls("Query", InjectedFault::Error);
                }
                mfa.user("alice").login().challenge("totp").await;
                mfa.fault_proxy.heal();
            }
            .boxed()
        },
    },
];

/// The alarms that rang, each with its minute.
async fn play(cause: &Cause) -> Vec<(String, usize)> {
    let mfa = TestApp::start_with(cause.settings).await;
    let mut watch = Watch::of(&yaml("template.yaml"), 0.8);
    let mut rang: Vec<(String, usize)> = Vec::new();
    for minute in 0..MINUTES {
        (cause.minute)(&mfa, &mut watch, minute).await;
        let next = START.plus(Duration::from_mins(u64::try_from(minute + 1).expect("few")));
        let now = mfa.clock.now().as_secs();
        mfa.take_log().iter().for_each(|line| watch.take(line, now.min(next.as_secs() - 1)));
        mfa.advance(next.as_secs().saturating_sub(now));
        for alarm in watch.ringing(mfa.clock.now().as_secs()) {
            if !rang.iter().any(|(name, _)| name == alarm) {
                rang.push((alarm.to_owned(), minute + 1));
            }
        }
    }
    rang
}

#[tokio::test]
async fn each_alarm_rings_for_its_cause_and_for_no_other() {
    let watch = Watch::of(&yaml("template.yaml"), 0.8);
    let mut provoked = BTreeSet::new();
    let mut rows = Vec::new();
    for cause in CAUSES {
        let rang = play(cause).await;
        let names: BTreeSet<_> = rang.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, cause.rings.iter().copied().collect(), "{}: {rang:?}", cause.name);
        provoked.extend(cause.rings);
        for (alarm, minutes) in &rang {
            let of = watch.alarms().iter().find(|of| of.name == *alarm).expect("an alarm");
            let plain = |metric: &String| metric.replace("${AWS::StackName}", "STACK").replacen("AWS/", "", 1);
            let metrics = of.metrics.iter().map(plain);
            let metrics = metrics.collect::<Vec<_>>().join(", ");
            rows.push(format!("| {} | `{alarm}` | {minutes} | {metrics} |", cause.name));
        }
        if rang.is_empty() {
            rows.push(format!("| {} | none | | |", cause.name));
        }
    }
    let all: BTreeSet<_> = watch.alarms().iter().map(|alarm| alarm.name.as_str()).collect();
    assert_eq!(provoked, all, "every alarm has a cause");
    println!("{}", rows.join("\n"));
    assert_table_up_to_date("docs/operations.md", "| Cause | Alarm | After minutes | Metrics |", rows.into_iter());
}
