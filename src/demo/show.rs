//! The show: what a demo does second by second.
//!
//! Comes in: a fleet and the balancer's address. Goes out: listeners, outages and a line per second on a writer,
//! then the summary.

use super::DemoFleet;
use super::listeners::Listeners;
use super::outage::Outages;
use super::relay::DemoRelay;
use super::request::MOUNT;
use super::summary::Summary;
use super::tally::Tally;
use super::ticker::{Shown, Style, line};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::select;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until};

/// Two thirds of all listeners that the demo will have, shared by the relays: what the first begins with is less
/// than its even share in the end, so that arrivals alone can fill the others up to it.
const HEAD_START_LISTENERS: usize = 60;
const SECOND: Duration = Duration::from_secs(1);

/// A demo that runs.
pub struct Show<W> {
    fleet: DemoFleet,
    tally: Arc<Tally>,
    outages: Outages,
    style: Style,
    out: W,
}

impl<W: Write + Send> Show<W> {
    /// A show of `fleet` that ends after `until`.
    pub fn of(fleet: DemoFleet, until: Option<Duration>, style: Style, out: W) -> Self {
        let outages = Outages {
            relays: fleet.relays().len(),
            until_second: until.map(|until| until.as_secs()),
        };
        Self {
            fleet,
            tally: Arc::default(),
            outages,
            style,
            out,
        }
    }

    /// Runs it until `until` has passed.
    ///
    /// # Errors
    /// When a line cannot be written.
    pub async fn run(
        mut self,
        balancer: SocketAddr,
        until: Option<Duration>,
    ) -> io::Result<Summary> {
        let start = Instant::now();
        self.greet(balancer)?;
        let mut listeners = Listeners::of(balancer, Arc::clone(&self.tally));
        self.fill_the_first(&mut listeners);
        select! {
            // In order: the last second's line comes before the end.
            biased;
            written = self.tick(start) => written?,
            () = listeners.keep_coming() => {}
            () = end(start, until) => {}
        }
        // Summed up while everybody is still there.
        let summary = Summary::of(&self.tally, self.living_counts());
        writeln!(self.out, "{summary}")?;
        Ok(summary)
    }

    fn greet(&mut self, balancer: SocketAddr) -> io::Result<()> {
        for relay in self.fleet.relays() {
            let (name, address) = (relay.name(), relay.address());
            writeln!(self.out, "{name} is at http://{address}{MOUNT}")?;
        }
        writeln!(self.out, "open in a player: http://{balancer}{MOUNT}")?;
        self.out.flush()
    }

    fn fill_the_first(&self, listeners: &mut Listeners) {
        let relays = self.fleet.relays();
        if let Some(first) = relays.first() {
            listeners.begin_at(first.address(), HEAD_START_LISTENERS / relays.len());
        }
    }

    /// A line per second, for ever.
    async fn tick(&mut self, start: Instant) -> io::Result<()> {
        let mut seconds = interval_at(start + SECOND, SECOND);
        seconds.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            let second = seconds.tick().await.duration_since(start).as_secs();
            self.stage_outage(second).await?;
            let line = line(second, &self.shown(), &self.tally, self.style);
            writeln!(self.out, "{line}")?;
            self.out.flush()?;
        }
    }

    /// Makes that relay dead which is to be dead in this second, and every other alive.
    async fn stage_outage(&mut self, second: u64) -> io::Result<()> {
        let dead = self.outages.at(second);
        for (place, relay) in self.fleet.relays_mut().iter_mut().enumerate() {
            if let Some(said) = turn(relay, dead != Some(place)).await {
                writeln!(self.out, "{second:>3}s  {} {said}", relay.name())?;
            }
        }
        Ok(())
    }

    fn shown(&self) -> Vec<Shown<'_>> {
        let shown = |relay: &DemoRelay| relay.is_alive().then(|| relay.listeners());
        let relays = self.fleet.relays().iter();
        relays
            .map(|relay| Shown {
                name: relay.name(),
                listeners: shown(relay),
            })
            .collect()
    }

    fn living_counts(&self) -> impl Iterator<Item = u32> + Clone {
        let living = self.fleet.relays().iter().filter(|relay| relay.is_alive());
        living.map(DemoRelay::listeners)
    }
}

/// Kills or revives the relay where it is not as it shall be, and says what happened.
///
/// A relay whose port was taken meanwhile is tried again in the next second.
async fn turn(relay: &mut DemoRelay, alive: bool) -> Option<String> {
    if relay.is_alive() == alive {
        return None;
    }
    if !alive {
        relay.kill().await;
        return Some("dies".to_owned());
    }
    match relay.revive().await {
        Ok(()) => Some("is back".to_owned()),
        Err(error) => Some(format!("cannot come back yet: {error}")),
    }
}

/// Waits for the demo's end, which may never come.
async fn end(start: Instant, until: Option<Duration>) {
    match until {
        Some(until) => sleep_until(start + until).await,
        None => std::future::pending().await,
    }
}
