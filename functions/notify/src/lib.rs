//! Tells owners and the application what changed. The stream of the table invokes it with what was
//! committed.
//!
//! A record that could not be told of wholly is given back, and Lambda hands it over again. What was
//! sent is marked in the table, so that nothing is sent twice unless something fails.

mod feed;

use std::{collections::BTreeSet, pin::pin};

use feed::{About, Feed};
use lambda_http::{
    Error,
    lambda_runtime::{self, LambdaEvent, service_fn},
};
use mfa::{
    App,
    clock::Clock,
    config::{Config, Part},
    delivery::{EmailSender, NotSent},
    domain::{
        Notices, SecurityEvent, Timestamp, UserId,
        notice_to::{self, NoticeTo},
        security_event::{self, Observed},
    },
    http::LogLine,
    messages::NoticeMessages,
    metrics::{self, Metric},
    random,
    storage::{SessionEnd, StreamChange, StreamRecord},
};
use serde::{Deserialize, Serialize};

/// The parts of the configuration that it uses.
pub const USES: &[Part] = &[Part::Notices, Part::Table, Part::SealingKeys, Part::AppName, Part::Sending];

const NAME: &str = "notify";

/// How long the table remembers what was sent, in days. The stream holds a record for one.
const MARKED_FOR: u64 = 2 * DAY;

const DAY: u64 = 86_400;

/// What Lambda reads from the stream.
#[derive(Deserialize)]
pub struct StreamEvent {
    /// The records, in their order.
    #[serde(rename = "Records")]
    pub records: Vec<StreamRecord>,
}

/// The records that must come again.
///
/// <https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html>
#[derive(Debug, Default, Serialize)]
pub struct Unfinished {
    /// Each of them.
    #[serde(rename = "batchItemFailures")]
    pub failures: Vec<Failure>,
}

/// A record that must come again.
#[derive(Debug, Serialize)]
pub struct Failure {
    /// Its place in the shard.
    #[serde(rename = "itemIdentifier")]
    pub sequence_number: String,
}

/// Sends notices, and feeds the application.
pub struct Notify {
    messages: NoticeMessages,
    email: Option<EmailSender>,
    feed: Option<Feed>,
}

/// Starts the function.
///
/// # Errors
/// Fails if the configuration has faults, or if the Lambda runtime ends.
pub async fn run() -> Result<(), Error> {
    let app = App::new(Config::from_env(USES)?, Clock::wall());
    let (app, notify) = (&app, &Notify::new(&app));
    lambda_runtime::run(service_fn(|event: LambdaEvent<StreamEvent>| {
        Box::pin(async move {
            let LambdaEvent { payload, context } = event;
            let (unfinished, mut log) = notify.answer(app, &payload, &context.request_id).await;
            log.of_invocation(&context, false);
            log.write();
            Ok::<_, Error>(unfinished)
        })
    }))
    .await
}

impl Notify {
    /// Builds the function of `app`. Opens no connection.
    #[must_use]
    pub fn new(app: &App) -> Self {
        let config = &app.config;
        let email = config.email.as_ref().filter(|_| app.policy.notices != Notices::Off);
        Self {
            messages: NoticeMessages::new(config.messages.clone()),
            email: email.map(|email| EmailSender::new(&config.aws, email)),
            feed: Feed::new(app),
        }
    }

    /// Tells of each record.
    pub async fn answer(&self, app: &App, event: &StreamEvent, request_id: &str) -> (Unfinished, LogLine) {
        let began = app.clock.now();
        let mut log = LogLine::of(app, NAME, request_id);
        let mut unfinished = Unfinished::default();
        let mut cause = None;
        let all = async {
            for record in &event.records {
                // The others go on: one address that cannot be written to must not hold up everybody.
                if let Err(why) = self.tell_of(app, record).await {
                    cause = Some(why);
                    let sequence_number = record.sequence_number().to_owned();
                    unfinished.failures.push(Failure { sequence_number });
                }
            }
        };
        let ((), observed) = metrics::observe(pin!(all)).await;
        log.observed(observed);
        let status = if let Some(cause) = cause {
            log.failed(503, Some(cause));
            503
        } else {
            200
        };
        log.answered(status, began, app.clock.now());
        (unfinished, log)
    }

    async fn tell_of(&self, app: &App, record: &StreamRecord) -> Result<(), String> {
        let change = record.change().map_err(|error| error.to_string())?;
        let Some((user, change)) = change else { return Ok(()) };
        let (id, observed) = told(&change);
        if observed.events.is_empty() {
            return Ok(());
        }
        let at = record.at().unwrap_or_else(|| app.clock.now().whole_seconds());
        let to = addresses(app, user).await?;
        let mut sent = app.table.marker(user, &id).await.map_err(|error| error.to_string())?.done;
        let before = sent.clone();
        let newest = to.iter().max_by_key(|(_, to)| to.at).map(|(_, to)| to.user.as_str());
        let fed = match &self.feed {
            Some(feed) => feed.put(&observed, &About { user, user_id: newest, id: &id, at }, &mut sent).await,
            None => Ok(()),
        };
        let mailed = self.mail(app, user, &observed, at, &to, &mut sent).await;
        let new: Vec<_> = sent.difference(&before).cloned().collect();
        if !new.is_empty() {
            let ttl = Timestamp::from_secs(at.as_secs() + MARKED_FOR);
            // What is not marked is sent twice if the record comes again. That is better than to have it
            // come again for the mark.
            let _ = app.table.mark(user, &id, new, ttl).await;
        }
        fed.and(mailed)
    }

    /// Writes to each address that was not written to.
    async fn mail(
        &self,
        app: &App,
        user: UserId,
        observed: &Observed,
        at: Timestamp,
        to: &[(String, NoticeTo)],
        sent: &mut BTreeSet<String>,
    ) -> Result<(), String> {
        let Some(sender) = &self.email else { return Ok(()) };
        let is_told = |event: &&SecurityEvent| event.told_from() <= app.policy.notices;
        let events: Vec<_> = observed.events.iter().filter(is_told).cloned().collect();
        let Some(first) = events.first() else { return Ok(()) };
        let of_day = events.iter().all(SecurityEvent::is_told_once_a_day);
        let of_day = of_day.then(|| format!("{}#{}", first.name(), at.as_secs() / DAY));
        let told_today = match &of_day {
            Some(name) => app.table.marker(user, name).await.map_err(|error| error.to_string())?.done,
            None => BTreeSet::new(),
        };
        let mut failed = Ok(());
        let mut written = Vec::new();
        for (slot, to) in to {
            let Some(address) = to.address().filter(|_| !sent.contains(slot) && !told_today.contains(slot)) else {
                continue;
            };
            let text = self.messages.email(to.locale.as_deref(), &events, at);
            let outcome = sender.send(&address, text).await;
            let is_rejected = matches!(outcome, Err(NotSent::Rejected(_) | NotSent::Barred(_)));
            metrics::sample(Metric::EmailsFailed, outcome.is_err() && !is_rejected);
            metrics::sample(Metric::EmailsRejected, is_rejected);
            match outcome {
                Ok(()) => {
                    metrics::count(Metric::EmailsSent, 1.0);
                    metrics::count(Metric::NoticesSent, 1.0);
                }
                // The address takes nothing for good. The others are written to.
                Err(_) if is_rejected => {}
                Err(error) => {
                    failed = Err(format!("a notice is not sent: {error}"));
                    continue;
                }
            }
            sent.insert(slot.clone());
            written.push(slot.clone());
        }
        if let Some(name) = of_day.filter(|_| !written.is_empty()) {
            let ttl = Timestamp::from_secs(at.as_secs() + MARKED_FOR);
            let _ = app.table.mark(user, &name, written, ttl).await;
        }
        failed
    }
}

/// The id of a change, and what is told of it.
fn told(change: &StreamChange) -> (String, Observed) {
    match change {
        StreamChange::Ledger { before, after } => {
            let id = after.commits.last().map(|commit| data_encoding::HEXLOWER.encode(&commit.0));
            (id.unwrap_or_default(), security_event::observe(before.as_deref(), after))
        }
        StreamChange::Session { id, login, why } => {
            let events = match why {
                SessionEnd::SignedOut => Vec::new(),
                SessionEnd::Ended => vec![SecurityEvent::SessionsEnded],
                SessionEnd::Reused => vec![SecurityEvent::TokenReused],
            };
            (id.to_string(), Observed { events, login: *login, network: None })
        }
    }
}

/// The addresses of a user, opened. One that an old key sealed is sealed again, and one too many goes.
async fn addresses(app: &App, user: UserId) -> Result<Vec<(String, NoticeTo)>, String> {
    let App { keys, table, .. } = app;
    let stored = table.notice_to(user).await.map_err(|error| error.to_string())?;
    let mut opened = Vec::new();
    for address in stored {
        let Some(to) = address.open(keys, user) else {
            metrics::count(Metric::UnreadableItems, 1.0);
            return Err("the addresses for notices do not open with the configured sealing keys".to_owned());
        };
        if keys.is_of_an_old_key(&address.sealed)
            && let (Ok(nonce), Some(plain)) = (random::bytes(), keys.notice_to(user, &address.slot, &address.sealed))
            && let Ok(sealed) = keys.seal_notice_to(user, &address.slot, &plain, nonce)
        {
            // Housekeeping: the notice does not depend on it.
            let _ = table.reseal_notice_to(user, &address, sealed).await;
        }
        opened.push((address.slot, to));
    }
    let (kept, dropped) = notice_to::kept(opened);
    for slot in dropped {
        let _ = table.drop_notice_to(user, &slot).await;
    }
    Ok(kept)
}
