//! The demo's listeners: they come, tune in at the balancer, hear for a while and leave.
//!
//! Comes in: the balancer's address. Goes out: load on the fleet, and the tally. When their relay dies they come
//! back through the balancer, as a person does who presses play again.

use super::player::{Target, tune_in};
use super::tally::{Tally, Way};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout_at};

/// Some 50 of them after 10 seconds.
const ARRIVALS_PER_SECOND: f64 = 6.0;
/// At 128 kbit/s these are 1.4 MB/s through loopback: a small machine does not notice.
const PRESENT_LIMIT: u64 = 90;
const STAY_SECONDS: std::ops::Range<f64> = 4.0..45.0;
/// A listener whose stream broke presses play again after this.
const RETURN_SECONDS: std::ops::Range<f64> = 0.2..1.2;
/// A person gives up after this many tries that gave no audio.
const PATIENCE: u32 = 5;

/// Everybody who hears the demo; they all leave when this is dropped.
#[derive(Debug)]
pub struct Listeners {
    balancer: Target,
    tally: Arc<Tally>,
    tasks: JoinSet<()>,
}

impl Listeners {
    /// Nobody yet; they will tune in at `balancer`.
    pub fn of(balancer: SocketAddr, tally: Arc<Tally>) -> Self {
        Self {
            balancer: Target::mount_at(balancer, Way::Balancer),
            tally,
            tasks: JoinSet::new(),
        }
    }

    /// Lets `count` listeners tune in at a relay directly, as from a bookmark: the fleet begins uneven.
    pub fn begin_at(&mut self, relay: SocketAddr, count: usize) {
        for _ in 0..count {
            self.come(Target::mount_at(relay, Way::Direct));
        }
    }

    /// Lets listeners come through the balancer, for ever.
    pub async fn keep_coming(&mut self) {
        loop {
            sleep(next_arrival()).await;
            while self.tasks.try_join_next().is_some() {}
            if self.tally.present() < PRESENT_LIMIT {
                self.come(self.balancer.clone());
            }
        }
    }

    fn come(&mut self, first: Target) {
        let (balancer, tally) = (self.balancer.clone(), Arc::clone(&self.tally));
        self.tasks.spawn(async move {
            let _present = tally.come();
            let leaves = Instant::now() + between(STAY_SECONDS);
            // Leaving is the good end; the other is out of patience.
            let _ = timeout_at(leaves, listen(first, balancer, &tally)).await;
        });
    }
}

/// Hears, and comes back through the balancer whenever it breaks off, until patience is out.
async fn listen(first: Target, balancer: Target, tally: &Tally) {
    let mut target = first;
    let mut missed = 0;
    while missed < PATIENCE {
        match tune_in(target, tally).await {
            Ok(()) => {
                tally.broken_off.add(1);
                missed = 0;
            }
            Err(error) => {
                log::debug!("demo listener: {error}");
                tally.failed.add(1);
                missed += 1;
            }
        }
        target = balancer.clone();
        sleep(between(RETURN_SECONDS)).await;
    }
}

/// The pause to the next arrival where arrivals know nothing of each other (a Poisson process).
fn next_arrival() -> Duration {
    // 1 - x is in (0, 1]: its logarithm is finite.
    Duration::from_secs_f64(-(1.0 - fastrand::f64()).ln() / ARRIVALS_PER_SECOND)
}

fn between(seconds: std::ops::Range<f64>) -> Duration {
    Duration::from_secs_f64(seconds.start + (seconds.end - seconds.start) * fastrand::f64())
}

#[cfg(test)]
mod tests;
