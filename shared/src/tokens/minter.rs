use std::sync::Arc;

use jsonwebtoken::{EncodingKey, Header};
use serde_json::{Map, Value, json};

use super::{TokenError, login_keys::public_half};
use crate::{
    config::Config,
    domain::{Policy, Proof, Timestamp, UserId, keys::Keys, verify::Verified},
    random,
};

/// Makes access tokens that prove a passed second factor, to the application and to us.
pub struct Minter {
    header: Header,
    key: EncodingKey,
    lifetime: std::time::Duration,
    keys: Arc<Keys>,
}

impl Minter {
    /// A minter by the configuration.
    #[must_use]
    pub fn new(config: &Config, policy: &Policy, keys: Arc<Keys>) -> Self {
        let own = &config.jwt.own;
        let mut header = Header::new(own.algorithm);
        header.kid = public_half(own).and_then(|jwk| jwk.common.key_id);
        Self { header, key: own.key.clone(), lifetime: policy.access_token_lifetime, keys }
    }

    /// An access token for a user who passed a second factor: `claims`, which [`Claims::kept`](super::Claims::kept) gave,
    /// and ours. It expires at `ends` at the latest.
    ///
    /// # Errors
    /// [`TokenError::NotMade`].
    pub fn mint(
        &self,
        user: UserId,
        mut claims: Map<String, Value>,
        verified: &Verified,
        now: Timestamp,
        ends: Option<Timestamp>,
    ) -> Result<String, TokenError> {
        let token_id = random::uuid()?.to_string();
        let auth_time = verified.auth_time;
        let proof = Proof { security_epoch: verified.security_epoch, method: verified.factor, auth_time };
        let mac = self.keys.proof_mac(user, &token_id, &proof);
        let expires = now.plus(self.lifetime);
        let expires = ends.map_or(expires, |ends| expires.min(ends));

        let ours = json!({
            "isMfaEnabled": verified.enabled,
            "isMfaVerified": true,
            "amr": verified.factor.authentication_methods(),
            "auth_time": auth_time.as_secs(),
            "mfa": {
                "epoch": proof.security_epoch,
                "method": proof.method,
                "auth_time": auth_time.as_secs(),
                "mac": data_encoding::BASE64URL_NOPAD.encode(&mac),
            },
            "iat": now.as_secs(),
            "exp": expires.as_secs(),
            "jti": token_id,
            "type": "access",
        });
        if let Value::Object(ours) = ours {
            claims.extend(ours);
        }
        jsonwebtoken::encode(&self.header, &claims, &self.key)
            .map_err(|error| TokenError::NotMade(format!("a token cannot be signed: {error}")))
    }
}
