//! Portuguese of Brazil.

use super::NoticeTexts;

pub(super) static TEXTS: NoticeTexts = NoticeTexts {
    mfa_on: "A verificação em duas etapas está ativada",
    mfa_off: "A verificação em duas etapas está desativada",
    authenticator_added: "Um aplicativo autenticador foi adicionado",
    authenticator_activated: "Um aplicativo autenticador está ativo novamente",
    authenticator_removed: "Um aplicativo autenticador foi removido",
    passkey_added: "Uma chave de acesso foi adicionada",
    passkey_activated: "Uma chave de acesso está ativa novamente",
    passkey_removed: "Uma chave de acesso foi removida",
    passkey_suspected: "Um acesso foi recusado, porque alguém pode ter uma cópia da sua chave de acesso",
    codes_made: "Novos códigos de recuperação foram criados",
    code_used: "Um código de recuperação foi usado",
    codes_low: "Um código de recuperação foi usado, e restam poucos",
    codes_left: "Códigos de recuperação restantes",
    reset: "A verificação em duas etapas foi redefinida com um código de recuperação",
    email_proven: "Um endereço de e-mail foi confirmado",
    phone_proven: "Um número de telefone foi confirmado",
    locked: "Os códigos estão bloqueados após muitos códigos errados",
    codes_off: "Os códigos estão desativados após muitos códigos errados",
    token_reused: "Um token de acesso já usado foi apresentado de novo, por isso a sessão foi encerrada",
    sessions_ended: "Sessões foram encerradas",
    operator: "O suporte alterou sua verificação em duas etapas",
    advice: "Se foi você, não é preciso fazer nada. Se não, alguém pode saber sua senha: altere-a agora, entre na sua conta e verifique suas configurações de segurança.",
};
