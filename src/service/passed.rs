//! Sockets that were handed to us: by a service manager (`LISTEN_FDS`, `systemd.socket`), or by a predecessor in the same way.

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;

use listenfd::ListenFd;
use log::warn;

use super::predecessor;
use crate::config::Address;

/// How a predecessor names a socket that we may call our own.
pub(super) const OURS: &str = "ours";
/// How a predecessor names a socket that its service manager opened.
pub(super) const NOT_OURS: &str = "manager";

/// Who keeps a socket when this process is gone, and so removes the path of a unix socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    /// Nobody but us and our successor.
    Us,
    /// The service manager.
    Manager,
}

/// The sockets that were handed to us and not taken yet.
#[derive(Debug)]
pub(super) struct Passed(Vec<(Address, OwnedFd, Owner)>);

impl Passed {
    /// What the environment says was handed to us.
    pub(super) fn from_environment() -> Self {
        let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
        let mut names = names.split(':');
        let mut fds = ListenFd::from_env();
        let mut passed = Vec::new();
        for index in 0..fds.len() {
            let owner = owner(names.next().unwrap_or_default());
            match socket(&mut fds, index) {
                Some((address, fd)) => passed.push((address, fd, owner)),
                None => warn!(
                    "socket {} that was handed to us is neither TCP nor a unix stream that listens: it is left alone",
                    index + 1
                ),
            }
        }
        Self(passed)
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The socket at this address.
    pub(super) fn take(&mut self, address: &Address) -> Option<(OwnedFd, Owner)> {
        let index = self.0.iter().position(|(at, ..)| at == address)?;
        let (_, fd, owner) = self.0.swap_remove(index);
        Some((fd, owner))
    }

    /// The addresses of those that nobody took.
    pub(super) fn left(&self) -> impl Iterator<Item = &Address> {
        self.0.iter().map(|(address, ..)| address)
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

fn tcp(listener: TcpListener) -> Option<(Address, OwnedFd)> {
    let address = listener.local_addr().ok()?;
    Some((Address::Tcp(address), listener.into()))
}

fn unix(listener: UnixListener) -> Option<(Address, OwnedFd)> {
    let address = listener.local_addr().ok()?;
    let path = address.as_pathname()?.to_owned();
    Some((Address::Unix(path), listener.into()))
}
