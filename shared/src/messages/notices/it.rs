//! Italian.

use super::NoticeTexts;

pub(super) static TEXTS: NoticeTexts = NoticeTexts {
    mfa_on: "La verifica in due passaggi è attiva",
    mfa_off: "La verifica in due passaggi è disattivata",
    authenticator_added: "È stata aggiunta un'app di autenticazione",
    authenticator_activated: "Un'app di autenticazione è di nuovo attiva",
    authenticator_removed: "È stata rimossa un'app di autenticazione",
    passkey_added: "È stata aggiunta una passkey",
    passkey_activated: "Una passkey è di nuovo attiva",
    passkey_removed: "È stata rimossa una passkey",
    passkey_suspected: "Un accesso è stato rifiutato, perché qualcuno potrebbe avere una copia della tua passkey",
    codes_made: "Sono stati creati nuovi codici di recupero",
    code_used: "È stato usato un codice di recupero",
    codes_low: "È stato usato un codice di recupero e ne restano pochi",
    codes_left: "Codici di recupero rimasti",
    reset: "La verifica in due passaggi è stata reimpostata con un codice di recupero",
    email_proven: "È stato confermato un indirizzo e-mail",
    phone_proven: "È stato confermato un numero di telefono",
    locked: "I codici sono bloccati dopo troppi codici errati",
    codes_off: "I codici sono disattivati dopo troppi codici errati",
    token_reused: "È stato presentato di nuovo un token di accesso già usato, perciò la sua sessione è stata chiusa",
    sessions_ended: "Sono state chiuse delle sessioni",
    operator: "L'assistenza ha modificato la sua verifica in due passaggi",
    advice: "Se è stato lei, non deve fare nulla. Altrimenti qualcuno potrebbe conoscere la sua password: la cambi subito, acceda e controlli le impostazioni di sicurezza.",
};
