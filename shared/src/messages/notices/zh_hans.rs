//! Chinese in simplified characters.

use super::NoticeTexts;

pub(super) static TEXTS: NoticeTexts = NoticeTexts {
    mfa_on: "两步验证已开启",
    mfa_off: "两步验证已关闭",
    authenticator_added: "已添加身份验证器应用",
    authenticator_activated: "身份验证器应用已重新启用",
    authenticator_removed: "已移除身份验证器应用",
    passkey_added: "已添加通行密钥",
    passkey_activated: "通行密钥已重新启用",
    passkey_removed: "已移除通行密钥",
    passkey_suspected: "您的通行密钥可能已被复制，因此一次登录被拒绝",
    codes_made: "已生成新的恢复码",
    code_used: "有一个恢复码被使用",
    codes_low: "有一个恢复码被使用，剩余不多",
    codes_left: "剩余恢复码",
    reset: "两步验证已通过恢复码重置",
    email_proven: "一个电子邮件地址已确认",
    phone_proven: "一个电话号码已确认",
    locked: "错误验证码过多，验证码已被锁定",
    codes_off: "错误验证码过多，验证码已被停用",
    token_reused: "已使用过的登录令牌再次出现，其会话已被结束",
    sessions_ended: "会话已被结束",
    operator: "客服更改了您的两步验证",
    advice: "如果是您本人操作，则无需处理。如果不是，可能有人知道您的密码：请立即修改密码，然后登录并检查您的安全设置。",
};
