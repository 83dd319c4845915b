//! Name resolution for polls: the address book's word, never a lookup of its own.
//!
//! In: a host name. Out: the addresses that discovery found. Poller and front door so speak to the same machine.

use std::net::SocketAddr;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::discovery::AddressBook;

/// The host has no address in the book.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{host} does not resolve")]
pub(super) struct NotInBook {
    host: String,
}

/// Answers reqwest from the book.
#[derive(Debug)]
pub(super) struct BookResolver(pub(super) AddressBook);

impl Resolve for BookResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let addresses = self.0.addresses(name.as_str());
        let host = name.as_str().to_owned();
        Box::pin(async move {
            if addresses.is_empty() {
                return Err(NotInBook { host }.into());
            }
            // Port 0 means the URL's port.
            let sockets: Vec<_> = addresses.iter().map(|ip| SocketAddr::new(*ip, 0)).collect();
            Ok(Box::new(sockets.into_iter()) as Addrs)
        })
    }
}
