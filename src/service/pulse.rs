//! The pulse: whether the threads that serve are alive.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::time::{MissedTickBehavior, interval};

/// How often it beats. Short beside any watchdog's time that makes sense, and nothing beside a request.
const BEAT: Duration = Duration::from_millis(250);

/// Beats on one runtime.
#[derive(Debug)]
pub struct Pulse {
    began: Instant,
    /// When it last beat, in milliseconds since it began.
    last_millis: AtomicU64,
}

impl Default for Pulse {
    fn default() -> Self {
        Self {
            began: Instant::now(),
            last_millis: AtomicU64::new(0),
        }
    }
}

impl Pulse {
    /// Beats for as long as the threads that run this get to it.
    pub(super) async fn beat(self: Arc<Self>) {
        let mut beats = interval(BEAT);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            beats.tick().await;
            let millis = self.began.elapsed().as_millis();
            let millis = u64::try_from(millis).unwrap_or(u64::MAX);
            self.last_millis.store(millis, Ordering::Relaxed);
        }
    }

    /// How long ago it last beat.
    pub(super) fn silence(&self) -> Duration {
        let last = Duration::from_millis(self.last_millis.load(Ordering::Relaxed));
        self.began.elapsed().saturating_sub(last)
    }
}
