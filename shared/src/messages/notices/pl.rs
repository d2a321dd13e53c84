//! Polish.

use super::NoticeTexts;

pub(super) static TEXTS: NoticeTexts = NoticeTexts {
    mfa_on: "Weryfikacja dwuetapowa jest włączona",
    mfa_off: "Weryfikacja dwuetapowa jest wyłączona",
    authenticator_added: "Dodano aplikację uwierzytelniającą",
    authenticator_activated: "Aplikacja uwierzytelniająca jest znów aktywna",
    authenticator_removed: "Usunięto aplikację uwierzytelniającą",
    passkey_added: "Dodano klucz dostępu",
    passkey_activated: "Klucz dostępu jest znów aktywny",
    passkey_removed: "Usunięto klucz dostępu",
    passkey_suspected: "Odrzucono logowanie, ponieważ ktoś może mieć kopię Twojego klucza dostępu",
    codes_made: "Utworzono nowe kody odzyskiwania",
    code_used: "Użyto kodu odzyskiwania",
    codes_low: "Użyto kodu odzyskiwania i zostało ich niewiele",
    codes_left: "Pozostałe kody odzyskiwania",
    reset: "Weryfikację dwuetapową zresetowano kodem odzyskiwania",
    email_proven: "Potwierdzono adres e-mail",
    phone_proven: "Potwierdzono numer telefonu",
    locked: "Kody są zablokowane po zbyt wielu błędnych kodach",
    codes_off: "Kody są wyłączone po zbyt wielu błędnych kodach",
    token_reused: "Ponownie użyto wykorzystanego już tokenu logowania, dlatego zakończono jego sesję",
    sessions_ended: "Zakończono sesje",
    operator: "Dział pomocy zmienił Twoją weryfikację dwuetapową",
    advice: "Jeśli to Ty, nie musisz nic robić. Jeśli nie, ktoś może znać Twoje hasło: zmień je teraz, zaloguj się i sprawdź ustawienia zabezpieczeń.",
};
