//! What an operator does about users. No route leads here: AWS checks who may invoke the functions
//! `admin-read`, which shows, and `admin`, which changes.

mod all_users;
mod caller;
mod import;
mod one_user;
mod request;
mod view;

use std::pin::pin;

pub use all_users::SEALED_BY;
pub use caller::{CallerProof, DIGEST_HEADER, VALID_FOR, service};
use lambda_http::{
    Error,
    lambda_runtime::{self, LambdaEvent, service_fn},
};
use mfa::{
    App,
    clock::Clock,
    config::{Config, LoginConfig, Part},
    domain::{Decision, Refusal, Snapshot, UserId, operator},
    http::{Audit, LogLine},
    metrics::{self, Metric},
    storage::{StoreError, UserQuery},
};
pub use request::{
    Access, Command, ErasedUser, ImportAuthenticator, ImportUser, Page, PageReply, Reply, Request, Restore, Secret,
    User, UserFinding,
};
use serde_json::Value;
pub use view::{Export, Item, RecoveryCodes, UserView};

/// The longest reason, in characters.
const LONGEST_REASON: usize = 200;

impl Access {
    /// The parts of the configuration that the function uses.
    #[must_use]
    pub const fn uses(self) -> &'static [Part] {
        match self {
            Self::Read => &[Part::Users, Part::Table],
            Self::Change => &[Part::Users, Part::Table, Part::SealingKeys],
        }
    }

    const fn function(self) -> &'static str {
        match self {
            Self::Read => "admin-read",
            Self::Change => "admin",
        }
    }
}

/// Starts the function that has `access`.
///
/// # Errors
/// Fails if the configuration has faults, or if the Lambda runtime ends.
pub async fn run(access: Access) -> Result<(), Error> {
    let app = App::new(Config::from_env(access.uses())?, Clock::wall());
    let app = &app;
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| {
        Box::pin(async move {
            let LambdaEvent { payload, context } = event;
            let function = &context.env_config.function_name;
            let (reply, mut log) = match read(payload, function) {
                Ok(request) => {
                    let caller = caller_of(app, &request, &context.invoked_function_arn).await;
                    answer(app, access, &request, caller, &context.request_id).await
                }
                Err(problem) => refused(app, access, problem, &context.request_id),
            };
            log.of_invocation(&context, false);
            log.write();
            Ok::<_, Error>(reply)
        })
    }))
    .await
}

/// Reads a request for the function of this name.
///
/// # Errors
/// The sentence for the caller.
pub fn read(payload: Value, function: &str) -> Result<Request, String> {
    // Its text would hold what stands in the request, which may be a secret.
    let request: Request = serde_json::from_value(payload)
        .map_err(|_| "The request is not one of mfa-admin of this release. Use that one.".to_owned())?;
    if request.function != function {
        return Err(format!("The request is for {}, and this is {function}.", request.function));
    }
    Ok(request)
}

async fn caller_of(app: &App, request: &Request, function: &str) -> Result<Option<String>, String> {
    match &request.caller {
        Some(proof) => proof.arn(&app.config.aws, &request.digest(), function, app.clock.now()).await.map(Some),
        None => Ok(None),
    }
}

fn refused(app: &App, access: Access, problem: String, request_id: &str) -> (Reply, LogLine) {
    let now = app.clock.now();
    let mut log = LogLine::of(app, access.function(), request_id);
    log.failed(400, Some(problem.clone()));
    log.answered(400, now, now);
    (Reply::Refused(problem), log)
}

/// Carries out a request. `caller` is who AWS says calls, if the request has a proof of it.
pub async fn answer(
    app: &App,
    access: Access,
    request: &Request,
    caller: Result<Option<String>, String>,
    request_id: &str,
) -> (Reply, LogLine) {
    let began = app.clock.now();
    let mut log = LogLine::of(app, access.function(), request_id);
    let (outcome, observed) = metrics::observe(pin!(carry_out(app, access, request, caller, &mut log))).await;
    let units = (observed.counted(Metric::ReadUnits), observed.counted(Metric::WriteUnits));
    log.observed(observed);
    let (status, mut reply) = match outcome {
        Ok(reply) => (200, reply),
        Err(problem) => {
            log.failed(problem.status, Some(problem.sentence.clone()));
            let is_passing = matches!(problem.status, 429 | 503);
            let reply = if is_passing { Reply::TryAgain } else { Reply::Refused };
            (problem.status, reply(problem.sentence))
        }
    };
    if let Reply::Page(page) = &mut reply {
        (page.read_units, page.write_units) = units;
    }
    log.answered(status, began, app.clock.now());
    (reply, log)
}

async fn carry_out(
    app: &App,
    access: Access,
    request: &Request,
    caller: Result<Option<String>, String>,
    log: &mut LogLine,
) -> Result<Reply, Problem> {
    let Request { command, reason, dry_run, .. } = request;
    let reason = reason.as_deref().map(str::trim).filter(|reason| !reason.is_empty());
    let caller = caller.map_err(Problem::of_caller)?;
    log.audit = Some(Audit {
        command: command.name(),
        caller: caller.clone(),
        reason: reason.map(|reason| reason.chars().take(LONGEST_REASON).collect()),
        dry_run: *dry_run,
    });
    if access == Access::Read && command.access() == Access::Change {
        return Err(Problem::of_caller("This function only shows. Invoke the one that changes."));
    }
    if command.is_change() {
        if caller.is_none() {
            return Err(Problem::of_caller("A change needs a proof of who calls. Use mfa-admin."));
        }
        if reason.is_none_or(|reason| reason.chars().count() > LONGEST_REASON) {
            return Err(Problem::of_caller("A change needs a reason, of at most 200 characters. Set --reason."));
        }
    }
    if command.is_of_all_users() && request.login.is_some() {
        return Err(Problem::of_caller("This concerns the users of all logins. Leave --login out."));
    }
    let mut key = |user| {
        let login = login(app, request.login.as_deref())?;
        one_user::key(app, &login.users, user, log)
    };
    match command {
        Command::Show(user) => one_user::show(app, key(user)?).await,
        Command::Export(user) => one_user::export(app, key(user)?, user).await,
        Command::Unlock(user) => one_user::change(app, key(user)?, *dry_run, operator::unlock).await,
        Command::Reset(user) => one_user::change(app, key(user)?, *dry_run, operator::reset).await,
        Command::EndSessions(user) => one_user::change(app, key(user)?, *dry_run, operator::end_sessions).await,
        Command::Erase(user) => one_user::erase(app, key(user)?, *dry_run).await,
        Command::Sweep(user) => one_user::sweep(app, key(user)?, *dry_run).await,
        Command::Check(page) => all_users::check(app, page).await,
        Command::RaiseEpochs(page) => all_users::raise_epochs(app, page, *dry_run).await,
        Command::Reseal(page) => all_users::reseal(app, page, *dry_run).await,
        Command::RestoreFrom(restore) => all_users::restore(app, restore, *dry_run).await,
        Command::Import(users) => import::import(app, request.login.as_deref(), users, *dry_run).await,
        Command::SealingKeys => Ok(Reply::SealingKeys(app.keys.sealing_key_ids().map(ToOwned::to_owned).collect())),
    }
}

/// The login whose user ids are meant.
fn login<'a>(app: &'a App, name: Option<&str>) -> Result<&'a LoginConfig, Problem> {
    let logins = &app.config.jwt.logins;
    let names = || logins.iter().map(|login| login.name.as_str()).collect::<Vec<_>>().join(", ");
    match (name, &logins[..]) {
        (None, [only]) => Ok(only),
        (None, _) => {
            let sentence = format!("Several logins are configured. Set --login to one of {}.", names());
            Err(Problem::of_caller(sentence))
        }
        (Some(name), _) => logins.iter().find(|login| login.name == name && !name.is_empty()).ok_or_else(|| {
            let sentence = match &logins[..] {
                [only] if only.name.is_empty() => "Only one login is configured. Leave --login out.".to_owned(),
                _ => format!("No login has this name. Set --login to one of {}.", names()),
            };
            Problem::of_caller(sentence)
        }),
    }
}

/// How often a commit is begun anew that lost every race. Nobody waits for an operator's command, and a
/// stranger who sends many requests must not keep it off.
const PATIENCE: usize = 20;

/// Decides and commits, patiently.
async fn decide<T: Send>(
    app: &App,
    user: UserId,
    rule: impl Fn(&Snapshot) -> Decision<T> + Send + Sync,
) -> Result<T, StoreError> {
    let query = UserQuery::user(user).by_operator();
    for _ in 1..PATIENCE {
        match app.table.decide(query, app.clock.now(), &rule).await {
            Err(StoreError::Refused(Refusal::Contended)) => {}
            decided => return decided,
        }
    }
    app.table.decide(query, app.clock.now(), &rule).await
}

/// Why a command was not carried out.
struct Problem {
    status: u16,
    sentence: String,
}

impl Problem {
    fn of_caller(sentence: impl Into<String>) -> Self {
        Self { status: 400, sentence: sentence.into() }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let (status, advice) = match &error {
            StoreError::Refused(Refusal::Contended) => (429, "Requests of the user came first. Try again."),
            StoreError::Refused(_) => (500, "See what the log of the function says."),
            StoreError::Unavailable(_) => (503, "Try again."),
            StoreError::Broken(_) | StoreError::OtherHashKey => (500, "docs/operations.md says what this means."),
        };
        Self { status, sentence: format!("Not done: {error}. {advice}") }
    }
}
