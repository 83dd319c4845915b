//! What is configured of the way in: addresses, TLS, limits. Types alone; reading them is `draft`'s and `certificates`'.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use crate::acme;
use crate::fleet::ClientPrefix;
use crate::tls::Files;

/// One public address, and what is spoken there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bind {
    /// Where.
    pub address: Address,
    /// Listeners speak TLS.
    pub tls: bool,
    /// HTTP/2 is spoken with who wants it; on TLS only.
    pub h2: bool,
    /// A proxy in front says first, by the PROXY protocol, who connects.
    pub proxy_protocol: bool,
}

/// Where we listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// An IPv4 or IPv6 address with port.
    Tcp(SocketAddr),
    /// A unix socket (`unix:/path`).
    Unix(PathBuf),
}

impl std::fmt::Display for Address {
    /// As it stands in the file.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl Bind {
    /// Plain HTTP at this address.
    pub fn plain(address: Address) -> Self {
        Self {
            address,
            tls: false,
            h2: false,
            proxy_protocol: false,
        }
    }
}

/// How many are let in; by default whoever has no address.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Limits {
    /// Connections in total; `None` for as many as there are file descriptors for.
    pub connections: Option<usize>,
    /// Connections of one address: an IPv4 address, or an IPv6 network of 64 bits, which is what one household gets.
    pub connections_per_address: usize,
    /// Carried streams of one address.
    pub listeners_per_address: usize,
    /// Whose connections count in the total only: monitors, proxies, networks with many listeners behind one address.
    pub exempt: Vec<IpNet>,
    /// Those of them that the operator names: their listeners on the way count in full toward capacities too.
    pub exempt_by_name: Vec<IpNet>,
}

impl Limits {
    /// The client whose connections and streams are limited together; `None` for an exempt address.
    ///
    /// A bind on `[::]` shows IPv4 addresses as `::ffff:a.b.c.d`, which all lie in one network of 64 bits.
    pub fn limited_client(&self, address: IpAddr) -> Option<ClientPrefix> {
        client_outside(&self.exempt, address)
    }

    /// The client whose unconfirmed listeners count toward capacities only up to a bound; `None` for an address that the
    /// operator exempts by name.
    ///
    /// SECURITY: the default of `exempt` is for connections. A client on this machine or in a private network must not make
    /// relays full either, by requesting redirects that it does not follow.
    pub fn bounded_client(&self, address: IpAddr) -> Option<ClientPrefix> {
        client_outside(&self.exempt_by_name, address)
    }
}

fn client_outside(exempt: &[IpNet], address: IpAddr) -> Option<ClientPrefix> {
    let address = address.to_canonical();
    let is_exempt = exempt.iter().any(|net| net.contains(&address));
    (!is_exempt).then(|| ClientPrefix::from_address(address))
}

/// TLS towards listeners.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tls {
    /// The certificates and their keys, the default first.
    pub certificates: Vec<Files>,
    /// How one is ordered and renewed.
    pub acme: Option<acme::Settings>,
    /// How long browsers shall come to us by https only (`Strict-Transport-Security`); zero says nothing of it.
    pub hsts: Duration,
}

impl Tls {
    /// Whether nothing says where a certificate comes from.
    pub fn is_without_certificate(&self) -> bool {
        self.certificates.is_empty() && self.acme.is_none()
    }
}
