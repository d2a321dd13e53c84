//! Turkish.
//! Text messages have no letter that GSM 03.38 lacks: SNS does not send the Turkish alphabet.
//!
//! It waits for a native reader.

use std::borrow::Cow::Borrowed;

use super::Texts;

pub(super) static TEXTS: Texts = Texts {
    subject: Borrowed("{app} kodunuz"),
    validity: Borrowed("{minutes} geçerlidir ve yalnızca bir kez kullanılabilir."),
    one_minute: Borrowed("1 dakika"),
    two_minutes: Borrowed("{n} dakika"),
    few_minutes: Borrowed("{n} dakika"),
    minutes: Borrowed("{n} dakika"),
    requested: Borrowed("Kodu isteyen"),
    device: Borrowed("Tarayıcı ve sistem"),
    time: Borrowed("Saat"),
    network: Borrowed("Yaklaşık ağ"),
    advice: Borrowed(
        "Bu kodu siz istemediyseniz birisi parolanızı biliyor olabilir. Parolanızı hemen değiştirin ve bu kodu asla paylaşmayın.",
    ),
    support: Borrowed("Sorularınız mı var? {support} adresine yazın."),
    sms: Borrowed("{code} {app} kodunuz, {n} dk gecerli. Asla paylasmayin. Siz degil miydiniz? Parolanizi degistirin."),
};
