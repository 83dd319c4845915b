//! The addresses we accept on: tried before anything is built on them, and how their sockets are set.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use pingora::listeners::TcpSocketOptions;

use super::StartError;
use crate::config::{Address, Config};

/// PINGORA: (0.9.1) a service that cannot listen panics and leaves the rest running, and whatever lies at the path of a
/// unix socket is deleted. Trying first gives an operator a line to act on.
pub(super) fn try_binds(config: &Config) -> Result<(), StartError> {
    let admin = config.admin.bind.map(Address::Tcp);
    let public = config.binds.iter().map(|bind| &bind.address);
    for bind in public.chain(&admin) {
        let tried = match bind {
            Address::Tcp(address) => TcpListener::bind(address).map(drop),
            Address::Unix(path) => try_unix(path),
        };
        tried.map_err(|source| StartError::Bind {
            address: bind.to_string(),
            source,
        })?;
    }
    Ok(())
}

/// Listens for a moment; takes the place of a socket that nobody listens on any more, and of nothing else.
fn try_unix(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::FileTypeExt as _;
    if let Ok(found) = std::fs::symlink_metadata(path) {
        if !found.file_type().is_socket() {
            return Err(io::Error::other("there is a file that is no socket"));
        }
        if UnixStream::connect(path).is_ok() {
            return Err(io::Error::other("somebody listens there"));
        }
        std::fs::remove_file(path)?;
    }
    UnixListener::bind(path)?;
    std::fs::remove_file(path)
}

/// `[::]` takes IPv4 too, as everywhere on Linux, unless an IPv4 bind of the same port is there for that.
pub(super) fn options(address: SocketAddr, config: &Config) -> TcpSocketOptions {
    let has_twin = config.binds.iter().any(|bind| match &bind.address {
        Address::Tcp(other) => other.is_ipv4() && other.port() == address.port(),
        Address::Unix(_) => false,
    });
    let mut options = TcpSocketOptions::default();
    options.ipv6_only = address.is_ipv6().then_some(has_twin);
    options
}
