//! Opening the set-up of an authenticator.

use super::{
    Context, Decision, DeviceRecord, Method, Policy, Refusal, Snapshot, Timestamp, Write, gate, ledger::Setup,
};

/// Opens a set-up for the device of `record`. A fourth one replaces the oldest.
#[must_use]
pub fn open(snapshot: &Snapshot, record: &DeviceRecord, cx: &Context<'_>) -> Decision<()> {
    if let Err(refusal) = may_set_up(snapshot, cx) {
        return Decision::refuse(refusal);
    }
    if snapshot.ledger.devices.len() >= Policy::MAX_DEVICES {
        return Decision::refuse(Refusal::DeviceLimit);
    }

    let mut ledger = snapshot.ledger.clone();
    ledger.setups.retain(|setup| setup.until > cx.now);
    ledger.setups.push(Setup { id: record.id, until: setup_ends(record).whole_seconds() });
    if ledger.setups.len() > Policy::MAX_OPEN_SETUPS {
        ledger.setups.remove(0);
    }
    Decision::commit(ledger, Ok(())).after_writing(Write::Device(record.clone()))
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
        scenario.user.ledger = committed(open(&scenario.user, record, &scenario.cx())).ledger;
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
        assert!(matches!(open(&scenario.user, &record, &scenario.cx()), Decision::Commit(_)));
        scenario.add_device(5, OWN);
        assert_eq!(refused(open(&scenario.user, &record, &scenario.cx())), Refusal::DeviceLimit);
        scenario.policy.methods = vec![Method::Email];
        assert_eq!(refused(open(&scenario.user, &record, &scenario.cx())), Refusal::MethodNotOffered);
    }
}
