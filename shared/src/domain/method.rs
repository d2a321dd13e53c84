use serde::Serialize;

/// Declares the methods once, so that [`Method::ALL`] cannot miss one.
macro_rules! methods {
    ($($(#[doc = $doc:literal])* $name:ident,)*) => {
        /// A second factor that a person can be asked for.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
        #[serde(rename_all = "lowercase")]
        pub enum Method {
            $($(#[doc = $doc])* $name,)*
        }

        impl Method {
            /// Every method.
            pub const ALL: &[Self] = &[$(Self::$name),*];
        }
    };
}

methods! {
    /// A code sent by e-mail.
    Email,
    /// A code sent by text message.
    Sms,
    /// A code from an authenticator app (RFC 6238).
    Totp,
    /// A passkey or security key (`WebAuthn`), which the browser asks.
    Passkey,
}

/// How a code reaches the person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// There is no code: the browser asks a passkey. It has routes of its own.
    Browser,
    /// Nothing is sent: the person has a device that makes codes.
    Device,
    /// The application sends each code and pays next to nothing for it.
    Free,
    /// The application pays for each code, so the shared limits count it. A code that cannot be
    /// counted is not sent.
    Paid,
}

impl Method {
    /// Reads a method's name, or `phone` for `sms`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let name = if text == "phone" { "sms" } else { text };
        Self::ALL.iter().copied().find(|method| method.as_str() == name)
    }

    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Sms => "sms",
            Self::Totp => "totp",
            Self::Passkey => "passkey",
        }
    }

    /// How its codes reach the person.
    #[must_use]
    pub const fn channel(self) -> Channel {
        match self {
            Self::Email => Channel::Free,
            Self::Sms => Channel::Paid,
            Self::Totp => Channel::Device,
            Self::Passkey => Channel::Browser,
        }
    }

    /// What `amr` says of a passed factor of this method (RFC 8176). E-mail has no value of its own
    /// there.
    #[must_use]
    pub const fn authentication_methods(self) -> &'static [&'static str] {
        match self {
            Self::Email => &["mfa"],
            Self::Sms => &["sms", "mfa"],
            Self::Totp => &["otp", "mfa"],
            Self::Passkey => &["hwk", "user", "mfa"],
        }
    }

    /// A masked address that shows nothing, for one of which only the hash is known.
    #[must_use]
    pub const fn hidden_address(self) -> &'static str {
        match self {
            Self::Email => "***@***",
            Self::Sms => "+***",
            Self::Totp | Self::Passkey => "***",
        }
    }

    /// The byte that names it in the ledger. Never reuse one.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Email => 1,
            Self::Sms => 2,
            Self::Totp => 3,
            Self::Passkey => 4,
        }
    }

    /// The method that [`Self::code`] names.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.iter().copied().find(|method| method.code() == code)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_method_has_a_name_and_a_byte_of_its_own_and_is_read_by_both() {
        for &method in Method::ALL {
            assert_eq!(Method::parse(method.as_str()), Some(method));
            assert_eq!(Method::from_code(method.code()), Some(method));
            assert_eq!(serde_json::to_value(method).expect("JSON"), method.as_str());
        }
        let names: HashSet<_> = Method::ALL.iter().map(|method| method.as_str()).collect();
        let codes: HashSet<_> = Method::ALL.iter().map(|method| method.code()).collect();
        assert_eq!((names.len(), codes.len()), (Method::ALL.len(), Method::ALL.len()));
        assert_eq!(Method::parse("phone"), Some(Method::Sms));
        assert_eq!(Method::parse("voice"), None);
    }

    #[test]
    fn a_hidden_address_shows_nothing_but_its_kind() {
        let hidden: Vec<_> = Method::ALL.iter().map(|method| method.hidden_address()).collect();
        assert_eq!(hidden, ["***@***", "+***", "***", "***"]);
    }
}
