//! `mfa-local user-key`: the name that table, log and metrics have for a user of the application.

use mfa::{config::parse_hash_key, domain::keys::Keys};
use serde_json::Value;

/// The key of a user. `secret` is the hash key, or a secret that holds it as `hashKey`. `user` is
/// the id in the application's tokens, and `users` the space of its login.
///
/// # Errors
/// The sentence for the person, if there is no hash key in `secret`.
pub fn user_key(secret: &str, users: &str, user: &str) -> Result<String, String> {
    let of_json =
        serde_json::from_str::<Value>(secret).ok().and_then(|json| json.get("hashKey")?.as_str().map(str::to_owned));
    let key = parse_hash_key(of_json.as_deref().unwrap_or(secret).trim());
    let key = key.ok_or("standard input must be the hash key, or the JSON of the secret that holds it as hashKey")?;
    Ok(Keys::derive(&key, Vec::new()).user_id_in(users, user).to_string())
}

#[cfg(test)]
mod tests {
    use mfa::config::development::HASH_KEY;

    use super::*;

    #[test]
    fn the_key_is_the_same_from_the_hash_key_and_from_the_secret() {
        let secret = format!("{{\"sealingKeys\":\"k1:x\",\"hashKey\":\"{HASH_KEY}\"}}\n");
        let key = user_key(&secret, "", "alice").expect("a key");
        assert_eq!(user_key(&format!("{HASH_KEY}\n"), "", "alice"), Ok(key.clone()));
        assert_ne!(user_key(&secret, "staff", "alice"), Ok(key.clone()));
        assert_eq!(
            key,
            Keys::derive(&parse_hash_key(HASH_KEY).expect("a hash key"), Vec::new()).user_id("alice").to_string()
        );
        for nothing in ["", "{}", "short", "[1]"] {
            assert!(user_key(nothing, "", "alice").is_err(), "{nothing}");
        }
    }
}
