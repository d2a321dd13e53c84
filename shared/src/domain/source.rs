use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Where a request comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// An IPv4 address.
    V4(Ipv4Addr),
    /// An IPv6 address.
    V6(Ipv6Addr),
    /// A text that stands for the address, because it cannot be read or there is none.
    Unreadable(String),
}

impl Source {
    /// The source at an address. An IPv4 address that is written as IPv6 counts as IPv4.
    #[must_use]
    pub const fn at(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) => Self::V4(v4),
            IpAddr::V6(v6) => Self::V6(v6),
        }
    }

    /// What the limit on one source counts by: an IPv4 address, or the /64 of an IPv6 address, which
    /// is one subscriber's.
    #[must_use]
    pub fn subscriber(&self) -> String {
        match self {
            Self::V4(address) => address.to_string(),
            Self::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
            }
            Self::Unreadable(text) => text.clone(),
        }
    }

    /// The network that a caller is known by: the /24 of an IPv4 address, or the /48 of an IPv6
    /// address. Nobody is known by an address that cannot be read.
    #[must_use]
    pub fn network(&self) -> Option<String> {
        match self {
            Self::V4(address) => {
                let [a, b, c, _] = address.octets();
                Some(format!("{a}.{b}.{c}.0/24"))
            }
            Self::V6(address) => Some(site(address)),
            Self::Unreadable(_) => None,
        }
    }

    /// The /48 of an IPv6 address. One customer can hold all of its 65,536 subscribers.
    #[must_use]
    pub fn site(&self) -> Option<String> {
        match self {
            Self::V6(address) => Some(site(address)),
            Self::V4(_) | Self::Unreadable(_) => None,
        }
    }
}

fn site(address: &Ipv6Addr) -> String {
    let [a, b, c, ..] = address.segments();
    format!("{a:x}:{b:x}:{c:x}::/48")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv4_address_is_a_subscriber_of_a_24_and_an_ipv6_one_is_a_64_of_a_48() {
        let at = |text: &str| Source::at(text.parse().expect("an address"));
        for (source, subscriber, network, site) in [
            (at("192.0.2.7"), "192.0.2.7", Some("192.0.2.0/24"), None),
            (at("::ffff:192.0.2.7"), "192.0.2.7", Some("192.0.2.0/24"), None),
            (at("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64", Some("2001:db8:1::/48"), Some("2001:db8:1::/48")),
            (Source::Unreadable("unknown".to_owned()), "unknown", None, None),
        ] {
            assert_eq!(source.subscriber(), subscriber);
            assert_eq!(source.network().as_deref(), network, "{source:?}");
            assert_eq!(source.site().as_deref(), site, "{source:?}");
        }
    }
}
