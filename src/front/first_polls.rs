//! First polls: lets tune-ins wait after a start until all relays were polled, for a bounded time.
//!
//! Without it the relay whose status page arrives first gets every listener that tunes in before the second page.

use std::time::Duration;

use tokio::sync::OnceCell;
use tokio::time::{Instant, sleep};

use crate::fleet::{Fleet, SharedFleet};

/// Longest wait: a relay that does not answer its poll must not hold back the others.
const LIMIT: Duration = Duration::from_secs(2);

/// Interval of checks; one waiter checks for all.
const STEP: Duration = Duration::from_millis(10);

/// State of the first polls.
#[derive(Debug)]
pub struct FirstPolls {
    fleet: SharedFleet,
    /// Every relay was polled, or the time for that is over.
    polled: OnceCell<()>,
    /// Every relay was polled after the listeners of an earlier process were forgotten, or the time for that is over.
    settled: OnceCell<()>,
    /// The counts are certain, or the time for that is over.
    certain: OnceCell<()>,
}

impl FirstPolls {
    /// The first polls of this fleet.
    pub fn new(fleet: SharedFleet) -> Self {
        Self {
            fleet,
            polled: OnceCell::new(),
            settled: OnceCell::new(),
            certain: OnceCell::new(),
        }
    }

    /// Returns true when redirects no longer wait.
    pub fn are_over(&self) -> bool {
        self.polled.initialized()
    }

    /// Waits until every relay was polled.
    pub async fn wait(&self) {
        self.wait_in(&self.polled, Fleet::is_ready, Instant::now() + LIMIT)
            .await;
    }

    /// Waits until the counts are those of now, too: where listeners were connected through this balancer, the first reports
    /// after a crash still contain those that were lost with it.
    pub async fn wait_for_counts(&self) {
        let until = Instant::now() + LIMIT;
        self.wait_in(&self.polled, Fleet::is_ready, until).await;
        self.wait_in(&self.settled, Fleet::is_settled, until).await;
    }

    /// Waits until it is certain that relays are full. Returns false when it was, so that waiting changed nothing.
    pub async fn wait_for_certainty(&self) -> bool {
        if self.certain.initialized() {
            return false;
        }
        self.wait_in(&self.certain, Fleet::is_certain, Instant::now() + LIMIT)
            .await;
        true
    }

    async fn wait_in(&self, over: &OnceCell<()>, is_over: impl Fn(&Fleet) -> bool, until: Instant) {
        over.get_or_init(|| async {
            while !is_over(&self.fleet.lock()) && Instant::now() < until {
                sleep(STEP).await;
            }
        })
        .await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::tests::{relays, report, rules};
    use crate::fleet::{Polled, RelayId};

    #[tokio::test(start_paused = true)]
    async fn tune_ins_wait_for_every_relay_and_for_two_seconds_at_most() {
        let start = std::time::Instant::now();
        let mut fleet = Fleet::new(relays(&["a", "b"]), rules());
        fleet.note_start(start);
        let fleet = SharedFleet::new(fleet);
        let apply = |id: u32, began| {
            let outcome = report(&[("/live.mp3", 0)]);
            fleet
                .lock()
                .apply(RelayId(id), Polled { began, outcome }, began);
        };
        let polls = FirstPolls::new(fleet.clone());
        apply(0, start);
        let began = Instant::now();
        polls.wait_for_counts().await;
        assert!(polls.are_over());
        assert_eq!(began.elapsed().as_secs(), 2, "both waits together");

        let polls = FirstPolls::new(fleet.clone());
        apply(1, start);
        polls.wait().await;
        let began = Instant::now();
        polls.wait_for_counts().await;
        assert_eq!(began.elapsed().as_secs(), 2, "the counts are early");

        let polls = FirstPolls::new(fleet.clone());
        let late = start + Duration::from_secs(1);
        apply(0, late);
        apply(1, late);
        let began = Instant::now();
        polls.wait_for_counts().await;
        assert!(began.elapsed() < STEP);
    }
}
