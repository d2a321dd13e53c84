//! Japanese.
//! Text messages have 70 characters, for the name and the domain too.
//!
//! It waits for a native reader.

use std::borrow::Cow::Borrowed;

use super::Texts;

pub(super) static TEXTS: Texts = Texts {
    subject: Borrowed("{app}の認証コード"),
    validity: Borrowed("{minutes}間有効で、1回だけ使えます。"),
    one_minute: Borrowed("1分"),
    two_minutes: Borrowed("{n}分"),
    few_minutes: Borrowed("{n}分"),
    minutes: Borrowed("{n}分"),
    requested: Borrowed("リクエスト元"),
    device: Borrowed("ブラウザーとシステム"),
    time: Borrowed("日時"),
    network: Borrowed("おおよそのネットワーク"),
    advice: Borrowed(
        "このコードをリクエストしていない場合、第三者があなたのパスワードを知っている可能性があります。今すぐパスワードを変更し、このコードを誰にも教えないでください。",
    ),
    support: Borrowed("ご不明な点は{support}までお問い合わせください。"),
    sms: Borrowed("{code}は{app}のコード（{n}分）。他言無用。覚えがなければパスワード変更を"),
};
