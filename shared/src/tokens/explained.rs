use super::{
    Claims, LoginName, TokenError,
    claimed_policy::claimed_policy,
    contact::{contact, place_of_address},
    verifier::read_unchecked,
};
use crate::{
    config::{EMAIL_MARKS, LoginConfig, PHONE_MARKS},
    domain::{ClaimedPolicy, Contact, Email, Phone, Timestamp},
};

/// What a login's settings read in a token. Holds what the token says: it cannot be printed.
pub struct Explained {
    /// The claims, of which the signature was not checked.
    pub claims: Claims,
    /// The addresses that may be used, or why not.
    pub contact: Contact,
    /// What it says of whether its user must use MFA.
    pub policy: ClaimedPolicy,
    /// The claim with the e-mail address, and the marks beside it.
    pub email_claim: Option<(String, Vec<&'static str>)>,
    /// The same for the phone number.
    pub phone_claim: Option<(String, Vec<&'static str>)>,
}

impl Explained {
    /// Reads a token as a login means it, for an operator who wants to see why it is refused. Its
    /// signature is not checked, so this must never decide anything.
    ///
    /// # Errors
    /// [`TokenError::Invalid`] with the first check that fails.
    pub fn read(token: &str, login: &LoginConfig, now: Timestamp) -> Result<Self, TokenError> {
        let claims = read_unchecked(token, login, now)?;
        let (all, config) = (claims.all(), &login.contact);
        let is_email = |text: &str| Email::parse(text).is_some();
        let is_phone = |text: &str| Phone::parse_after(&config.phone_prefix, text).is_some();
        Ok(Self {
            contact: contact(all, config),
            policy: claimed_policy(all, &login.policy_claims),
            email_claim: place_of_address(all, &config.email_claims, &EMAIL_MARKS, is_email),
            phone_claim: place_of_address(all, &config.phone_claims, &PHONE_MARKS, is_phone),
            claims,
        })
    }

    /// What names the login.
    #[must_use]
    pub const fn login(&self) -> &LoginName {
        self.claims.login()
    }
}
