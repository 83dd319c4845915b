//! The address book: which addresses each relay's host name had when it last resolved.
//!
//! Written by discovery, read by the poller, so that both speak to the same machine.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;

/// Host names and their last known addresses; clones share one book.
#[derive(Debug, Clone, Default)]
pub struct AddressBook(Arc<ArcSwap<HashMap<String, Arc<[IpAddr]>>>>);

impl AddressBook {
    /// The last known addresses of `host`, preferred first; empty when it never resolved.
    pub fn addresses(&self, host: &str) -> Arc<[IpAddr]> {
        let book = self.0.load();
        book.get(host).cloned().unwrap_or_else(|| Arc::from([]))
    }

    /// Replaces what the book says about `host`; returns whether that changed it.
    pub fn note(&self, host: &str, addresses: &[IpAddr]) -> bool {
        if *self.addresses(host) == *addresses {
            return false;
        }
        self.0.rcu(|book| {
            let mut book = HashMap::clone(book);
            book.insert(host.to_owned(), Arc::from(addresses));
            book
        });
        true
    }

    /// Forgets the hosts that are not `wanted`.
    pub fn keep(&self, wanted: impl Fn(&str) -> bool) {
        self.0.rcu(|book| {
            let mut book = HashMap::clone(book);
            book.retain(|host, _| wanted(host));
            book
        });
    }
}
