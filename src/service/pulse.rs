//! The pulse: whether the threads that serve are alive.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::runtime::{Handle, RuntimeMetrics};
use tokio::time::{MissedTickBehavior, interval};

/// How often it beats. Short beside any watchdog's time that makes sense, and nothing beside a request.
const BEAT: Duration = Duration::from_millis(250);

/// Beats on one runtime.
#[derive(Debug)]
pub struct Pulse {
    began: Instant,
    /// Time at which its slowest thread was last seen to get on, in milliseconds since it began.
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
    /// Beats for as long as the threads that run this get to it, and all others of their runtime get on.
    pub(super) async fn beat(self: Arc<Self>) {
        let mut beats = interval(BEAT);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut workers = Workers::new(Handle::current().metrics());
        loop {
            beats.tick().await;
            let last = workers.slowest_at(Instant::now());
            let millis = last.saturating_duration_since(self.began).as_millis();
            let millis = u64::try_from(millis).unwrap_or(u64::MAX);
            self.last_millis.store(millis, Ordering::Relaxed);
        }
    }

    /// One that has never beaten in this time.
    #[cfg(test)]
    pub(super) fn silent_for(silence: Duration) -> Self {
        Self {
            began: Instant::now().checked_sub(silence).unwrap(),
            last_millis: AtomicU64::new(0),
        }
    }

    /// Time since all threads of the runtime were last seen to get on.
    pub(super) fn silence(&self) -> Duration {
        let last = Duration::from_millis(self.last_millis.load(Ordering::Relaxed));
        self.began.elapsed().saturating_sub(last)
    }
}

/// The threads of a runtime. A task goes to whichever is free, so one task's turns say nothing of a thread that is held up.
struct Workers {
    metrics: RuntimeMetrics,
    seen: Vec<Seen>,
}

/// A thread as it was last seen to get on.
struct Seen {
    at: Instant,
    /// TOKIO: (1.54) odd while the thread waits for work.
    parks: u64,
    /// TOKIO: (1.54) grows each time that the thread looks for events, at the latest after 61 tasks.
    busy: Duration,
}

impl Workers {
    fn new(metrics: RuntimeMetrics) -> Self {
        let fresh = || Seen {
            at: Instant::now(),
            parks: 0,
            busy: Duration::ZERO,
        };
        let seen = (0..metrics.num_workers()).map(|_| fresh()).collect();
        Self { metrics, seen }
    }

    /// Returns the time at which the slowest thread was last seen to get on, as of `now`.
    fn slowest_at(&mut self, now: Instant) -> Instant {
        for (worker, seen) in self.seen.iter_mut().enumerate() {
            let parks = self.metrics.worker_park_unpark_count(worker);
            let busy = self.metrics.worker_total_busy_duration(worker);
            let is_waiting = parks % 2 == 1;
            if is_waiting || (parks, busy) != (seen.parks, seen.busy) {
                *seen = Seen {
                    at: now,
                    parks,
                    busy,
                };
            }
        }
        let slowest = self.seen.iter().map(|seen| seen.at).min();
        slowest.unwrap_or(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_thread_of_several_that_hangs_is_noticed() {
        let builder = &mut tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(3).enable_all().build().unwrap();
        let pulse = Arc::new(Pulse::default());
        runtime.spawn(pulse.clone().beat());
        let limit = Duration::from_secs(1);
        let eventually = |holds: &dyn Fn() -> bool| {
            let deadline = Instant::now() + Duration::from_secs(20);
            while !holds() {
                assert!(Instant::now() < deadline, "{pulse:?}");
                std::thread::sleep(Duration::from_millis(5));
            }
        };
        let began = Instant::now();
        eventually(&|| began.elapsed() > 2 * limit && pulse.silence() < limit);

        let (free, hang) = std::sync::mpsc::channel::<()>();
        runtime.spawn(async move {
            // A thread of the runtime is held up.
            let _ = hang.recv();
        });
        eventually(&|| pulse.silence() > limit);
        // The other threads go on.
        runtime.block_on(runtime.spawn(async {})).unwrap();

        drop(free);
        eventually(&|| pulse.silence() < limit);
    }

    #[test]
    fn threads_with_much_to_do_are_alive() {
        let builder = &mut tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(2).enable_all().build().unwrap();
        let pulse = Arc::new(Pulse::default());
        runtime.spawn(pulse.clone().beat());
        for _ in 0..8 {
            runtime.spawn(async {
                loop {
                    std::thread::sleep(Duration::from_millis(1));
                    tokio::task::yield_now().await;
                }
            });
        }
        let began = Instant::now();
        let mut longest = Duration::ZERO;
        while began.elapsed() < Duration::from_secs(2) {
            longest = longest.max(pulse.silence());
            std::thread::sleep(Duration::from_millis(5));
        }
        runtime.shutdown_background();
        assert!(longest < Duration::from_secs(1), "{longest:?}");
    }
}
