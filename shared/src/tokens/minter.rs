use std::sync::Arc;

use jsonwebtoken::{EncodingKey, Header};
use serde_json::{Map, Value, json};

use super::{Claims, verifier::public_half};
use crate::{
    config::{Config, JwtConfig},
    domain::{Factor, Policy, Proof, Timestamp, UserId, keys::Keys, verify::Verified},
    http::Problem,
    random,
};

/// Makes access tokens that prove a passed second factor, to the application and to us.
pub struct Minter {
    header: Header,
    key: EncodingKey,
    lifetime: std::time::Duration,
    keys: Arc<Keys>,
}

/// A token that was made.
pub struct MintedToken(pub String);

impl Minter {
    /// A minter by the configuration.
    #[must_use]
    pub fn new(config: &Config, policy: &Policy, keys: Arc<Keys>) -> Self {
        let JwtConfig { own_algorithm, own_key, .. } = &config.jwt;
        let mut header = Header::new(*own_algorithm);
        header.kid = public_half(&config.jwt).and_then(|jwk| jwk.common.key_id);
        Self { header, key: own_key.clone(), lifetime: policy.access_token_lifetime, keys }
    }

    /// The access token of a caller who just passed a second factor: the login token's claims, without those that
    /// only a signer may set, and ours. It expires no later than the login token.
    ///
    /// Where the login token names no session, ours does (`sid`): the login stays the same one.
    ///
    /// # Errors
    /// [`Problem::Internal`] where the key does not sign.
    pub fn mint(&self, user: UserId, claims: &Claims, verified: &Verified) -> Result<MintedToken, Problem> {
        let token_id = random::uuid()?.to_string();
        let now = verified.auth_time;
        let proof = Proof { epoch: verified.epoch, method: verified.factor, auth_time: now };
        let mac = self.keys.proof_mac(user, &token_id, &proof);
        let expires = now.plus(self.lifetime);
        let expires = claims.millis("exp").map_or(expires, |exp| expires.min(Timestamp::from_millis(exp)));

        let mut all: Map<String, Value> = claims.kept();
        if claims.session().is_none() {
            all.insert("sid".to_owned(), claims.login().into());
        }
        let ours = json!({
            "isMfaEnabled": verified.enabled,
            "isMfaVerified": true,
            "amr": authentication_methods(verified.factor),
            "auth_time": now.as_secs(),
            "mfa": {
                "epoch": proof.epoch,
                "method": proof.method,
                "auth_time": now.as_secs(),
                "mac": data_encoding::BASE64URL_NOPAD.encode(&mac),
            },
            "iat": now.as_secs(),
            "exp": expires.as_secs(),
            "jti": token_id,
            "type": "access",
        });
        if let Value::Object(ours) = ours {
            all.extend(ours);
        }
        jsonwebtoken::encode(&self.header, &all, &self.key)
            .map(MintedToken)
            .map_err(|error| Problem::internal(format!("a token cannot be signed: {error}")))
    }
}

/// RFC 8176. E-mail and recovery codes have no value of their own there.
fn authentication_methods(factor: Factor) -> &'static [&'static str] {
    match factor {
        Factor::Totp => &["otp", "mfa"],
        Factor::Sms => &["sms", "mfa"],
        Factor::Email | Factor::RecoveryCode => &["mfa"],
    }
}
