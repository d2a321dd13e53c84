//! What a person reads about a user.

use std::fmt::Write;

use mfa_admin_function::UserView;
use serde_json::Value;

/// The lines that show a user.
///
/// # Errors
/// If the function answers in another form.
pub(crate) fn of_user(user: Value) -> Result<String, String> {
    let user: UserView = serde_json::from_value(user)
        .map_err(|_| "The function shows users in another form. Use mfa-admin of the deployed release.".to_owned())?;
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        // Writing to a text cannot fail.
        let _ = writeln!(text, "{name:<17}{value}");
    };
    let never = || "never".to_owned();
    line("key", &user.key);
    line("MFA", if user.is_enabled { "on" } else { "off" });
    line("locked", &user.locked_until.map_or_else(|| "no".to_owned(), |until| format!("until {until}")));
    line(
        "wrong codes",
        &format!("{} in a row, {} not forgiven", user.wrong_codes.in_a_row, user.wrong_codes.unforgiven),
    );
    for device in &user.authenticators {
        let last_use = device.last_used_at.clone().unwrap_or_else(never);
        line("authenticator", &format!("{}, {}, last used {last_use}, {}", device.name, device.state, device.id));
    }
    if user.authenticators.is_empty() {
        line("authenticator", "none");
    }
    let codes = |codes: mfa_admin_function::RecoveryCodes| format!("{} left, made {}", codes.left, codes.created_at);
    line("recovery codes", &user.recovery_codes.map_or_else(|| "none".to_owned(), codes));
    for address in &user.addresses {
        let proven = if address.is_proven { "proven" } else { "not proven" };
        let refused = if address.is_refused { ", refused by the provider" } else { "" };
        let until =
            address.unreachable_until.as_ref().map_or_else(String::new, |until| format!(", no method until {until}"));
        line("address", &format!("{}, {proven}{refused}{until}", address.method));
    }
    for code in &user.outstanding_codes {
        line("code on its way", &format!("until {}", code.until));
    }
    for session in &user.sessions {
        let last_use = session.last_used_at.as_ref().unwrap_or(&session.created_at);
        line("session", &format!("{}, last used {last_use}, until {}", session.label, session.until));
    }
    for device in &user.trusted_devices {
        let last_use = device.last_used_at.as_ref().unwrap_or(&device.created_at);
        line("trusted device", &format!("{}, last used {last_use}, until {}", device.label, device.until));
    }
    for cause in &user.unreadable {
        line("UNREADABLE", cause);
    }
    Ok(text)
}
