//! Trusted devices: browsers that proved a second factor and need no code for 30 days.

use std::fmt;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{Factor, ItemKey, Policy, Refusal, SessionId, Snapshot, Timestamp, TrustId, verify::Verified};

/// The token of a trusted device: 256 random bits, written as `mfat_` and 43 characters of
/// base64url.
pub struct TrustToken(Zeroizing<[u8; 32]>);

const PREFIX: &str = "mfat_";

impl TrustToken {
    /// A token of random bytes.
    #[must_use]
    pub fn from_random(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Reads what [`Self::to_text`] writes. Anything else is `None`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = Zeroizing::new(data_encoding::BASE64URL_NOPAD.decode(text.strip_prefix(PREFIX)?.as_bytes()).ok()?);
        Some(Self(Zeroizing::new(bytes.as_slice().try_into().ok()?)))
    }

    /// The token as a client holds it.
    #[must_use]
    pub fn to_text(&self) -> String {
        format!("{PREFIX}{}", data_encoding::BASE64URL_NOPAD.encode(self.as_bytes()))
    }

    /// The bytes that are hashed.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_slice()
    }
}

// A stray `{:?}` must not write a token to a log.
impl fmt::Debug for TrustToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TrustToken(…)")
    }
}

/// The item of a trusted device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrustRecord {
    /// The keyed hash of its token, which stands in the item's key.
    #[serde(skip_serializing)]
    pub id: TrustId,
    /// What its owner knows it by: `Firefox on Linux`.
    pub label: String,
    /// When it was trusted.
    pub created: Timestamp,
    /// When it last stood in for a code.
    #[serde(rename = "used", default, skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<Timestamp>,
    /// The user's security epoch when it was trusted. A later epoch ends the trust.
    #[serde(rename = "epoch")]
    pub security_epoch: u64,
    /// When the code that the trust rests on was judged right.
    pub auth_time: Timestamp,
    /// It is refused from this moment on.
    pub until: Timestamp,
    /// The last sessions that it opened, oldest first.
    pub sessions: Vec<SessionId>,
}

impl TrustRecord {
    /// The sessions that it names after opening `new`, and the one that makes room. So a trusted
    /// device can neither fill the table nor end a session that another device opened.
    #[must_use]
    pub fn opening(&self, new: SessionId) -> (Vec<SessionId>, Option<SessionId>) {
        let mut sessions = self.sessions.clone();
        sessions.push(new);
        let ended = (sessions.len() > Policy::SESSIONS_OF_TRUSTED_DEVICE).then(|| sessions.remove(0));
        (sessions, ended)
    }
}

/// Takes a trusted device as a second factor.
///
/// It passes a lock, because a lock stops guesses and not possession, and it does not end the lock.
/// It is no fresh proof either: `auth_time` stays that of the code that the trust rests on.
///
/// # Errors
/// [`Refusal::DeviceNotFound`], whatever is wrong with it. [`Refusal::Unreadable`].
pub fn prove<'a>(
    snapshot: &'a Snapshot,
    id: TrustId,
    policy: &Policy,
    now: Timestamp,
) -> Result<(&'a TrustRecord, Verified), Refusal> {
    snapshot.require_readable(ItemKey::Trust(id))?;
    let record = trusted(snapshot, policy, now).find(|record| record.id == id).ok_or(Refusal::DeviceNotFound)?;
    Ok((record, Verified::of(&snapshot.ledger, Factor::TrustedDevice, record.auth_time)))
}

/// The devices that are trusted: last used first, then newest.
#[must_use]
pub fn list<'a>(snapshot: &'a Snapshot, policy: &Policy, now: Timestamp) -> Vec<&'a TrustRecord> {
    let mut list: Vec<_> = trusted(snapshot, policy, now).collect();
    list.sort_by_key(|record| std::cmp::Reverse((record.last_used_at, record.created)));
    list
}

/// The devices that go when `new` is trusted: those that no longer count, and the oldest if there
/// are too many.
///
/// The item of `new` may be there already, from a try whose commit lost its race.
#[must_use]
pub fn surplus(snapshot: &Snapshot, new: &TrustRecord, now: Timestamp) -> Vec<TrustId> {
    let others = snapshot.trusted.iter().filter(|record| record.id != new.id);
    let is_live = |record: &&TrustRecord| record.security_epoch == new.security_epoch && record.until > now;
    let (mut live, dead): (Vec<_>, Vec<_>) = others.partition(is_live);
    live.sort_by_key(|record| record.created);
    let too_many = (live.len() + 1).saturating_sub(Policy::MAX_TRUSTED_DEVICES);
    dead.into_iter().chain(live.into_iter().take(too_many)).map(|record| record.id).collect()
}

fn trusted<'a>(snapshot: &'a Snapshot, policy: &Policy, now: Timestamp) -> impl Iterator<Item = &'a TrustRecord> {
    let counts = move |record: &&TrustRecord| snapshot.is_of_epoch(record.security_epoch) && record.until > now;
    let offered = policy.trusted_devices;
    snapshot.trusted.iter().filter(move |_| offered).filter(counts)
}

/// The name by which its owner knows a browser, from its `User-Agent` (RFC 9110 10.1.5):
/// `Firefox on Linux`.
///
/// It is only shown in the list. No rule uses it, because a sender can write anything there.
#[must_use]
pub fn label(user_agent: &str) -> String {
    match browser_and_system(user_agent) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(only), None) | (None, Some(only)) => only.to_owned(),
        (None, None) => "Unknown device".to_owned(),
    }
}

/// The browser and the system that a `User-Agent` names, in words of ours.
#[must_use]
pub fn browser_and_system(user_agent: &str) -> (Option<&'static str>, Option<&'static str>) {
    // In this order: Edge and Opera name Chrome too, Chrome names Safari, Android names Linux,
    // iPhones name Mac OS X.
    const BROWSERS: [(&str, &str); 8] = [
        ("Edg", "Edge"),
        ("OPR/", "Opera"),
        ("SamsungBrowser/", "Samsung Internet"),
        ("Firefox/", "Firefox"),
        ("FxiOS/", "Firefox"),
        ("Chrome/", "Chrome"),
        ("CriOS/", "Chrome"),
        ("Safari/", "Safari"),
    ];
    const SYSTEMS: [(&str, &str); 7] = [
        ("Windows", "Windows"),
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("CrOS", "ChromeOS"),
        ("Mac OS X", "Mac"),
        ("Linux", "Linux"),
    ];
    let named =
        |list: &[(&str, &'static str)]| list.iter().find(|(mark, _)| user_agent.contains(mark)).map(|(_, name)| *name);
    (named(&BROWSERS), named(&SYSTEMS))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Ledger;

    const NOW: Timestamp = Timestamp::from_secs(10_000_000);

    fn record(n: u8, created: u64, epoch: u64) -> TrustRecord {
        let created = Timestamp::from_secs(created);
        let until = created.plus(Policy::TRUST_LIFETIME);
        TrustRecord {
            id: TrustId([n; 16]),
            label: String::new(),
            created,
            last_used_at: None,
            security_epoch: epoch,
            auth_time: created,
            until,
            sessions: Vec::new(),
        }
    }

    fn snapshot(trusted: Vec<TrustRecord>) -> Snapshot {
        Snapshot {
            ledger: Ledger { security_epoch: 5, ..Ledger::fresh(0) },
            stored: true,
            trusted,
            ..Snapshot::empty(0)
        }
    }

    #[test]
    fn a_token_reads_back_and_nothing_else_is_one() {
        let text = TrustToken::from_random([250; 32]).to_text();
        assert_eq!(text.len(), 48);
        assert_eq!(TrustToken::parse(&text).map(|token| *token.0), Some([250; 32]));
        for bad in ["", "mfat_", &text[1..], &text[..47], &format!("{text}A"), "mfat_*"] {
            assert!(TrustToken::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_device_is_trusted_in_its_epoch_until_its_end() {
        let policy = Policy::default();
        let from = NOW.as_secs() - 100;
        let proven = |record: TrustRecord, now| {
            prove(&snapshot(vec![record]), TrustId([1; 16]), &policy, now).map(|(_, verified)| verified)
        };
        let verified = proven(record(1, from, 5), NOW).expect("trusted");
        assert_eq!((verified.factor, verified.auth_time.as_secs()), (Factor::TrustedDevice, from));
        assert!(proven(record(1, from, 4), NOW).is_err() && proven(record(1, from, 6), NOW).is_err());
        assert!(proven(record(2, from, 5), NOW).is_err(), "another");
        let thirty_days = from + 30 * 86_400;
        assert!(proven(record(1, from, 5), Timestamp::from_secs(thirty_days - 1)).is_ok());
        assert!(proven(record(1, from, 5), Timestamp::from_secs(thirty_days)).is_err());
        let off = Policy { trusted_devices: false, ..Policy::default() };
        assert!(prove(&snapshot(vec![record(1, from, 5)]), TrustId([1; 16]), &off, NOW).is_err());
        let erased = Snapshot { stored: false, ..snapshot(vec![record(1, from, 5)]) };
        assert!(prove(&erased, TrustId([1; 16]), &policy, NOW).is_err());
    }

    #[test]
    fn the_oldest_and_those_that_count_no_more_make_room() {
        let from = NOW.as_secs();
        let mut trusted: Vec<_> = (0..10).map(|n| record(n, from - u64::from(n), 5)).collect();
        trusted.push(record(90, from, 4));
        let new = record(100, from, 5);
        let gone = surplus(&snapshot(trusted.clone()), &new, NOW);
        assert_eq!(gone, [TrustId([90; 16]), TrustId([9; 16])]);
        assert_eq!(surplus(&snapshot(trusted[..9].to_vec()), &new, NOW), []);
        // It was written alongside a commit that lost its race, and its epoch has ended since.
        let again = [&trusted[..9], &[record(100, from, 4)]].concat();
        assert_eq!(surplus(&snapshot(again), &new, NOW), []);
        assert_eq!(list(&snapshot(trusted), &Policy::default(), NOW).len(), 10);
    }

    #[test]
    fn a_third_session_takes_the_place_of_the_older_one() {
        let session = |n| SessionId([n; 16]);
        let mut device = record(1, 0, 5);
        for (n, names, ended) in
            [(1, vec![1], None), (2, vec![1, 2], None), (3, vec![2, 3], Some(1)), (4, vec![3, 4], Some(2))]
        {
            let (sessions, gone) = device.opening(session(n));
            assert_eq!((&sessions, gone), (&names.into_iter().map(session).collect(), ended.map(session)));
            device.sessions = sessions;
        }
    }

    #[test]
    fn a_label_names_browser_and_system() {
        let cases = [
            ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux"),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 \
                 Safari/537.36 Edg/142.0.0.0",
                "Edge on Windows",
            ),
            (
                "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile \
                 Safari/537.36",
                "Chrome on Android",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) \
                 Version/26.0 Mobile/15E148 Safari/604.1",
                "Safari on iPhone",
            ),
            ("Firefox/140.0", "Firefox"),
            ("Windows", "Windows"),
            ("curl/8.0", "Unknown device"),
            ("", "Unknown device"),
        ];
        for (agent, wanted) in cases {
            assert_eq!(label(agent), wanted);
        }
    }

    #[test]
    fn debug_output_shows_no_token() {
        assert_eq!(format!("{:?}", TrustToken::from_random([250; 32])), "TrustToken(…)");
    }

    #[test]
    fn the_list_begins_with_the_device_that_was_used_last_and_then_with_the_newest() {
        let from = NOW.as_secs();
        let mut trusted: Vec<_> = [(1, 30), (2, 20), (3, 10), (4, 40)].map(|(n, ago)| record(n, from - ago, 5)).into();
        trusted[1].last_used_at = Some(Timestamp::from_secs(from - 2));
        trusted[2].last_used_at = Some(Timestamp::from_secs(from - 1));
        let snapshot = snapshot(trusted);
        let listed: Vec<_> = list(&snapshot, &Policy::default(), NOW).iter().map(|record| record.id.0[0]).collect();
        assert_eq!(listed, [3, 2, 1, 4]);
    }

    #[test]
    fn a_device_whose_thirty_days_are_over_makes_room() {
        let over = record(1, NOW.as_secs() - 30 * 86_400, 5);
        let lasting = record(2, NOW.as_secs() - 30 * 86_400 + 1, 5);
        let new = record(100, NOW.as_secs(), 5);
        assert_eq!(surplus(&snapshot(vec![over, lasting]), &new, NOW), [TrustId([1; 16])]);
    }
}
