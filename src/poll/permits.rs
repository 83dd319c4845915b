//! Poll permits: a bound on the sockets of all polls together, so that relays that never answer leave file descriptors for
//! listeners, streams and the admin address.
//!
//! In: the number of sockets that polls may have. Out: a permit for each poll. A relay that answered its last poll never
//! waits for those that did not: these share a part of the permits. A poll that waits has not begun, so the wait is no
//! failure of its relay.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use log::warn;
use tokio::sync::{Semaphore, SemaphorePermit};

/// Least time between two lines of the log about polls that wait.
const LOG_INTERVAL: Duration = Duration::from_secs(60);

/// Permits of all polls.
#[derive(Debug)]
pub struct PollPermits {
    sockets: usize,
    all: Semaphore,
    /// The part for relays that did not answer their last poll, or were never polled: three quarters.
    unproven: Semaphore,
    unproven_sockets: usize,
    waiting: AtomicUsize,
    logged_at: Mutex<Option<Instant>>,
}

/// Permission for one poll; dropped, others may begin.
#[derive(Debug)]
pub struct PollPermit<'a> {
    _all: Option<SemaphorePermit<'a>>,
    _unproven: Option<SemaphorePermit<'a>>,
}

/// Counts a poll that waits, for as long as it does.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl PollPermits {
    /// Permits for this many sockets at a time, at least 4.
    pub fn new(sockets: usize) -> Self {
        let sockets = sockets.clamp(4, Semaphore::MAX_PERMITS);
        let unproven_sockets = sockets / 4 * 3;
        Self {
            sockets,
            all: Semaphore::new(sockets),
            unproven: Semaphore::new(unproven_sockets),
            unproven_sockets,
            waiting: AtomicUsize::new(0),
            logged_at: Mutex::default(),
        }
    }

    /// Waits until a poll that needs up to `sockets` sockets may begin; `is_proven` says that the relay answered its last poll.
    ///
    /// The wait ends: every poll that holds a permit has a timeout, and waiting polls are served in their order.
    pub async fn acquire(&self, sockets: usize, is_proven: bool) -> PollPermit<'_> {
        let count = u32::try_from(sockets.clamp(1, self.unproven_sockets)).unwrap_or(1);
        if let Some(permit) = self.try_acquire(count, is_proven) {
            return permit;
        }
        let queued = self.waiting.fetch_add(1, Ordering::Relaxed) + 1;
        let _waiting = Waiting(&self.waiting);
        self.log(queued);
        // The part first: those who wait for it hold none of the permits that proven relays need.
        let unproven = match is_proven {
            true => None,
            false => self.unproven.acquire_many(count).await.ok(),
        };
        PollPermit {
            _all: self.all.acquire_many(count).await.ok(),
            _unproven: unproven,
        }
    }

    /// Whether so many relays cannot all be polled for the first time at once.
    pub fn is_short_for(&self, relays: usize) -> bool {
        relays > self.unproven_sockets || self.waiting.load(Ordering::Relaxed) > 0
    }

    /// A permit that is free at once.
    fn try_acquire(&self, count: u32, is_proven: bool) -> Option<PollPermit<'_>> {
        let unproven = match is_proven {
            true => None,
            false => Some(self.unproven.try_acquire_many(count).ok()?),
        };
        Some(PollPermit {
            _all: Some(self.all.try_acquire_many(count).ok()?),
            _unproven: unproven,
        })
    }

    fn log(&self, waiting: usize) {
        let now = Instant::now();
        let mut logged_at = self
            .logged_at
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if logged_at.is_some_and(|at| now - at < LOG_INTERVAL) {
            return;
        }
        *logged_at = Some(now);
        let sockets = self.sockets;
        warn!(
            "poll: queued: relays that do not answer hold the sockets of polls (LimitNOFILE) sockets={sockets} waiting={waiting}"
        );
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn polls_beyond_the_sockets_wait_until_one_ends() {
        let permits = PollPermits::new(8);
        let mut held: Vec<_> = (0..8)
            .map(|_| permits.acquire(1, true).now_or_never().unwrap())
            .collect();
        assert!(permits.acquire(1, true).now_or_never().is_none());
        held.pop();
        assert!(permits.acquire(1, true).now_or_never().is_some());
        assert_eq!(permits.waiting.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn proven_relay_does_not_wait_for_silent_ones() {
        let permits = PollPermits::new(8);
        let silent: Vec<_> = (0..100)
            .map_while(|_| permits.acquire(1, false).now_or_never())
            .collect();
        assert_eq!(silent.len(), 6);
        let mut queued: Vec<_> = (0..50)
            .map(|_| Box::pin(permits.acquire(1, false)))
            .collect();
        for wait in &mut queued {
            assert!(wait.now_or_never().is_none());
        }
        for _ in 0..100 {
            assert!(permits.acquire(1, true).now_or_never().is_some());
        }
        drop(silent);
        let served = queued.iter_mut().filter_map(|wait| wait.now_or_never());
        assert_eq!(served.collect::<Vec<_>>().len(), 6);
    }

    #[test]
    fn relay_with_many_addresses_takes_many_permits_but_never_waits_forever() {
        let permits = PollPermits::new(8);
        let wide = permits.acquire(100, false).now_or_never().unwrap();
        assert_eq!(permits.all.available_permits(), 2);
        assert!(permits.acquire(1, false).now_or_never().is_none());
        drop(wide);
        assert_eq!(permits.all.available_permits(), 8);
        assert!(permits.acquire(2, true).now_or_never().is_some());
    }
}
