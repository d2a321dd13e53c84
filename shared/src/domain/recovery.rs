//! Recovery codes. A set has ten. Each works once, and passes a lock.

use std::fmt;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{
    Context, Decision, Limit, Policy, RecoveryId, RecoveryTag, Refusal, Snapshot, Write, gate,
    ledger::RecoverySet,
    pasted, toggle,
    verify::{Factor, Verified},
};

/// A recovery code: 120 random bits, written as 24 characters of Crockford's base 32 in groups of
/// four.
pub struct RecoveryCode(Zeroizing<[u8; 15]>);

impl RecoveryCode {
    /// A code of random bytes.
    #[must_use]
    pub fn from_random(bytes: [u8; 15]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Reads a code as people type and paste it ([`pasted::plain`]), in any case, with `O` for `0`,
    /// `I` and `L` for `1`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let plain: Zeroizing<String> = Zeroizing::new(pasted::plain(text).chars().map(forgiven).collect());
        let bytes = Zeroizing::new(crockford()?.decode(plain.as_bytes()).ok()?);
        Some(Self(Zeroizing::new(bytes.as_slice().try_into().ok()?)))
    }

    /// The bytes that are hashed.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_slice()
    }

    /// The code as it is shown: `XXXX-XXXX-XXXX-XXXX-XXXX-XXXX`.
    #[must_use]
    pub fn to_text(&self) -> String {
        let plain = crockford().map(|base32| base32.encode(self.as_bytes())).unwrap_or_default();
        let groups: Vec<&str> =
            plain.as_bytes().chunks(4).filter_map(|group| std::str::from_utf8(group).ok()).collect();
        groups.join("-")
    }
}

/// The letters that people confuse with characters of Crockford's alphabet.
fn forgiven(c: char) -> char {
    match c.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        upper => upper,
    }
}

fn crockford() -> Option<data_encoding::Encoding> {
    let mut specification = data_encoding::Specification::new();
    specification.symbols.push_str("0123456789ABCDEFGHJKMNPQRSTVWXYZ");
    specification.encoding().ok()
}

// A stray `{:?}` must not write a recovery code to a log.
impl fmt::Debug for RecoveryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoveryCode(…)")
    }
}

/// The item of a recovery set. It never changes. The ledger says which codes were used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecoveryRecord {
    /// The id, which stands in the item's key. The set counts only while the ledger names it.
    #[serde(skip_serializing)]
    pub id: RecoveryId,
    /// Keyed hashes of the codes, in order.
    pub tags: Vec<RecoveryTag>,
}

/// How a recovery set was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replaced {
    /// Whether it replaced a set that another login made or last used.
    pub of_another_login: bool,
}

/// Makes `record` the user's recovery set. An earlier set no longer counts.
///
/// Of two requests within ten seconds only the first succeeds: a double click must not show a set
/// that is void already.
#[must_use]
pub fn replace(snapshot: &Snapshot, record: &RecoveryRecord, cx: &Context<'_>) -> Decision<Replaced> {
    if let Err(refusal) = gate::require_fresh_factor(snapshot, cx) {
        return Decision::refuse(refusal);
    }
    let made_by = cx.provenance;
    let earlier = snapshot.ledger.recovery.as_ref();
    if let Some(own) = earlier.filter(|set| set.made_by == made_by) {
        let retry_at = own.created.plus(Policy::RECOVERY_SPACING);
        if retry_at > cx.now {
            return Decision::refuse(Refusal::RateLimited { retry_at, limit: Limit::RecoverySets });
        }
    }
    let replaced = Replaced { of_another_login: earlier.is_some_and(|set| !cx.is_own(set.made_by)) };
    let mut ledger = snapshot.ledger.clone();
    ledger.recovery = Some(RecoverySet { id: record.id, used_mask: 0, created: cx.now, made_by });
    Decision::commit(ledger, Ok(replaced)).after_writing(Write::Recovery(record.clone()))
}

/// A recovery code that was right.
#[derive(Clone, Debug)]
pub struct Redeemed {
    /// What it proves.
    pub verified: Verified,
    /// How many codes of the set are left.
    pub left: u32,
}

/// Takes a recovery code as a second factor.
///
/// It passes a lock and, while MFA is on, ends it. It begins a new security epoch: whoever had to
/// use one has lost something that trust, sessions and proofs may rest on. It never switches MFA
/// on: a password and one recovery code would enrol nobody's method. A wrong one is no guess (120
/// bits) and changes nothing here.
#[must_use]
pub fn redeem(snapshot: &Snapshot, code: Option<&RecoveryCode>, cx: &Context<'_>) -> Decision<Redeemed> {
    let place = match place_of(snapshot, code, cx) {
        Ok(place) => place,
        Err(refusal) => return Decision::refuse(refusal),
    };
    let mut ledger = snapshot.ledger.clone();
    if let Some(set) = &mut ledger.recovery {
        set.used_mask |= 1 << place;
        set.made_by = cx.provenance;
    }
    ledger.unlock(cx.now);
    ledger.begin_epoch(None);
    ledger.forget_networks_but(cx.network());
    toggle::remember(&mut ledger, Factor::RecoveryCode, cx);
    let left = ledger.recovery.as_ref().map_or(0, RecoverySet::left);
    let verified = Verified::of(&ledger, Factor::RecoveryCode, cx.now);
    Decision::commit(ledger, Ok(Redeemed { verified, left }))
}

/// Starts over with a recovery code. Removes devices, set-ups, codes and the recovery set, and
/// switches MFA off.
#[must_use]
pub fn reset(snapshot: &Snapshot, code: Option<&RecoveryCode>, cx: &Context<'_>) -> Decision<()> {
    if let Err(refusal) = place_of(snapshot, code, cx) {
        return Decision::refuse(refusal);
    }
    let mut ledger = snapshot.ledger.clone();
    ledger.unlock(cx.now);
    ledger.start_over();
    ledger.forget_networks_but(cx.network());
    Decision::commit(ledger, Ok(()))
}

/// The place of an unused code in the set that the ledger names. All codes are compared, whichever
/// matches.
fn place_of(snapshot: &Snapshot, code: Option<&RecoveryCode>, cx: &Context<'_>) -> Result<usize, Refusal> {
    let record = snapshot.recovery_set()?;
    let (Some(code), Some(set), Some(record)) = (code, &snapshot.ledger.recovery, record) else {
        return Err(Refusal::WrongRecoveryCode);
    };
    let matching: Vec<usize> = record
        .tags
        .iter()
        .enumerate()
        .filter(|(_, tag)| cx.keys.is_recovery_code(cx.caller.user, record.id, tag, code))
        .map(|(place, _)| place)
        .collect();
    let unused = |place: &usize| *place < Policy::RECOVERY_CODES && set.used_mask & (1 << place) == 0;
    matching.into_iter().find(unused).ok_or(Refusal::WrongRecoveryCode)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::{
        LoginId,
        scenario::{NOW, OTHER, OWN, Scenario, committed, refused},
    };

    const BYTES: [u8; 15] = [0, 1, 2, 250, 251, 252, 7, 8, 9, 128, 64, 32, 16, 255, 254];

    #[test]
    fn a_code_is_24_characters_in_groups_of_four_and_reads_back() {
        let text = RecoveryCode::from_random(BYTES).to_text();
        assert_eq!(text.len(), 29);
        assert!(text.split('-').all(|group| group.len() == 4), "{text}");
        assert_eq!(RecoveryCode::parse(&text).map(|code| *code.0), Some(BYTES));
    }

    #[test]
    fn separators_case_and_look_alikes_are_forgiven() {
        let text = RecoveryCode::from_random(BYTES).to_text();
        let typed = [
            text.replace('-', ""),
            text.to_lowercase(),
            text.replace('-', " "),
            format!(" {} ", text.replace('0', "O").replace('1', "l")),
            text.replace('0', "o").replace('1', "I"),
        ];
        for typed in typed {
            assert_eq!(RecoveryCode::parse(&typed).map(|code| *code.0), Some(BYTES), "{typed}");
        }
    }

    #[test]
    fn what_is_no_code_is_none() {
        for bad in ["", "0000", "U".repeat(24).as_str(), "0".repeat(23).as_str(), "0".repeat(25).as_str(), "00\u{0}0"] {
            assert!(RecoveryCode::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn debug_output_shows_no_code() {
        assert_eq!(format!("{:?}", RecoveryCode::from_random(BYTES)), "RecoveryCode(…)");
    }

    /// A user with a set of recovery codes that `by` made.
    fn user_with_set(by: LoginId, codes: u8) -> Scenario {
        let mut scenario = Scenario::new();
        let id = RecoveryId([1; 8]);
        let tag = |n| scenario.keys.recovery_tag(scenario.caller.user, id, &RecoveryCode::from_random([n; 15]));
        scenario.user.recovery.push(RecoveryRecord { id, tags: (0..codes).map(tag).collect() });
        scenario.user.ledger.recovery = Some(RecoverySet { id, used_mask: 0, created: NOW, made_by: Some(by) });
        scenario
    }

    #[test]
    fn a_login_gets_another_set_after_ten_seconds_and_replaces_that_of_another_at_once() {
        let new = RecoveryRecord { id: RecoveryId([2; 8]), tags: Vec::new() };
        let at = |secs| NOW.plus(Duration::from_secs(secs));
        let own = user_with_set(OWN, 10);
        let retry_at = at(10);
        assert_eq!(
            refused(replace(&own.user, &new, &own.cx_at(at(9)))),
            Refusal::RateLimited { retry_at, limit: Limit::RecoverySets }
        );
        let others = user_with_set(OTHER, 10);
        for (scenario, now, of_another_login) in [(&own, at(10), false), (&others, NOW, true)] {
            let change = committed(replace(&scenario.user, &new, &scenario.cx_at(now)));
            assert_eq!(change.outcome, Ok(Replaced { of_another_login }));
            assert_eq!(change.ledger.recovery.map(|set| set.id), Some(new.id));
        }
    }

    #[test]
    fn ten_codes_of_a_set_count_and_no_others() {
        let scenario = user_with_set(OWN, 11);
        let redeemed = |n| redeem(&scenario.user, Some(&RecoveryCode::from_random([n; 15])), &scenario.cx());
        assert_eq!(committed(redeemed(9)).outcome.map(|redeemed| redeemed.left), Ok(9));
        for n in [10, 11] {
            assert_eq!(refused(redeemed(n)), Refusal::WrongRecoveryCode, "code {n}");
        }
    }
}
