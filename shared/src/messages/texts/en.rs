//! English.

use std::borrow::Cow::Borrowed;

use super::Texts;

pub(in crate::messages) static TEXTS: Texts = Texts {
    subject: Borrowed("Your {app} code"),
    validity: Borrowed("It is valid for {minutes} and works once."),
    one_minute: Borrowed("1 minute"),
    two_minutes: Borrowed("{n} minutes"),
    few_minutes: Borrowed("{n} minutes"),
    minutes: Borrowed("{n} minutes"),
    requested: Borrowed("Who asked for it"),
    device: Borrowed("Browser and system"),
    time: Borrowed("Time"),
    network: Borrowed("Approximate network"),
    advice: Borrowed(
        "If you didn't request this code, someone may know your password. Change it now, and never share this code.",
    ),
    support: Borrowed("Questions? Write to {support}."),
    sms: Borrowed("{code} is your {app} code, valid {n} min. Never share it. Not you? Change your password."),
};
