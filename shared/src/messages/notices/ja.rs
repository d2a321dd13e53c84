//! Japanese.

use super::NoticeTexts;

pub(super) static TEXTS: NoticeTexts = NoticeTexts {
    mfa_on: "2段階認証が有効になりました",
    mfa_off: "2段階認証が無効になりました",
    authenticator_added: "認証アプリが追加されました",
    authenticator_activated: "認証アプリが再び有効になりました",
    authenticator_removed: "認証アプリが削除されました",
    passkey_added: "パスキーが追加されました",
    passkey_activated: "パスキーが再び有効になりました",
    passkey_removed: "パスキーが削除されました",
    passkey_suspected: "パスキーが複製されているおそれがあるため、ログインを拒否しました",
    codes_made: "新しいリカバリーコードが作成されました",
    code_used: "リカバリーコードが使用されました",
    codes_low: "リカバリーコードが使用され、残りが少なくなりました",
    codes_left: "残りのリカバリーコード",
    reset: "リカバリーコードで2段階認証がリセットされました",
    email_proven: "メールアドレスが確認されました",
    phone_proven: "電話番号が確認されました",
    locked: "間違ったコードが多いため、コードがロックされました",
    codes_off: "間違ったコードが多いため、コードが停止されました",
    token_reused: "使用済みのログイントークンが再び使われたため、そのセッションを終了しました",
    sessions_ended: "セッションが終了されました",
    operator: "サポートが2段階認証の設定を変更しました",
    advice: "お心当たりがある場合は、何もする必要はありません。お心当たりがない場合は、パスワードを知られている可能性があります。今すぐパスワードを変更し、ログインしてセキュリティ設定を確認してください。",
};
