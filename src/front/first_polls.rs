//! First polls: lets tune-ins wait after a start until all relays were polled, for a bounded time.
//!
//! Without it the relay whose status page arrives first gets every listener that tunes in before the second page.

use std::time::Duration;

use tokio::sync::OnceCell;
use tokio::time::{Instant, sleep};

use crate::fleet::{Fleet, SharedFleet};

/// Longest wait: a relay that does not answer its poll must not hold back the others.
const LIMIT: Duration = Duration::from_secs(2);

/// Time between two looks. One waiter looks for all.
const STEP: Duration = Duration::from_millis(10);

/// Tells when the first polls are over.
#[derive(Debug)]
pub struct FirstPolls {
    fleet: SharedFleet,
    /// Every relay was polled, or the time for that is over.
    polled: OnceCell<()>,
    /// Every relay was polled after the listeners of an earlier process were forgotten, or the time for that is over.
    settled: OnceCell<()>,
}

impl FirstPolls {
    /// The first polls of this fleet.
    pub fn new(fleet: SharedFleet) -> Self {
        Self {
            fleet,
            polled: OnceCell::new(),
            settled: OnceCell::new(),
        }
    }

    /// Whether redirects need not wait any more.
    pub fn are_over(&self) -> bool {
        self.polled.initialized()
    }

    /// Waits until every relay was polled.
    pub async fn wait(&self) {
        self.wait_in(&self.polled, Fleet::is_ready).await;
    }

    /// Waits until the counts are those of now, too: where listeners were connected through this balancer, the first reports
    /// after a crash still contain those that were lost with it.
    pub async fn wait_for_counts(&self) {
        self.wait().await;
        self.wait_in(&self.settled, Fleet::is_settled).await;
    }

    async fn wait_in(&self, over: &OnceCell<()>, is_over: impl Fn(&Fleet) -> bool) {
        let until = Instant::now() + LIMIT;
        over.get_or_init(|| async {
            while !is_over(&self.fleet.lock()) && Instant::now() < until {
                sleep(STEP).await;
            }
        })
        .await;
    }
}
