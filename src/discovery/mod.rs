//! Discovery: who the relays are and where they are reached.
//!
//! In: the configured relays, the name server's answers. Out: Pingora's backends, one per relay, and the address book
//! that polls and streams connect by: every address of a name, with its health, tried by `race`.

mod address_health;
mod backend;
mod book;
mod race;
mod resolve;

use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use futures_util::future::join_all;
use pingora_load_balancing::Backend;
use pingora_load_balancing::discovery::ServiceDiscovery;

pub use address_health::{AddressState, KnownAddress};
pub use backend::{backend_of, relay_of};
pub use book::AddressBook;
pub use race::{ATTEMPT_DELAY, Entrant, NoWinner, race};

use crate::fleet::{Relay, RelayId};
use resolve::Name;

/// How long the first discovery waits for the name server: polls cannot begin without it.
const FIRST_WAIT: Duration = Duration::from_secs(2);

/// How long a later one waits; an answer after that is seen by the next discovery, and by the next poll at once.
///
/// PINGORA: health checks wait while discovery runs, so a slow name server must not hold it.
const LATER_WAIT: Duration = Duration::from_millis(200);

/// The configured relays as Pingora's backends, their names resolved again at each call. Clones are one discovery.
#[derive(Clone)]
pub struct RelayDiscovery(Arc<Inquiry>);

struct Inquiry {
    roster: ArcSwap<Roster>,
    book: AddressBook,
    began: AtomicBool,
}

/// Who is to be found.
#[derive(Default)]
struct Roster {
    relays: Vec<(RelayId, Arc<Relay>)>,
    names: Vec<Arc<Name>>,
}

impl RelayDiscovery {
    /// Discovery of nobody yet; addresses are noted in `book`.
    pub fn new(book: AddressBook) -> Self {
        Self(Arc::new(Inquiry {
            roster: ArcSwap::default(),
            book,
            began: AtomicBool::new(false),
        }))
    }

    /// Finds these relays from now on; names that were looked for before go on where they are.
    pub fn look_for(&self, relays: Vec<(RelayId, Arc<Relay>)>) {
        let book = &self.0.book;
        let hosts = relays.iter().map(|(_, relay)| relay.url.host.as_str());
        let (literal, named): (BTreeSet<&str>, BTreeSet<&str>) =
            hosts.partition(|host| host.parse::<IpAddr>().is_ok());
        let ends = relays.iter().map(|(_, relay)| &relay.url);
        book.keep(&ends.map(|url| (url.host.as_str(), url.port)).collect());
        for host in literal {
            if let Ok(ip) = host.parse() {
                book.note(host, &[ip]);
            }
        }
        let before = self.0.roster.load();
        let known = |host: &str| {
            before
                .names
                .iter()
                .find(|name| name.host() == host)
                .cloned()
        };
        let name = |host: &str| Arc::new(Name::new(host.to_owned(), book.clone()));
        let names = named
            .into_iter()
            .map(|host| known(host).unwrap_or_else(|| name(host)))
            .collect();
        self.0.roster.store(Arc::new(Roster { relays, names }));
    }
}

impl Inquiry {
    /// Lets every name resolve, each in a task of its own, and waits a little for the answers.
    async fn refresh(&self, names: &[Arc<Name>]) {
        let tasks = names.iter().map(|name| {
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
        let roster = self.0.roster.load_full();
        self.0.refresh(&roster.names).await;
        let relays = roster.relays.iter();
        let backends = relays.map(|(id, relay)| self.0.backend(*id, relay));
        Ok((backends.collect(), HashMap::new()))
    }
}
