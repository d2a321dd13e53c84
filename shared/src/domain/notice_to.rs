//! Where the notices to a user go: the addresses that the user had whenever they enrolled, proved an
//! address or switched MFA on. Never the newest alone, which may be an intruder's.

use aws_lc_rs::aead::NONCE_LEN;
use serde::{Deserialize, Serialize};

use super::{Context, Decision, Email, Ledger, Snapshot, Timestamp, UserId, Write, keys::Keys};

/// One address of a user, and how the application names the user.
#[derive(Clone, Serialize, Deserialize)]
pub struct NoticeTo {
    /// The user id in the application's tokens.
    pub user: String,
    /// The address, if the token carried one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// The tag of the language, if the user asked for one of ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
    /// When the user last had it.
    pub at: Timestamp,
}

/// The same, sealed, with its place in the item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedNoticeTo {
    /// The name of the attribute: a keyed hash of the address, so that each stands there once.
    pub slot: String,
    /// The sealed address.
    pub sealed: Vec<u8>,
}

impl SealedNoticeTo {
    /// Opens it. `None` if no configured key fits, or if it was moved or altered.
    #[must_use]
    pub fn open(&self, keys: &Keys, user: UserId) -> Option<NoticeTo> {
        serde_json::from_slice(&keys.notice_to(user, &self.slot, &self.sealed)?).ok()
    }
}

/// Who the owner is, as the token of a call says it.
pub struct Owner<'a> {
    /// The user id in the application's tokens.
    pub user: &'a str,
    /// The tag of the language, if one of ours is asked for.
    pub locale: Option<&'static str>,
    /// Random.
    pub nonce: [u8; NONCE_LEN],
}

impl Owner<'_> {
    /// Adds to a commit that enrols, proves an address or switches MFA on that the owner's address is
    /// written, if the item does not have it yet. A user from before there were notices gets the item
    /// with the next right code.
    ///
    /// It is written before the commit. Written beside it, it could be missing while the ledger says
    /// that it is there, and then no notice would ever reach the owner.
    #[must_use]
    pub fn noted<T>(&self, decision: Decision<T>, before: &Snapshot, cx: &Context<'_>) -> Decision<T> {
        let Decision::Commit(mut change) = decision else { return decision };
        if cx.policy.tells() && change.outcome.is_ok() && may_add(&before.ledger, &change.ledger) {
            let slot = slot(cx);
            let mark = cx.keys.notice_mark(cx.caller.user, &slot, self.locale.unwrap_or_default());
            if change.ledger.notice_mark != Some(mark)
                && let Some(sealed) = self.sealed(&slot, cx)
            {
                change.ledger.notice_mark = Some(mark);
                change.before.push(Write::NoticeTo(SealedNoticeTo { slot, sealed }));
            }
        }
        Decision::Commit(change)
    }

    fn sealed(&self, slot: &str, cx: &Context<'_>) -> Option<Vec<u8>> {
        let plain = NoticeTo {
            user: self.user.to_owned(),
            email: cx.caller.contact.email.as_ref().ok().map(|email| email.as_str().to_owned()),
            locale: self.locale.map(ToOwned::to_owned),
            at: cx.now,
        };
        cx.keys.seal_notice_to(cx.caller.user, slot, &serde_json::to_vec(&plain).ok()?, self.nonce).ok()
    }
}

/// The place of the caller's address in the item.
fn slot(cx: &Context<'_>) -> String {
    let hash = cx.caller.address_tags.iter().find(|tag| tag.method == super::Method::Email).map(|tag| tag.hash);
    format!("a{}", data_encoding::HEXLOWER.encode(&hash.unwrap_or_default()))
}

/// Whether a commit is one that may add an address.
fn may_add(before: &Ledger, after: &Ledger) -> bool {
    let enrols = after.devices.iter().any(|device| before.devices.iter().all(|known| known.id != device.id))
        || after.passkeys.iter().any(|passkey| before.passkeys.iter().all(|known| known.id != passkey.id));
    let proves = after.proven.iter().any(|address| !before.has_proven(address.tag));
    let is_first = after.notice_mark.is_none() && after.recent != before.recent;
    enrols || proves || is_first || (after.enabled && !before.enabled)
}

/// The most addresses that notices go to.
const MOST: usize = 5;

/// The addresses that notices go to, from all that an item holds, without those that are one too many:
/// the oldest stay, and the newest. So nobody can push the owner's address out by adding others.
#[must_use]
pub fn kept(mut all: Vec<(String, NoticeTo)>) -> (Vec<(String, NoticeTo)>, Vec<String>) {
    all.sort_by_key(|(_, to)| to.at);
    let surplus = all.len().saturating_sub(MOST);
    let first = all.len().min(MOST - 1);
    let dropped = all.drain(first..first + surplus).map(|(slot, _)| slot).collect();
    (all, dropped)
}

impl NoticeTo {
    /// The address, as it may be written to.
    #[must_use]
    pub fn address(&self) -> Option<Email> {
        Email::parse(self.email.as_deref()?)
    }
}

// It holds an address.
impl std::fmt::Debug for NoticeTo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NoticeTo(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        DeviceId, Factor, Method, NoAddress, NoticeMark, Notices, Refusal, Switch,
        ledger::Device,
        scenario::{NOW, OTHER, OWN, Scenario, committed},
        toggle,
    };

    const MARK: NoticeMark = NoticeMark([1; 8]);
    const OWNER: Owner<'_> = Owner { user: "alice", locale: Some("de"), nonce: [9; NONCE_LEN] };

    fn telling() -> Scenario {
        let mut scenario = Scenario::new();
        scenario.policy.notices = Notices::Important;
        scenario.add_device(1, OWN);
        scenario
    }

    fn written(scenario: &Scenario, decision: Decision<impl std::fmt::Debug>) -> Option<NoticeTo> {
        let change = committed(OWNER.noted(decision, &scenario.user, &scenario.cx()));
        let address = change.before.iter().find_map(|write| match write {
            Write::NoticeTo(address) => Some(address.clone()),
            _ => None,
        });
        assert_eq!(address.is_some(), change.ledger.notice_mark != scenario.user.ledger.notice_mark);
        address.map(|address| address.open(&scenario.keys, scenario.caller.user).expect("it opens"))
    }

    fn switched_on(scenario: &Scenario) -> Option<NoticeTo> {
        written(scenario, toggle(&scenario.user, Switch::On, &scenario.cx()))
    }

    #[test]
    fn switching_on_writes_the_address_of_the_token_once() {
        let mut scenario = telling();
        let to = switched_on(&scenario).expect("an address");
        assert_eq!((to.user.as_str(), to.email.as_deref()), ("alice", Some("alice@example.com")));
        assert_eq!((to.locale.as_deref(), to.at), (Some("de"), NOW));
        let change =
            committed(OWNER.noted(toggle(&scenario.user, Switch::On, &scenario.cx()), &scenario.user, &scenario.cx()));
        scenario.user.ledger.notice_mark = change.ledger.notice_mark;
        assert!(switched_on(&scenario).is_none(), "it is there");
        scenario.caller.contact.email = Email::parse("other@example.com").ok_or(NoAddress::Malformed);
        let address = scenario.caller.contact.address_for(Method::Email).expect("an address");
        let tag = scenario.keys.address_tag(scenario.caller.user, Method::Email, &address);
        scenario
            .caller
            .address_tags
            .iter_mut()
            .filter(|known| known.method == Method::Email)
            .for_each(|known| *known = tag);
        assert_eq!(switched_on(&scenario).expect("another").email.as_deref(), Some("other@example.com"));
    }

    #[test]
    fn nothing_is_written_if_nobody_is_told_or_if_the_commit_adds_nothing() {
        let mut scenario = telling();
        scenario.policy.notices = Notices::Off;
        assert!(switched_on(&scenario).is_none());
        scenario.policy.event_feed = true;
        assert!(switched_on(&scenario).is_some(), "the feed names the user");
        scenario.user.ledger.notice_mark = Some(MARK);
        let off = scenario.user.ledger.clone();
        assert!(written(&scenario, Decision::commit(off, Ok(()))).is_none());
        let refused = Decision::<()>::commit(Ledger { enabled: true, ..scenario.user.ledger.clone() }, {
            Err(Refusal::UsedTotp)
        });
        assert!(written(&scenario, refused).is_none());
    }

    #[test]
    fn an_enrolment_a_proven_address_and_the_first_right_code_write_it() {
        let mut scenario = telling();
        scenario.user.ledger.notice_mark = Some(MARK);
        let change = |change: &dyn Fn(&mut Ledger)| {
            let mut ledger = scenario.user.ledger.clone();
            change(&mut ledger);
            written(&scenario, Decision::commit(ledger, Ok(()))).is_some()
        };
        let (tag, device) = (scenario.tag(Method::Email), scenario.user.ledger.devices[0].clone());
        let id = DeviceId(uuid::Uuid::from_u128(9));
        assert!(change(&|ledger| ledger.devices.push(Device { id, ..device.clone() })));
        assert!(change(&|ledger| ledger.prove(tag, Some(OWN))));
        let right = |ledger: &mut Ledger| ledger.remember(OTHER, Factor::RecoveryCode, NOW);
        assert!(!change(&right), "an ordinary right code pays nothing");
        scenario.user.ledger.notice_mark = None;
        let mut ledger = scenario.user.ledger.clone();
        right(&mut ledger);
        assert!(written(&scenario, Decision::commit(ledger, Ok(()))).is_some(), "a user from before");
    }

    #[test]
    fn the_oldest_addresses_and_the_newest_stay() {
        let to = |n: u64| {
            let at = Timestamp::from_secs(n);
            (n.to_string(), NoticeTo { user: String::new(), email: None, locale: None, at })
        };
        let slots = |all: &[(String, NoticeTo)]| all.iter().map(|(slot, _)| slot.clone()).collect::<Vec<_>>().concat();
        let (few, dropped) = kept([3, 1, 2].map(to).into());
        assert_eq!((slots(&few).as_str(), dropped.len()), ("123", 0));
        let (many, dropped) = kept((1..=8).map(to).collect());
        assert_eq!((slots(&many).as_str(), dropped.concat().as_str()), ("12348", "567"));
        let (none, dropped) = kept(Vec::new());
        assert!(none.is_empty() && dropped.is_empty());
    }
}
