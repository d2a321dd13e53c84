//! Who the owner of an account is, so that notices reach them.

use crate::{
    App,
    domain::notice_to::Owner,
    http::{Call, Problem},
    messages::Locale,
    random,
};

/// The owner, as the token and the headers of a call say it.
///
/// # Errors
/// If there is no randomness.
pub fn owner<'a, B>(app: &App, call: &'a Call<B>) -> Result<Owner<'a>, Problem> {
    let claims = &call.auth.claims;
    // Most calls write nothing of it.
    let locale = || Locale::preferred(app.verifier.locale(claims), call.header("accept-language")).map(Locale::tag);
    let locale = if app.policy.tells() { locale() } else { None };
    Ok(Owner { user: claims.user_name(), locale, nonce: random::bytes()? })
}
