//! Turkish.

use super::NoticeTexts;

pub(super) static TEXTS: NoticeTexts = NoticeTexts {
    mfa_on: "İki adımlı doğrulama açık",
    mfa_off: "İki adımlı doğrulama kapalı",
    authenticator_added: "Bir kimlik doğrulama uygulaması eklendi",
    authenticator_activated: "Bir kimlik doğrulama uygulaması yeniden etkin",
    authenticator_removed: "Bir kimlik doğrulama uygulaması kaldırıldı",
    passkey_added: "Bir geçiş anahtarı eklendi",
    passkey_activated: "Bir geçiş anahtarı yeniden etkin",
    passkey_removed: "Bir geçiş anahtarı kaldırıldı",
    passkey_suspected: "Bir oturum açma reddedildi, çünkü birinde geçiş anahtarınızın kopyası olabilir",
    codes_made: "Yeni kurtarma kodları oluşturuldu",
    code_used: "Bir kurtarma kodu kullanıldı",
    codes_low: "Bir kurtarma kodu kullanıldı ve çok az kod kaldı",
    codes_left: "Kalan kurtarma kodları",
    reset: "İki adımlı doğrulama bir kurtarma koduyla sıfırlandı",
    email_proven: "Bir e-posta adresi onaylandı",
    phone_proven: "Bir telefon numarası onaylandı",
    locked: "Çok fazla yanlış koddan sonra kodlar kilitlendi",
    codes_off: "Çok fazla yanlış koddan sonra kodlar kapatıldı",
    token_reused: "Kullanılmış bir oturum anahtarı yeniden kullanıldı, bu yüzden oturumu sonlandırıldı",
    sessions_ended: "Oturumlar sonlandırıldı",
    operator: "Destek ekibi iki adımlı doğrulamanızı değiştirdi",
    advice: "Bu sizseniz bir şey yapmanız gerekmez. Değilseniz birisi parolanızı biliyor olabilir: parolanızı hemen değiştirin, oturum açın ve güvenlik ayarlarınızı kontrol edin.",
};
