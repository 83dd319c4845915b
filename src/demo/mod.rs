//! The demo: relays on loopback and listeners who come and go, in one process and with nothing installed.
//!
//! Comes in: how many relays, and where the balancer in front of them listens. Goes out: a line per second that shows
//! the counts even out. Knows no balancer from inside; it meets it over HTTP, as relays and listeners do.
//!
//! ```text
//! score -> tone -> programme -> feed -> relay <- player <- listeners
//!                (one master)           serve
//! ```

mod answer;
mod date;
mod feed;
mod head;
mod icy;
mod listeners;
mod outage;
mod player;
mod programme;
mod relay;
mod request;
mod score;
mod serve;
mod show;
mod status_page;
mod summary;
mod tally;
mod ticker;
mod tone;

pub use relay::DemoRelay;
pub use request::MOUNT;
pub use summary::Summary;
pub use ticker::Style;

use programme::{OnAir, put_on_air};
use show::Show;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::time::Duration;

/// The same melody each time, so that two people who try the demo hear the same.
const SEED: u64 = 1999;

/// Relays on loopback that carry one programme; they end when this is dropped.
#[derive(Debug)]
pub struct DemoFleet {
    relays: Vec<DemoRelay>,
    /// The master; the programme ends with it.
    _on_air: OnAir,
}

impl DemoFleet {
    /// Starts the master and `relays` relays, named `relay1` and so on.
    ///
    /// # Errors
    /// When a thread or a port is not to be had.
    pub async fn start(relays: usize) -> io::Result<Self> {
        let on_air = put_on_air(SEED)?;
        let mut started = Vec::with_capacity(relays);
        for number in 1..=relays {
            let relay = DemoRelay::start(format!("relay{number}"), on_air.feed.clone());
            started.push(relay.await?);
        }
        Ok(Self {
            relays: started,
            _on_air: on_air,
        })
    }

    /// Where the relays listen, in the order of their numbers.
    pub fn origins(&self) -> Vec<SocketAddr> {
        self.relays.iter().map(DemoRelay::address).collect()
    }

    /// The relays.
    pub fn relays(&self) -> &[DemoRelay] {
        &self.relays
    }

    /// The relays, to kill and revive.
    pub fn relays_mut(&mut self) -> &mut [DemoRelay] {
        &mut self.relays
    }

    /// Lets listeners come through `balancer` and shows on `out` how the relays fare, for `until` or for ever.
    ///
    /// Relays and listeners end when the future ends or is dropped.
    ///
    /// # Errors
    /// When `out` cannot be written.
    pub async fn run(
        self,
        balancer: SocketAddr,
        until: Option<Duration>,
        style: Style,
        out: impl Write + Send,
    ) -> io::Result<Summary> {
        Show::of(self, until, style, out).run(balancer, until).await
    }
}

#[cfg(test)]
mod tests;
