//! Users of another system. The client reads their file; here each of them becomes one commit, so that
//! nobody comes in part.

use mfa::{
    App,
    domain::{
        Address, AddressTag, DeviceId, DeviceName, DeviceRecord, Email, LONGEST_USER_ID, Method, Phone, Policy, UserId,
        operator::{self, Import, Imported},
    },
    random,
    storage::StoreError,
};

use crate::{
    ImportAuthenticator, ImportUser, Problem, Reply, UserFinding,
    all_users::{counted, gather},
    decide, login,
};

/// Why a user is not imported.
enum NotImported {
    /// Something about the user is wrong.
    Wrong(String),
    /// It may work later.
    Failed(StoreError),
}

impl From<StoreError> for NotImported {
    fn from(error: StoreError) -> Self {
        Self::Failed(error)
    }
}

pub(crate) async fn import(
    app: &App,
    of_request: Option<&str>,
    users: &[ImportUser],
    dry_run: bool,
) -> Result<Reply, Problem> {
    let works = users.iter().map(|user| async move {
        let line = format!("line {}", user.line);
        let outcome = match import_one(app, of_request, user, dry_run).await {
            Ok(Imported::New) => Ok(counted("imported")),
            Ok(Imported::Known) => Ok(counted("known already")),
            Err(NotImported::Wrong(what)) => {
                let (counts, _) = counted("wrong");
                Ok((counts, vec![UserFinding { user: line.clone(), item: None, what }]))
            }
            Err(NotImported::Failed(error)) => Err(error),
        };
        (line, outcome)
    });
    Ok(Reply::Page(gather(works.collect()).await))
}

async fn import_one(
    app: &App,
    of_request: Option<&str>,
    user: &ImportUser,
    dry_run: bool,
) -> Result<Imported, NotImported> {
    let login = login(app, user.login.as_deref().or(of_request));
    let space = &login.map_err(|problem| NotImported::Wrong(problem.sentence))?.users;
    let wrong = |what: &str| NotImported::Wrong(what.to_owned());
    if user.user.is_empty() || user.user.len() > LONGEST_USER_ID || user.user.trim() != user.user {
        return Err(wrong("the user id is empty, longer than 255 bytes, or has blanks at its ends"));
    }
    let key = app.keys.user_id_in(space, &user.user);
    let mut proven: Vec<AddressTag> = Vec::new();
    if let Some(email) = &user.proven_email {
        let email = Email::parse(email).ok_or_else(|| wrong("`provenEmail` is no e-mail address"))?;
        proven.push(app.keys.address_tag(key, Method::Email, &Address::Email(email)));
    }
    if let Some(phone) = &user.proven_phone {
        let phone = Phone::parse(phone).ok_or_else(|| wrong("`provenPhone` is no phone number"))?;
        proven.push(app.keys.address_tag(key, Method::Sms, &Address::Phone(phone)));
    }
    if user.authenticators.len() > Policy::MAX_DEVICES {
        return Err(wrong("a user has at most five authenticators"));
    }
    if user.authenticators.is_empty() && proven.is_empty() {
        return Err(wrong("the user has no authenticator and no proven address"));
    }
    // Nobody must be locked out by an import.
    let is_usable = |method: Method| app.policy.offers(method);
    let opens = (is_usable(Method::Totp) && !user.authenticators.is_empty())
        || proven.iter().any(|address| is_usable(address.method));
    if user.enabled && !opens {
        return Err(wrong("the application offers none of the user's methods (MFA_METHODS)"));
    }
    let devices = user.authenticators.iter().map(|authenticator| device(app, key, authenticator));
    let devices = devices.collect::<Result<_, _>>()?;
    let import = Import { devices, proven, enabled: user.enabled };
    let rule = |snapshot: &_| operator::import(snapshot, &import);
    if dry_run {
        let snapshot = app.table.snapshot(key, app.clock.now()).await?;
        return rule(&snapshot).into_outcome().map_err(|refusal| StoreError::from(refusal).into());
    }
    Ok(decide(app, key, rule).await?)
}

/// The item of an authenticator, with its last used step.
fn device(app: &App, user: UserId, of: &ImportAuthenticator) -> Result<(DeviceRecord, u64), NotImported> {
    if !Policy::IMPORTED_SECRET.contains(&of.secret.0.len()) {
        return Err(NotImported::Wrong("a secret is shorter than 10 bytes, or longer than 64".to_owned()));
    }
    let name = DeviceName::parse(&of.name);
    let name =
        name.ok_or_else(|| NotImported::Wrong("a name is empty, too long or holds control characters".to_owned()))?;
    let id = DeviceId(random::uuid().map_err(StoreError::from)?);
    let secret = app.keys.seal_totp(user, id, &of.secret.0, random::bytes().map_err(StoreError::from)?);
    let secret = secret.map_err(|error| StoreError::Broken(error.to_string()))?;
    let (name, created) = (name.to_string(), app.clock.now());
    let record = DeviceRecord { id, name, secret, created, variant: of.variant };
    Ok((record, of.last_step.unwrap_or_default()))
}
