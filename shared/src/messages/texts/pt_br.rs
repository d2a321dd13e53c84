//! Portuguese of Brazil.
//! Text messages avoid words with a letter that GSM 03.38 lacks.
//!
//! It waits for a native reader.

use std::borrow::Cow::Borrowed;

use super::Texts;

pub(super) static TEXTS: Texts = Texts {
    subject: Borrowed("Seu código {app}"),
    validity: Borrowed("Ele vale por {minutes} e só funciona uma vez."),
    one_minute: Borrowed("1 minuto"),
    two_minutes: Borrowed("{n} minutos"),
    few_minutes: Borrowed("{n} minutos"),
    minutes: Borrowed("{n} minutos"),
    requested: Borrowed("Quem pediu"),
    device: Borrowed("Navegador e sistema"),
    time: Borrowed("Hora"),
    network: Borrowed("Rede aproximada"),
    advice: Borrowed(
        "Se você não pediu este código, alguém pode saber sua senha. Troque-a agora e nunca compartilhe este código.",
    ),
    support: Borrowed("Dúvidas? Escreva para {support}."),
    sms: Borrowed("{code} vale {n} min para entrar em {app}. Nunca compartilhe. Outra pessoa pediu? Troque sua senha."),
};
