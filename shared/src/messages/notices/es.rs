//! Spanish.

use super::NoticeTexts;

pub(super) static TEXTS: NoticeTexts = NoticeTexts {
    mfa_on: "La verificación en dos pasos está activada",
    mfa_off: "La verificación en dos pasos está desactivada",
    authenticator_added: "Se añadió una aplicación de autenticación",
    authenticator_activated: "Una aplicación de autenticación vuelve a estar activa",
    authenticator_removed: "Se eliminó una aplicación de autenticación",
    passkey_added: "Se añadió una llave de acceso",
    passkey_activated: "Una llave de acceso vuelve a estar activa",
    passkey_removed: "Se eliminó una llave de acceso",
    passkey_suspected: "Se rechazó un inicio de sesión, porque alguien podría tener una copia de tu llave de acceso",
    codes_made: "Se crearon nuevos códigos de recuperación",
    code_used: "Se usó un código de recuperación",
    codes_low: "Se usó un código de recuperación y quedan pocos",
    codes_left: "Códigos de recuperación restantes",
    reset: "La verificación en dos pasos se restableció con un código de recuperación",
    email_proven: "Se confirmó una dirección de correo electrónico",
    phone_proven: "Se confirmó un número de teléfono",
    locked: "Los códigos están bloqueados tras demasiados códigos erróneos",
    codes_off: "Los códigos están desactivados tras demasiados códigos erróneos",
    token_reused: "Se volvió a presentar un token de acceso ya usado, por lo que se cerró su sesión",
    sessions_ended: "Se cerraron sesiones",
    operator: "El equipo de soporte cambió su verificación en dos pasos",
    advice: "Si fue usted, no tiene que hacer nada. Si no, es posible que alguien conozca su contraseña: cámbiela ahora, inicie sesión y revise su configuración de seguridad.",
};
