//! `mfa-local check-settings`: what is wrong with the variables of a stack, before it is deployed.

use mfa::config::{Config, Part, Variables, development};

use crate::environment::{ON_THIS_MACHINE, SIGNING_KEY, SIGNING_PUBLIC_KEY};

/// Reads the variables as every function does. `json` is an object of them. Secrets may be missing:
/// keys of development stand for them.
///
/// # Errors
/// All faults at once, by variable, or what is wrong with the text.
pub fn check_settings(json: &str) -> Result<(), String> {
    let mut variables: Variables =
        serde_json::from_str(json).map_err(|_| "standard input must be a JSON object of variables and their values")?;
    let mut stand_in = |name: &str, value: &str| {
        let known = variables.entry(name.to_owned()).or_default();
        if known.is_empty() {
            value.clone_into(known);
        }
    };
    stand_in("MFA_DYNAMODB_ENDPOINT", ON_THIS_MACHINE);
    stand_in("MFA_HASH_KEY", development::HASH_KEY);
    stand_in("MFA_SEALING_KEYS", development::SEALING_KEYS);
    stand_in("MFA_TABLE", "table");
    for (name, value) in [("AWS_REGION", "us-east-1"), ("AWS_ACCESS_KEY_ID", "id"), ("AWS_SECRET_ACCESS_KEY", "key")] {
        stand_in(name, value);
    }
    let is_set = |name: &str| variables.get(name).is_some_and(|value| !value.is_empty());
    if !is_set("MFA_JWT_SECRET") {
        variables.insert("MFA_SIGNING_KEY".to_owned(), SIGNING_KEY.to_owned());
        variables.insert("MFA_SIGNING_PUBLIC_KEY".to_owned(), SIGNING_PUBLIC_KEY.to_owned());
    }
    Config::from_vars(&Part::ALL, &variables).map(|_| ()).map_err(|faults| faults.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_no_function_starts_with_is_told() {
        let shared = |settings: &str| {
            let secret = development::JWT_SECRET;
            let json = serde_json::json!({
                "MFA_APP_NAME": "Example", "MFA_JWT_SECRET": secret, "MFA_SIGNING_KEY": "", "MFA_SETTINGS": settings,
            });
            check_settings(&json.to_string())
        };
        assert_eq!(shared("MFA_REQUIRED=true MFA_CODE_LENGTH=8"), Ok(()));
        for (settings, name) in [
            ("MFA_REQUIRED=yes", "MFA_REQUIRED"),
            ("MFA_CODE_LENGTH=99", "MFA_CODE_LENGTH"),
            ("MFA_JWT_ALGORITHM=ES512x", "MFA_JWT_ALGORITHM"),
            ("MFA_AUTHORIZER_ROUTES=POST /x = mfaa", "MFA_AUTHORIZER_ROUTES"),
            ("MFA_REQIRED=true", "MFA_REQIRED"),
        ] {
            let told = shared(settings).expect_err(settings);
            assert!(told.contains(&format!("\n  {name} ")), "{settings}: {told}");
        }
        let keys = r#"{"MFA_APP_NAME":"Example","MFA_SETTINGS":"MFA_JWT_ALGORITHM=ES256"}"#;
        assert!(check_settings(keys).expect_err("no key").contains("MFA_JWT_PUBLIC_KEY"));
        assert!(check_settings("").is_err() && check_settings("[]").is_err());
    }
}
