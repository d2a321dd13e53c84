//! Chinese in simplified characters.
//! Text messages have 70 characters, for the name and the domain too.
//!
//! It waits for a native reader.

use std::borrow::Cow::Borrowed;

use super::Texts;

pub(super) static TEXTS: Texts = Texts {
    subject: Borrowed("您的{app}验证码"),
    validity: Borrowed("{minutes}内有效，仅可使用一次。"),
    one_minute: Borrowed("1分钟"),
    two_minutes: Borrowed("{n}分钟"),
    few_minutes: Borrowed("{n}分钟"),
    minutes: Borrowed("{n}分钟"),
    requested: Borrowed("请求来源"),
    device: Borrowed("浏览器和系统"),
    time: Borrowed("时间"),
    network: Borrowed("大致网络"),
    advice: Borrowed("如果不是您本人请求此验证码，可能有人知道您的密码。请立即修改密码，切勿将此验证码告诉任何人。"),
    support: Borrowed("如有疑问，请写信至{support}。"),
    sms: Borrowed("{app}验证码{code}，{n}分钟内有效，勿告诉他人。非本人请求？请改密码。"),
};
