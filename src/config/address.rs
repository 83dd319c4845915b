//! Addresses: the origins of relays, the addresses we bind, the networks we trust.
//!
//! In: a text. Out: a checked address, or what was expected instead. Resolves nothing. Never quotes credentials.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use ipnet::IpNet;
use url::{Host, Url};

use super::error::Fault;
use super::value::Given;
use super::{Address, HttpsHost};
use crate::fleet::{Origin, Scheme, is_server_address};

const URL: &str = "a URL such as \"http://relay1.example.com:8000\"";

/// Reads scheme, host and port of a URL that has nothing else.
///
/// SECURITY: `Location` is built from it, so the host is held to letters, digits and `.-_`, and user names and
/// passwords are refused without being shown.
pub(super) fn origin(given: &Given<'_>) -> Result<Origin, Fault> {
    let text = given.text().ok_or_else(|| given.instead_of(URL))?;
    if text.contains('@') {
        return Err(Fault::expected(
            "a URL without user name and password (they belong into username and password_file)",
            "one with @",
        ));
    }
    let scheme = scheme_of(text).ok_or_else(|| given.instead_of(URL))?;
    let url = Url::parse(text).map_err(|_| given.instead_of(URL))?;
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return Err(given.instead_of("a URL without path, query and fragment"));
    }
    let host = host_of(&url).ok_or_else(|| given.instead_of(URL))?;
    let port = url.port().unwrap_or(scheme.default_port());
    if port == 0 {
        return Err(given.instead_of("a URL with a port from 1 to 65535"));
    }
    Ok(Origin { scheme, host, port })
}

/// The scheme of a text that spells its `://` out; the URL standard would also read `http:host`, tabs and backslashes.
fn scheme_of(text: &str) -> Option<Scheme> {
    if text.contains(|c: char| c.is_whitespace() || c.is_control() || c == '\\') {
        return None;
    }
    let (scheme, rest) = text.split_once("://")?;
    if rest.starts_with('/') {
        return None;
    }
    match scheme.to_ascii_lowercase().as_str() {
        "http" => Some(Scheme::Http),
        "https" => Some(Scheme::Https),
        _ => None,
    }
}

/// The longest name that DNS can carry.
const HOST_LIMIT_BYTES: usize = 253;

fn host_of(url: &Url) -> Option<String> {
    let usable = |name: &&str| {
        name.len() <= HOST_LIMIT_BYTES
            && name
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "-._".contains(c))
    };
    match url.host()? {
        Host::Domain(name) => Some(name).filter(usable).map(str::to_owned),
        Host::Ipv4(ip) => Some(ip.to_string()),
        Host::Ipv6(ip) => Some(ip.to_string()),
    }
}

/// Reads the origin of a relay, which must be an address that a server can have.
///
/// SECURITY: 169.254.0.0/16 holds the metadata services of clouds.
pub(super) fn relay_origin(given: &Given<'_>) -> Result<Origin, Fault> {
    of_server(origin(given)?, given)
}

/// Lets through what a server can have as its address; `given` is what the origin was read from.
pub(super) fn of_server(origin: Origin, given: &Given<'_>) -> Result<Origin, Fault> {
    match origin.host.parse().is_ok_and(|ip| !is_server_address(ip)) {
        false => Ok(origin),
        true => Err(given.instead_of(
            "the address of a server (not link-local, multicast, broadcast or unspecified)",
        )),
    }
}

/// Reads a host whose browsers belong on https, with a port where it is not 443.
pub(super) fn https_host(given: &Given<'_>) -> Result<HttpsHost, Fault> {
    let expected = "a host such as \"radio.example.com\" or \"radio.example.com:8443\"";
    let text = given.text().ok_or_else(|| given.instead_of(expected))?;
    let origin = origin(&Given::Text(&format!("https://{text}")));
    let origin = origin.map_err(|_| given.instead_of(expected))?;
    Ok(HttpsHost {
        name: origin.host.clone(),
        authority: origin.authority(),
    })
}

const BIND: &str =
    "an address such as \"0.0.0.0:8080\", \"[::]:8080\" or \"unix:/run/balancer.sock\"";

/// The kernel's `sun_path` has 108 bytes, one of them for the end.
const UNIX_PATH_LIMIT_BYTES: usize = 107;

/// Reads a public address.
pub(super) fn bind(given: &Given<'_>) -> Result<Address, Fault> {
    let text = given.text().ok_or_else(|| given.instead_of(BIND))?;
    match text.strip_prefix("unix:") {
        Some(path) if is_unix_path(path) => Ok(Address::Unix(PathBuf::from(path))),
        Some(_) => Err(given.instead_of("unix: and an absolute path of at most 107 bytes")),
        None => socket_address(text)
            .map(Address::Tcp)
            .ok_or_else(|| given.instead_of(BIND)),
    }
}

fn is_unix_path(path: &str) -> bool {
    path.starts_with('/') && path.len() <= UNIX_PATH_LIMIT_BYTES && !path.contains(char::is_control)
}

/// Reads the operator's address; the empty text turns it off.
pub(super) fn admin_bind(given: &Given<'_>) -> Result<Option<SocketAddr>, Fault> {
    let expected = "an address such as \"127.0.0.1:8081\", or \"\" for none";
    match given.text() {
        Some("") => Ok(None),
        text => text
            .and_then(socket_address)
            .map(Some)
            .ok_or_else(|| given.instead_of(expected)),
    }
}

/// Port 0 would be a port that nobody can be told.
fn socket_address(text: &str) -> Option<SocketAddr> {
    text.parse()
        .ok()
        .filter(|address: &SocketAddr| address.port() != 0)
}

/// Reads a network, or one address as a network of its own.
pub(super) fn network(given: &Given<'_>) -> Result<IpNet, Fault> {
    let parse = |text: &str| {
        let one = || text.parse().ok().map(|ip: IpAddr| IpNet::from(ip));
        let net = text.parse().ok().or_else(one);
        net.map(|net: IpNet| plain(net).trunc())
    };
    given
        .text()
        .and_then(parse)
        .ok_or_else(|| given.instead_of("a network such as \"10.0.0.0/8\""))
}

/// IPv4 addresses in IPv6, as a bind on `[::]` shows them, are compared as what they are.
fn plain(net: IpNet) -> IpNet {
    let mapped = match net {
        IpNet::V6(net) => net
            .addr()
            .to_ipv4_mapped()
            .zip(net.prefix_len().checked_sub(96)),
        IpNet::V4(_) => None,
    };
    let plain = mapped.and_then(|(ip, bits)| IpNet::new(ip.into(), bits).ok());
    plain.unwrap_or(net)
}

/// Whether both cannot be bound at once: same port, and the same address or a wildcard of its family.
///
/// `0.0.0.0` and `[::]` are no overlap: it depends on how the socket is made.
pub(super) fn overlap(a: &SocketAddr, b: &SocketAddr) -> bool {
    let wildcard = a.ip().is_unspecified() || b.ip().is_unspecified();
    let same_family = a.is_ipv4() == b.is_ipv4();
    a.port() == b.port() && (a.ip() == b.ip() || (wildcard && same_family))
}

/// Whether a connection to `origin` would surely reach our own address `bind`.
pub(super) fn is_own(origin: &Origin, bind: &SocketAddr) -> bool {
    let own = bind.ip().to_canonical();
    let reached = match origin.host.parse::<IpAddr>() {
        Ok(ip) => {
            let ip = ip.to_canonical();
            ip == own || (own.is_unspecified() && ip.is_loopback())
        }
        Err(_) => origin.host == "localhost" && (own.is_unspecified() || own.is_loopback()),
    };
    origin.port == bind.port() && reached
}
