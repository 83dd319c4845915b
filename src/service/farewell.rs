//! The farewell: waits for those who are still there, and says now and then how many they are.

use std::time::{Duration, SystemTime};

use log::info;
use tokio::time::{Instant, sleep, timeout};

use super::census::{Census, Count};
use super::life::Life;

/// How often it is counted: a hundredth of the second within which the process is to be gone.
const STEP: Duration = Duration::from_millis(20);

/// How often the log says who is left.
const NEWS: Duration = Duration::from_secs(30);

/// How long those who were sent away may take to go. Each leaves a line in the log then.
const LAST_MOMENT: Duration = Duration::from_millis(500);

/// Waits for those who are still there.
pub(super) struct Farewell<'k> {
    census: &'k Census,
    life: &'k Life,
    until: Instant,
    ends: SystemTime,
    linger: Duration,
}

impl<'k> Farewell<'k> {
    /// Waits for streams for `limit`, and then for connections that may bring another request for `linger`.
    pub(super) fn new(
        census: &'k Census,
        life: &'k Life,
        limit: Duration,
        linger: Duration,
    ) -> Self {
        Self {
            census,
            life,
            until: Instant::now() + limit,
            ends: SystemTime::now() + limit,
            linger,
        }
    }

    /// Returns when nobody is left, or the time is over.
    pub(super) async fn wait(&self) {
        let began = Instant::now();
        let mut told: Option<Instant> = None;
        loop {
            let count = self.census.count();
            let is_busy = count.streams > 0 || self.life.errands() > 0;
            let is_quiet = count.connections == 0 || began.elapsed() >= self.linger;
            if (!is_busy && is_quiet) || Instant::now() >= self.until {
                return;
            }
            if is_busy && told.is_none_or(|at| at.elapsed() >= NEWS) {
                self.tell(count);
                told = Some(Instant::now());
            }
            sleep(STEP).await;
        }
    }

    fn tell(&self, count: Count) {
        info!(
            "stopping: {} listeners left, until {} at most",
            count.streams,
            humantime::format_rfc3339_seconds(self.ends)
        );
    }

    /// Gives those who were sent away a moment.
    pub(super) async fn until_nobody_listens(census: &Census) {
        let gone = async {
            while census.count().streams > 0 {
                sleep(STEP).await;
            }
        };
        // Who is not gone by then is cut off.
        let _ = timeout(LAST_MOMENT, gone).await;
    }
}
