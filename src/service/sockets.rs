//! The listening sockets: those that were handed to us, by a service manager or a predecessor, and those that we open.
//!
//! In: the addresses of the configuration. Out: tables of sockets that Pingora takes, and a second hold on each socket, with
//! which a successor can be given it, and which is let go when nobody is to come any more.
//!
//! PINGORA: (0.9.1) a service that cannot listen panics and leaves the rest running, tries a taken address for half a minute,
//! and deletes whatever lies at the path of a unix socket. So it never opens one here.

use std::io;
use std::os::fd::{IntoRawFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use log::{info, warn};
use pingora::server::{Fds, ListenFds};
use thiserror::Error;

use super::life::Entry;
use super::open;
use super::passed::{LINE, Owner, Passed};
use super::predecessor;
use crate::config::{Address, Config};

/// An address cannot be listened on.
#[derive(Debug, Error)]
#[error("cannot listen on {address}: {source}")]
pub struct CannotListen {
    /// The configured address.
    pub address: String,
    /// What the system said.
    pub source: io::Error,
}

/// One listening socket.
#[derive(Debug)]
pub(super) struct Socket {
    pub(super) address: Address,
    pub(super) entry: Entry,
    pub(super) owner: Owner,
    pub(super) fd: OwnedFd,
    /// Whether it was there before this process.
    was_passed: bool,
}

/// All listening sockets of this process.
#[derive(Debug)]
pub struct Sockets {
    all: Vec<Socket>,
    /// Processes before our predecessor that carry listeners still know by these that somebody serves.
    lines: Vec<UnixStream>,
}

impl Sockets {
    /// A socket for each address of the configuration: the one that was handed to us, else a new one.
    ///
    /// # Errors
    /// An address is taken, not ours, or not allowed. Nothing is left behind.
    pub fn open(config: &Config) -> Result<Self, CannotListen> {
        let mut passed = Passed::from_environment();
        let was_passed_any = !passed.is_empty();
        let public = config.binds.iter().map(|bind| bind.address.clone());
        let public = public.map(|address| (address, Entry::Public));
        let operator = config.admin.bind.map(Address::Tcp);
        let operator = operator.map(|address| (address, Entry::Operator));
        let mut sockets = Self {
            all: Vec::new(),
            lines: passed.take_lines(),
        };
        for (address, entry) in public.chain(operator) {
            let found = passed.take(&address);
            let was_passed = found.is_some();
            let socket = match found {
                Some((fd, owner)) => Ok((fd, owner)),
                None => {
                    if was_passed_any {
                        info!("{address} was not handed to us: it is opened");
                    }
                    open::listen(&address, config).map(|fd| (fd, Owner::Us))
                }
            };
            match socket.and_then(|socket| open::prepared(&address, socket)) {
                Ok((fd, owner)) => sockets.all.push(Socket {
                    address,
                    entry,
                    owner,
                    fd,
                    was_passed,
                }),
                Err(source) => {
                    let address = address.to_string();
                    sockets.give_back();
                    return Err(CannotListen { address, source });
                }
            }
        }
        for address in passed.left() {
            warn!(
                "a socket at {address} was handed to us, but no bind has this address: it is closed"
            );
        }
        Ok(sockets)
    }

    /// The sockets of an entry, for Pingora.
    ///
    /// # Errors
    /// There are no file descriptors left.
    pub fn table(&self, entry: Entry) -> io::Result<ListenFds> {
        let mut table = Fds::new();
        for socket in self.of(entry) {
            table.add(name(&socket.address), socket.fd.try_clone()?.into_raw_fd());
        }
        Ok(ListenFds::new(table.into()))
    }

    /// A hold for a successor on each socket, and on the line to each earlier process that is there still; each with its name.
    ///
    /// # Errors
    /// There are no file descriptors left.
    pub(super) fn for_successor(&mut self) -> io::Result<Vec<(OwnedFd, &'static str)>> {
        self.lines.retain(predecessor::is_held);
        let own = predecessor::line_of_ours();
        let copy = |socket: &Socket| Ok((socket.fd.try_clone()?, socket.owner.as_str()));
        let sockets = self.all.iter().map(copy);
        let line = |line: &UnixStream| Ok((line.try_clone()?.into(), LINE));
        sockets
            .chain(self.lines.iter().chain(&own).map(line))
            .collect()
    }

    /// Lets go of the sockets of an entry; a unix socket of ours is gone then.
    pub(super) fn close(&mut self, entry: Entry) {
        for path in self.own_paths(entry) {
            if let Err(error) = std::fs::remove_file(&path) {
                warn!("cannot remove {}: {error}", path.display());
            }
        }
        self.leave_behind(entry);
    }

    /// Lets go of all of them as if this process had never been: a path that it made must not stay behind, and at one of a
    /// predecessor's that one listens still.
    pub(super) fn give_back(&mut self) {
        self.all.retain(|socket| !socket.was_passed);
        self.close(Entry::Public);
    }

    /// Lets go of the sockets of an entry; somebody else listens on them.
    pub(super) fn leave_behind(&mut self, entry: Entry) {
        self.all.retain(|socket| socket.entry != entry);
    }

    fn own_paths(&self, entry: Entry) -> Vec<PathBuf> {
        let paths = self.of(entry).filter(|socket| socket.owner == Owner::Us);
        let paths = paths.filter_map(|socket| match &socket.address {
            Address::Unix(path) => Some(path.clone()),
            Address::Tcp(_) => None,
        });
        paths.collect()
    }

    fn of(&self, entry: Entry) -> impl Iterator<Item = &Socket> {
        self.all.iter().filter(move |socket| socket.entry == entry)
    }
}

/// What Pingora calls an address: as it is written in `ListenerConfig`.
fn name(address: &Address) -> String {
    match address {
        Address::Tcp(address) => address.to_string(),
        Address::Unix(path) => path.to_string_lossy().into_owned(),
    }
}
