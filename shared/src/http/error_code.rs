use lambda_http::http::StatusCode;
use serde::{Serialize, Serializer};

/// Declares each code once, with its status, so that [`ErrorCode::ALL`] cannot miss one.
macro_rules! error_codes {
    ($($name:ident = $status:ident $code:literal,)*) => {
        /// The stable name of an error, which clients branch on. Each has one HTTP status.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum ErrorCode {
            $(#[doc = concat!("`", $code, "`")] $name,)*
        }

        impl ErrorCode {
            /// Every code.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The code on the wire.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $code,)*
                }
            }

            /// The HTTP status that it is sent with.
            #[must_use]
            pub const fn status(self) -> StatusCode {
                match self {
                    $(Self::$name => StatusCode::$status,)*
                }
            }
        }
    };
}

error_codes! {
    InvalidInput = BAD_REQUEST "INVALID_INPUT",
    MissingRequiredField = BAD_REQUEST "MISSING_REQUIRED_FIELD",
    MfaMethodNotAvailable = BAD_REQUEST "MFA_METHOD_NOT_AVAILABLE",
    MfaCodeInvalid = BAD_REQUEST "MFA_CODE_INVALID",
    VerificationCodeInvalid = BAD_REQUEST "VERIFICATION_CODE_INVALID",
    VerificationCodeExpired = BAD_REQUEST "VERIFICATION_CODE_EXPIRED",
    MfaRecoveryCodeInvalid = BAD_REQUEST "MFA_RECOVERY_CODE_INVALID",
    MfaPasskeyInvalid = BAD_REQUEST "MFA_PASSKEY_INVALID",
    MfaPasskeyExpired = BAD_REQUEST "MFA_PASSKEY_EXPIRED",
    NoAuthProvided = UNAUTHORIZED "NO_AUTH_PROVIDED",
    InvalidToken = UNAUTHORIZED "INVALID_TOKEN",
    MfaRequired = UNAUTHORIZED "MFA_REQUIRED",
    RefreshTokenInvalid = UNAUTHORIZED "REFRESH_TOKEN_INVALID",
    RefreshTokenExpired = UNAUTHORIZED "REFRESH_TOKEN_EXPIRED",
    MfaNotEnabled = FORBIDDEN "MFA_NOT_ENABLED",
    MfaTogglingNotAllowed = FORBIDDEN "MFA_TOGGLING_NOT_ALLOWED",
    MfaCannotEnableWithoutMethod = FORBIDDEN "MFA_CANNOT_ENABLE_WITHOUT_METHOD",
    NotFound = NOT_FOUND "NOT_FOUND",
    SessionNotFound = NOT_FOUND "SESSION_NOT_FOUND",
    MfaDeviceNotFound = NOT_FOUND "MFA_DEVICE_NOT_FOUND",
    MethodNotAllowed = METHOD_NOT_ALLOWED "METHOD_NOT_ALLOWED",
    MfaLastMethod = CONFLICT "MFA_LAST_METHOD",
    MfaDeviceLimitReached = CONFLICT "MFA_DEVICE_LIMIT_REACHED",
    PayloadTooLarge = PAYLOAD_TOO_LARGE "PAYLOAD_TOO_LARGE",
    UnsupportedMediaType = UNSUPPORTED_MEDIA_TYPE "UNSUPPORTED_MEDIA_TYPE",
    MfaDeliveryRejected = UNPROCESSABLE_ENTITY "MFA_DELIVERY_REJECTED",
    RateLimited = TOO_MANY_REQUESTS "RATE_LIMITED",
    AccountLocked = TOO_MANY_REQUESTS "ACCOUNT_LOCKED",
    InternalError = INTERNAL_SERVER_ERROR "INTERNAL_ERROR",
    MfaDeliveryFailed = SERVICE_UNAVAILABLE "MFA_DELIVERY_FAILED",
    ServiceUnavailable = SERVICE_UNAVAILABLE "SERVICE_UNAVAILABLE",
}

impl Serialize for ErrorCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
