//! Opening a listening socket, and what every listening socket must be like.

use std::fs::{self, Permissions};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use socket2::{Domain, Protocol, Socket, Type};

use super::passed::Owner;
use crate::config::{Address, Config};

/// As Pingora has it: the system cuts it down to what it allows (net.core.somaxconn).
const BACKLOG: i32 = 65_535;

/// Mode of a unix socket that is opened here: every user may connect, and its folder limits which
/// ones reach it.
const MODE: u32 = 0o666;

/// Opens a socket that listens.
pub(super) fn listen(address: &Address, config: &Config) -> io::Result<OwnedFd> {
    match address {
        Address::Tcp(address) => listen_tcp(*address, config).map(OwnedFd::from),
        Address::Unix(path) => listen_unix(path),
    }
}

fn listen_tcp(address: SocketAddr, config: &Config) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(has_twin(address, config))?;
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// `[::]` takes IPv4 too, as everywhere on Linux, unless an IPv4 bind of the same port is there for that.
fn has_twin(address: SocketAddr, config: &Config) -> bool {
    config.binds.iter().any(|bind| match &bind.address {
        Address::Tcp(other) => other.is_ipv4() && other.port() == address.port(),
        Address::Unix(_) => false,
    })
}

/// Takes the place of a socket that nobody listens on any more, and of nothing else.
fn listen_unix(path: &Path) -> io::Result<OwnedFd> {
    if let Ok(found) = fs::symlink_metadata(path) {
        if !found.file_type().is_socket() {
            return Err(io::Error::other("there is a file that is no socket"));
        }
        if UnixStream::connect(path).is_ok() {
            return Err(io::Error::other("somebody listens there"));
        }
        fs::remove_file(path)?;
    }
    let socket = UnixListener::bind(path)?;
    fs::set_permissions(path, Permissions::from_mode(MODE))?;
    Ok(socket.into())
}

/// Makes sure of what Pingora needs of a socket that it takes.
///
/// PINGORA: (0.9.1) it does not ask whether the socket blocks, and panics when it may not set the
/// mode of a unix socket. It is given the mode that the socket has: one that was handed over keeps
/// that of its maker (`SocketMode=`).
pub(super) fn prepared(
    address: &Address,
    (fd, owner): (OwnedFd, Owner),
) -> io::Result<(OwnedFd, Owner)> {
    if let Address::Unix(path) = address {
        fs::set_permissions(path, mode_of(path)?)?;
    }
    let socket = Socket::from(fd);
    socket.set_nonblocking(true)?;
    Ok((socket.into(), owner))
}

/// The mode of a unix socket as it is.
///
/// # Errors
/// It is not there, or cannot be seen.
pub fn mode_of(path: &Path) -> io::Result<Permissions> {
    let mode = fs::metadata(path)?.permissions().mode();
    Ok(Permissions::from_mode(mode & 0o7777))
}
