//! German.

use std::borrow::Cow::Borrowed;

use super::Texts;

pub(super) static TEXTS: Texts = Texts {
    subject: Borrowed("Ihr Code für {app}"),
    validity: Borrowed("Er gilt {minutes} lang und nur einmal."),
    one_minute: Borrowed("1 Minute"),
    two_minutes: Borrowed("{n} Minuten"),
    few_minutes: Borrowed("{n} Minuten"),
    minutes: Borrowed("{n} Minuten"),
    requested: Borrowed("Wer ihn angefordert hat"),
    device: Borrowed("Browser und System"),
    time: Borrowed("Zeit"),
    network: Borrowed("Ungefähres Netz"),
    advice: Borrowed(
        "Wenn Sie diesen Code nicht angefordert haben, kennt vielleicht jemand Ihr Passwort. Ändern Sie es jetzt, und geben Sie diesen Code nie weiter.",
    ),
    support: Borrowed("Fragen? Schreiben Sie an {support}."),
    sms: Borrowed(
        "{code} ist Ihr Code für {app}, gültig {n} Min. Nie weitergeben. Nicht angefordert? Passwort ändern!",
    ),
};
