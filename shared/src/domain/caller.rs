use super::{AddressTag, Contact, Factor, LoginId, Method, Policy, Timestamp, UserId};
use crate::domain::keys::Keys;

/// Who is calling, as the bearer token proves it.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The user, by the keyed hash of `sub`.
    pub user: UserId,
    /// The login that the token belongs to. Codes are bound to it.
    pub login: LoginId,
    /// The addresses that may be used.
    pub contact: Contact,
    /// The keyed hashes of those addresses.
    pub address_tags: Vec<(Method, AddressTag)>,
    /// The passed second factor that the token proves, if it was minted here.
    pub proof: Option<Proof>,
}

impl Caller {
    /// The keyed hash of the caller's address for `method`.
    #[must_use]
    pub fn address_tag(&self, method: Method) -> Option<AddressTag> {
        self.address_tags.iter().find(|(of, _)| *of == method).map(|(_, tag)| *tag)
    }
}

/// A second factor that was passed: what the claim `mfa` of our own tokens says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proof {
    /// The user's epoch when it was passed; a later epoch ends it.
    pub epoch: u64,
    /// The factor.
    pub method: Factor,
    /// When a code was last judged right.
    pub auth_time: Timestamp,
}

/// What every rule is given beside the snapshot and the attempt.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// Who asks.
    pub caller: &'a Caller,
    /// The numbers and switches.
    pub policy: &'a Policy,
    /// For keyed hashes and sealed secrets.
    pub keys: &'a Keys,
    /// When.
    pub now: Timestamp,
}
