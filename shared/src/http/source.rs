use std::net::{IpAddr, SocketAddr};

use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::BASE64URL_NOPAD;
use lambda_http::http::HeaderMap;

use crate::domain::Source;

/// Where a request comes from.
///
/// `gateway` is the address that API Gateway saw. Each of `hops` proxies of the operator's own
/// before the gateway, and the gateway itself, appends the address that it saw to
/// `X-Forwarded-For`. The client stands before the last `hops` addresses. Everything further left
/// may be invented by the sender.
pub(super) fn source(gateway: Option<&str>, headers: &HeaderMap, hops: u8) -> Source {
    let forwarded = if hops == 0 { None } else { forwarded(headers, hops) };
    of_text(forwarded.as_deref().or(gateway).unwrap_or_default())
}

/// The source that an address stands for.
pub(super) fn of_text(written: &str) -> Source {
    let written = written.trim();
    if written.is_empty() {
        // All requests without an address share one limit, so that leaving it out helps nobody.
        return Source::Unreadable("unknown".to_owned());
    }
    // Each unreadable text has a limit of its own: a proxy that writes an unknown form must not put
    // everybody into one.
    let hash = || BASE64URL_NOPAD.encode(digest(&SHA256, written.as_bytes()).as_ref());
    address(written).map_or_else(|| Source::Unreadable(format!("unreadable:{}", hash())), Source::at)
}

/// The client's address in `X-Forwarded-For`. `None` if the list is too short.
fn forwarded(headers: &HeaderMap, hops: u8) -> Option<String> {
    let list: Vec<_> = headers
        .get_all("x-forwarded-for")
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .collect();
    let place = list.len().checked_sub(usize::from(hops) + 1)?;
    list.get(place).map(|text| String::from_utf8_lossy(text).into_owned())
}

/// Parses an address as proxies write it. Some add the port, brackets or quotes.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text).trim();
    let bare = || text.parse().ok();
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    let in_brackets = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    bare().or_else(with_port).or_else(in_brackets)
}

#[cfg(test)]
mod tests {
    use lambda_http::http::HeaderValue;

    use super::*;

    fn network(gateway: Option<&str>, headers: &HeaderMap, hops: u8) -> String {
        source(gateway, headers, hops).subscriber()
    }

    fn forwarded(value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", value.parse().expect("a header value"));
        headers
    }

    #[test]
    fn without_hops_the_gateways_word_counts_and_headers_do_not() {
        assert_eq!(network(Some("192.0.2.1"), &forwarded("10.9.9.9"), 0), "192.0.2.1");
        assert_eq!(network(None, &forwarded("10.9.9.9"), 0), "unknown");
    }

    #[test]
    fn with_hops_the_address_is_counted_from_the_right() {
        let headers = forwarded("203.0.113.66, 198.51.100.7, 192.0.2.1");
        assert_eq!(network(Some("192.0.2.1"), &headers, 1), "198.51.100.7");
        assert_eq!(network(Some("192.0.2.1"), &headers, 2), "203.0.113.66");
        assert_eq!(network(Some("192.0.2.1"), &headers, 9), "192.0.2.1", "fewer than promised: the gateway's word");
    }

    #[test]
    fn a_caller_is_known_by_the_24_of_an_ipv4_address_or_the_48_of_an_ipv6_address() {
        let known_by = |text| source(Some(text), &HeaderMap::new(), 0).network();
        assert_eq!(known_by("192.0.2.1").as_deref(), Some("192.0.2.0/24"));
        assert_eq!(known_by("::ffff:192.0.2.1").as_deref(), Some("192.0.2.0/24"));
        assert_eq!(known_by("2001:db8:1:2:3:4:5:6").as_deref(), Some("2001:db8:1::/48"));
        assert_eq!(known_by("nonsense"), None);
        assert_eq!(known_by(""), None);
    }

    #[test]
    fn ipv6_is_limited_by_its_64() {
        assert_eq!(network(Some("2001:db8:1:2:3:4:5:6"), &HeaderMap::new(), 0), "2001:db8:1:2::/64");
        assert_eq!(network(Some("2001:db8:1:2::9"), &HeaderMap::new(), 0), "2001:db8:1:2::/64");
        assert_eq!(network(Some("::ffff:192.0.2.1"), &HeaderMap::new(), 0), "192.0.2.1");
    }

    #[test]
    fn an_address_counts_without_its_port_brackets_and_quotes() {
        for (written, counted) in [
            ("198.51.100.7:443", "198.51.100.7"),
            (" 198.51.100.7 ", "198.51.100.7"),
            ("\"198.51.100.7\"", "198.51.100.7"),
            ("\"198.51.100.7:443\"", "198.51.100.7"),
            ("[2001:db8:1:2::9]", "2001:db8:1:2::/64"),
            ("[2001:db8:1:2::9]:443", "2001:db8:1:2::/64"),
            ("\"[2001:db8:1:2::9]:443\"", "2001:db8:1:2::/64"),
            ("[::ffff:198.51.100.7]:443", "198.51.100.7"),
        ] {
            assert_eq!(network(Some(written), &HeaderMap::new(), 0), counted, "{written}");
            let headers = forwarded(&format!("10.9.9.9, {written}, 192.0.2.1"));
            assert_eq!(network(Some("192.0.2.1"), &headers, 1), counted, "{written} by a proxy");
        }
    }

    #[test]
    fn an_unreadable_address_has_a_bucket_of_its_own_and_only_an_absent_one_shares() {
        let texts = ["x\u{0}", "unknown", "_hidden", "198.51.100.7:99999", "198.51.100", "[198.51.100.7", "\"", "[]"];
        let mut buckets: Vec<_> = texts.iter().map(|text| network(Some(text), &HeaderMap::new(), 0)).collect();
        for (text, bucket) in texts.iter().zip(&buckets) {
            assert!(bucket.starts_with("unreadable:") && bucket.len() == 54, "{text}: {bucket}");
            assert_eq!(network(Some(text), &HeaderMap::new(), 0), *bucket, "{text}");
        }
        buckets.sort_unstable();
        buckets.dedup();
        assert_eq!(buckets.len(), texts.len());
        for absent in [None, Some(""), Some(" ")] {
            assert_eq!(network(absent, &HeaderMap::new(), 0), "unknown");
        }
        assert_eq!(network(Some("192.0.2.1"), &forwarded("10.9.9.9, , 192.0.2.1"), 1), "unknown");
    }

    #[test]
    fn what_is_not_ascii_moves_no_address() {
        let mut headers = HeaderMap::new();
        let value = HeaderValue::from_bytes(b"\xff, 198.51.100.7, 192.0.2.1").expect("a header value");
        headers.insert("x-forwarded-for", value);
        assert_eq!(network(Some("192.0.2.1"), &headers, 1), "198.51.100.7");
        assert!(network(Some("192.0.2.1"), &headers, 2).starts_with("unreadable:"));
    }
}
