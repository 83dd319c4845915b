//! Sockets that were handed to us: by a service manager (`LISTEN_FDS`, `systemd.socket`), or by a predecessor in the same way.

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};

use listenfd::ListenFd;
use log::warn;

use super::predecessor;
use crate::config::Address;

/// How a predecessor names a socket that we may call our own.
const OURS: &str = "ours";
/// How a predecessor names a socket that its service manager opened.
const NOT_OURS: &str = "manager";

/// How a predecessor names the line of an earlier one that carries listeners still.
pub(super) const LINE: &str = "line";

/// Who keeps a socket when this process is gone, and so removes the path of a unix socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    /// Nobody but us and our successor.
    Us,
    /// The service manager.
    Manager,
}

impl Owner {
    /// How a predecessor says it.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Us => OURS,
            Self::Manager => NOT_OURS,
        }
    }
}

/// The sockets that were handed to us and not taken yet.
#[derive(Debug)]
pub(super) struct Passed {
    sockets: Vec<(Address, OwnedFd, Owner)>,
    lines: Vec<UnixStream>,
}

impl Passed {
    /// What the environment says was handed to us.
    pub(super) fn from_environment() -> Self {
        let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
        let mut names = names.split(':');
        let mut fds = ListenFd::from_env();
        let (mut sockets, mut lines) = (Vec::new(), Vec::new());
        for index in 0..fds.len() {
            let name = names.next().unwrap_or_default();
            if predecessor::is_there() && name == LINE {
                lines.extend(line(&mut fds, index));
                continue;
            }
            let owner = owner(name);
            match socket(&mut fds, index) {
                Some((address, fd)) => sockets.push((address, fd, owner)),
                None => warn!(
                    "socket {} that was handed to us is neither TCP nor a unix stream that listens: it is left alone",
                    index + 1
                ),
            }
        }
        Self { sockets, lines }
    }

    /// The lines of earlier processes.
    pub(super) fn take_lines(&mut self) -> Vec<UnixStream> {
        std::mem::take(&mut self.lines)
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.sockets.is_empty()
    }

    /// The socket at this address.
    pub(super) fn take(&mut self, address: &Address) -> Option<(OwnedFd, Owner)> {
        let index = self.sockets.iter().position(|(at, ..)| at == address)?;
        let (_, fd, owner) = self.sockets.swap_remove(index);
        Some((fd, owner))
    }

    /// The addresses of those that nobody took.
    pub(super) fn left(&self) -> impl Iterator<Item = &Address> {
        self.sockets.iter().map(|(address, ..)| address)
    }
}

/// Only a predecessor knows which sockets are nobody else's.
fn owner(name: &str) -> Owner {
    match predecessor::is_there() && name == OURS {
        true => Owner::Us,
        false => Owner::Manager,
    }
}

fn socket(fds: &mut ListenFd, index: usize) -> Option<(Address, OwnedFd)> {
    if let Ok(Some(listener)) = fds.take_tcp_listener(index) {
        return tcp(listener);
    }
    unix(fds.take_unix_listener(index).ok()??)
}

/// Another hold on it: the one that was handed over would be inherited by whatever we start.
fn line(fds: &mut ListenFd, index: usize) -> Option<UnixStream> {
    let line = fds.take_custom::<UnixStream>(index, libc::AF_UNIX, libc::SOCK_STREAM, "line");
    line.ok()??.try_clone().ok()
}

fn tcp(listener: TcpListener) -> Option<(Address, OwnedFd)> {
    let address = listener.local_addr().ok()?;
    Some((Address::Tcp(address), listener.into()))
}

fn unix(listener: UnixListener) -> Option<(Address, OwnedFd)> {
    let address = listener.local_addr().ok()?;
    let path = address.as_pathname()?.to_owned();
    Some((Address::Unix(path), listener.into()))
}
