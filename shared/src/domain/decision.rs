use std::time::Duration;

use super::{
    DeviceId, DeviceRecord, Ledger, Timestamp, TrustId, recovery::RecoveryRecord, session::SessionRecord,
    trust::TrustRecord,
};

/// What a rule decided.
///
/// Built by a pure function from a snapshot; `storage` commits it and only then tells the outcome.
#[derive(Clone, Debug)]
pub enum Decision<T> {
    /// `ledger` must be committed before anybody learns `outcome`.
    Commit {
        /// What the ledger says from then on.
        ledger: Box<Ledger>,
        /// What must be in place before the commit.
        groundwork: Groundwork,
        /// What is written beside it.
        beside: Vec<Beside>,
        /// What to tell after it.
        outcome: Result<T, Refusal>,
    },
    /// Nothing changes. The answer must rest on a strong read.
    Answer(Result<T, Refusal>),
}

impl<T> Decision<T> {
    /// A commit that needs nothing else in place.
    #[must_use]
    pub fn commit(ledger: Ledger, outcome: Result<T, Refusal>) -> Self {
        Self::commit_after(Groundwork::None, ledger, outcome)
    }

    /// A commit that names something that must be in place before.
    #[must_use]
    pub fn commit_after(groundwork: Groundwork, ledger: Ledger, outcome: Result<T, Refusal>) -> Self {
        Self::Commit { ledger: Box::new(ledger), groundwork, beside: Vec::new(), outcome }
    }

    /// With items that are written beside the commit, where the outcome is a good one.
    #[must_use]
    pub fn beside(mut self, items: impl FnOnce(&T) -> Vec<Beside>) -> Self {
        if let Self::Commit { beside, outcome: Ok(outcome), .. } = &mut self {
            *beside = items(outcome);
        }
        self
    }

    /// A refusal without a commit.
    #[must_use]
    pub const fn refuse(refusal: Refusal) -> Self {
        Self::Answer(Err(refusal))
    }
}

/// An item that must be in place before the commit that names it.
#[derive(Clone, Debug)]
pub enum Groundwork {
    /// Nothing.
    None,
    /// Write the item of a new set-up.
    PutDevice(DeviceRecord),
    /// Take the `ttl` off a set-up's item, so that a confirmed device is never swept.
    KeepDevice(DeviceId),
    /// Write the item of a new recovery set.
    PutRecovery(RecoveryRecord),
}

/// An item that the ledger does not name, written beside a commit. Nothing that was promised hangs on it: where it cannot
/// be written, the token that goes with it is refused later.
#[derive(Clone, Debug)]
pub enum Beside {
    /// A new session.
    PutSession(SessionRecord),
    /// A device that is trusted from now on.
    PutTrust(TrustRecord),
    /// A trusted device that makes room; it goes after the commit.
    DropTrust(TrustId),
}

/// A counter over a fixed window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counter {
    /// What is counted.
    pub kind: CounterKind,
    /// Whose: a keyed hash, or `all`.
    pub key: String,
    /// How long a window is.
    pub window: Duration,
    /// The most that a window allows.
    pub max: u32,
}

/// What a counter counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CounterKind {
    /// Sends to one destination.
    Destination,
    /// Text messages asked for from one source address.
    Source,
    /// Text messages of the whole application.
    SmsDay,
    /// Wrong recovery codes of one user.
    Recovery,
}

impl CounterKind {
    /// The name in the item's key.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Destination => "DESTINATION",
            Self::Source => "SOURCE",
            Self::SmsDay => "SMSDAY",
            Self::Recovery => "RECOVERY",
        }
    }
}

/// Why a rule said no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The application does not offer the method, or the user has no address or verified device for it.
    #[error("the method is not available to this user")]
    MethodNotAvailable,
    /// MFA is on and the address is new to the ledger.
    #[error("the address has not been proven since MFA was switched on")]
    AddressNotProven,
    /// A TOTP code is wrong or was used, or the secret belongs to no open set-up of the user.
    #[error("the authenticator code is not right")]
    WrongTotp,
    /// A code that was sent is wrong, used or superseded.
    #[error("the code is not right")]
    WrongCode,
    /// A code that was sent is past its end.
    #[error("the code has expired")]
    ExpiredCode,
    /// Too many wrong answers.
    #[error("locked after too many wrong codes")]
    Locked {
        /// When the lock ends.
        until: Timestamp,
    },
    /// A refresh token is malformed, of no session, or used before.
    #[error("the refresh token is not right, or its session has ended")]
    SessionInvalid,
    /// A refresh token is of a session that is past its end.
    #[error("the session is past its end")]
    SessionExpired,
    /// A recovery code is wrong, used or of a set that was replaced.
    #[error("the recovery code is not right")]
    WrongRecoveryCode,
    /// A limit on sends or on wrong recovery codes.
    #[error("too many requests")]
    RateLimited {
        /// When to try again.
        retry_at: Timestamp,
    },
    /// Every try to commit lost its race.
    #[error("too many requests for this user at once")]
    Contended,
    /// MFA is on and the token proves no recent second factor.
    #[error("a fresh second factor is required")]
    ProofRequired,
    /// Toggling is off, or switching off while MFA is required.
    #[error("MFA may not be toggled")]
    ToggleNotAllowed,
    /// Switching on without one usable method.
    #[error("no usable method")]
    NoUsableMethod,
    /// A sealed secret does not open: the keys do not fit the table.
    #[error("a sealed secret does not open with the configured keys")]
    Unreadable,
    /// Removing it would leave MFA on with nothing to use.
    #[error("the last usable method")]
    LastMethod,
    /// The user has no such device, or no such trusted one.
    #[error("no such device")]
    DeviceNotFound,
    /// The user has as many devices as allowed.
    #[error("too many devices")]
    DeviceLimit,
}
