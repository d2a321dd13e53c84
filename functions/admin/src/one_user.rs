//! Commands about one user.

use mfa::{
    App,
    domain::{Decision, Snapshot, UserId, operator::IsKnown},
    http::LogLine,
    storage::UserQuery,
};
use serde::Serialize;

use crate::{Export, Item, Problem, Reply, User, UserView, decide};

/// The key of a user, which the log line gets too.
pub(crate) fn key(app: &App, space: &str, user: &User, log: &mut LogLine) -> Result<UserId, Problem> {
    if user.user.is_empty() {
        return Err(Problem::of_caller("The user id is empty. Set --user to the one in the application's tokens."));
    }
    let key = app.keys.user_id_in(space, &user.user);
    log.of_user(key);
    Ok(key)
}

/// What is seen of a user, and whether the table has their ledger.
async fn view(app: &App, key: UserId) -> Result<(UserView, IsKnown), Problem> {
    let now = app.clock.now();
    let query = UserQuery::user(key).and_trusted().and_sessions();
    let snapshot = app.table.snapshot_of(query, now).await?;
    Ok((UserView::of(&snapshot, &key.to_string(), now), snapshot.stored))
}

fn shown(value: &impl Serialize) -> Result<Reply, Problem> {
    let json = serde_json::to_value(value);
    json.map(Reply::Shown).map_err(|error| Problem { status: 500, sentence: format!("Not shown: {error}.") })
}

pub(crate) async fn show(app: &App, key: UserId) -> Result<Reply, Problem> {
    match view(app, key).await? {
        (view, true) => shown(&view),
        (_, false) => Ok(Reply::UnknownUser),
    }
}

pub(crate) async fn export(app: &App, key: UserId, user: &User) -> Result<Reply, Problem> {
    let items: Vec<Item> = app.table.stored_items(key).await?.into_iter().map(Into::into).collect();
    let (view, is_known) = view(app, key).await?;
    // Without a ledger nothing counts, but what is stored is stored.
    if !is_known && items.is_empty() {
        return Ok(Reply::UnknownUser);
    }
    shown(&Export { user: user.user.clone(), exported_at: app.clock.now().to_rfc3339(), view, items })
}

/// Changes the ledger of a user by a rule.
pub(crate) async fn change(
    app: &App,
    key: UserId,
    dry_run: bool,
    rule: impl Fn(&Snapshot) -> Decision<IsKnown> + Send + Sync,
) -> Result<Reply, Problem> {
    let is_known =
        if dry_run { app.table.snapshot(key, app.clock.now()).await?.stored } else { decide(app, key, rule).await? };
    Ok(if is_known { Reply::Done } else { Reply::UnknownUser })
}

pub(crate) async fn erase(app: &App, key: UserId, dry_run: bool) -> Result<Reply, Problem> {
    let items = if dry_run { app.table.stored_items(key).await?.len() } else { app.table.erase(key).await? };
    Ok(if items == 0 { Reply::UnknownUser } else { Reply::Deleted(items) })
}

pub(crate) async fn sweep(app: &App, key: UserId, dry_run: bool) -> Result<Reply, Problem> {
    Ok(Reply::Deleted(if dry_run { 0 } else { app.table.sweep(key).await? }))
}
