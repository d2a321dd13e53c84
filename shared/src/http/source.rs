use std::net::IpAddr;

use lambda_http::http::HeaderMap;

/// The network that a request comes from, for limits: an IPv4 address, or the /64 of an IPv6 address.
///
/// `gateway` is the address that API Gateway saw. Each of `hops` proxies of the operator's own before the gateway, and the
/// gateway itself, appends the address that it saw to `X-Forwarded-For`: the client is before the last `hops` addresses,
/// and what stands further left is the sender's to invent.
pub(super) fn network(gateway: Option<&str>, headers: &HeaderMap, hops: u8) -> String {
    let forwarded = || {
        let list: Vec<_> = headers
            .get_all("x-forwarded-for")
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .map(str::trim)
            .collect();
        let place = list.len().checked_sub(usize::from(hops) + 1)?;
        list.get(place).map(ToString::to_string)
    };
    let address = if hops == 0 { None } else { forwarded() };
    let address = address.or_else(|| gateway.map(ToString::to_string)).unwrap_or_default();
    match address.parse::<IpAddr>() {
        Ok(IpAddr::V4(v4)) => v4.to_string(),
        Ok(IpAddr::V6(v6)) => {
            if let Some(v4) = v6.to_ipv4_mapped() {
                v4.to_string()
            } else {
                let [a, b, c, d, ..] = v6.segments();
                format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
            }
        }
        // One bucket for all that cannot be told apart: a limit must not fail open.
        Err(_) => "unknown".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn ipv6_is_limited_by_its_64_and_what_is_no_address_shares_one_bucket() {
        assert_eq!(network(Some("2001:db8:1:2:3:4:5:6"), &HeaderMap::new(), 0), "2001:db8:1:2::/64");
        assert_eq!(network(Some("2001:db8:1:2::9"), &HeaderMap::new(), 0), "2001:db8:1:2::/64");
        assert_eq!(network(Some("::ffff:192.0.2.1"), &HeaderMap::new(), 0), "192.0.2.1");
        assert_eq!(network(Some("x\u{0}"), &HeaderMap::new(), 0), "unknown");
    }
}
