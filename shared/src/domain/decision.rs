use std::time::Duration;

use super::{Context, ItemKey, Ledger, NoAddress, PasskeyId, SessionId, Timestamp, Write};

/// What a rule decided.
///
/// A pure function builds it from a snapshot. `storage` commits it, and only then tells the
/// outcome.
#[derive(Clone, Debug)]
pub enum Decision<T> {
    /// The change must be committed before anybody learns its outcome.
    Commit(Box<Change<T>>),
    /// Nothing changes. The answer must rest on a strong read.
    NoChange(Result<T, Refusal>),
}

/// One commit: the ledger as it will be, and the items that go with it.
#[derive(Clone, Debug)]
pub struct Change<T> {
    /// What the ledger says from then on.
    pub ledger: Ledger,
    /// Items that are written before the commit, because the ledger will name them.
    pub before: Vec<Write>,
    /// Items that are written at the same time. The ledger does not name them. If one cannot be
    /// written, only its own token is refused later.
    pub alongside: Vec<Write>,
    /// Actions after the commit is known to be ours. They are never undone.
    pub after: Vec<After>,
    /// What to answer once the commit is known to be ours.
    pub outcome: Result<T, Refusal>,
}

/// An action after a commit. If a deletion fails, only garbage stays. If a session is not carried,
/// it has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum After {
    /// Delete an item that no longer counts.
    Delete(ItemKey),
    /// Carry a session to the security epoch that the commit began, if the session is of the epoch
    /// before it.
    ///
    /// Written alongside, it would lift a thief's session into the epoch that the winner of a lost
    /// race began.
    CarrySession {
        /// The session.
        id: SessionId,
        /// The epoch that ended.
        from: u64,
        /// The epoch that began.
        to: u64,
    },
}

impl<T> Decision<T> {
    /// A commit of the ledger alone.
    #[must_use]
    pub fn commit(ledger: Ledger, outcome: Result<T, Refusal>) -> Self {
        let change = Change { ledger, before: Vec::new(), alongside: Vec::new(), after: Vec::new(), outcome };
        Self::Commit(Box::new(change))
    }

    /// Adds an item that is written before the commit.
    #[must_use]
    pub fn after_writing(mut self, write: Write) -> Self {
        if let Self::Commit(change) = &mut self {
            change.before.push(write);
        }
        self
    }

    /// Adds what goes with the commit if its outcome is a success.
    #[must_use]
    pub fn on_success(mut self, items: impl FnOnce(&T) -> (Vec<Write>, Vec<After>)) -> Self {
        if let Self::Commit(change) = &mut self
            && let Ok(outcome) = &change.outcome
        {
            let (alongside, after) = items(outcome);
            change.alongside.extend(alongside);
            change.after.extend(after);
        }
        self
    }

    /// Carries the session of the caller's token from `before` to the epoch that the commit begins,
    /// so that whoever ends all sessions keeps their own.
    #[must_use]
    pub fn carrying_session(mut self, before: &Ledger, cx: &Context<'_>) -> Self {
        if let Self::Commit(change) = &mut self
            && let Some(session) = cx.caller.session().filter(|_| cx.policy.sessions)
            && change.ledger.security_epoch != before.security_epoch
        {
            let (from, to) = (before.security_epoch, change.ledger.security_epoch);
            change.after.push(After::CarrySession { id: session.id, from, to });
        }
        self
    }

    /// What would be answered, for a dry run that commits nothing.
    ///
    /// # Errors
    /// If the rule refuses.
    pub fn into_outcome(self) -> Result<T, Refusal> {
        match self {
            Self::Commit(change) => change.outcome,
            Self::NoChange(outcome) => outcome,
        }
    }

    /// A refusal without a commit.
    #[must_use]
    pub const fn refuse(refusal: Refusal) -> Self {
        Self::NoChange(Err(refusal))
    }
}

/// A counter over a fixed window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counter {
    /// What is counted.
    pub kind: CounterKind,
    /// What it belongs to: a keyed hash, or `all`.
    pub key: String,
    /// How long a window is.
    pub window: Duration,
    /// The most that a window allows.
    pub max: u32,
    /// A part of the counter that has a limit of its own. Both are raised, or neither.
    pub part: Option<CounterPart>,
}

/// One part of what a counter counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CounterPart {
    /// The part, by a keyed hash.
    pub key: String,
    /// The most that a window allows.
    pub max: u32,
}

/// What a counter counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CounterKind {
    /// Sends to one destination.
    Destination,
    /// Paid sends that were requested from one source address.
    Source,
    /// Paid sends of the whole application.
    PaidDay,
    /// Paid sends to one proven number out of the part that is kept for known callers.
    PaidNumber,
    /// Wrong recovery codes of one user.
    Recovery,
    /// Challenges of passkeys of one user, in one share.
    PasskeyChallenges,
    /// Wrong answers of passkeys of one user.
    WrongPasskeys,
}

impl CounterKind {
    /// The name in the item's key.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Destination => "DESTINATION",
            Self::Source => "SOURCE",
            Self::PaidDay => "SMSDAY",
            Self::PaidNumber => "SMSNUMBER",
            Self::Recovery => "RECOVERY",
            Self::PasskeyChallenges => "PASSKEY",
            Self::WrongPasskeys => "PASSKEYWRONG",
        }
    }
}

/// A limit that stops requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Limit {
    /// Codes that one user is sent, by callers who are known or by all others.
    #[error("the codes that this user is sent")]
    Sends,
    /// Codes of one user that are on their way.
    #[error("the codes of this user that are outstanding")]
    Outstanding,
    /// Codes that one address is sent, whoever asks.
    #[error("the codes that this address is sent")]
    Destination,
    /// Text messages that one network asks for.
    #[error("the text messages that this network asks for")]
    Source,
    /// Text messages of the whole application in a day.
    #[error("the text messages of the application today (MFA_SMS_PER_DAY)")]
    PaidDay,
    /// Text messages to one proven number, out of those that are kept for known callers.
    #[error("the text messages that are kept for this number today")]
    PaidNumber,
    /// Wrong recovery codes of one user.
    #[error("the wrong recovery codes of this user")]
    WrongRecoveryCodes,
    /// Challenges of passkeys that one user gets.
    #[error("the challenges of passkeys of this user")]
    PasskeyChallenges,
    /// Wrong answers of passkeys of one user.
    #[error("the wrong answers of passkeys of this user")]
    WrongPasskeys,
    /// Recovery sets of one login.
    #[error("the recovery sets of this login, one in ten seconds")]
    RecoverySets,
}

impl From<CounterKind> for Limit {
    fn from(kind: CounterKind) -> Self {
        match kind {
            CounterKind::Destination => Self::Destination,
            CounterKind::Source => Self::Source,
            CounterKind::PaidDay => Self::PaidDay,
            CounterKind::PaidNumber => Self::PaidNumber,
            CounterKind::Recovery => Self::WrongRecoveryCodes,
            CounterKind::PasskeyChallenges => Self::PasskeyChallenges,
            CounterKind::WrongPasskeys => Self::WrongPasskeys,
        }
    }
}

/// Why a rule refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The application does not offer the method.
    #[error("the application does not offer the method")]
    MethodNotOffered,
    /// The token carries no address that the method may send to.
    #[error("{0}")]
    NoAddress(#[from] NoAddress),
    /// The user has no verified device.
    #[error("the user has no authenticator")]
    NoAuthenticator,
    /// Another login switched MFA on since the device was used. Its codes are judged only under a
    /// fresh proof.
    #[error("the authenticator is inactive: another login switched MFA on since it was used")]
    InactiveAuthenticator,
    /// The address is not proven, MFA is bound, and the caller shows no fresh proof.
    #[error("the address has not been proven since MFA was switched on")]
    AddressNotProven,
    /// A TOTP code is wrong or older than the one that was used last, or the secret belongs to no
    /// open set-up of the user.
    #[error("the authenticator code does not match{}", which_locks(*.attempts_left))]
    WrongTotp {
        /// How many more wrong codes are judged until the next lock.
        attempts_left: u8,
    },
    /// A TOTP code is wrong, but was right some minutes ago. The caller is told no more than of any
    /// wrong code.
    #[error("the authenticator code is {} s old{}", .age.as_secs(), which_locks(*.attempts_left))]
    OldTotp {
        /// How many more wrong codes are judged until the next lock.
        attempts_left: u8,
        /// How long ago its step was the current one.
        age: Duration,
    },
    /// A TOTP code is the one that was used last.
    #[error("the authenticator code was used already")]
    UsedTotp,
    /// A code that was sent is wrong, used or superseded.
    #[error("the code does not match{}", which_locks(*.attempts_left))]
    WrongCode {
        /// How many more wrong codes are judged until the next lock.
        attempts_left: u8,
    },
    /// A code that was sent is not the newest one.
    #[error("a newer code was sent")]
    SupersededCode,
    /// A code that was sent is past its end.
    #[error("the code has expired")]
    ExpiredCode,
    /// Too many wrong answers.
    #[error("locked after too many wrong codes, until {}{}", until.to_rfc3339(), by_guess(*.guessed))]
    Locked {
        /// When the lock ends.
        until: Timestamp,
        /// The half minute of the guess that locked, if the ledger still has it.
        guessed: Option<Timestamp>,
    },
    /// A refresh token is malformed, belongs to no session, or was used before.
    #[error("the refresh token is invalid, or its session has ended")]
    SessionInvalid,
    /// A refresh token belongs to a session that is past its end.
    #[error("the session is past its end")]
    SessionExpired,
    /// A recovery code is wrong, was used, or belongs to a set that was replaced.
    #[error("the recovery code does not match")]
    WrongRecoveryCode,
    /// An answer of a passkey is malformed, was used, or belongs to another user, origin or challenge.
    /// The text is for the log.
    #[error("the answer of the passkey does not count: {0}")]
    WrongPasskey(&'static str),
    /// The signature counter of a passkey did not rise: somebody may have a copy of it.
    #[error("the counter of passkey {0} did not rise: somebody may have a copy of it")]
    CopiedPasskey(PasskeyId),
    /// The challenge that a passkey answers is past its end, or of an earlier security epoch.
    #[error("the challenge has ended")]
    ExpiredPasskeyChallenge,
    /// The user has no passkey.
    #[error("the user has no passkey")]
    NoPasskey,
    /// As [`Self::InactiveAuthenticator`], of a passkey.
    #[error("the passkey is inactive: another login switched MFA on since it was used")]
    InactivePasskey,
    /// The user has the maximum number of passkeys.
    #[error("too many passkeys")]
    PasskeyLimit,
    /// A limit on sends or on wrong recovery codes.
    #[error("limited: {limit}")]
    RateLimited {
        /// When to try again.
        retry_at: Timestamp,
        /// What is limited.
        limit: Limit,
    },
    /// Every try to commit lost its race.
    #[error("too many requests for this user at once")]
    Contended,
    /// MFA is on and the token proves no recent second factor.
    #[error("a fresh second factor is required")]
    ProofRequired,
    /// Toggling is off, or somebody wants to switch MFA off while it is required.
    #[error("MFA may not be toggled")]
    ToggleNotAllowed,
    /// Somebody wants to switch MFA on without one usable method.
    #[error("no usable method")]
    NoUsableMethod,
    /// An item that is needed cannot be read, or its sealed secret does not open. The text is for
    /// the log.
    #[error("{0}")]
    Unreadable(String),
    /// The removal would leave MFA on without a usable method.
    #[error("the last usable method")]
    LastMethod,
    /// The user has no such device, or no such trusted device.
    #[error("no such device")]
    DeviceNotFound,
    /// The user has no such session.
    #[error("no such session")]
    SessionNotFound,
    /// The user has the maximum number of authenticators.
    #[error("too many devices")]
    DeviceLimit,
}

const fn which_locks(attempts_left: u8) -> &'static str {
    if attempts_left == 0 { ", and this guess locks" } else { "" }
}

fn by_guess(guessed: Option<Timestamp>) -> String {
    guessed.map(|from| format!(", by the guess in the half minute from {}", from.to_rfc3339())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::domain::scenario::{Scenario, committed};

    #[test]
    fn the_session_of_the_caller_is_carried_into_a_new_epoch_alone() {
        let mut scenario = Scenario::new();
        let id = scenario.prove(Duration::ZERO);
        let before = scenario.user.ledger.clone();
        let after = |scenario: &Scenario, ledger: &Ledger| {
            committed(Decision::commit(ledger.clone(), Ok(())).carrying_session(&before, &scenario.cx())).after
        };
        assert_eq!(after(&scenario, &before), []);
        let mut next = before.clone();
        next.begin_epoch(None);
        let (from, to) = (before.security_epoch, next.security_epoch);
        assert_eq!(after(&scenario, &next), [After::CarrySession { id, from, to }]);
        scenario.policy.sessions = false;
        assert_eq!(after(&scenario, &next), []);
    }

    #[test]
    fn each_kind_of_counter_has_a_name_of_its_own() {
        use CounterKind::{Destination, PaidDay, PaidNumber, PasskeyChallenges, Recovery, Source, WrongPasskeys};
        let kinds = [Destination, Source, PaidDay, PaidNumber, Recovery, PasskeyChallenges, WrongPasskeys];
        let names = HashSet::from(kinds.map(CounterKind::as_str));
        assert!(names.len() == kinds.len() && !names.contains(""), "{names:?}");
    }
}
