use serde_json::{Map, Value};

/// Under these names, identity providers keep what users write themselves.
const WRITTEN_BY_USERS: [&str; 4] = ["user_metadata", "unsafe_metadata", "unsafeMetadata", "raw_user_meta_data"];

/// Names that a token minted here never takes over from the caller's token: a claim of the caller
/// must never become a proof, or set the lifetime or purpose of another token.
const NEVER_COPIED: [&str; 13] =
    ["amr", "acr", "auth_time", "iat", "nbf", "exp", "jti", "type", "token_use", "nonce", "at_hash", "cnf", "act"];

/// The claims of the login token that say whether its user must use MFA, unless the configuration
/// names others: that it is required, from when on, and that the setting is not meant for the user.
/// They begin as our own claims do, and prove nothing. Our tokens keep them, because without them
/// they would lift the requirement.
pub const POLICY_CLAIMS: [&str; 3] = ["mfa_required", "mfa_required_from", "mfa_exempt"];

/// The name of a claim, or the path to one: `a/b` is the claim `b` in the object `a`, unless there
/// is a claim with the whole name, such as `https://example.com/email`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimName(String);

/// What stands between the parts of a name: `/` of a path, and `:` and `.` of a prefix.
const SEPARATORS: [char; 3] = ['/', ':', '.'];

impl ClaimName {
    /// Reads a name of 1 to 128 bytes without commas. `None` also for a name under which users
    /// write claims themselves.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let good = (1..=128).contains(&text.len()) && !text.contains(',');
        let by_users = text.split('/').any(|part| WRITTEN_BY_USERS.contains(&part));
        (good && !by_users).then(|| Self(text.to_owned()))
    }

    /// A name that is written here and known to be good.
    pub(super) fn known(name: &str) -> Self {
        Self(name.to_owned())
    }

    /// The name as it is configured.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a token minted here has this claim of the caller's token too.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        !self.0.split('/').next().is_some_and(is_never_copied)
    }

    /// Whether somebody could take this claim for a passed second factor. Of a login token it says
    /// nothing.
    #[must_use]
    pub fn looks_like_a_proof(&self) -> bool {
        looks_like_a_proof(&self.0)
    }

    /// Whether the claim is `name` or stands within it.
    #[must_use]
    pub fn is_in(&self, name: &str) -> bool {
        self.0 == name || self.0.strip_prefix(name).is_some_and(|rest| rest.starts_with('/'))
    }

    /// The claim, if it is there. `null` counts as a value.
    #[must_use]
    pub fn find<'a>(&self, claims: &'a Map<String, Value>) -> Option<&'a Value> {
        find(claims, &self.0)
    }

    /// The name without its path or prefix: what stands behind the last `/`, `:` or `.`.
    #[must_use]
    pub fn last_part(&self) -> &str {
        self.0.rsplit(SEPARATORS).next().unwrap_or_default()
    }

    /// The claim `name` beside this one: in the same object, or under the same prefix, such as
    /// `custom:`. A mere prefix is no place of its own, so a claim without it counts as well.
    #[must_use]
    pub fn find_beside<'a>(&self, name: &str, claims: &'a Map<String, Value>) -> Option<&'a Value> {
        let place = self.0.strip_suffix(self.last_part()).unwrap_or_default();
        let bare = || claims.get(name).filter(|_| !self.0.contains('/'));
        find(claims, &format!("{place}{name}")).or_else(bare)
    }
}

fn find<'a>(claims: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    claims.get(path).or_else(|| {
        let (first, rest) = path.split_once('/')?;
        find(claims.get(first)?.as_object()?, rest)
    })
}

/// Whether a token minted here leaves out the claim `name` of the caller's token.
pub(crate) fn is_never_copied(name: &str) -> bool {
    looks_like_a_proof(name) || NEVER_COPIED.contains(&name.to_ascii_lowercase().as_str())
}

fn looks_like_a_proof(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    !POLICY_CLAIMS.contains(&name) && (lower.starts_with("ismfa") || lower.starts_with("mfa"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(name: &str) -> Option<Value> {
        let claims = json!({
            "email": "top", "https://a.example/email": "namespaced", "realm": { "roles": { "first": 1 } },
            "a/b": "whole", "a": { "b": "deep", "c": null },
        });
        ClaimName::parse(name).expect("a name").find(claims.as_object().expect("an object")).cloned()
    }

    #[test]
    fn a_whole_name_comes_before_a_path() {
        assert_eq!(found("email"), Some(json!("top")));
        assert_eq!(found("https://a.example/email"), Some(json!("namespaced")));
        assert_eq!(found("realm/roles/first"), Some(json!(1)));
        assert_eq!(found("a/b"), Some(json!("whole")));
        assert_eq!(found("a/c"), Some(Value::Null));
        for absent in ["realm/first", "email/x", "b", "a/b/c"] {
            assert_eq!(found(absent), None, "{absent}");
        }
    }

    #[test]
    fn what_users_write_themselves_is_no_name() {
        for name in
            ["user_metadata", "user_metadata/sub", "a/unsafe_metadata/email", "https://a/user_metadata", "", "a,b"]
        {
            assert_eq!(ClaimName::parse(name), None, "{name}");
        }
        assert!(ClaimName::parse("app_metadata/user_id").is_some());
    }

    #[test]
    fn what_our_tokens_leave_out_can_name_no_user_and_no_policy() {
        for name in ["jti", "auth_time", "mfa/session", "isMfaVerified", "AMR", "mfa_requires", "MFA_REQUIRED"] {
            assert!(!ClaimName::parse(name).expect("a name").is_kept(), "{name}");
        }
        for name in ["oid", "mfa_required", "mfa_required_from", "mfa_exempt", "app/mfa_required"] {
            assert!(ClaimName::parse(name).expect("a name").is_kept(), "{name}");
        }
    }
}
