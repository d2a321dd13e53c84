//! The ledger: the one small mutable item from which every rule about a user is decided.

use super::{
    AddressTag, CodeId, CommitId, DeviceId, Factor, ItemKey, LoginId, NetworkTag, NoticeMark, PasskeyId, Policy,
    RecoveryId, Timestamp, failures::Failures, sends::Sends,
};

/// How many commits a ledger remembers. A write whose answer was lost is recognised on its retry if
/// fewer commits came in between.
pub const COMMITS_KEPT: usize = 12;

/// Everything that counts about a user, as it stands now. What it does not name does not exist.
///
/// It is stored in under 1 KB, so that reading and writing it costs one unit each. Its times are
/// whole seconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ledger {
    /// Each commit raises it. A commit happens only if it is still the version that was loaded.
    pub version: u64,
    /// Proofs, sessions and trusted devices carry the security epoch that they were made in, and
    /// count in no other.
    ///
    /// It rises when MFA is switched on or off, when an active device is removed, when a recovery
    /// code is used, and with a reset.
    pub security_epoch: u64,
    /// Whether the user switched MFA on.
    pub enabled: bool,
    /// The verified devices.
    pub devices: Vec<Device>,
    /// The passkeys.
    pub passkeys: Vec<Passkey>,
    /// The open set-ups, oldest first.
    pub setups: Vec<Setup>,
    /// The codes that were sent and not used, at most one for each login.
    pub codes: Vec<SentCode>,
    /// The recovery codes.
    pub recovery: Option<RecoverySet>,
    /// The wrong answers.
    pub failures: Failures,
    /// The sends.
    pub sends: Sends,
    /// The addresses that may receive codes without a proof while MFA is bound, oldest first.
    pub proven: Vec<ProvenAddress>,
    /// What is known of addresses besides that they are proven, oldest first.
    pub marked: Vec<MarkedAddress>,
    /// The logins that gave a right code recently, oldest first.
    pub recent: Vec<RecentLogin>,
    /// The networks that right codes came from while MFA was on, oldest first.
    pub networks: Vec<KnownNetwork>,
    /// Who began this security epoch and counts as proven for a while.
    pub grace: Option<Grace>,
    /// What the user's addresses for notices were last written with.
    pub notice_mark: Option<NoticeMark>,
    /// The last commits, oldest first: [`COMMITS_KEPT`] at most.
    pub commits: Vec<CommitId>,
}

/// A verified device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Which.
    pub id: DeviceId,
    /// The TOTP step of the last code that was accepted. The set-up code counts.
    pub last_step: u64,
    /// When a code was last accepted. The set-up code does not count.
    pub last_used_at: Option<Timestamp>,
    /// The login that confirmed or last used it.
    pub confirmed_by: Option<LoginId>,
    /// Whether another login switched MFA on since. The device may then be an intruder's, so it
    /// does not count as a method, and its codes are judged only under a fresh proof. A right one
    /// makes it active again.
    pub inactive: bool,
}

/// A passkey.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passkey {
    /// Which.
    pub id: PasskeyId,
    /// When it was registered or last used, or when the challenge of that was made, whichever is
    /// later. A challenge counts only if it was made after that moment, so each counts once.
    pub spent_until: Timestamp,
    /// Its signature counter (`WebAuthn` Level 3 6.1.1), or 0 if it does not count.
    pub counter: u32,
    /// The login that registered or last used it.
    pub confirmed_by: Option<LoginId>,
    /// As for [`Device::inactive`].
    pub inactive: bool,
    /// Whether it was used since it was registered.
    pub used: bool,
    /// Whether it may be copied to other authenticators, and whether it is now.
    pub backup: Backup,
    /// Whether, since its last use, an answer came whose counter did not rise. Then somebody may have a
    /// copy, of which the owner is told once.
    pub suspected: bool,
}

impl Passkey {
    /// When it was last used, if it was.
    #[must_use]
    pub fn last_used_at(&self) -> Option<Timestamp> {
        self.used.then_some(self.spent_until)
    }

    /// The factor that it is.
    #[must_use]
    pub const fn factor(&self) -> Factor {
        Factor::passkey(self.backup.is_eligible())
    }
}

/// What an authenticator says of copies of a passkey (`WebAuthn` Level 3 6.1.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backup {
    /// It cannot leave the authenticator.
    Never,
    /// It can be copied, and is not.
    Eligible,
    /// It is copied: synced by the provider of the passkey.
    Synced,
}

impl Backup {
    /// Whether it may be copied.
    #[must_use]
    pub const fn is_eligible(self) -> bool {
        !matches!(self, Self::Never)
    }
}

/// An open set-up, which waits for its first code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setup {
    /// The device that it would become.
    pub id: DeviceId,
    /// When it ends.
    pub until: Timestamp,
}

/// A code that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentCode {
    /// Which.
    pub id: CodeId,
    /// The login that requested it, the only one that may use it.
    pub login: LoginId,
    /// Whether a known caller requested it.
    pub known: bool,
    /// From this moment on it is refused.
    pub until: Timestamp,
}

/// The place of a login's outstanding code: a newer code in the same place supersedes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodeSlot {
    /// The login.
    pub login: LoginId,
    /// Whether it is the place of known callers, which only a login has that others can share.
    pub of_known_caller: bool,
}

impl SentCode {
    /// The place of the code. `shared` is whether others can share its login: then a stranger's
    /// code must not supersede the owner's.
    #[must_use]
    pub const fn slot(&self, shared: bool) -> CodeSlot {
        CodeSlot { login: self.login, of_known_caller: shared && self.known }
    }
}

/// The set of recovery codes that counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecoverySet {
    /// Which.
    pub id: RecoveryId,
    /// The used codes: bit *n* stands for the *n*-th.
    pub used_mask: u16,
    /// When it was made.
    pub created: Timestamp,
    /// The login that made it or last used one of its codes.
    pub made_by: Option<LoginId>,
}

/// An address whose code was judged right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProvenAddress {
    /// Which.
    pub tag: AddressTag,
    /// The login that gave the code.
    pub by: Option<LoginId>,
}

/// What is known of an address: one of both, or both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MarkedAddress {
    /// Which.
    pub tag: AddressTag,
    /// MFA was switched on with it alone, before any code of a usable method was right, and none has
    /// been since.
    pub untried: bool,
    /// What the provider said when it took no code for it.
    pub unreachable: Option<Unreachable>,
}

/// Why no code reaches an address, and until when that is assumed. The next request for a code asks
/// the provider in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreachable {
    /// The provider refuses it for good: to the gate it is as if the token had no address.
    Refused {
        /// Until when. If this is `None`, until the next request for a code.
        until: Option<Timestamp>,
    },
    /// The number's owner opted out, or the account may not send to it yet. Either can change, so the
    /// number holds the gate shut as before. Otherwise a phone's owner who opts out would hand the
    /// account to whoever knows the password.
    Barred {
        /// Until when.
        until: Timestamp,
    },
}

impl Unreachable {
    /// When it ends, if it does by itself.
    #[must_use]
    pub const fn until(self) -> Option<Timestamp> {
        match self {
            Self::Refused { until } => until,
            Self::Barred { until } => Some(until),
        }
    }
}

impl RecoverySet {
    /// How many codes are left.
    #[must_use]
    pub fn left(&self) -> u32 {
        u32::try_from(Policy::RECOVERY_CODES).unwrap_or(0).saturating_sub(self.used_mask.count_ones())
    }
}

/// A login that confirmed a set-up or gave a right code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecentLogin {
    /// Which.
    pub login: LoginId,
    /// When.
    pub verified_at: Timestamp,
    /// With which factor.
    pub factor: Factor,
}

/// A network that a right code came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownNetwork {
    /// Its keyed hash.
    pub tag: NetworkTag,
    /// When the last right code came from it.
    pub used_at: Timestamp,
}

/// The right of whoever began the security epoch under a fresh proof to count as proven for the
/// rest of that quarter of an hour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grace {
    /// The session of the caller's token, or the login if the token names no session.
    pub holder: LoginId,
    /// When it ends.
    pub until: Timestamp,
}

impl Ledger {
    /// The ledger of a user who is new to the table.
    ///
    /// `seed` is random, so version and epoch never match those of an erased ledger, which an old
    /// writer or an old proof may hold. Both leave room to be raised, and the epoch is small enough
    /// for a JSON number.
    #[must_use]
    pub fn fresh(seed: u64) -> Self {
        Self {
            version: seed >> 1,
            security_epoch: seed & 0xFFFF_FFFF,
            enabled: false,
            devices: Vec::new(),
            passkeys: Vec::new(),
            setups: Vec::new(),
            codes: Vec::new(),
            recovery: None,
            failures: Failures::default(),
            sends: Sends::default(),
            proven: Vec::new(),
            marked: Vec::new(),
            recent: Vec::new(),
            networks: Vec::new(),
            grace: None,
            notice_mark: None,
            commits: Vec::new(),
        }
    }

    /// This ledger with the version and the id of the next commit.
    #[must_use]
    pub fn committed_as(mut self, commit: CommitId) -> Self {
        self.version = self.version.wrapping_add(1);
        push_bounded(&mut self.commits, commit, COMMITS_KEPT);
        self
    }

    /// Begins a new security epoch: every proof, session and trusted device from before ends, and
    /// so does a grace. `grace` is that of whoever begins it.
    pub fn begin_epoch(&mut self, grace: Option<Grace>) {
        self.security_epoch = self.security_epoch.saturating_add(1);
        self.grace = grace;
    }

    /// Starts over: no factor, no address, MFA off, in a new security epoch.
    pub fn start_over(&mut self) {
        self.enabled = false;
        self.begin_epoch(None);
        self.devices.clear();
        self.passkeys.clear();
        self.setups.clear();
        self.codes.clear();
        self.recovery = None;
        self.proven.clear();
        self.recent.clear();
    }

    /// Whether a code for `tag` was judged right.
    #[must_use]
    pub fn has_proven(&self, tag: AddressTag) -> bool {
        self.proven.iter().any(|address| address.tag == tag)
    }

    /// The items that it names.
    pub fn named_items(&self) -> impl Iterator<Item = ItemKey> {
        let devices = self.devices.iter().map(|device| device.id).chain(self.setups.iter().map(|setup| setup.id));
        let passkeys = self.passkeys.iter().flat_map(|key| [ItemKey::Passkey(key.id), ItemKey::Credential(key.id)]);
        devices.map(ItemKey::Device).chain(passkeys).chain(self.recovery.iter().map(|set| ItemKey::Recovery(set.id)))
    }

    /// Whether it names this device, verified or being set up.
    #[must_use]
    pub fn names_device(&self, id: DeviceId) -> bool {
        self.named_items().any(|key| key == ItemKey::Device(id))
    }

    /// The items that `before` named and this ledger does not.
    pub fn dropped_since(&self, before: &Self) -> impl Iterator<Item = ItemKey> {
        let kept: Vec<_> = self.named_items().collect();
        before.named_items().filter(move |key| !kept.contains(key))
    }

    /// Whether `commit` is one of the last [`COMMITS_KEPT`].
    #[must_use]
    pub fn holds(&self, commit: CommitId) -> bool {
        self.commits.contains(&commit)
    }

    /// The codes that `login` has outstanding, expired or not: at most one in each place.
    pub fn codes_of(&self, login: LoginId) -> impl Iterator<Item = &SentCode> {
        self.codes.iter().filter(move |code| code.login == login)
    }

    /// Makes `code` the outstanding one of its place.
    ///
    /// If the allowed number of other codes is outstanding, nothing changes, because a stranger
    /// with the password must not cancel the owner's code. A part of the places is for known
    /// callers alone. `Err` is the moment when the first of the codes in the way ends. `Ok` is the
    /// code that is superseded.
    ///
    /// # Errors
    /// If there is no room.
    pub fn reserve(&mut self, code: SentCode, shared: bool, now: Timestamp) -> Result<Option<SentCode>, Timestamp> {
        let is_superseded = |other: &SentCode| other.slot(shared) == code.slot(shared);
        let (superseded, mut others): (Vec<_>, Vec<_>) = self.codes.iter().cloned().partition(is_superseded);
        if others.len() >= Policy::OUTSTANDING_FOR_ANYBODY {
            others.retain(|other| other.until > now);
        }
        let unknown = others.iter().filter(|other| !other.known);
        let first_end_of = |codes: &mut dyn Iterator<Item = &SentCode>| codes.map(|code| code.until).min();
        let in_the_way = if !code.known && unknown.clone().count() >= Policy::OUTSTANDING_FOR_ANYBODY {
            first_end_of(&mut unknown.clone())
        } else if others.len() >= Policy::MAX_OUTSTANDING_CODES {
            first_end_of(&mut others.iter())
        } else {
            None
        };
        if let Some(ends) = in_the_way {
            return Err(ends);
        }
        others.push(code);
        self.codes = others;
        Ok(superseded.into_iter().next())
    }

    /// Remembers that `login` gave a right code.
    pub fn remember(&mut self, login: LoginId, factor: Factor, now: Timestamp) {
        let is_fresh = |recent: &RecentLogin| now.since(recent.verified_at) < Policy::PROOF_FRESH_FOR;
        self.recent.retain(|recent| recent.login != login && is_fresh(recent));
        push_bounded(&mut self.recent, RecentLogin { login, verified_at: now, factor }, 3);
    }

    /// Remembers the network of a right code.
    pub fn know(&mut self, tag: NetworkTag, now: Timestamp) {
        self.networks.retain(|network| network.tag != tag);
        push_bounded(&mut self.networks, KnownNetwork { tag, used_at: now }, Policy::KNOWN_NETWORKS);
    }

    /// Forgets every network but `own`: the others may be those of an intruder.
    pub fn forget_networks_but(&mut self, own: Option<NetworkTag>) {
        self.networks.retain(|network| Some(network.tag) == own);
    }

    /// Ends a lock by a recovery code, while MFA is on. While it is off, a password is enough to
    /// make recovery codes, which would buy guesses without end.
    pub fn unlock(&mut self, now: Timestamp) {
        if self.enabled {
            self.failures.unlock(now);
        }
    }

    /// Whether a right code came from a network lately.
    #[must_use]
    pub fn knows(&self, tag: NetworkTag, now: Timestamp) -> bool {
        let is_known = |network: &KnownNetwork| now.since(network.used_at) < Policy::NETWORK_KNOWN_FOR;
        self.networks.iter().filter(|network| network.tag == tag).any(is_known)
    }

    /// Why no code reaches an address at `now`, as far as the provider said so.
    #[must_use]
    pub fn unreachable(&self, tag: AddressTag, now: Timestamp) -> Option<Unreachable> {
        let marked = self.marked.iter().find(|marked| marked.tag == tag)?;
        marked.unreachable.filter(|unreachable| unreachable.until().is_none_or(|until| until > now))
    }

    /// Whether the provider refuses an address for good at `now`.
    #[must_use]
    pub fn is_refused(&self, tag: AddressTag, now: Timestamp) -> bool {
        matches!(self.unreachable(tag, now), Some(Unreachable::Refused { .. }))
    }

    /// Whether MFA was switched on with an address that no code was sent to before, and no code of
    /// any method has been judged right since.
    #[must_use]
    pub fn is_untried(&self) -> bool {
        self.marked.iter().any(|marked| marked.untried)
    }

    /// Remembers the address that MFA was switched on with before any code was right, if there is one.
    pub fn switched_on_with(&mut self, untried: Option<AddressTag>) {
        self.each_mark(untried, |marked| marked.untried = Some(marked.tag) == untried);
    }

    /// Remembers why no code reaches an address, or that one may.
    pub fn set_unreachable(&mut self, tag: AddressTag, unreachable: Option<Unreachable>) {
        self.each_mark(unreachable.map(|_| tag), |marked| {
            marked.unreachable = if marked.tag == tag { unreachable } else { marked.unreachable }
        });
    }

    fn each_mark(&mut self, new: Option<AddressTag>, change: impl FnMut(&mut MarkedAddress)) {
        if let Some(tag) = new.filter(|tag| self.marked.iter().all(|marked| marked.tag != *tag)) {
            let mark = MarkedAddress { tag, untried: false, unreachable: None };
            push_bounded(&mut self.marked, mark, Policy::MAX_MARKED_ADDRESSES);
        }
        self.marked.iter_mut().for_each(change);
        self.marked.retain(|marked| marked.untried || marked.unreachable.is_some());
    }

    /// Remembers an address as proven by `by`.
    pub fn prove(&mut self, tag: AddressTag, by: Option<LoginId>) {
        self.set_unreachable(tag, None);
        let before = self.proven.iter().find(|known| known.tag == tag).and_then(|known| known.by);
        self.proven.retain(|known| known.tag != tag);
        let by = attribution(before, by);
        push_bounded(&mut self.proven, ProvenAddress { tag, by }, Policy::MAX_PROVEN_ADDRESSES);
    }
}

/// What an authenticator or address is attributed to, once `by` used it. What the operator confirmed
/// stays confirmed.
pub(super) fn attribution(before: Option<LoginId>, by: Option<LoginId>) -> Option<LoginId> {
    if before == Some(LoginId::OPERATOR) { before } else { by }
}

/// Pushes, and drops the oldest if there are more than `most`.
fn push_bounded<T>(list: &mut Vec<T>, item: T, most: usize) {
    list.push(item);
    if list.len() > most {
        list.remove(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Method;

    fn login(n: u8) -> LoginId {
        LoginId([n; 8])
    }

    fn code(login_number: u8, known: bool, until: u64) -> SentCode {
        let (id, login) = (CodeId([login_number; 8]), login(login_number));
        SentCode { id, login, known, until: Timestamp::from_secs(until) }
    }

    fn reserve(ledger: &mut Ledger, code: SentCode, shared: bool) -> Result<(), Timestamp> {
        ledger.reserve(code, shared, Timestamp::from_secs(100)).map(|_| ())
    }

    #[test]
    fn two_codes_of_anybody_and_three_in_all_are_outstanding() {
        let mut ledger = Ledger::fresh(7);
        assert_eq!(reserve(&mut ledger, code(1, false, 201), false), Ok(()));
        assert_eq!(reserve(&mut ledger, code(2, false, 202), false), Ok(()));
        assert_eq!(reserve(&mut ledger, code(3, false, 300), false), Err(Timestamp::from_secs(201)));
        assert_eq!(reserve(&mut ledger, code(2, false, 400), false), Ok(()), "a login may replace its own");
        assert_eq!(reserve(&mut ledger, code(3, true, 300), false), Ok(()), "the third place is for known callers");
        assert_eq!(reserve(&mut ledger, code(4, true, 300), false), Err(Timestamp::from_secs(201)));
        assert_eq!(reserve(&mut ledger, code(3, true, 301), false), Ok(()));
        assert_eq!(ledger.codes.len(), 3);

        let mut ledger = Ledger::fresh(7);
        (1..=3).for_each(|n| assert_eq!(reserve(&mut ledger, code(n, true, 200), false), Ok(())));
        assert_eq!(reserve(&mut ledger, code(4, false, 300), false), Err(Timestamp::from_secs(200)));
        assert_eq!(ledger.reserve(code(4, false, 300), false, Timestamp::from_secs(200)), Ok(None), "they have ended");
        assert_eq!(ledger.codes, [code(4, false, 300)]);
    }

    #[test]
    fn a_login_that_others_share_has_a_code_for_known_callers_and_one_for_the_others() {
        let mut ledger = Ledger::fresh(7);
        let now = Timestamp::from_secs(100);
        let (owners, strangers) = (code(1, true, 200), code(1, false, 201));
        assert_eq!(ledger.reserve(owners.clone(), true, now), Ok(None));
        assert_eq!(ledger.reserve(strangers.clone(), true, now), Ok(None));
        assert_eq!(ledger.reserve(code(1, false, 202), true, now), Ok(Some(strangers)));
        assert_eq!(ledger.reserve(code(1, true, 203), true, now), Ok(Some(owners)));
        assert_eq!(ledger.codes_of(login(1)).count(), 2);
        // If nobody can share it, the newest code is the only one, however the caller is known.
        let mut own = Ledger::fresh(7);
        assert_eq!(own.reserve(code(1, true, 200), false, now), Ok(None));
        assert_eq!(own.reserve(code(1, false, 201), false, now), Ok(Some(code(1, true, 200))));
        assert_eq!(own.codes, [code(1, false, 201)]);
    }

    #[test]
    fn three_networks_are_known_for_sixty_days_after_their_last_right_code() {
        let mut ledger = Ledger::fresh(7);
        let day = |n: u64| Timestamp::from_secs(n * 86_400);
        let tag = |n| NetworkTag([n; 8]);
        (1..=4).for_each(|n| ledger.know(tag(n), day(n.into())));
        assert!(!ledger.knows(tag(1), day(4)), "the fourth took its place");
        assert!(ledger.knows(tag(2), day(61)) && !ledger.knows(tag(2), day(62)));
        ledger.know(tag(2), day(61));
        assert!(ledger.knows(tag(2), day(120)));
        ledger.forget_networks_but(Some(tag(4)));
        assert_eq!(ledger.networks, [KnownNetwork { tag: tag(4), used_at: day(4) }]);
        ledger.forget_networks_but(None);
        assert!(ledger.networks.is_empty());
    }

    #[test]
    fn the_last_twelve_commits_are_kept_and_the_version_counts_up() {
        let mut ledger = Ledger::fresh(40);
        for n in 0..14 {
            ledger = ledger.committed_as(CommitId([n; 8]));
        }
        assert_eq!(ledger.version, 34);
        assert!(!ledger.holds(CommitId([1; 8])));
        assert!((2..14).all(|n| ledger.holds(CommitId([n; 8]))));
    }

    fn address(n: u8) -> AddressTag {
        AddressTag { method: Method::Email, hash: [n; 8] }
    }

    #[test]
    fn the_four_newest_addresses_stay_proven() {
        let mut ledger = Ledger::fresh(0);
        for n in [1, 2, 3, 4, 1, 5] {
            ledger.prove(address(n), Some(login(n)));
        }
        let expected = [3, 4, 1, 5].map(|n| ProvenAddress { tag: address(n), by: Some(login(n)) });
        assert_eq!(ledger.proven, expected);
        assert!(ledger.has_proven(address(1)) && !ledger.has_proven(address(2)));
    }

    #[test]
    fn a_used_recovery_code_is_one_less() {
        let left = |used_mask| {
            let (id, created) = (RecoveryId([1; 8]), Timestamp::default());
            RecoverySet { id, used_mask, created, made_by: None }.left()
        };
        assert_eq!([0, 0b101, 0x3FF].map(left), [10, 8, 0]);
    }

    #[test]
    fn a_new_ledger_leaves_room_to_raise_its_version_and_an_epoch_that_json_can_hold() {
        for seed in [0, 1 << 40, u64::MAX] {
            let ledger = Ledger::fresh(seed);
            assert!(ledger.version < 1 << 63 && ledger.security_epoch < 1 << 32, "{ledger:?}");
        }
        assert_ne!(Ledger::fresh(1).security_epoch, Ledger::fresh(2).security_epoch);
    }

    #[test]
    fn what_a_commit_no_longer_names_is_dropped() {
        let id = |n| DeviceId(uuid::Uuid::from_u128(n));
        let mut before = Ledger::fresh(0);
        before.setups = [1, 2].map(|n| Setup { id: id(n), until: Timestamp::default() }).into();
        let (set, used_mask, created) = (RecoveryId([1; 8]), 0, Timestamp::default());
        before.recovery = Some(RecoverySet { id: set, used_mask, created, made_by: None });
        let mut after = before.clone();
        assert_eq!(after.dropped_since(&before).count(), 0);
        after.setups.remove(0);
        after.recovery = None;
        let dropped: Vec<_> = after.dropped_since(&before).collect();
        assert_eq!(dropped, [ItemKey::Device(id(1)), ItemKey::Recovery(set)]);
        assert_eq!(before.dropped_since(&after).count(), 0, "what is new was not dropped");
    }

    #[test]
    fn the_last_three_logins_are_remembered_for_a_quarter_of_an_hour_after_a_right_code() {
        let mut ledger = Ledger::fresh(0);
        let mut after = |n, secs| -> Vec<_> {
            ledger.remember(login(n), Factor::RecoveryCode, Timestamp::from_secs(secs));
            ledger.recent.iter().map(|recent| (recent.login.0[0], recent.verified_at.as_secs())).collect()
        };
        assert_eq!(after(1, 0), [(1, 0)]);
        assert_eq!(after(2, 1), [(1, 0), (2, 1)]);
        assert_eq!(after(1, 2), [(2, 1), (1, 2)], "its last code counts");
        assert_eq!(after(3, 901), [(1, 2), (3, 901)], "a quarter of an hour is over");
        assert_eq!(after(4, 901), [(1, 2), (3, 901), (4, 901)]);
        assert_eq!(after(5, 901), [(3, 901), (4, 901), (5, 901)], "a fourth takes the place of the first");
    }

    #[test]
    fn a_recovery_code_ends_a_lock_only_while_mfa_is_on() {
        let now = Timestamp::from_secs(1_800_000_000);
        for enabled in [false, true] {
            let mut ledger = Ledger { enabled, ..Ledger::fresh(0) };
            (0..5).for_each(|n| ledger.failures.wrong(crate::domain::GuessTag([n; 8]), 1, now));
            ledger.unlock(now);
            assert_eq!(ledger.failures.lock_end(now).is_none(), enabled);
        }
    }
}
