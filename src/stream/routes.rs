//! Routes: how each relay is reached: its addresses, TLS, who we are to it, and how long it may take.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pingora::connectors::{ConnectorOptions, TransportConnector};
use pingora::listeners::ALPN;
use pingora::protocols::Stream;
use pingora::upstreams::peer::HttpPeer;
use secrecy::{ExposeSecret as _, SecretString};

use super::doorstep::Doorstep;
use crate::config::{Config, Credentials, RelayConfig, Upstream};
use crate::discovery::AddressBook;
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

    /// The time from the connection to the head of the answer.
    pub fn answer_timeout(&self) -> Duration {
        self.map.load().answer_timeout
    }

    /// The credentials for streams of one relay, encoded.
    pub fn basic(&self, id: RelayId) -> Option<SecretString> {
        self.map.load().ways.get(&id)?.basic.clone()
    }

    /// Where a relay is; `None` when its name never resolved.
    pub fn address(&self, relay: &Relay) -> Option<SocketAddr> {
        let addresses = self.book.addresses(&relay.url.host);
        Some(SocketAddr::new(*addresses.first()?, relay.url.port))
    }

    /// Connects, with TLS where the relay's url says so; waits for its turn where many want to go there at once.
    ///
    /// # Errors
    /// Nobody answers there in time, or it is not who it should be.
    pub async fn connect(
        &self,
        id: RelayId,
        relay: &Relay,
        address: SocketAddr,
    ) -> pingora::Result<Stream> {
        let map = self.map.load_full();
        let secure = relay.url.scheme == Scheme::Https;
        let mut peer = HttpPeer::new(address, secure, relay.url.host.clone());
        peer.options.connection_timeout = Some(map.connect_timeout);
        peer.options.total_connection_timeout = Some(map.connect_timeout);
        peer.options.alpn = ALPN::H1;
        let connect = || map.connector.new_stream(&peer);
        match map.ways.get(&id) {
            Some(way) => way.doorstep.cross(connect).await,
            None => connect().await,
        }
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
