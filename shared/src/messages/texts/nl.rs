//! Dutch.
//!
//! It waits for a native reader.

use std::borrow::Cow::Borrowed;

use super::Texts;

pub(super) static TEXTS: Texts = Texts {
    subject: Borrowed("Je {app}-code"),
    validity: Borrowed("Hij is {minutes} geldig en werkt één keer."),
    one_minute: Borrowed("1 minuut"),
    two_minutes: Borrowed("{n} minuten"),
    few_minutes: Borrowed("{n} minuten"),
    minutes: Borrowed("{n} minuten"),
    requested: Borrowed("Wie erom vroeg"),
    device: Borrowed("Browser en systeem"),
    time: Borrowed("Tijd"),
    network: Borrowed("Netwerk bij benadering"),
    advice: Borrowed(
        "Heb je deze code niet aangevraagd, dan kent iemand misschien je wachtwoord. Wijzig het nu en deel deze code nooit.",
    ),
    support: Borrowed("Vragen? Schrijf naar {support}."),
    sms: Borrowed("{code} is je {app}-code, {n} min geldig. Deel hem nooit. Niet aangevraagd? Wijzig je wachtwoord."),
};
