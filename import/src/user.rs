use std::collections::HashSet;

use mfa::domain::{DeviceName, Email, LONGEST_USER_ID, Phone, Policy, Timestamp, TotpVariant};

use crate::{ImportedSecret, Problem};

/// A user of another system, as they will be here. It comes from [`crate::read`] alone, which has
/// checked it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ImportedUser {
    /// The user id as the application's login tokens write it: 1 to 255 bytes.
    pub user: String,
    /// What `MFA_LOGINS` calls the login whose tokens name the user, if there are several.
    pub login: Option<String>,
    /// At most [`Policy::MAX_DEVICES`], each with a secret of its own.
    pub authenticators: Vec<ImportedAuthenticator>,
    /// An address that the user has proven by a code.
    pub proven_email: Option<Email>,
    /// A number that the user has proven by a code.
    pub proven_phone: Option<Phone>,
    /// Whether MFA is on for the user.
    pub enabled: bool,
    /// How many recovery codes the user had left. The codes themselves are never taken over.
    pub recovery_codes: u32,
}

/// An authenticator of another system.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ImportedAuthenticator {
    /// Its secret.
    pub secret: ImportedSecret,
    /// How its codes are made.
    pub variant: TotpVariant,
    /// Its name in the list of its owner.
    pub name: DeviceName,
    /// The last step, of its own period, whose code was used.
    pub last_step: Option<u64>,
}

impl ImportedUser {
    /// A user with MFA on and nothing else.
    pub(crate) const fn named(user: String) -> Self {
        Self {
            user,
            login: None,
            authenticators: Vec::new(),
            proven_email: None,
            proven_phone: None,
            enabled: true,
            recovery_codes: 0,
        }
    }

    /// The user, if the rules that no type holds allow it.
    pub(crate) fn checked(self, now: Timestamp) -> Result<Self, Problem> {
        let secrets: HashSet<_> = self.authenticators.iter().map(|one| one.secret.as_bytes()).collect();
        let is_ahead = |one: &ImportedAuthenticator| {
            one.last_step.is_some_and(|step| step > one.variant.period.step_at(now).saturating_add(1))
        };
        let count = self.authenticators.len();
        if self.user.trim().is_empty() {
            Err(Problem::UserEmpty)
        } else if self.user.trim() != self.user {
            Err(Problem::UserHasBlanks)
        } else if self.user.len() > LONGEST_USER_ID {
            Err(Problem::UserTooLong)
        } else if count > Policy::MAX_DEVICES {
            Err(Problem::TooManyAuthenticators(count))
        } else if secrets.len() < count {
            Err(Problem::SameSecret)
        } else if self.authenticators.iter().any(is_ahead) {
            Err(Problem::StepAhead)
        } else if count == 0 && self.proven_email.is_none() && self.proven_phone.is_none() {
            Err(Problem::NoMethod)
        } else {
            Ok(self)
        }
    }
}
