//! Discovery: who the relays are and where they are reached.
//!
//! In: the configured relays, the name server's answers. Out: Pingora's backends, one per relay, and the address book
//! that the poller connects by.

mod backend;
mod book;
mod resolve;

use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;
use pingora_load_balancing::Backend;
use pingora_load_balancing::discovery::ServiceDiscovery;

pub use backend::{backend_of, relay_of};
pub use book::AddressBook;

use crate::fleet::{Relay, RelayId};
use resolve::Name;

/// How long the first discovery waits for the name server: polls cannot begin without it.
const FIRST_WAIT: Duration = Duration::from_secs(2);

/// How long a later one waits; an answer after that is seen by the next discovery, and by the next poll at once.
///
/// PINGORA: health checks wait while discovery runs, so a slow name server must not hold it.
const LATER_WAIT: Duration = Duration::from_millis(200);

/// The configured relays as Pingora's backends, their names resolved again at each call.
pub struct RelayDiscovery {
    relays: Vec<Arc<Relay>>,
    names: Vec<Arc<Name>>,
    book: AddressBook,
    began: AtomicBool,
}

impl RelayDiscovery {
    /// Discovery of these relays; addresses are noted in `book`.
    pub fn new(relays: Vec<Arc<Relay>>, book: AddressBook) -> Self {
        let hosts = relays.iter().map(|relay| relay.url.host.as_str());
        let (literal, named): (BTreeSet<&str>, BTreeSet<&str>) =
            hosts.partition(|host| host.parse::<IpAddr>().is_ok());
        for host in literal {
            if let Ok(ip) = host.parse() {
                book.note(host, &[ip]);
            }
        }
        let names = named
            .into_iter()
            .map(|host| Arc::new(Name::new(host.to_owned(), book.clone())))
            .collect();
        Self {
            relays,
            names,
            book,
            began: AtomicBool::new(false),
        }
    }

    /// Lets every name resolve, each in a task of its own, and waits a little for the answers.
    async fn refresh(&self) {
        let tasks = self.names.iter().map(|name| {
            let name = name.clone();
            tokio::spawn(async move { name.refresh().await })
        });
        let wait = if self.began.swap(true, Ordering::AcqRel) {
            LATER_WAIT
        } else {
            FIRST_WAIT
        };
        // Late answers are noted by their tasks; there is nothing to do about them here.
        let _ = tokio::time::timeout(wait, join_all(tasks)).await;
    }

    /// The backend of a relay; one whose name never resolved has no address, fails its polls and says why.
    fn backend(&self, id: RelayId, relay: &Relay) -> Backend {
        let known = self.book.addresses(&relay.url.host);
        let nowhere = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        let ip = known.first().copied().unwrap_or(nowhere);
        backend_of(id, SocketAddr::new(ip, relay.url.port))
    }
}

#[async_trait]
impl ServiceDiscovery for RelayDiscovery {
    async fn discover(&self) -> pingora::Result<(BTreeSet<Backend>, HashMap<u64, bool>)> {
        self.refresh().await;
        let ids = (0..).map(RelayId);
        let backends = ids
            .zip(&self.relays)
            .map(|(id, relay)| self.backend(id, relay))
            .collect();
        Ok((backends, HashMap::new()))
    }
}
