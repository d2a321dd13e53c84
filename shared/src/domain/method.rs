use serde::Serialize;

/// A second factor that a person can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// A code sent by e-mail.
    Email,
    /// A code sent by text message.
    Sms,
    /// A code of an authenticator app (RFC 6238).
    Totp,
}

impl Method {
    /// Reads `email`, `sms`, `totp`, or `phone` for `sms`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "email" => Some(Self::Email),
            "sms" | "phone" => Some(Self::Sms),
            "totp" => Some(Self::Totp),
            _ => None,
        }
    }

    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Sms => "sms",
            Self::Totp => "totp",
        }
    }
}
