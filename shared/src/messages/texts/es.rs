//! Spanish.
//! Text messages avoid words with a letter that GSM 03.38 lacks.
//!
//! It waits for a native reader.

use std::borrow::Cow::Borrowed;

use super::Texts;

pub(super) static TEXTS: Texts = Texts {
    subject: Borrowed("Tu código de {app}"),
    validity: Borrowed("Es válido durante {minutes} y solo funciona una vez."),
    one_minute: Borrowed("1 minuto"),
    two_minutes: Borrowed("{n} minutos"),
    few_minutes: Borrowed("{n} minutos"),
    minutes: Borrowed("{n} minutos"),
    requested: Borrowed("Quién lo ha pedido"),
    device: Borrowed("Navegador y sistema"),
    time: Borrowed("Hora"),
    network: Borrowed("Red aproximada"),
    advice: Borrowed(
        "Si no has pedido este código, puede que alguien conozca tu contraseña. Cámbiala ahora y no compartas nunca este código.",
    ),
    support: Borrowed("¿Preguntas? Escribe a {support}."),
    sms: Borrowed(
        "{code} es tu clave de {app}, vale {n} min. No la compartas nunca. ¿No la pediste? Cambia tu contraseña.",
    ),
};
