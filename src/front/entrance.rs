//! The entrance: what becomes of a connection before its first request. Where its bind says so it begins with TLS.
//!
//! In: accepted connections. Out: those that speak HTTP from here on.
//!
//! PINGORA: (0.9.1) its own listeners give a handshake 60 s, and make the TLS configuration themselves, without tickets; its
//! acceptor takes any, so the handshake is made here.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use log::debug;
use pingora::listeners::tls::Acceptor;
use pingora::protocols::Stream;
use pingora::protocols::l4::socket::SocketAddr as PingoraAddr;
use pingora::protocols::l4::stream::Stream as L4Stream;
use pingora::time::timeout;
use rustls::ServerConfig;

use crate::config::{Address, Bind};

/// From a connection until its first request may begin.
const ENTRY_DEADLINE: Duration = Duration::from_secs(10);

/// What is spoken at the binds.
pub struct Entrance {
    binds: Vec<Bind>,
    acceptor: Option<Acceptor>,
}

impl Entrance {
    /// An entrance for these binds; `tls` is spoken at those that want it.
    pub fn new(binds: &[Bind], tls: Option<Arc<ServerConfig>>) -> Self {
        Self {
            binds: binds.to_vec(),
            acceptor: tls.map(Acceptor::from_server_config),
        }
    }

    /// Lets a connection in; `None` when it is of no use.
    pub async fn receive(&self, stream: Stream) -> Option<Stream> {
        let bind = self.bind_of(&stream)?;
        if !bind.tls {
            return Some(stream);
        }
        let secured = timeout(ENTRY_DEADLINE, self.secure(stream)).await;
        match secured {
            Ok(secured) => secured,
            Err(_) => {
                debug!("no TLS handshake within {ENTRY_DEADLINE:?}");
                None
            }
        }
    }

    async fn secure(&self, stream: Stream) -> Option<Stream> {
        let acceptor = self.acceptor.as_ref()?;
        let stream = stream.into_any().downcast::<L4Stream>().ok()?;
        match acceptor.tls_handshake(*stream).await {
            Ok(stream) => Some(Box::new(stream)),
            Err(error) => {
                debug!("no TLS handshake: {error}");
                None
            }
        }
    }

    /// The bind that a connection came by: the one with its local address, else the one for all addresses of that port.
    fn bind_of(&self, stream: &Stream) -> Option<&Bind> {
        if let [only] = self.binds.as_slice() {
            return Some(only);
        }
        let digest = stream.get_socket_digest()?;
        let local = local_of(digest.local_addr()?)?;
        let exact = self.binds.iter().find(|bind| bind.address == local);
        exact.or_else(|| self.binds.iter().find(|bind| covers(&bind.address, &local)))
    }
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
    bind.ip().is_unspecified() && bind.port() == local.port()
}
