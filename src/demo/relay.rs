//! A demo relay: a server on loopback that a player and a balancer cannot tell from Icecast 2.4.4.
//!
//! Comes in: a programme's feed. Goes out: the mount and the status page over TCP. Can be killed and revived,
//! which is what the demo is about.

use super::feed::Feed;
use super::serve::{House, serve};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::select;
use tokio::task::{JoinHandle, JoinSet};

/// More would be no demo any more; those beyond it are closed unanswered.
const CONNECTION_LIMIT: usize = 2000;
/// SECURITY: without a pause an accept that fails at once (no file descriptors left) would take a whole core.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Below what systems hand out to outgoing connections (Linux: from 32768). A dead relay's port must still be free
/// when it comes back, and the demo's own listeners would take it by chance.
const PORTS: std::ops::Range<u16> = 20_000..32_000;
/// With even half of the ports taken, all 64 fail once in 10^19 starts.
const PORT_TRIES: u32 = 64;

/// A relay of the demo.
#[derive(Debug)]
pub struct DemoRelay {
    name: String,
    address: SocketAddr,
    feed: Feed,
    alive: Option<Alive>,
}

/// What a dead relay has not.
#[derive(Debug)]
struct Alive {
    house: Arc<House>,
    accepting: JoinHandle<()>,
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl DemoRelay {
    /// Starts a relay on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// When no port can be bound.
    pub async fn start(name: impl Into<String>, feed: Feed) -> io::Result<Self> {
        let listener = bind_any().await?;
        let address = listener.local_addr()?;
        let mut relay = Self {
            name: name.into(),
            address,
            feed,
            alive: None,
        };
        relay.open(listener);
        Ok(relay)
    }

    /// What the demo calls it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it listens, dead or alive.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether it listens now.
    pub fn is_alive(&self) -> bool {
        self.alive.is_some()
    }

    /// How many hear it now; its status page says the same.
    pub fn listeners(&self) -> u32 {
        self.alive
            .as_ref()
            .map_or(0, |alive| alive.house.listeners())
    }

    /// Closes the relay's port and breaks off its listeners, as when its machine loses its process.
    ///
    /// When it returns the port is closed.
    pub async fn kill(&mut self) {
        if let Some(mut alive) = self.alive.take() {
            alive.accepting.abort();
            // It was aborted: there is nothing to learn from how it ended.
            let _ = (&mut alive.accepting).await;
        }
    }

    /// Opens a killed relay again, on the same port; does nothing to one that lives.
    ///
    /// # Errors
    /// When the port cannot be bound (taken meanwhile); the relay stays dead and may be revived later.
    pub async fn revive(&mut self) -> io::Result<()> {
        if self.alive.is_none() {
            let listener = TcpListener::bind(self.address).await?;
            self.open(listener);
        }
        Ok(())
    }

    fn open(&mut self, listener: TcpListener) {
        let house = Arc::new(House::new(self.feed.clone(), self.address.port()));
        let accepting = tokio::spawn(accept(listener, Arc::clone(&house)));
        self.alive = Some(Alive { house, accepting });
    }
}

async fn bind_any() -> io::Result<TcpListener> {
    for _ in 0..PORT_TRIES {
        let address = (Ipv4Addr::LOCALHOST, fastrand::u16(PORTS));
        if let Ok(listener) = TcpListener::bind(address).await {
            return Ok(listener);
        }
    }
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await
}

/// Serves whoever comes; ends never, and takes all its connections along when it is aborted.
async fn accept(listener: TcpListener, house: Arc<House>) {
    let mut connections = JoinSet::new();
    loop {
        select! {
            accepted = listener.accept() => match accepted {
                Ok((socket, _)) if connections.len() < CONNECTION_LIMIT => {
                    // ICECAST: sends each block at once; Nagle would hold it back for the listener's acknowledgement.
                    let _ = socket.set_nodelay(true);
                    connections.spawn(serve(socket, Arc::clone(&house)));
                }
                Ok(_) => {}
                Err(error) => {
                    log::debug!("demo relay on port {}: {error}", house.port);
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

#[cfg(test)]
mod tests;
