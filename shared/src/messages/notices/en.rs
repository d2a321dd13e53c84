//! English.

use super::NoticeTexts;

pub(super) static TEXTS: NoticeTexts = NoticeTexts {
    mfa_on: "Two-step verification is on",
    mfa_off: "Two-step verification is off",
    authenticator_added: "An authenticator app was added",
    authenticator_activated: "An authenticator app is active again",
    authenticator_removed: "An authenticator app was removed",
    passkey_added: "A passkey was added",
    passkey_activated: "A passkey is active again",
    passkey_removed: "A passkey was removed",
    passkey_suspected: "A sign-in was refused, because someone may have a copy of your passkey",
    codes_made: "New recovery codes were created",
    code_used: "A recovery code was used",
    codes_low: "A recovery code was used, and few are left",
    codes_left: "Recovery codes left",
    reset: "Two-step verification was reset with a recovery code",
    email_proven: "An e-mail address was confirmed",
    phone_proven: "A phone number was confirmed",
    locked: "Codes are locked after too many wrong ones",
    codes_off: "Codes are switched off after too many wrong ones",
    token_reused: "A used sign-in token came back, so its session was ended",
    sessions_ended: "Sessions were ended",
    operator: "Support changed your two-step verification",
    advice: "If this was you, there is nothing to do. If it wasn't, someone may know your password: change it now, and sign in to check your security settings.",
};
