//! What is known of the login tokens of identity providers: `MFA_LOGIN` chooses a line of this
//! table. A variable that is set itself wins.

/// The settings of one provider.
#[derive(Debug)]
pub struct Preset {
    /// The value of `MFA_LOGIN`.
    pub name: &'static str,
    /// Variables and their values. `{issuer}` stands for `MFA_JWT_ISSUER` without a slash at its
    /// end, and `{authority}` for that without its last part.
    pub settings: &'static [(&'static str, &'static str)],
    /// Whether nothing in an access token says that it is one, so that only an audience tells it
    /// from the provider's other tokens.
    pub needs_audience: bool,
}

const ALGORITHM: &str = "MFA_JWT_ALGORITHM";
const KEY_SET: &str = "MFA_JWT_KEY_SET_URL";
const USER: &str = "MFA_JWT_USER_CLAIM";
const LOGIN: &str = "MFA_JWT_LOGIN_CLAIM";

/// Every provider, each with the page that its line comes from.
pub const PRESETS: [Preset; 11] = [
    // https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-tokens-verifying-a-jwt.html
    // Pools whose tokens cannot be revoked have no `origin_jti`.
    Preset {
        name: "cognito",
        needs_audience: false,
        settings: &[
            (ALGORITHM, "RS256"),
            (KEY_SET, "{issuer}/.well-known/jwks.json"),
            (USER, "sub"),
            (LOGIN, "origin_jti,auth_time"),
            ("MFA_JWT_PHONE_CLAIM", "phone_number"),
        ],
    },
    // https://auth0.com/docs/secure/tokens/access-tokens/validate-access-tokens
    // Only ID tokens name a login.
    Preset {
        name: "auth0",
        needs_audience: true,
        settings: &[
            (ALGORITHM, "RS256"),
            (KEY_SET, "{issuer}/.well-known/jwks.json"),
            (USER, "sub"),
            (LOGIN, "sid,sub"),
            ("MFA_JWT_PHONE_CLAIM", "phone_number"),
        ],
    },
    // https://firebase.google.com/docs/auth/admin/verify-id-tokens#verify_id_tokens_using_a_third-party_jwt_library
    Preset {
        name: "firebase",
        needs_audience: true,
        settings: &[
            (ALGORITHM, "RS256"),
            (KEY_SET, "https://www.googleapis.com/service_accounts/v1/jwk/securetoken@system.gserviceaccount.com"),
            (USER, "sub"),
            (LOGIN, "auth_time"),
            ("MFA_JWT_PHONE_CLAIM", "phone_number"),
        ],
    },
    // https://supabase.com/docs/guides/auth/jwt-fields
    // Phone numbers have no plus.
    Preset {
        name: "supabase",
        needs_audience: false,
        settings: &[
            (ALGORITHM, "ES256"),
            (KEY_SET, "{issuer}/.well-known/jwks.json"),
            ("MFA_JWT_AUDIENCE", "authenticated"),
            (USER, "sub"),
            (LOGIN, "session_id"),
            ("MFA_JWT_PHONE_CLAIM", "phone"),
            ("MFA_JWT_PHONE_PREFIX", "+"),
        ],
    },
    // https://www.keycloak.org/securing-apps/oidc-layers
    Preset {
        name: "keycloak",
        needs_audience: true,
        settings: &[
            (ALGORITHM, "RS256"),
            (KEY_SET, "{issuer}/protocol/openid-connect/certs"),
            (USER, "sub"),
            (LOGIN, "sid"),
            ("MFA_JWT_PHONE_CLAIM", "phone_number"),
        ],
    },
    // https://clerk.com/docs/guides/sessions/session-tokens
    Preset {
        name: "clerk",
        needs_audience: true,
        settings: &[(ALGORITHM, "RS256"), (KEY_SET, "{issuer}/.well-known/jwks.json"), (USER, "sub"), (LOGIN, "sid")],
    },
    // https://developer.okta.com/docs/guides/build-self-signed-jwt/
    // `sub` is the login name, which can change.
    Preset {
        name: "okta",
        needs_audience: true,
        settings: &[
            (ALGORITHM, "RS256"),
            (KEY_SET, "{issuer}/v1/keys"),
            (USER, "uid"),
            (LOGIN, "sid,auth_time"),
            ("MFA_JWT_PHONE_CLAIM", "phone_number"),
        ],
    },
    // https://learn.microsoft.com/en-us/entra/identity-platform/access-token-claims-reference
    // `sub` differs from application to application. `email` is unverified unless `xms_edov` says
    // otherwise. `sid` is there only if it was asked for.
    Preset {
        name: "entra",
        needs_audience: true,
        settings: &[
            (ALGORITHM, "RS256"),
            (KEY_SET, "{authority}/discovery/v2.0/keys"),
            (USER, "oid"),
            (LOGIN, "sid,sub"),
            ("MFA_REQUIRE_VERIFIED_CONTACT", "marked"),
        ],
    },
    // https://zitadel.com/docs/apis/openidoauth/claims
    // Access tokens name no login.
    Preset {
        name: "zitadel",
        needs_audience: true,
        settings: &[
            (ALGORITHM, "RS256"),
            (KEY_SET, "{issuer}/oauth/v2/keys"),
            (USER, "sub"),
            (LOGIN, "sid,sub"),
            ("MFA_JWT_PHONE_CLAIM", "phone_number"),
        ],
    },
    // The tokens of Nest Auth 2.x itself.
    Preset {
        name: "nest-auth",
        needs_audience: false,
        settings: &[(ALGORITHM, "HS256"), (LOGIN, "sessionId"), ("MFA_JWT_PHONE_CLAIM", "phone")],
    },
    // The defaults of docs/configuration.md.
    Preset { name: "custom", needs_audience: false, settings: &[] },
];

impl Preset {
    /// The preset of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        PRESETS.iter().find(|preset| preset.name == name)
    }

    /// The value that it has for a variable, for tokens of `issuer`. `None` if it has none, or if
    /// the value needs an issuer, or a longer one.
    pub(super) fn value(&self, name: &str, issuer: Option<&str>) -> Option<String> {
        let (_, value) = self.settings.iter().find(|(of, _)| *of == name)?;
        if !value.contains('{') {
            return Some((*value).to_owned());
        }
        let issuer = issuer?.trim_end_matches('/');
        let (authority, _) = issuer.rsplit_once('/')?;
        if value.contains("{authority}") && authority.split_once("://").is_none_or(|(_, host)| host.is_empty()) {
            return None;
        }
        Some(value.replace("{issuer}", issuer).replace("{authority}", authority))
    }
}
