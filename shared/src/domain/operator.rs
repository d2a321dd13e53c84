//! What an operator changes about a user, who may have no factor left. No proof is asked for: AWS
//! checks who may invoke the function, and the caller makes sure who is asking.

use super::{
    AddressTag, Decision, DeviceId, DeviceRecord, Ledger, LoginId, PasskeyId, Policy, Snapshot, Write,
    failures::Failures,
    ledger::{Device, Passkey, RecoverySet},
    passkey::{CredentialRecord, PasskeyRecord},
    recovery::RecoveryRecord,
};

/// Whether the table has the user. For nobody, nothing changes.
pub type IsKnown = bool;

/// Forgets the wrong codes: ends a lock, and switches codes on that a hundred wrong ones switched
/// off.
#[must_use]
pub fn unlock(snapshot: &Snapshot) -> Decision<IsKnown> {
    change(snapshot, |ledger| ledger.failures = Failures::default())
}

/// Takes every factor away and switches MFA off, for somebody who lost all of them.
#[must_use]
pub fn reset(snapshot: &Snapshot) -> Decision<IsKnown> {
    change(snapshot, |ledger| {
        ledger.failures = Failures::default();
        ledger.start_over();
        ledger.forget_networks_but(None);
    })
}

/// Ends every session, trusted device and proof.
#[must_use]
pub fn end_sessions(snapshot: &Snapshot) -> Decision<IsKnown> {
    change(snapshot, |ledger| {
        ledger.begin_epoch(None);
        ledger.forget_networks_but(None);
    })
}

/// Ends every session, trusted device and proof, also in a table that shows the past. `step` is a
/// large random number: whatever raised an epoch since raised it by one, so adding one could lead to an
/// epoch in which something counts.
#[must_use]
pub fn raise_epoch(snapshot: &Snapshot, step: u64) -> Decision<IsKnown> {
    change(snapshot, |ledger| {
        ledger.forget_networks_but(None);
        begin_anew(ledger, step);
    })
}

fn change(snapshot: &Snapshot, change: impl FnOnce(&mut Ledger)) -> Decision<IsKnown> {
    if !snapshot.stored {
        return Decision::NoChange(Ok(false));
    }
    let mut ledger = snapshot.ledger.clone();
    change(&mut ledger);
    Decision::commit(ledger, Ok(true))
}

/// A user who is brought here from another system.
#[derive(Clone, Debug)]
pub struct Import {
    /// The authenticators, each with the last step that the other system accepted: at most
    /// [`Policy::MAX_DEVICES`].
    pub devices: Vec<(DeviceRecord, u64)>,
    /// The addresses that the user proved there.
    pub proven: Vec<AddressTag>,
    /// Whether MFA is on from now on.
    pub enabled: bool,
}

/// What an import did about a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Imported {
    /// The user has what was imported.
    New,
    /// The table knew the user already, by an earlier import or by MFA of their own. Nothing changed.
    Known,
}

/// Brings a user. Only one whom the table does not know: what users did here is never overwritten,
/// and a second run changes nothing.
///
/// The operator vouches for what is imported, so it stays active whichever login switches MFA on.
#[must_use]
pub fn import(snapshot: &Snapshot, import: &Import) -> Decision<Imported> {
    if snapshot.stored {
        return Decision::NoChange(Ok(Imported::Known));
    }
    let operator = Some(LoginId::OPERATOR);
    let device = |(record, last_step): &(DeviceRecord, u64)| Device {
        id: record.id,
        last_step: *last_step,
        last_used_at: None,
        confirmed_by: operator,
        inactive: false,
    };
    let mut ledger = snapshot.ledger.clone();
    ledger.devices = import.devices.iter().take(Policy::MAX_DEVICES).map(device).collect();
    import.proven.iter().for_each(|tag| ledger.prove(*tag, operator));
    ledger.enabled = import.enabled && !(ledger.devices.is_empty() && ledger.proven.is_empty());
    let writes = import.devices.iter().take(Policy::MAX_DEVICES).map(|(record, _)| Write::ActiveDevice(record.clone()));
    writes.fold(Decision::commit(ledger, Ok(Imported::New)), Decision::after_writing)
}

/// One user of a restored backup.
#[derive(Clone, Debug)]
pub struct Backup {
    /// The user as the backup knew them.
    pub ledger: Ledger,
    /// The items of devices that the backup has.
    pub devices: Vec<DeviceRecord>,
    /// What lists show of the passkeys that the backup has.
    pub passkeys: Vec<PasskeyRecord>,
    /// The credentials that the backup has.
    pub credentials: Vec<CredentialRecord>,
    /// The items of recovery sets that the backup has.
    pub recovery: Vec<RecoveryRecord>,
    /// As for [`raise_epoch`].
    pub step: u64,
    /// Whether the recovery codes of users whom the table has lost count again, also those that were
    /// used since the backup.
    pub keeps_recovery: bool,
}

impl Backup {
    fn has_device(&self, id: DeviceId) -> bool {
        self.devices.iter().any(|record| record.id == id)
    }

    fn has_passkey(&self, id: PasskeyId) -> bool {
        self.passkeys.iter().any(|record| record.id == id) && self.credentials.iter().any(|record| record.id == id)
    }
}

/// What a restore did about a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restored {
    /// Whether the table had lost the user.
    pub was_lost: bool,
    /// How many authenticators and passkeys came back inactive.
    pub inactive_devices: usize,
    /// Whether recovery codes stopped counting.
    pub recovery_voided: bool,
    /// Whether MFA stays off, although the backup has it on, because the user would have nothing to
    /// get in with.
    pub stays_off: bool,
}

/// Brings a user back from a backup, bounded by what the table still knows: what was removed,
/// unproven or used since the backup does not count again.
///
/// A ledger of another lineage is one that the user began after the table had lost theirs: with the
/// password alone, so it bounds nothing.
#[must_use]
pub fn restore(snapshot: &Snapshot, backup: &Backup) -> Decision<Restored> {
    let is_known = snapshot.stored && is_continued(&backup.ledger, &snapshot.ledger);
    let mut ledger = if is_known { bounded(snapshot, backup) } else { brought_back(backup) };
    let count = |ledger: &Ledger| ledger.devices.len() + ledger.passkeys.len();
    let inactive_devices = if is_known { count(&ledger) - count(&snapshot.ledger) } else { 0 };
    let was_on = backup.ledger.enabled || (is_known && snapshot.ledger.enabled);
    let stays_on = is_known && snapshot.ledger.enabled;
    ledger.enabled = stays_on || (was_on && can_get_in(&ledger, snapshot, backup));
    let had_codes = backup.ledger.recovery.is_some() || (is_known && snapshot.ledger.recovery.is_some());
    let restored = Restored {
        was_lost: !is_known,
        inactive_devices,
        recovery_voided: had_codes && ledger.recovery.is_none(),
        stays_off: was_on && !ledger.enabled,
    };
    let writes = lost_items(&ledger, snapshot, backup);
    writes.into_iter().fold(Decision::commit(ledger, Ok(restored)), Decision::after_writing)
}

/// Whether `newer` can come from `older` by commits and by what operators did. A ledger begins at a
/// random version of 63 bits, so one that began anew lies elsewhere.
const fn is_continued(older: &Ledger, newer: &Ledger) -> bool {
    newer.version.wrapping_sub(older.version) < 1 << 48
}

/// A user whom the table has lost. Nobody knows which recovery codes were used since the backup.
fn brought_back(backup: &Backup) -> Ledger {
    let mut ledger = backup.ledger.clone();
    // The table has lost the addresses too.
    ledger.notice_mark = None;
    let recovery = ledger.recovery.take().filter(|_| backup.keeps_recovery);
    ledger.recovery = recovery.filter(|set| backup.recovery.iter().any(|record| record.id == set.id));
    ledger.devices.retain(|device| backup.has_device(device.id));
    ledger.passkeys.retain(|passkey| backup.has_passkey(passkey.id));
    begin_anew(&mut ledger, backup.step);
    ledger
}

/// A user whom the table still has.
fn bounded(snapshot: &Snapshot, backup: &Backup) -> Ledger {
    let mut ledger = snapshot.ledger.clone();
    for device in &mut ledger.devices {
        let old = backup.ledger.devices.iter().find(|old| old.id == device.id);
        device.last_step = device.last_step.max(old.map_or(0, |old| old.last_step));
    }
    let is_gone = |old: &&Device| ledger.devices.iter().all(|device| device.id != old.id);
    let room = Policy::MAX_DEVICES.saturating_sub(ledger.devices.len());
    let gone = backup.ledger.devices.iter().filter(|old| is_gone(old) && backup.has_device(old.id)).take(room);
    // Whoever confirmed it, it was removed since. Switching MFA on must not make it active.
    let gone: Vec<_> = gone.map(|old| Device { inactive: true, confirmed_by: None, ..old.clone() }).collect();
    ledger.devices.extend(gone);
    for passkey in &mut ledger.passkeys {
        let old = backup.ledger.passkeys.iter().find(|old| old.id == passkey.id);
        passkey.counter = passkey.counter.max(old.map_or(0, |old| old.counter));
        passkey.spent_until = passkey.spent_until.max(old.map_or(passkey.spent_until, |old| old.spent_until));
    }
    let is_gone = |old: &&Passkey| {
        // The same credential may have been registered again, under another id.
        let same = |passkey: &Passkey| passkey.id.0.first_chunk::<4>() == old.id.0.first_chunk::<4>();
        !ledger.passkeys.iter().any(same)
    };
    let room = Policy::MAX_PASSKEYS.saturating_sub(ledger.passkeys.len());
    let gone = backup.ledger.passkeys.iter().filter(|old| is_gone(old) && backup.has_passkey(old.id)).take(room);
    let gone: Vec<_> = gone.map(|old| Passkey { inactive: true, confirmed_by: None, ..old.clone() }).collect();
    ledger.passkeys.extend(gone);
    ledger.recovery = in_both(ledger.recovery.take(), backup);
    ledger.security_epoch = ledger.security_epoch.max(backup.ledger.security_epoch);
    begin_anew(&mut ledger, backup.step);
    ledger
}

/// Whether the user has anything that opens the gate.
fn can_get_in(ledger: &Ledger, snapshot: &Snapshot, backup: &Backup) -> bool {
    let has_item = |id| snapshot.device(id).is_some() || backup.has_device(id);
    let has_passkey = |id| snapshot.passkey(id).is_some() || backup.has_passkey(id);
    ledger.devices.iter().any(|device| !device.inactive && has_item(device.id))
        || ledger.passkeys.iter().any(|passkey| !passkey.inactive && has_passkey(passkey.id))
        || !ledger.proven.is_empty()
        || ledger.recovery.as_ref().is_some_and(|set| set.left() > 0)
}

/// The items that the ledger names and the table lacks.
fn lost_items(ledger: &Ledger, snapshot: &Snapshot, backup: &Backup) -> Vec<Write> {
    let named = |id: DeviceId| ledger.devices.iter().any(|device| device.id == id);
    let devices = backup.devices.iter().filter(|record| named(record.id) && snapshot.device(record.id).is_none());
    let set = ledger.recovery.as_ref().map(|set| set.id);
    let is_lost = |record: &&RecoveryRecord| {
        Some(record.id) == set && snapshot.recovery.iter().all(|known| known.id != record.id)
    };
    let sets = backup.recovery.iter().filter(is_lost);
    let is_lost = |id: PasskeyId| ledger.passkeys.iter().any(|key| key.id == id) && snapshot.passkey(id).is_none();
    let passkeys = backup.passkeys.iter().filter(|record| is_lost(record.id)).cloned().map(Write::RestoredPasskey);
    let credentials = backup.credentials.iter().filter(|record| is_lost(record.id)).cloned();
    let credentials = credentials.map(Write::RestoredCredential);
    let devices = devices.cloned().map(Write::RestoredDevice).chain(passkeys).chain(credentials);
    devices.chain(sets.cloned().map(Write::RestoredRecovery)).collect()
}

/// The set, if the backup names it too, without the codes that either knows as used.
fn in_both(set: Option<RecoverySet>, backup: &Backup) -> Option<RecoverySet> {
    let (set, old) = (set?, backup.ledger.recovery.as_ref()?);
    (set.id == old.id).then_some(RecoverySet { used_mask: set.used_mask | old.used_mask, ..set })
}

/// Begins an epoch that no earlier one leads to, with nothing under way.
fn begin_anew(ledger: &mut Ledger, step: u64) {
    ledger.security_epoch = ledger.security_epoch.saturating_add(step);
    ledger.version = ledger.version.wrapping_add(step);
    ledger.begin_epoch(None);
    ledger.setups.clear();
    ledger.codes.clear();
    ledger.recent.clear();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        CodeId, Method, NetworkTag, RecoveryTag,
        ledger::{Grace, KnownNetwork, SentCode, Setup},
        scenario::{NOW, OTHER, OWN, Scenario, committed},
    };

    const STEP: u64 = 1 << 30;

    /// A user who has everything.
    fn scenario() -> Scenario {
        let mut scenario = Scenario::enabled();
        scenario.add_device(1, OWN);
        let setup = scenario.add_device_item(2);
        let email = scenario.tag(Method::Email);
        let ledger = &mut scenario.user.ledger;
        ledger.setups.push(Setup { id: setup, until: NOW });
        ledger.codes.push(SentCode { id: CodeId([1; 8]), login: OWN, known: false, until: NOW });
        ledger.prove(email, Some(OWN));
        ledger.networks.push(KnownNetwork { tag: NetworkTag([1; 8]), used_at: NOW });
        ledger.grace = Some(Grace { holder: OWN, until: NOW });
        ledger.failures.consecutive = 100;
        ledger.failures.locked_until = NOW;
        add_recovery_set(&mut scenario, 1);
        scenario
    }

    fn add_recovery_set(scenario: &mut Scenario, number: u8) {
        let id = crate::domain::RecoveryId([number; 8]);
        scenario.user.recovery.push(RecoveryRecord { id, tags: vec![RecoveryTag([0; 32])] });
        scenario.user.ledger.recovery = Some(RecoverySet { id, used_mask: 0b1, created: NOW, made_by: Some(OWN) });
    }

    /// The same user as a backup has them.
    fn backup(scenario: &Scenario) -> Backup {
        Backup {
            ledger: scenario.user.ledger.clone(),
            devices: scenario.user.devices.clone(),
            passkeys: scenario.user.passkeys.clone(),
            credentials: scenario.user.credentials.clone(),
            recovery: scenario.user.recovery.clone(),
            step: STEP,
            keeps_recovery: false,
        }
    }

    #[test]
    fn a_passkey_of_a_backup_is_bounded_by_what_the_table_knows_and_comes_back_inactive() {
        let mut scenario = Scenario::new();
        let [kept, removed] = [1, 2].map(|number| scenario.add_passkey(number, OWN));
        let old = backup(&scenario);
        let mut now = scenario.user.clone();
        now.ledger.passkeys.retain(|passkey| passkey.id != removed);
        now.ledger.passkeys[0].counter = 7;
        let change = committed(restore(&now, &old));
        let shown: Vec<_> =
            change.ledger.passkeys.iter().map(|passkey| (passkey.id, passkey.counter, passkey.inactive)).collect();
        assert_eq!(shown, [(kept, 7, false), (removed, 0, true)]);
        assert_eq!(change.outcome.map(|restored| restored.inactive_devices), Ok(1));

        // Of a user whom the table has lost, the items come back too.
        let change = committed(restore(&nobody(), &old));
        assert_eq!((change.ledger.passkeys.len(), change.before.len()), (2, 4));
        let without_credential = Backup { credentials: Vec::new(), ..old };
        assert_eq!(committed(restore(&nobody(), &without_credential)).ledger.passkeys, []);
    }

    fn nobody() -> Snapshot {
        Snapshot::empty(7)
    }

    #[test]
    fn nothing_changes_for_a_user_whom_the_table_does_not_know() {
        for decision in [unlock(&nobody()), reset(&nobody()), end_sessions(&nobody()), raise_epoch(&nobody(), STEP)] {
            assert!(matches!(decision, Decision::NoChange(Ok(false))), "{decision:?}");
        }
    }

    #[test]
    fn unlocking_forgets_the_wrong_codes_and_changes_nothing_else() {
        let before = scenario().user.ledger;
        let after = committed(unlock(&scenario().user)).ledger;
        assert_eq!(after, Ledger { failures: Failures::default(), ..before });
    }

    #[test]
    fn a_reset_takes_every_factor_and_ends_everything() {
        let before = scenario().user.ledger;
        let after = committed(reset(&scenario().user)).ledger;
        assert_eq!((after.enabled, after.security_epoch), (false, before.security_epoch + 1));
        assert_eq!((after.devices.len(), after.setups.len(), after.codes.len()), (0, 0, 0));
        assert_eq!((after.proven.len(), after.recent.len(), after.networks.len()), (0, 0, 0));
        assert_eq!((after.recovery, after.grace, after.failures), (None, None, Failures::default()));
        assert_eq!(after.sends, before.sends, "how often codes were sent is not forgotten");
    }

    #[test]
    fn ending_sessions_keeps_every_factor() {
        let before = scenario().user.ledger;
        let after = committed(end_sessions(&scenario().user)).ledger;
        let expected =
            Ledger { security_epoch: before.security_epoch + 1, grace: None, networks: Vec::new(), ..before.clone() };
        assert_eq!(after, expected);
        let raised = committed(raise_epoch(&scenario().user, STEP)).ledger;
        assert!(raised.security_epoch > before.security_epoch + STEP && raised.version == before.version + STEP);
        assert_eq!((raised.devices, raised.proven, raised.grace), (before.devices, before.proven, None));
    }

    fn import_of(scenario: &Scenario, enabled: bool) -> Import {
        let devices = scenario.user.devices.iter().cloned().map(|record| (record, 5)).collect();
        Import { devices, proven: vec![scenario.tag(Method::Email)], enabled }
    }

    #[test]
    fn an_import_brings_new_users_alone_and_the_operator_vouches_for_them() {
        let scenario = scenario();
        let wanted = import_of(&scenario, true);
        let change = committed(import(&nobody(), &wanted));
        assert_eq!(change.outcome, Ok(Imported::New));
        assert!(change.ledger.enabled && change.before.len() == 2, "{change:?}");
        let device = &change.ledger.devices[0];
        assert_eq!((device.last_step, device.confirmed_by, device.inactive), (5, Some(LoginId::OPERATOR), false));
        assert_eq!(change.ledger.proven[0].by, Some(LoginId::OPERATOR));
        assert!(!committed(import(&nobody(), &import_of(&scenario, false))).ledger.enabled);
        let nothing = Import { devices: Vec::new(), proven: Vec::new(), enabled: true };
        assert!(!committed(import(&nobody(), &nothing)).ledger.enabled, "there would be nothing to get in with");
        assert!(matches!(import(&scenario.user, &wanted), Decision::NoChange(Ok(Imported::Known))));
    }

    #[test]
    fn what_the_operator_confirmed_stays_active_whichever_login_switches_on_and_after_it_was_used() {
        let mut scenario = Scenario::new();
        let id = scenario.add_device(1, LoginId::OPERATOR);
        let email = scenario.tag(Method::Email);
        scenario.user.ledger.prove(email, Some(LoginId::OPERATOR));
        scenario.user.ledger.prove(email, Some(OTHER));
        assert_eq!(scenario.user.ledger.proven[0].by, Some(LoginId::OPERATOR));
        let other = scenario.add_device(2, OTHER);
        let change = committed(crate::domain::toggle(&scenario.user, crate::domain::Switch::On, &scenario.cx()));
        let inactive: Vec<_> = change.ledger.devices.iter().filter(|device| device.inactive).map(|d| d.id).collect();
        assert_eq!((inactive, change.ledger.has_proven(email)), (vec![other], true));
        assert_ne!(id, other);
    }

    #[test]
    fn a_user_whom_the_table_lost_comes_back_with_everything_but_what_was_under_way() {
        let scenario = scenario();
        let change = committed(restore(&nobody(), &backup(&scenario)));
        let (ledger, old) = (&change.ledger, &scenario.user.ledger);
        assert_eq!((&ledger.devices, &ledger.proven, ledger.enabled), (&old.devices, &old.proven, true));
        assert_eq!((ledger.setups.len(), ledger.codes.len(), ledger.grace.clone()), (0, 0, None));
        assert!(ledger.security_epoch > old.security_epoch + STEP);
        assert_eq!(ledger.recovery, None, "nobody knows which codes were used since");
        let expected = Restored { was_lost: true, inactive_devices: 0, recovery_voided: true, stays_off: false };
        assert_eq!(change.outcome, Ok(expected));
        assert_eq!(change.before.len(), 1, "the item of the authenticator");

        let keeping = Backup { keeps_recovery: true, ..backup(&scenario) };
        let change = committed(restore(&nobody(), &keeping));
        assert_eq!((change.ledger.recovery, change.before.len()), (scenario.user.ledger.recovery.clone(), 2));
        let torn = Backup { devices: Vec::new(), recovery: Vec::new(), ..keeping };
        let change = committed(restore(&nobody(), &torn));
        assert_eq!(
            (change.ledger.devices, change.ledger.recovery),
            (Vec::new(), None),
            "without items they are nothing"
        );
    }

    #[test]
    fn a_restore_brings_nothing_back_to_count_that_the_table_removed_unproved_or_used() {
        let old = scenario();
        let mut now = scenario();
        let ledger = &mut now.user.ledger;
        ledger.devices.clear();
        ledger.proven.clear();
        ledger.recovery.as_mut().expect("a set").used_mask = 0b100;
        ledger.security_epoch += 5;
        ledger.version += 5;
        let change = committed(restore(&now.user, &backup(&old)));
        let ledger = &change.ledger;
        let devices: Vec<_> = ledger.devices.iter().map(|device| device.inactive).collect();
        assert_eq!(devices, [true], "the authenticator that was removed");
        assert_eq!(ledger.proven.len(), 0);
        assert_eq!(ledger.recovery.as_ref().map(|set| set.used_mask), Some(0b101), "both know of a used code");
        assert!(ledger.security_epoch > now.user.ledger.security_epoch + STEP);
        let expected = Restored { was_lost: false, inactive_devices: 1, recovery_voided: false, stays_off: false };
        assert_eq!(change.outcome, Ok(expected));
        // Switching MFA on leaves it so, whoever confirmed it.
        now.user.ledger = Ledger { enabled: false, ..change.ledger };
        now.add_device(5, OWN);
        let on = committed(crate::domain::toggle(&now.user, crate::domain::Switch::On, &now.cx())).ledger;
        assert_eq!(on.devices.iter().map(|device| device.inactive).collect::<Vec<_>>(), [true, false]);
    }

    #[test]
    fn a_restore_keeps_what_the_table_has_with_the_later_steps_and_recovery_codes_that_both_name_alone() {
        let mut old = scenario();
        old.user.ledger.devices[0].last_step = 9;
        let mut now = scenario();
        now.add_device(3, OWN);
        add_recovery_set(&mut now, 2);
        let change = committed(restore(&now.user, &backup(&old)));
        let steps: Vec<_> = change.ledger.devices.iter().map(|device| (device.last_step, device.inactive)).collect();
        assert_eq!(steps, [(9, false), (1, false)]);
        assert_eq!(change.ledger.recovery, None);
        assert!(change.outcome.expect("restored").recovery_voided);
        assert_eq!(change.before.len(), 0, "its items are there");
    }

    #[test]
    fn mfa_is_on_after_a_restore_if_either_says_so_unless_nothing_would_open_the_gate() {
        for (was_on, is_on, has_device, expected, stays_off) in [
            (true, true, true, true, false),
            (true, false, true, true, false),
            (false, true, true, true, false),
            (false, false, true, false, false),
            (true, false, false, false, true),
            (true, true, false, true, false),
        ] {
            let mut old = scenario();
            old.user.ledger.enabled = was_on;
            let mut now = Scenario::new();
            now.user.ledger.enabled = is_on;
            if has_device {
                now.add_device(1, OWN);
            }
            let change = committed(restore(&now.user, &backup(&old)));
            let outcome = change.outcome.expect("restored");
            let case = format!("{was_on} {is_on} {has_device}");
            assert_eq!((change.ledger.enabled, outcome.stays_off), (expected, stays_off), "{case}");
        }
    }

    #[test]
    fn a_ledger_that_the_user_began_after_theirs_was_lost_bounds_nothing() {
        let old = scenario();
        let mut now = Scenario::new();
        now.user.ledger = Ledger::fresh(u64::MAX);
        now.add_device(9, OTHER);
        let change = committed(restore(&now.user, &backup(&old)));
        let outcome = change.outcome.expect("restored");
        assert!(outcome.was_lost && change.ledger.enabled && !outcome.stays_off);
        assert_eq!(change.ledger.devices, old.user.ledger.devices, "what a stranger planted is gone");
        assert_eq!(change.before.len(), 1);
    }

    #[test]
    fn used_up_codes_and_authenticators_without_an_item_open_no_gate() {
        let mut old = Scenario::enabled();
        add_recovery_set(&mut old, 1);
        old.user.ledger.recovery.as_mut().expect("a set").used_mask = 0x3FF;
        let mut now = Scenario::new();
        now.user.ledger.recovery = old.user.ledger.recovery.clone();
        let id = now.add_device(1, OWN);
        now.user.devices.clear();
        let change = committed(restore(&now.user, &backup(&old)));
        assert!(!change.ledger.enabled && change.outcome.expect("restored").stays_off);
        // Nor for a user whom the table has lost.
        old.add_device(1, OWN);
        let torn = Backup { devices: Vec::new(), ..backup(&old) };
        let change = committed(restore(&nobody(), &torn));
        assert!(!change.ledger.enabled && change.outcome.expect("restored").stays_off);
        assert_eq!(id, DeviceId(uuid::Uuid::from_u128(1)));
    }

    #[test]
    fn no_more_than_five_authenticators_come_back() {
        let mut old = Scenario::enabled();
        (1..=5).for_each(|number| _ = old.add_device(number, OWN));
        let mut now = Scenario::enabled();
        (6..=8).for_each(|number| _ = now.add_device(number, OWN));
        let change = committed(restore(&now.user, &backup(&old)));
        assert_eq!(change.ledger.devices.len(), Policy::MAX_DEVICES);
        assert_eq!(change.outcome.expect("restored").inactive_devices, 2);
    }
}
