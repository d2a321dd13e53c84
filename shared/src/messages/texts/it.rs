//! Italian.
//!
//! It waits for a native reader.

use std::borrow::Cow::Borrowed;

use super::Texts;

pub(super) static TEXTS: Texts = Texts {
    subject: Borrowed("Il tuo codice {app}"),
    validity: Borrowed("È valido per {minutes} e funziona una sola volta."),
    one_minute: Borrowed("1 minuto"),
    two_minutes: Borrowed("{n} minuti"),
    few_minutes: Borrowed("{n} minuti"),
    minutes: Borrowed("{n} minuti"),
    requested: Borrowed("Chi lo ha richiesto"),
    device: Borrowed("Browser e sistema"),
    time: Borrowed("Ora"),
    network: Borrowed("Rete approssimativa"),
    advice: Borrowed(
        "Se non hai richiesto questo codice, qualcuno potrebbe conoscere la tua password. Cambiala subito e non comunicare mai questo codice.",
    ),
    support: Borrowed("Domande? Scrivi a {support}."),
    sms: Borrowed(
        "{code} è il tuo codice {app}, valido {n} min. Non comunicarlo mai. Non sei stato tu? Cambia la password.",
    ),
};
