//! French.
//!
//! It waits for a native reader.

use std::borrow::Cow::Borrowed;

use super::Texts;

pub(super) static TEXTS: Texts = Texts {
    subject: Borrowed("Votre code {app}"),
    validity: Borrowed("Il est valable {minutes} et ne sert qu'une fois."),
    one_minute: Borrowed("1 minute"),
    two_minutes: Borrowed("{n} minutes"),
    few_minutes: Borrowed("{n} minutes"),
    minutes: Borrowed("{n} minutes"),
    requested: Borrowed("Qui l'a demandé"),
    device: Borrowed("Navigateur et système"),
    time: Borrowed("Heure"),
    network: Borrowed("Réseau approximatif"),
    advice: Borrowed(
        "Si vous n'avez pas demandé ce code, quelqu'un connaît peut-être votre mot de passe. Changez-le maintenant et ne communiquez jamais ce code.",
    ),
    support: Borrowed("Des questions ? Écrivez à {support}."),
    sms: Borrowed(
        "{code} est votre code {app}, valable {n} min. Ne le communiquez jamais. Pas vous ? Changez de mot de passe.",
    ),
};
