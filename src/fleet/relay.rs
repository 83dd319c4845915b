//! A relay as it was configured: who it is, where listeners reach it, how much it may carry.
//!
//! Immutable; how the relay is doing is kept by [`Fleet`](super::Fleet).

use std::collections::BTreeMap;
use std::net::IpAddr;

/// A relay's place in the roster, fixed while the process lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RelayId(pub u32);

impl RelayId {
    /// The place as an index into the roster.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// The scheme of an [`Origin`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scheme {
    /// Plain HTTP.
    Http,
    /// HTTP over TLS.
    Https,
}

impl Scheme {
    /// The scheme as it stands in a URL.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// The port that a URL without one means.
    pub fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// Scheme, host and port of a URL, checked when the configuration was read.
///
/// SECURITY: `Location` is built from this and a known mount, from nothing a listener sent.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin {
    /// http or https.
    pub scheme: Scheme,
    /// A DNS name, an IPv4 address or an IPv6 address without brackets; lower case.
    pub host: String,
    /// The port, the scheme's default where the URL names none.
    pub port: u16,
}

impl Origin {
    /// `host[:port]` as a URL has it: brackets around IPv6, the scheme's default port left out.
    pub fn authority(&self) -> String {
        let host = if self.host.contains(':') {
            format!("[{}]", self.host)
        } else {
            self.host.clone()
        };
        if self.port == self.scheme.default_port() {
            host
        } else {
            format!("{host}:{}", self.port)
        }
    }
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}://{}", self.scheme.as_str(), self.authority())
    }
}

/// One relay of the fleet, as configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relay {
    /// What logs, metrics and `/status` call it; unique in the fleet.
    pub name: String,
    /// Where the balancer polls it.
    pub url: Origin,
    /// Where listeners are sent; not empty.
    pub public: Vec<Origin>,
    /// Its share of listeners against the other relays', 1 to 1000.
    pub weight: u32,
    /// The most listeners it may have; `None` means no limit.
    pub capacity_listeners: Option<u32>,
    /// Mounts whose name on this relay differs: public path to the relay's own path.
    pub mounts: BTreeMap<String, String>,
}

impl Relay {
    /// Where a listener of this scheme is sent, or `None` when that would be a downgrade from https.
    ///
    /// SECURITY: never https to http (browsers block it, and it would leak what was meant to be private).
    pub fn public_for(&self, scheme: Scheme) -> Option<&Origin> {
        let exact = self.public.iter().find(|origin| origin.scheme == scheme);
        let upgrade = || {
            self.public
                .iter()
                .find(|origin| origin.scheme == Scheme::Https)
        };
        exact.or_else(upgrade)
    }

    /// The public path of the mount that this relay calls `own`; `None` when the name is taken by another mapping.
    pub fn public_path<'a>(&'a self, own: &'a str) -> Option<&'a str> {
        if let Some((public, _)) = self.mounts.iter().find(|(_, mapped)| *mapped == own) {
            return Some(public);
        }
        (!self.mounts.contains_key(own)).then_some(own)
    }

    /// What this relay calls the mount with this public path.
    pub fn own_path<'a>(&'a self, public: &'a str) -> &'a str {
        self.mounts.get(public).map_or(public, String::as_str)
    }
}

/// Whether a relay may be there.
///
/// SECURITY: neither a configuration nor a name server must turn polls on link-local services (cloud metadata), multicast
/// groups or nobody.
pub fn is_server_address(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            !(ip.is_link_local() || ip.is_multicast() || ip.is_unspecified() || ip.is_broadcast())
        }
        IpAddr::V6(ip) => !(ip.is_unicast_link_local() || ip.is_multicast() || ip.is_unspecified()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ips(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn addresses_of_metadata_services_or_nobody_are_no_servers() {
        for bad in ips(&[
            "169.254.169.254",
            "::ffff:169.254.169.254",
            "fe80::1",
            "224.0.0.1",
            "ff02::1",
            "0.0.0.0",
            "::",
            "255.255.255.255",
        ]) {
            assert!(!is_server_address(bad), "{bad}");
        }
        for good in ips(&["127.0.0.1", "10.0.0.1", "192.0.2.1", "::1", "2001:db8::1"]) {
            assert!(is_server_address(good), "{good}");
        }
    }
}
