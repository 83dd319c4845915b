//! The entrance: what becomes of a connection before its first request. It is counted, and where its bind says so it begins
//! with what a proxy in front has to say, and with TLS.
//!
//! In: accepted connections. Out: those that are let in, and speak HTTP from here on.
//!
//! PINGORA: (0.9.1) its own listeners give a handshake 60 s, and make the TLS configuration themselves, without tickets; its
//! acceptor takes any, so the handshake is made here. Its digest of a socket can be exchanged: that is how the rest of the house
//! hears of the one behind a proxy.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use log::debug;
use pingora::listeners::tls::Acceptor;
use pingora::protocols::l4::socket::SocketAddr as PingoraAddr;
use pingora::protocols::l4::stream::Stream as L4Stream;
use pingora::protocols::{SocketDigest, Stream};
use pingora::time::timeout;
use rustls::ServerConfig;

use super::budget::{Budget, Over, Pass};
use super::crowd::Crowd;
use super::edition::Editions;
use super::{hello, proxy_protocol};
use crate::config::{Address, Bind};

/// From a connection until its first request may begin.
const ENTRY_DEADLINE: Duration = Duration::from_secs(10);

/// What the entrance is made of.
pub struct Entrance {
    /// Where one comes in.
    pub ways: Vec<Way>,
    /// How many are let in.
    pub budget: Arc<Budget>,
    /// What the configuration says of whose word on who connects is believed.
    pub editions: Editions,
}

/// A way in.
pub struct Way {
    /// Where, and what is said first.
    pub bind: Bind,
    /// The TLS that is spoken there.
    pub terms: Option<Arc<ServerConfig>>,
}

/// Lets connections in.
pub struct Porter {
    entrance: Entrance,
    crowd: Crowd,
}

impl Porter {
    /// A porter at this entrance.
    pub fn at(entrance: Entrance) -> Self {
        Self {
            entrance,
            crowd: Crowd::default(),
        }
    }

    /// Lets a connection in, with the pass that counts it; `None` when it is of no use.
    pub async fn receive(&self, stream: Stream) -> Option<(Stream, Pass)> {
        let way = self.way_of(&stream)?;
        // Who is behind a proxy is not known yet.
        let digest = stream
            .get_socket_digest()
            .filter(|_| !way.bind.proxy_protocol);
        let address = digest.and_then(|digest| ip(&digest));
        let pass = self.let_in(self.entrance.budget.admit(address))?;
        if way.terms.is_none() && !way.bind.proxy_protocol {
            return Some((stream, pass));
        }
        let place = pass.place().clone();
        let prepared = timeout(ENTRY_DEADLINE, self.prepare(stream, pass, way));
        let received = place.rest_during(prepared).await?;
        received.unwrap_or_else(|_| {
            debug!("a connection did not begin within {ENTRY_DEADLINE:?}");
            None
        })
    }

    async fn prepare(&self, stream: Stream, pass: Pass, way: &Way) -> Option<(Stream, Pass)> {
        let (mut stream, mut pass) = (stream, pass);
        if way.bind.proxy_protocol
            && let Some(listener) = self.hear_proxy(&mut stream, &way.bind).await?
        {
            pass = self.let_in(pass.on_behalf_of(listener.ip()))?;
        }
        if let Some(terms) = &way.terms {
            let mut begun = stream.into_any().downcast::<L4Stream>().ok()?;
            if !matches!(hello::wait(&mut begun).await, Ok(true)) {
                debug!("no TLS handshake: the connection ended before it began");
                return None;
            }
            // On the heap: a handshake needs 7 KB, which each connection would have from its beginning to its end.
            stream = Box::pin(secure(begun, terms.clone())).await?;
        }
        Some((stream, pass))
    }

    fn let_in(&self, admitted: Result<Pass, Over>) -> Option<Pass> {
        admitted.inspect_err(|over| self.crowd.note(*over)).ok()
    }

    /// Hears whom a proxy speaks for; `Some(None)` when for itself.
    ///
    /// SECURITY: anybody could say anything, so only proxies of one's own are listened to.
    async fn hear_proxy(&self, stream: &mut Stream, bind: &Bind) -> Option<Option<SocketAddr>> {
        let proxy = ip(&SocketDigest::from_raw_fd(stream.id()));
        // Only this machine reaches a unix socket.
        let is_near = matches!(bind.address, Address::Unix(_));
        let edition = self.entrance.editions.load();
        let is_trusted = |proxy: IpAddr| {
            edition
                .trusted_proxies
                .iter()
                .any(|net| net.contains(&proxy))
        };
        if !is_near && !proxy.is_some_and(is_trusted) {
            debug!("no PROXY protocol is believed from {proxy:?}");
            return None;
        }
        match proxy_protocol::read(stream).await {
            Ok(Some(listener)) => {
                let digest = SocketDigest::from_raw_fd(stream.id());
                // A new digest has nothing in that place.
                let _ = digest.peer_addr.set(Some(PingoraAddr::Inet(listener)));
                stream.set_socket_digest(digest);
                Some(Some(listener))
            }
            Ok(None) => Some(None),
            Err(error) => {
                debug!("from {proxy:?}: {error}");
                None
            }
        }
    }

    /// The way that a connection came by: the bind with its local address, else the one for all addresses of that port.
    fn way_of(&self, stream: &Stream) -> Option<&Way> {
        let ways = &self.entrance.ways;
        if let [only] = ways.as_slice() {
            return Some(only);
        }
        let digest = stream.get_socket_digest()?;
        let local = local_of(digest.local_addr()?)?;
        let exact = ways.iter().find(|way| way.bind.address == local);
        // Beside one for all IPv4 addresses, the one for all of IPv6 takes no others.
        let is_ipv6 = |way: &&Way| matches!(way.bind.address, Address::Tcp(bind) if bind.is_ipv6());
        let wide = ways.iter().filter(|way| covers(&way.bind.address, &local));
        exact.or_else(|| wide.min_by_key(is_ipv6))
    }
}

async fn secure(stream: Box<L4Stream>, terms: Arc<ServerConfig>) -> Option<Stream> {
    let acceptor = Acceptor::from_server_config(terms);
    match acceptor.tls_handshake(*stream).await {
        Ok(stream) => Some(Box::new(stream)),
        Err(error) => {
            debug!("no TLS handshake: {error}");
            None
        }
    }
}

fn ip(digest: &SocketDigest) -> Option<IpAddr> {
    Some(digest.peer_addr()?.as_inet()?.ip().to_canonical())
}

fn local_of(address: &PingoraAddr) -> Option<Address> {
    match address {
        PingoraAddr::Inet(address) => {
            let ip = address.ip().to_canonical();
            Some(Address::Tcp(SocketAddr::new(ip, address.port())))
        }
        PingoraAddr::Unix(address) => {
            let path = address.as_pathname()?;
            Some(Address::Unix(PathBuf::from(path)))
        }
    }
}

/// Whether a bind takes connections to this address because it takes those to all.
fn covers(bind: &Address, local: &Address) -> bool {
    let (Address::Tcp(bind), Address::Tcp(local)) = (bind, local) else {
        return false;
    };
    let reaches = bind.is_ipv6() || local.is_ipv4();
    bind.ip().is_unspecified() && bind.port() == local.port() && reaches
}
