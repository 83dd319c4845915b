//! The door of the operator's address: TLS where it is wanted, and an end for whoever says nothing.
//!
//! In: accepted connections. Out: requests for the pages. A crowd keeps nobody out: the oldest connection gives way to the newest, as
//! whoever is hung up on would be one who has just come to ask.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use log::{debug, warn};
use pingora::apps::ServerApp;
use pingora::listeners::tls::Acceptor;
use pingora::protocols::http::ServerSession;
use pingora::protocols::l4::stream::Stream as L4Stream;
use pingora::protocols::{SocketDigest, Stream};
use pingora::server::ShutdownWatch;
use pingora::time::timeout;
use rustls::ServerConfig;

use super::AdminPages;
use crate::config::Limits;
use crate::front::{Budget, Crowd};

/// Monitoring, dashboards and some operators have a dozen connections.
const CONNECTIONS: usize = 256;

/// As at the public addresses.
const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(10);

/// PINGORA: (0.9.1) waits 60 s for each byte of a request. Who has come to ask asks, and takes the answer, in this time.
const FIRST_DEADLINE: Duration = Duration::from_secs(30);

/// Between two requests Pingora keeps a connection for 60 s.
const LATER_DEADLINE: Duration = Duration::from_secs(90);

/// Lets operators and what watches us in.
pub struct AdminDoor {
    pages: Arc<AdminPages>,
    acceptor: Option<Acceptor>,
    budget: Arc<Budget>,
    crowd: Crowd,
}

impl AdminDoor {
    /// A door to these pages, with TLS on these terms where there are some.
    pub fn to(pages: AdminPages, terms: Option<Arc<ServerConfig>>) -> Self {
        Self {
            pages: Arc::new(pages),
            acceptor: terms.map(Acceptor::from_server_config),
            budget: Arc::new(Budget::new(Limits {
                connections: Some(CONNECTIONS),
                ..Limits::default()
            })),
            crowd: Crowd::default(),
        }
    }

    /// Serves a connection to its end.
    async fn serve(&self, stream: Stream, shutdown: &ShutdownWatch) -> Option<()> {
        let stream = match &self.acceptor {
            None => stream,
            // On the heap: a handshake needs 7 KB, which the connection would keep until it ends.
            Some(acceptor) => Box::pin(self.secure(acceptor, stream)).await?,
        };
        let mut session = ServerSession::new_http1(stream);
        let mut deadline = FIRST_DEADLINE;
        let mut was_answered = false;
        loop {
            let answered = timeout(deadline, self.pages.serve(session, shutdown, was_answered));
            let (stream, settings) = answered.await.ok()??.consume();
            session = ServerSession::new_http1(stream);
            if let Some(settings) = settings {
                settings.apply_to_session(&mut session);
            }
            deadline = LATER_DEADLINE;
            was_answered = true;
        }
    }

    async fn secure(&self, acceptor: &Acceptor, stream: Stream) -> Option<Stream> {
        let peer = stream.get_socket_digest();
        let stream = stream.into_any().downcast::<L4Stream>().ok()?;
        let shaken = timeout(HANDSHAKE_DEADLINE, acceptor.tls_handshake(*stream)).await;
        match shaken {
            Ok(Ok(stream)) => return Some(Box::new(stream)),
            Ok(Err(error)) => self.tell(&error.to_string(), peer.as_deref()),
            Err(_) => debug!("no TLS handshake at the admin bind within {HANDSHAKE_DEADLINE:?}"),
        }
        None
    }

    /// PINGORA: (0.9.1) hands on the reason of rustls as the end of a text only.
    fn tell(&self, error: &str, peer: Option<&SocketDigest>) {
        let reason = error.rsplit("tls connect error: ").next();
        let reason = reason.unwrap_or(error);
        // Whoever only tries whether the port is open says nothing, and is no stranger.
        let is_stranger = !reason.ends_with("handshake eof");
        let Some(count) = is_stranger.then(|| self.crowd.due()).flatten() else {
            debug!("no TLS handshake at the admin bind: {reason}");
            return;
        };
        let peer = peer.and_then(|peer| peer.peer_addr());
        let peer = peer.map_or_else(String::new, ToString::to_string);
        warn!(
            "{peer} was not let in at the admin bind: {reason} ({count} since the last such line)"
        );
    }
}

#[async_trait]
impl ServerApp for AdminDoor {
    async fn process_new(
        self: &Arc<Self>,
        stream: Stream,
        shutdown: &ShutdownWatch,
    ) -> Option<Stream> {
        // Where it comes from does not count here.
        let pass = self.budget.admit(None).ok()?;
        let served = self.serve(stream, shutdown);
        if pass.place().rest_during(served).await.is_none() {
            debug!("a connection at the admin bind made room for a newer one");
        }
        None
    }
}
