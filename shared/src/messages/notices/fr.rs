//! French.

use super::NoticeTexts;

pub(super) static TEXTS: NoticeTexts = NoticeTexts {
    mfa_on: "La validation en deux étapes est activée",
    mfa_off: "La validation en deux étapes est désactivée",
    authenticator_added: "Une application d'authentification a été ajoutée",
    authenticator_activated: "Une application d'authentification est de nouveau active",
    authenticator_removed: "Une application d'authentification a été supprimée",
    passkey_added: "Une clé d'accès a été ajoutée",
    passkey_activated: "Une clé d'accès est de nouveau active",
    passkey_removed: "Une clé d'accès a été supprimée",
    passkey_suspected: "Une connexion a été refusée, car quelqu'un a peut-être une copie de votre clé d'accès",
    codes_made: "De nouveaux codes de récupération ont été créés",
    code_used: "Un code de récupération a été utilisé",
    codes_low: "Un code de récupération a été utilisé, et il en reste peu",
    codes_left: "Codes de récupération restants",
    reset: "La validation en deux étapes a été réinitialisée avec un code de récupération",
    email_proven: "Une adresse e-mail a été confirmée",
    phone_proven: "Un numéro de téléphone a été confirmé",
    locked: "Les codes sont bloqués après trop de codes erronés",
    codes_off: "Les codes sont désactivés après trop de codes erronés",
    token_reused: "Un jeton de connexion déjà utilisé a été présenté de nouveau, sa session a donc été fermée",
    sessions_ended: "Des sessions ont été fermées",
    operator: "L'assistance a modifié votre validation en deux étapes",
    advice: "Si c'était vous, vous n'avez rien à faire. Sinon, quelqu'un connaît peut-être votre mot de passe : changez-le maintenant, puis connectez-vous et vérifiez vos paramètres de sécurité.",
};
