//! Routes: how each relay is reached: its addresses, TLS, who we are to it, and how long it may take.
//!
//! A relay whose name has several addresses is reached at the first that answers.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pingora::connectors::{ConnectorOptions, TransportConnector};
use pingora::listeners::ALPN;
use pingora::protocols::Stream;
use pingora::upstreams::peer::HttpPeer;
use secrecy::{ExposeSecret as _, SecretString};

use super::doorstep::Doorstep;
use super::link::Link;
use crate::config::{Config, Credentials, RelayConfig, Upstream};
use crate::discovery::{
    ATTEMPT_DELAY, AddressBook, AddressState, Entrant, KnownAddress, NoWinner, race,
};
use crate::fleet::{Relay, RelayId, Scheme};

/// How relays are reached: as the newest configuration says, for streams that began before it too.
pub struct Routes {
    book: AddressBook,
    map: ArcSwap<Map>,
}

/// The ways as one configuration has them.
struct Map {
    connector: Arc<TransportConnector>,
    has_own_authorities: bool,
    ways: HashMap<RelayId, Way>,
    connect_timeout: Duration,
    answer_timeout: Duration,
}

/// The way to one relay.
#[derive(Default)]
struct Way {
    /// `Basic` credentials for streams, encoded.
    ///
    /// SECURITY: never those of the status page: listeners choose the mount and the query, and so what is opened.
    basic: Option<SecretString>,
    doorstep: Arc<Doorstep>,
}

impl std::fmt::Debug for Routes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Routes")
    }
}

impl Routes {
    /// Routes to nobody yet; the addresses of relays are in `book`.
    pub fn new(book: AddressBook) -> Self {
        let map = Map {
            connector: Arc::new(connector(None)),
            has_own_authorities: false,
            ways: HashMap::new(),
            connect_timeout: Duration::ZERO,
            answer_timeout: Duration::ZERO,
        };
        Self {
            book,
            map: ArcSwap::from_pointee(map),
        }
    }

    /// What connects as a configuration wants it.
    ///
    /// PINGORA: (0.9.1) a bad file of authorities panics here: it must have been read before.
    pub fn connector(&self, upstream: &Upstream) -> Arc<TransportConnector> {
        let before = self.map.load();
        // What is in a file may have changed; the public authorities have not.
        match (&upstream.ca_file, before.has_own_authorities) {
            (None, false) => before.connector.clone(),
            (file, _) => Arc::new(connector(file.as_deref())),
        }
    }

    /// Leads to the relays of a configuration from now on, whose ids are `ids`, in its order, by its `connector`.
    pub fn lead_to(&self, config: &Config, ids: &[RelayId], connector: Arc<TransportConnector>) {
        let before = self.map.load();
        let way = |(id, relay): (&RelayId, &RelayConfig)| {
            let known = before.ways.get(id).map(|way| way.doorstep.clone());
            let way = Way {
                basic: relay.stream_credentials.as_ref().map(basic),
                doorstep: known.unwrap_or_default(),
            };
            (*id, way)
        };
        self.map.store(Arc::new(Map {
            connector,
            has_own_authorities: config.upstream.ca_file.is_some(),
            ways: ids.iter().zip(&config.relays).map(way).collect(),
            connect_timeout: config.stream.connect_timeout,
            answer_timeout: config.stream.answer_timeout,
        }));
    }

    /// Routes to `relays` relays in `book`, which give each listener the time of `answer_timeout`.
    #[cfg(test)]
    pub fn bare(relays: usize, book: AddressBook, answer_timeout: Duration) -> Self {
        let ids = (0..relays as u32).map(RelayId);
        let map = Map {
            connector: Arc::new(connector(None)),
            has_own_authorities: false,
            ways: ids.map(|id| (id, Way::default())).collect(),
            connect_timeout: answer_timeout,
            answer_timeout,
        };
        Self {
            book,
            map: ArcSwap::from_pointee(map),
        }
    }

    /// Time from the request to the first audio.
    pub fn answer_timeout(&self) -> Duration {
        self.map.load().answer_timeout
    }

    /// The credentials for streams of one relay, encoded.
    pub fn basic(&self, id: RelayId) -> Option<SecretString> {
        self.map.load().ways.get(&id)?.basic.clone()
    }

    /// The address of a relay that is tried first; `None` when its name never resolved.
    pub fn address(&self, relay: &Relay) -> Option<SocketAddr> {
        Some(self.addresses(relay)?.first()?.address)
    }

    /// The addresses of a relay in the order in which they are tried; `None` when its name never resolved.
    pub fn addresses(&self, relay: &Relay) -> Option<Vec<KnownAddress>> {
        let order = self.book.stream_order(&relay.url.host, relay.url.port);
        (!order.is_empty()).then_some(order)
    }

    /// Connects to the first of `addresses` that answers, with TLS where the relay's url says so; queues
    /// behind other connections to the same relay. Returns the connection and its address.
    ///
    /// # Errors
    /// Nobody answers there in time, or it is not who it should be.
    pub async fn connect(
        &self,
        id: RelayId,
        relay: &Relay,
        addresses: &[KnownAddress],
    ) -> pingora::Result<(Stream, SocketAddr)> {
        let map = self.map.load_full();
        let unknown = Arc::default();
        let doorstep = map.ways.get(&id).map_or(&unknown, |way| &way.doorstep);
        doorstep.await_turn().await;
        let connect = |address: SocketAddr| {
            let peer = map.peer(relay, address);
            let (connector, doorstep) = (&map.connector, doorstep.clone());
            async move { doorstep.knock(|| connector.new_stream(&peer)).await }
        };
        if let [only] = addresses {
            let connected = connect(only.address).await;
            if connected.is_err() {
                self.note_failure(relay, only.address);
            }
            return Ok((connected?, only.address));
        }
        let deadline = Instant::now() + map.connect_timeout;
        let entrants = entrants(addresses, doorstep.took());
        let fail = |address| self.note_failure(relay, address);
        let won = race(&entrants, deadline.into(), connect, fail).await;
        won.map(|(address, stream)| (stream, address))
            .map_err(no_address_answers)
    }

    /// Notes that a relay answered at one of its addresses.
    pub fn note_answer(&self, relay: &Relay, address: SocketAddr) {
        let host = &relay.url.host;
        self.book.note_answer(host, address, Instant::now());
    }

    /// Notes that a connection to a relay fell silent: the next one tries its other addresses first.
    pub fn note_silence(&self, relay: &Relay, link: &Link) {
        if let Some(address) = link.address() {
            self.note_failure(relay, address);
        }
    }

    /// Notes that a relay failed at one of its addresses: the next connection tries the others first.
    pub fn note_failure(&self, relay: &Relay, address: SocketAddr) {
        let host = &relay.url.host;
        self.book.note_failure(host, address, Instant::now());
    }
}

impl Map {
    fn peer(&self, relay: &Relay, address: SocketAddr) -> HttpPeer {
        let secure = relay.url.scheme == Scheme::Https;
        let mut peer = HttpPeer::new(address, secure, relay.url.host.clone());
        peer.options.connection_timeout = Some(self.connect_timeout);
        peer.options.total_connection_timeout = Some(self.connect_timeout);
        peer.options.alpn = ALPN::H1;
        peer
    }
}

/// Each address and its head start: the usual delay, and more for a working address of a relay that is far away.
fn entrants(addresses: &[KnownAddress], took: Duration) -> Vec<Entrant> {
    let entrant = |known: &KnownAddress| Entrant {
        address: known.address,
        head_start: match known.state() {
            AddressState::Working => ATTEMPT_DELAY.max(2 * took),
            AddressState::Untried | AddressState::Failed => ATTEMPT_DELAY,
        },
    };
    addresses.iter().map(entrant).collect()
}

/// The error of a relay of which no address answers: that of its first address, or the deadline's.
fn no_address_answers(none: NoWinner<Box<pingora::Error>>) -> Box<pingora::Error> {
    let timed_out = || {
        pingora::Error::explain(
            pingora::ErrorType::ConnectTimedout,
            "no address answers in time",
        )
    };
    match none {
        NoWinner::TimedOut => timed_out(),
        NoWinner::Failed(errors) => errors.into_iter().next().unwrap_or_else(timed_out),
    }
}

/// Connects to those whom the authorities in `ca_file`, or else the public ones, vouch for.
fn connector(ca_file: Option<&Path>) -> TransportConnector {
    let mut options = ConnectorOptions::new(0);
    options.ca_file = ca_file.map(|file| file.to_string_lossy().into_owned());
    TransportConnector::new(Some(options))
}

fn basic(credentials: &Credentials) -> SecretString {
    let password = credentials.password.expose_secret();
    STANDARD
        .encode(format!("{}:{password}", credentials.username))
        .into()
}

/// Routes of this balancer, shared by its streams.
pub type SharedRoutes = Arc<Routes>;
