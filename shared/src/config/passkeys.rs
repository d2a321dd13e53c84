//! Whom passkeys belong to. Nothing of it is ever taken from a request.

use lambda_http::http::Uri;

use super::reader::Reader;
use crate::domain::{Method, Policy};

/// Whom passkeys belong to (`WebAuthn` Level 3 5.1.3 and 13.4.9).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PasskeyConfig {
    /// The relying party id: a domain. A passkey works for it alone.
    pub rp_id: String,
    /// The origins of pages and apps that may ask for a passkey. At least one is of the domain.
    pub origins: Vec<String>,
    /// Whether security keys may be used without a PIN or a fingerprint too.
    pub security_keys: bool,
}

pub(super) fn read(read: &mut Reader<'_>, policy: &Policy) -> Option<PasskeyConfig> {
    let rp_id = read.parsed("MFA_PASSKEY_RP_ID", "must be a domain in lower case, such as example.com", |text| {
        is_domain(text).then(|| text.to_owned())
    });
    let wrong = "must be a comma list of origins, such as https://example.com or android:apk-key-hash:…";
    let origins = read.parsed("MFA_PASSKEY_ORIGINS", wrong, |text| {
        text.split(',').map(str::trim).map(|origin| is_origin(origin).then(|| origin.to_owned())).collect()
    });
    let security_keys = read.switch("MFA_PASSKEY_SECURITY_KEYS", false);
    let rp_id = rp_id.filter(|_| policy.offers(Method::Passkey))?;
    let origins: Vec<String> = origins.unwrap_or_else(|| vec![format!("https://{rp_id}")]);
    if !origins.iter().any(|origin| is_of(origin, &rp_id)) {
        read.fault("MFA_PASSKEY_ORIGINS", "must hold an origin of the domain of MFA_PASSKEY_RP_ID");
    }
    Some(PasskeyConfig { rp_id, origins, security_keys })
}

/// Whether it can be a relying party id. An IP address cannot be one.
fn is_domain(text: &str) -> bool {
    let is_label = |label: &str| {
        let plain = label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        (1..=63).contains(&label.len()) && plain && !label.starts_with('-') && !label.ends_with('-')
    };
    let is_address = text.rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()));
    text.len() <= 253 && text.split('.').all(is_label) && !is_address
}

/// Whether it is an origin that a browser or Android names. Only a page of this machine may do without
/// TLS.
fn is_origin(text: &str) -> bool {
    if let Some(hash) = text.strip_prefix("android:apk-key-hash:") {
        return data_encoding::BASE64URL_NOPAD.decode(hash.as_bytes()).is_ok_and(|hash| hash.len() == 32);
    }
    let Some((scheme, host)) = parts(text) else { return false };
    let is_local = host == "localhost" || host.ends_with(".localhost");
    is_domain(&host) && (scheme == "https" || scheme == "http" && is_local)
}

/// Whether it is an origin of `rp_id` or of a domain below it.
fn is_of(origin: &str, rp_id: &str) -> bool {
    parts(origin).is_some_and(|(_, host)| host == rp_id || host.ends_with(&format!(".{rp_id}")))
}

/// Scheme and host of an origin without a path.
fn parts(origin: &str) -> Option<(String, String)> {
    let uri: Uri = origin.parse().ok().filter(|_| !origin.ends_with('/'))?;
    let is_bare = uri.path() == "/" && uri.query().is_none() && !origin.contains(['@', '#', '?']);
    Some((uri.scheme_str()?.to_owned(), uri.host().filter(|_| is_bare)?.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relying_party_id_is_a_domain_in_lower_case() {
        for good in ["example.com", "localhost", "login.example.co.uk", "xn--bcher-kva.example"] {
            assert!(is_domain(good), "{good}");
        }
        for bad in ["", "Example.com", "https://example.com", "example.com:443", "127.0.0.1", "-a.com", "a..b", "[::1]"]
        {
            assert!(!is_domain(bad), "{bad}");
        }
    }

    #[test]
    fn an_origin_is_a_page_over_tls_or_of_this_machine_or_an_android_app() {
        let android = format!("android:apk-key-hash:{}", data_encoding::BASE64URL_NOPAD.encode(&[7; 32]));
        for good in ["https://example.com", "https://example.com:8443", "http://localhost:8080", &android] {
            assert!(is_origin(good), "{good}");
        }
        for bad in [
            "",
            "example.com",
            "http://example.com",
            "https://example.com/",
            "https://example.com/login",
            "https://example.com?x",
            "https://user@example.com",
            "https://*.example.com",
            "https://127.0.0.1",
            "android:apk-key-hash:short",
            "null",
        ] {
            assert!(!is_origin(bad), "{bad}");
        }
        assert!(is_of("https://login.example.com:8443", "example.com") && is_of("https://example.com", "example.com"));
        assert!(!is_of("https://badexample.com", "example.com") && !is_of(&android, "example.com"));
    }
}
