//! Whether the application requires MFA: for everybody by its setting, or for one user by claims of
//! the login token. The three questions of [`gate`](super::gate) are asked of this one value.

use super::{Ledger, Policy, Timestamp};

/// What the token of a caller says of it. A claim that is absent says nothing.
///
/// Our own tokens carry these claims of the login token on. So a session keeps the policy of its
/// login to its end, and nobody lifts it by the choice of a token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClaimedPolicy {
    /// Whether the user must use MFA.
    pub required: bool,
    /// From when on the user must. A date that cannot be read is the first of all moments, so that
    /// a misspelt one requires MFA and does not put it off.
    pub required_from: Option<Timestamp>,
    /// Whether the setting of the application is not meant for the user.
    pub exempt: bool,
}

impl ClaimedPolicy {
    /// The date from which on MFA is required, if it is still to come.
    #[must_use]
    pub fn date_to_come(&self, now: Timestamp) -> Option<Timestamp> {
        self.required_from.filter(|from| *from > now)
    }

    /// Whether the token alone requires MFA at `now`, without regard to a date that is to come.
    #[must_use]
    pub fn requires(&self, now: Timestamp) -> bool {
        self.required || self.required_from.is_some_and(|from| from <= now)
    }
}

/// Who requires MFA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequiredBy {
    /// The setting of the application (`MFA_REQUIRED`), for everybody.
    Application,
    /// The login token, for its user.
    Claim,
}

impl RequiredBy {
    /// Its name in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Application => "application",
            Self::Claim => "claim",
        }
    }
}

/// Whether MFA is required of a caller, before anybody asked what factors the user has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Requirement {
    by: Option<RequiredBy>,
    /// Whether it is lifted for a user without a factor.
    is_lifted: bool,
}

impl Requirement {
    /// What the setting and the token say at `now`.
    #[must_use]
    pub fn of(policy: &Policy, claimed: &ClaimedPolicy, now: Timestamp) -> Self {
        let by_claim = claimed.requires(now);
        let by = match (policy.required, by_claim) {
            (true, _) => Some(RequiredBy::Application),
            (false, true) => Some(RequiredBy::Claim),
            (false, false) => None,
        };
        Self { by, is_lifted: claimed.date_to_come(now).is_some() || claimed.exempt && !by_claim }
    }

    /// Who requires MFA of a user with this ledger, if anybody does.
    ///
    /// An exemption and a date to come are for users who have nothing yet. Who has a factor keeps
    /// it: otherwise a token that an intruder gets, or a claim that is set by mistake, would open
    /// the gate of somebody who is protected.
    #[must_use]
    pub fn by(self, ledger: &Ledger) -> Option<RequiredBy> {
        self.by.filter(|_| !self.is_lifted || has_factor(ledger))
    }

    /// Whether MFA is required whatever the ledger says.
    #[must_use]
    pub const fn is_for_every_ledger(self) -> bool {
        self.by.is_some() && !self.is_lifted
    }
}

/// Whether the ledger names an active authenticator, an active passkey or a proven address, of whatever method. What
/// the token carries does not matter here.
fn has_factor(ledger: &Ledger) -> bool {
    ledger.devices.iter().any(|device| !device.inactive)
        || ledger.passkeys.iter().any(|passkey| !passkey.inactive)
        || !ledger.proven.is_empty()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use RequiredBy::{Application, Claim};

    use super::*;
    use crate::domain::{
        Method,
        scenario::{NOW, OTHER, OWN, Scenario},
    };

    const NOTHING: ClaimedPolicy = ClaimedPolicy { required: false, required_from: None, exempt: false };
    const REQUIRED: ClaimedPolicy = ClaimedPolicy { required: true, ..NOTHING };
    const EXEMPT: ClaimedPolicy = ClaimedPolicy { exempt: true, ..NOTHING };
    const PAST: ClaimedPolicy = ClaimedPolicy { required_from: Some(NOW), ..NOTHING };

    fn to_come() -> ClaimedPolicy {
        ClaimedPolicy { required_from: Some(NOW.plus(Duration::from_secs(1))), ..NOTHING }
    }

    #[test]
    fn the_setting_and_the_claims_give_one_value_and_lift_it_only_for_who_has_nothing() {
        let both = |one: ClaimedPolicy, other: ClaimedPolicy| ClaimedPolicy {
            required: one.required || other.required,
            required_from: one.required_from.or(other.required_from),
            exempt: one.exempt || other.exempt,
        };
        let to_come = to_come();
        // The claims, who requires MFA of a user with a factor without and with the setting, and
        // whether that is lifted for a user without one.
        for (claimed, without, with, is_lifted) in [
            (NOTHING, None, Application, false),
            (REQUIRED, Some(Claim), Application, false),
            (PAST, Some(Claim), Application, false),
            (to_come, None, Application, true),
            (EXEMPT, None, Application, true),
            (both(REQUIRED, PAST), Some(Claim), Application, false),
            (both(REQUIRED, to_come), Some(Claim), Application, true),
            (both(REQUIRED, EXEMPT), Some(Claim), Application, false),
            (both(PAST, EXEMPT), Some(Claim), Application, false),
            (both(to_come, EXEMPT), None, Application, true),
            (both(both(REQUIRED, PAST), EXEMPT), Some(Claim), Application, false),
            (both(both(REQUIRED, to_come), EXEMPT), Some(Claim), Application, true),
        ] {
            for (setting, by) in [(false, without), (true, Some(with))] {
                let mut scenario = Scenario::new();
                scenario.policy.required = setting;
                let requirement = Requirement::of(&scenario.policy, &claimed, NOW);
                let case = format!("setting {setting}, {claimed:?}");
                let of_nobody = by.filter(|_| !is_lifted);
                assert_eq!(requirement.by(&scenario.user.ledger), of_nobody, "{case}");
                assert_eq!(requirement.is_for_every_ledger(), of_nobody.is_some(), "{case}");
                let tag = scenario.tag(Method::Email);
                scenario.user.ledger.prove(tag, Some(OTHER));
                assert_eq!(requirement.by(&scenario.user.ledger), by, "{case}, a proven address");
                scenario.user.ledger.proven.clear();
                scenario.add_device(1, OWN);
                assert_eq!(requirement.by(&scenario.user.ledger), by, "{case}, an authenticator");
                scenario.user.ledger.devices[0].inactive = true;
                assert_eq!(requirement.by(&scenario.user.ledger), of_nobody, "{case}, an inactive one");
            }
        }
    }

    #[test]
    fn a_date_counts_from_its_own_moment_on() {
        let claimed = to_come();
        let from = claimed.required_from.expect("a date");
        for (now, required) in [(NOW, false), (from, true), (from.plus(Duration::from_secs(1)), true)] {
            assert_eq!(claimed.requires(now), required);
            assert_eq!(claimed.date_to_come(now), (!required).then_some(from));
        }
        assert!(ClaimedPolicy { required_from: Some(Timestamp::default()), ..NOTHING }.requires(Timestamp::default()));
    }
}
