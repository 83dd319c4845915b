//! Name resolution for polls: the address book's word, never a lookup of its own.
//!
//! In: a host name. Out: the addresses that discovery found, or the one that the request is for. Polls and streams so connect
//! to the same machine.

use std::future::Future;
use std::net::SocketAddr;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::discovery::AddressBook;

/// The host has no address in the book.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{host} does not resolve")]
pub(super) struct NotInBook {
    host: String,
}

impl NotInBook {
    /// The error for this host.
    pub(super) fn new(host: &str) -> Self {
        Self {
            host: host.to_owned(),
        }
    }
}

tokio::task_local! {
    /// The only address that the request of this task may use.
    ///
    /// reqwest (0.13) resolves and connects in the task that sends when it keeps no connections. In another task the book's
    /// whole list would be used, which is right too.
    static ONLY: SocketAddr;
}

/// Lets `request` connect to this address, whatever its host name has beside it.
pub(super) async fn connecting_to<F: Future>(address: SocketAddr, request: F) -> F::Output {
    ONLY.scope(address, request).await
}

/// Answers reqwest from the book.
#[derive(Debug)]
pub(super) struct BookResolver(pub(super) AddressBook);

impl Resolve for BookResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let addresses = match ONLY.try_with(SocketAddr::ip) {
            Ok(only) => vec![only],
            Err(_) => self.0.addresses(name.as_str()),
        };
        let unknown = NotInBook::new(name.as_str());
        Box::pin(async move {
            if addresses.is_empty() {
                return Err(unknown.into());
            }
            // Port 0 means the URL's port.
            let sockets: Vec<_> = addresses.iter().map(|ip| SocketAddr::new(*ip, 0)).collect();
            Ok(Box::new(sockets.into_iter()) as Addrs)
        })
    }
}
