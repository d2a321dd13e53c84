//! German.

use super::NoticeTexts;

pub(super) static TEXTS: NoticeTexts = NoticeTexts {
    mfa_on: "Die Bestätigung in zwei Schritten ist eingeschaltet",
    mfa_off: "Die Bestätigung in zwei Schritten ist ausgeschaltet",
    authenticator_added: "Eine Authenticator-App wurde hinzugefügt",
    authenticator_activated: "Eine Authenticator-App ist wieder aktiv",
    authenticator_removed: "Eine Authenticator-App wurde entfernt",
    passkey_added: "Ein Passkey wurde hinzugefügt",
    passkey_activated: "Ein Passkey ist wieder aktiv",
    passkey_removed: "Ein Passkey wurde entfernt",
    passkey_suspected: "Eine Anmeldung wurde abgelehnt, weil vielleicht jemand eine Kopie Ihres Passkeys hat",
    codes_made: "Neue Wiederherstellungscodes wurden erstellt",
    code_used: "Ein Wiederherstellungscode wurde benutzt",
    codes_low: "Ein Wiederherstellungscode wurde benutzt, und es sind nur noch wenige übrig",
    codes_left: "Übrige Wiederherstellungscodes",
    reset: "Die Bestätigung in zwei Schritten wurde mit einem Wiederherstellungscode zurückgesetzt",
    email_proven: "Eine E-Mail-Adresse wurde bestätigt",
    phone_proven: "Eine Telefonnummer wurde bestätigt",
    locked: "Codes sind nach zu vielen falschen gesperrt",
    codes_off: "Codes sind nach zu vielen falschen abgeschaltet",
    token_reused: "Ein schon benutzter Anmeldeschlüssel wurde noch einmal verwendet, darum wurde seine Sitzung beendet",
    sessions_ended: "Sitzungen wurden beendet",
    operator: "Der Support hat Ihre Bestätigung in zwei Schritten geändert",
    advice: "Wenn Sie das waren, müssen Sie nichts tun. Wenn nicht, kennt vielleicht jemand Ihr Passwort: Ändern Sie es jetzt, melden Sie sich an, und prüfen Sie Ihre Sicherheitseinstellungen.",
};
