use super::{
    AddressTag, ClaimedPolicy, Contact, Email, Factor, LoginId, Method, NetworkTag, Phone, Policy, Requirement,
    SessionId, Source, Timestamp, UserId, keys::Keys, plain_name,
};

/// The longest id that a login token may name a user by, in bytes.
pub const LONGEST_USER_ID: usize = 255;

/// Who is calling, as the bearer token proves it.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The user, by the keyed hash of `sub`.
    pub user: UserId,
    /// The login that the token belongs to. Codes are bound to it.
    pub login: LoginId,
    /// The login that authenticators, recovery sets and addresses are attributed to. It is the
    /// login itself, unless somebody else can be in a login of that name. Then it is the session of
    /// one of our own tokens, and `None` without such a token.
    pub provenance: Option<LoginId>,
    /// The addresses that may be used.
    pub contact: Contact,
    /// The keyed hashes of those addresses, one for each method that sends codes to them.
    pub address_tags: Vec<AddressTag>,
    /// The second factor that the token proves, if the token was minted here.
    pub proof: Option<Proof>,
    /// The second factor that the login says it asked for, if its word is trusted.
    pub login_factor: Option<LoginFactor>,
    /// What the token says of whether the user must use MFA.
    pub claimed_policy: ClaimedPolicy,
    /// Where the call comes from, if that is known.
    pub source: Option<Source>,
}

impl Caller {
    /// The name that an authenticator shows of the account, unless another is asked for: the e-mail
    /// address, or the phone number, or `user_name`, the user id of the application.
    #[must_use]
    pub fn account(&self, user_name: &str) -> String {
        let email = self.contact.email.as_ref().map(Email::as_str).ok();
        let phone = self.contact.phone.as_ref().map(Phone::as_str).ok();
        let mut names = [email, phone, Some(user_name)].into_iter().flatten();
        names.find_map(plain_name).unwrap_or_else(|| self.user.to_string())
    }

    /// The keyed hash of the caller's address for `method`.
    #[must_use]
    pub fn address_tag(&self, method: Method) -> Option<AddressTag> {
        self.address_tags.iter().copied().find(|tag| tag.method == method)
    }

    /// Whether somebody else who signs in as the user can be in a login of the same name.
    #[must_use]
    pub fn shares_login(&self) -> bool {
        self.provenance != Some(self.login)
    }

    /// The session that the token belongs to, if it is one of ours.
    #[must_use]
    pub fn session(&self) -> Option<ProofSession> {
        self.proof.map(|proof| proof.session)
    }
}

/// A second factor that the login asked for itself (`MFA_JWT_TRUSTED_AMR`). It opens nothing here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoginFactor {
    /// When the user signed in, if the token says it.
    pub auth_time: Option<Timestamp>,
}

/// A second factor that was passed: what the claim `mfa` of our own tokens says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proof {
    /// The user's security epoch when it was passed. A later epoch ends it.
    pub security_epoch: u64,
    /// The factor.
    pub method: Factor,
    /// When a code was last judged right.
    pub auth_time: Timestamp,
    /// The session that the token belongs to.
    pub session: ProofSession,
}

/// The session of one of our own tokens. It has an id even if sessions are switched off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProofSession {
    /// The id.
    pub id: SessionId,
    /// The login that opened it.
    pub login: LoginId,
    /// What [`Caller::provenance`] is with its tokens. A session that these tokens open inherits
    /// it.
    pub provenance: LoginId,
    /// When it ends, in whole seconds. Nothing that is opened with its tokens ends later.
    pub ends: Timestamp,
}

impl ProofSession {
    /// A session as a token or an item names it: without its provenance if that is the login.
    #[must_use]
    pub fn named(id: SessionId, login: LoginId, provenance: Option<LoginId>, ends: Timestamp) -> Self {
        Self { id, login, provenance: provenance.unwrap_or(login), ends }
    }

    /// The provenance, if it differs from the login.
    #[must_use]
    pub fn other_provenance(&self) -> Option<LoginId> {
        (self.provenance != self.login).then_some(self.provenance)
    }
}

/// What every rule is given in addition to the snapshot and the attempt.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// Who calls.
    pub caller: &'a Caller,
    /// What authenticators, recovery sets and addresses that this call makes or uses are attributed
    /// to: [`Caller::provenance`], or that of the session that the call opens.
    pub provenance: Option<LoginId>,
    /// The numbers and switches.
    pub policy: &'a Policy,
    /// The keys of hashes and sealed secrets.
    pub keys: &'a Keys,
    /// The time of the call in whole seconds. The ledger keeps whole seconds, so everything that is
    /// compared with it must too.
    pub now: Timestamp,
}

impl Context<'_> {
    /// Whether MFA is required of the caller, as the setting and the token say.
    #[must_use]
    pub fn requirement(&self) -> Requirement {
        Requirement::of(self.policy, &self.caller.claimed_policy, self.now)
    }

    /// Whether something that `login` made or used is the caller's own.
    #[must_use]
    pub fn is_own(&self, login: Option<LoginId>) -> bool {
        login.is_some() && login == self.provenance
    }

    /// Whether what `login` made or used stays, whoever switches MFA on: it is the caller's own, or
    /// the operator confirmed it.
    #[must_use]
    pub fn is_trustworthy(&self, login: Option<LoginId>) -> bool {
        login == Some(LoginId::OPERATOR) || self.is_own(login)
    }

    /// The network that the call comes from, unless its address cannot be read or
    /// `MFA_KNOWN_NETWORKS` is off.
    #[must_use]
    pub fn network(&self) -> Option<NetworkTag> {
        let source = self.caller.source.as_ref().filter(|_| self.policy.known_networks)?;
        Some(self.keys.network_tag(self.caller.user, &source.network()?))
    }

    /// What a grace of the caller is bound to: the session of the token, or the login if the token
    /// names no session.
    #[must_use]
    pub fn grace_holder(&self) -> Option<LoginId> {
        let session = self.caller.session().map(|session| self.keys.session_login(session.id));
        session.or(self.caller.provenance)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::scenario::{OTHER, OWN, Scenario};

    #[test]
    fn a_login_is_shared_unless_it_is_its_own_provenance() {
        for (provenance, shared, other) in
            [(Some(OWN), false, None), (None, true, None), (Some(OTHER), true, Some(OTHER))]
        {
            let mut scenario = Scenario::new();
            scenario.caller.provenance = provenance;
            assert_eq!(scenario.caller.shares_login(), shared, "{provenance:?}");
            let session = ProofSession::named(SessionId([3; 16]), OWN, provenance, Timestamp::default());
            assert_eq!(session.other_provenance(), other, "{provenance:?}");
        }
    }

    #[test]
    fn what_nobody_is_known_to_have_made_is_nobodys_own() {
        let mut scenario = Scenario::new();
        assert!(scenario.cx().is_own(Some(OWN)));
        assert!(!scenario.cx().is_own(Some(OTHER)) && !scenario.cx().is_own(None));
        scenario.caller.provenance = None;
        assert!(!scenario.cx().is_own(Some(OWN)) && !scenario.cx().is_own(None));
    }

    #[test]
    fn a_network_is_told_by_a_readable_address_alone_and_only_if_networks_are_known() {
        let network = |source: Option<Source>, known_networks| {
            let mut scenario = Scenario::new();
            (scenario.caller.source, scenario.policy.known_networks) = (source, known_networks);
            scenario.cx().network()
        };
        let at = |last: u8| Some(Source::at([192, 0, 2, last].into()));
        assert!(network(at(1), true).is_some());
        assert_eq!(network(at(1), true), network(at(254), true));
        assert_ne!(network(at(1), true), network(Some(Source::at([192, 0, 3, 1].into())), true));
        assert_eq!(network(at(1), false), None);
        assert_eq!(network(None, true), None);
        assert_eq!(network(Some(Source::Unreadable("x".to_owned())), true), None);
    }

    #[test]
    fn a_grace_belongs_to_the_session_of_the_token_or_else_to_its_login() {
        let mut scenario = Scenario::new();
        assert_eq!(scenario.cx().grace_holder(), Some(OWN));
        let session = scenario.prove(std::time::Duration::ZERO);
        assert_eq!(scenario.cx().grace_holder(), Some(scenario.keys.session_login(session)));
    }
}
