//! Opening the set-up of an authenticator.

use super::{
    Context, Decision, DeviceId, DeviceName, DeviceRecord, Ledger, Method, Policy, Refusal, Snapshot, Timestamp, Write,
    gate, ledger::Setup,
};

/// Opens a set-up for the device of `record`. A fourth one replaces the oldest. Returns the account
/// that the authenticator app shows: `label`, or one that begins so.
#[must_use]
pub fn open(snapshot: &Snapshot, record: &DeviceRecord, label: &str, cx: &Context<'_>) -> Decision<String> {
    if let Err(refusal) = may_set_up(snapshot, cx) {
        return Decision::refuse(refusal);
    }
    if snapshot.ledger.devices.len() >= Policy::MAX_DEVICES {
        return Decision::refuse(Refusal::DeviceLimit);
    }

    let mut ledger = snapshot.ledger.clone();
    ledger.setups.retain(|setup| setup.until > cx.now);
    let account = account(label, record.id, &ledger);
    ledger.setups.push(Setup { id: record.id, until: setup_ends(record).whole_seconds() });
    if ledger.setups.len() > Policy::MAX_OPEN_SETUPS {
        ledger.setups.remove(0);
    }
    Decision::commit(ledger, Ok(account)).after_writing(Write::Device(record.clone()))
}

/// The account of a new set-up.
///
/// Some authenticator apps replace an entry of the same issuer and account without a question, and
/// the secret of the authenticator that it belonged to is lost. So if the user has an authenticator
/// or an open set-up, the account ends in a number that none of those has. The number is part of the
/// id, so nothing has to be stored, and a removed or renamed device changes no other's.
fn account(label: &str, id: DeviceId, ledger: &Ledger) -> String {
    let devices = ledger.devices.iter().map(|device| device.id);
    let others: Vec<_> = devices.chain(ledger.setups.iter().map(|setup| setup.id)).collect();
    if others.is_empty() {
        return label.to_owned();
    }
    let differs = |digits: &usize| others.iter().all(|other| last_digits(*other, *digits) != last_digits(id, *digits));
    let digits = (FEWEST_DIGITS..MOST_DIGITS).find(differs).unwrap_or(MOST_DIGITS);
    let number = format!(" ({})", last_digits(id, digits));
    let shortened: String = label.chars().take(DeviceName::LONGEST - number.len()).collect();
    shortened + &number
}

/// So few digits are easy to tell apart, and hardly ever the same twice.
const FEWEST_DIGITS: usize = 4;
/// Two ids that share so many digits do not occur.
const MOST_DIGITS: usize = 12;

fn last_digits(id: DeviceId, digits: usize) -> String {
    let number = format!("{:0MOST_DIGITS$}", id.0.as_u128());
    number[number.len() - digits..].to_owned()
}

/// Whether the caller may set up authenticators at all.
pub(super) fn may_set_up(snapshot: &Snapshot, cx: &Context<'_>) -> Result<(), Refusal> {
    gate::require_fresh_factor(snapshot, cx)?;
    if cx.policy.offers(Method::Totp) { Ok(()) } else { Err(Refusal::MethodNotOffered) }
}

/// When an open set-up ends.
#[must_use]
pub fn setup_ends(record: &DeviceRecord) -> Timestamp {
    record.created.plus(Policy::SETUP_LIFETIME)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::scenario::{NOW, OWN, Scenario, committed, refused};

    /// The set-ups after the one for device `number` was opened.
    fn after_opening(scenario: &mut Scenario, number: u128) -> Vec<u128> {
        scenario.add_device_item(number);
        let record = scenario.user.devices.last().expect("it was added");
        scenario.user.ledger = committed(open(&scenario.user, record, "alice", &scenario.cx())).ledger;
        scenario.user.ledger.setups.iter().map(|setup| setup.id.0.as_u128()).collect()
    }

    #[test]
    fn three_set_ups_are_open_and_a_fourth_replaces_the_oldest() {
        let mut scenario = Scenario::new();
        for (number, setups) in [(1, vec![1]), (2, vec![1, 2]), (3, vec![1, 2, 3]), (4, vec![2, 3, 4])] {
            assert_eq!(after_opening(&mut scenario, number), setups);
        }
        let ends = scenario.user.ledger.setups[0].until;
        assert_eq!(ends, NOW.plus(Duration::from_mins(10)));
    }

    #[test]
    fn the_account_of_a_further_set_up_differs_from_that_of_each_other_one() {
        let account_beside = |others: &[u128], number: u128, label: &str| {
            let mut scenario = Scenario::new();
            for other in others {
                scenario.add_device(*other, OWN);
            }
            scenario.add_device_item(number);
            let record = scenario.user.devices.last().expect("it was added");
            committed(open(&scenario.user, record, label, &scenario.cx())).outcome.expect("it is open")
        };
        assert_eq!(account_beside(&[], 7, "alice"), "alice");
        for (others, number, account) in [
            (&[7][..], 120_042, "alice (0042)"),
            (&[40_042], 120_042, "alice (20042)"),
            (&[40_042, 3_120_042], 20_042, "alice (020042)"),
            (&[1_000_000_042], 42, "alice (0000000042)"),
        ] {
            assert_eq!(account_beside(others, number, "alice"), account, "{others:?}");
        }
        let longest = account_beside(&[7], 8, &"ä".repeat(DeviceName::LONGEST));
        assert_eq!(longest, "ä".repeat(DeviceName::LONGEST - 7) + " (0008)");
    }

    #[test]
    fn an_open_set_up_counts_for_the_account_and_one_that_is_over_does_not() {
        for (until, account) in [(NOW.plus(Duration::from_secs(1)), "alice (0002)"), (NOW, "alice")] {
            let mut scenario = Scenario::new();
            let id = scenario.add_device_item(1);
            scenario.user.ledger.setups.push(Setup { id, until });
            scenario.add_device_item(2);
            let record = &scenario.user.devices[1];
            let change = committed(open(&scenario.user, record, "alice", &scenario.cx()));
            assert_eq!(change.outcome.as_deref(), Ok(account));
        }
    }

    #[test]
    fn a_set_up_that_is_over_makes_room() {
        let mut scenario = Scenario::new();
        for (number, until) in [(1, NOW), (2, NOW.plus(Duration::from_secs(1)))] {
            let id = scenario.add_device_item(number);
            scenario.user.ledger.setups.push(Setup { id, until });
        }
        assert_eq!(after_opening(&mut scenario, 3), [2, 3]);
    }

    #[test]
    fn nobody_sets_up_a_sixth_authenticator_or_one_that_is_not_offered() {
        let mut scenario = Scenario::new();
        scenario.add_device_item(6);
        let record = scenario.user.devices[0].clone();
        (1..=4).for_each(|number| assert!(scenario.add_device(number, OWN) != record.id));
        assert!(matches!(open(&scenario.user, &record, "alice", &scenario.cx()), Decision::Commit(_)));
        scenario.add_device(5, OWN);
        assert_eq!(refused(open(&scenario.user, &record, "alice", &scenario.cx())), Refusal::DeviceLimit);
        scenario.policy.methods = vec![Method::Email];
        assert_eq!(refused(open(&scenario.user, &record, "alice", &scenario.cx())), Refusal::MethodNotOffered);
    }
}
