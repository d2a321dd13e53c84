//! Dutch.

use super::NoticeTexts;

pub(super) static TEXTS: NoticeTexts = NoticeTexts {
    mfa_on: "Verificatie in twee stappen staat aan",
    mfa_off: "Verificatie in twee stappen staat uit",
    authenticator_added: "Er is een authenticator-app toegevoegd",
    authenticator_activated: "Een authenticator-app is weer actief",
    authenticator_removed: "Er is een authenticator-app verwijderd",
    passkey_added: "Er is een passkey toegevoegd",
    passkey_activated: "Een passkey is weer actief",
    passkey_removed: "Er is een passkey verwijderd",
    passkey_suspected: "Een aanmelding is geweigerd, omdat iemand misschien een kopie van je passkey heeft",
    codes_made: "Er zijn nieuwe herstelcodes gemaakt",
    code_used: "Er is een herstelcode gebruikt",
    codes_low: "Er is een herstelcode gebruikt, en er zijn er nog maar weinig over",
    codes_left: "Resterende herstelcodes",
    reset: "Verificatie in twee stappen is opnieuw ingesteld met een herstelcode",
    email_proven: "Er is een e-mailadres bevestigd",
    phone_proven: "Er is een telefoonnummer bevestigd",
    locked: "Codes zijn geblokkeerd na te veel onjuiste codes",
    codes_off: "Codes zijn uitgeschakeld na te veel onjuiste codes",
    token_reused: "Een al gebruikt aanmeldtoken kwam terug, daarom is de sessie beëindigd",
    sessions_ended: "Er zijn sessies beëindigd",
    operator: "De ondersteuning heeft uw verificatie in twee stappen gewijzigd",
    advice: "Was u dit, dan hoeft u niets te doen. Zo niet, dan kent iemand misschien uw wachtwoord: wijzig het nu, meld u aan en controleer uw beveiligingsinstellingen.",
};
