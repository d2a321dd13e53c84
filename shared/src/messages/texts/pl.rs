//! Polish.
//! Text messages have no letter that GSM 03.38 lacks, as is usual in Poland.
//!
//! It waits for a native reader.

use std::borrow::Cow::Borrowed;

use super::Texts;

pub(super) static TEXTS: Texts = Texts {
    subject: Borrowed("Twój kod {app}"),
    validity: Borrowed("Jest ważny przez {minutes} i działa tylko raz."),
    one_minute: Borrowed("1 minutę"),
    two_minutes: Borrowed("{n} minuty"),
    few_minutes: Borrowed("{n} minuty"),
    minutes: Borrowed("{n} minut"),
    requested: Borrowed("Kto o niego poprosił"),
    device: Borrowed("Przeglądarka i system"),
    time: Borrowed("Czas"),
    network: Borrowed("Przybliżona sieć"),
    advice: Borrowed(
        "Jeśli to nie Ty prosisz o ten kod, ktoś może znać Twoje hasło. Zmień je teraz i nigdy nikomu nie podawaj tego kodu.",
    ),
    support: Borrowed("Masz pytania? Napisz na adres {support}."),
    sms: Borrowed("{code} to Twoj kod {app}, wazny {n} min. Nigdy go nie podawaj. To nie Ty? Zmien haslo."),
};
