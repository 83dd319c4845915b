//! Routes: how each relay is reached: its addresses, TLS, who we are to it, and how long it may take.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pingora::connectors::{ConnectorOptions, TransportConnector};
use pingora::listeners::ALPN;
use pingora::protocols::Stream;
use pingora::upstreams::peer::HttpPeer;
use secrecy::{ExposeSecret as _, SecretString};

use super::doorstep::Doorstep;
use crate::config::{Config, Credentials};
use crate::discovery::AddressBook;
use crate::fleet::{Relay, RelayId, Scheme};

/// How relays are reached.
pub struct Routes {
    connector: TransportConnector,
    book: AddressBook,
    /// `Basic` credentials of each relay, encoded, in the order of the roster.
    basic: Vec<Option<SecretString>>,
    doorsteps: Vec<Doorstep>,
    connect_timeout: Duration,
    /// The time from the connection to the head of the answer.
    pub answer_timeout: Duration,
}

impl std::fmt::Debug for Routes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Routes")
    }
}

impl Routes {
    /// Routes to the configured relays, whose addresses are in `book`.
    ///
    /// PINGORA: (0.9.1) a bad file of authorities panics here: it must have been read before.
    pub fn new(config: &Config, book: AddressBook) -> Self {
        let mut options = ConnectorOptions::new(0);
        let file = config.upstream.ca_file.as_deref();
        options.ca_file = file.map(|file| file.to_string_lossy().into_owned());
        let basic = |credentials: &Credentials| {
            let password = credentials.password.expose_secret();
            STANDARD
                .encode(format!("{}:{password}", credentials.username))
                .into()
        };
        let relays = config.relays.iter();
        Self {
            connector: TransportConnector::new(Some(options)),
            book,
            basic: relays
                .map(|relay| relay.credentials.as_ref().map(basic))
                .collect(),
            doorsteps: config.relays.iter().map(|_| Doorstep::default()).collect(),
            connect_timeout: config.stream.connect_timeout,
            answer_timeout: config.stream.answer_timeout,
        }
    }

    /// Routes to `relays` relays in `book`, which give each listener the time of `answer_timeout`.
    #[cfg(test)]
    pub fn bare(relays: usize, book: AddressBook, answer_timeout: Duration) -> Self {
        Self {
            connector: TransportConnector::new(Some(ConnectorOptions::new(0))),
            book,
            basic: Vec::new(),
            doorsteps: (0..relays).map(|_| Doorstep::default()).collect(),
            connect_timeout: answer_timeout,
            answer_timeout,
        }
    }

    /// The credentials for one relay, encoded.
    pub fn basic(&self, id: RelayId) -> Option<&str> {
        let secret = self.basic.get(id.index())?.as_ref()?;
        Some(secret.expose_secret())
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
        let secure = relay.url.scheme == Scheme::Https;
        let mut peer = HttpPeer::new(address, secure, relay.url.host.clone());
        peer.options.connection_timeout = Some(self.connect_timeout);
        peer.options.total_connection_timeout = Some(self.connect_timeout);
        peer.options.alpn = ALPN::H1;
        let connect = || self.connector.new_stream(&peer);
        match self.doorsteps.get(id.index()) {
            Some(doorstep) => doorstep.cross(connect).await,
            None => connect().await,
        }
    }
}

/// Routes of this balancer, shared by its streams.
pub type SharedRoutes = Arc<Routes>;
