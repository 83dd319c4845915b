//! Session permits: how many requests are served by Pingora at once, most of them tune-ins that wait for a relay.
//!
//! A request that waits for its permit holds what an idle connection holds, 5 KB; one that is served holds ten times as much.
//! So a crowd that arrives within a second costs as much memory as the permits, not as the crowd. A stream that has begun
//! holds no permit.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use pingora::time::timeout;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::refuse::Refusal;

/// Requests at once: a tune-in takes 0.3 s where relays are well, so 5,000 of them take a second.
pub const PERMITS: usize = 1_500;

/// Longest wait for a permit. Tune-ins that no relay answers give theirs back after `answer_timeout`, 5 s by default.
const LIMIT: Duration = Duration::from_secs(10);

/// A request that is served; it counts until this is dropped.
#[derive(Debug)]
pub struct SessionPermit {
    _permit: OwnedSemaphorePermit,
    ended: Arc<AtomicU64>,
}

impl Drop for SessionPermit {
    fn drop(&mut self) {
        self.ended.fetch_add(1, Ordering::Relaxed);
    }
}

/// Gives permits out, in the order in which they are requested. Clones share them.
#[derive(Debug, Clone)]
pub struct SessionPermits {
    free: Arc<Semaphore>,
    ended: Arc<AtomicU64>,
    limit: Duration,
}

impl Default for SessionPermits {
    fn default() -> Self {
        Self::new(PERMITS, LIMIT)
    }
}

impl SessionPermits {
    fn new(permits: usize, limit: Duration) -> Self {
        Self {
            free: Arc::new(Semaphore::new(permits)),
            ended: Arc::default(),
            limit,
        }
    }

    /// Waits for a permit.
    ///
    /// # Errors
    /// None came free in time.
    pub async fn acquire(&self) -> Result<SessionPermit, Refusal> {
        let permit = match self.free.clone().try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => {
                let permit = timeout(self.limit, self.free.clone().acquire_owned()).await;
                permit.ok().and_then(Result::ok).ok_or(Refusal::Busy)?
            }
        };
        Ok(SessionPermit {
            _permit: permit,
            ended: self.ended.clone(),
        })
    }

    /// Requests that were served since the start.
    pub fn ended(&self) -> u64 {
        self.ended.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn requests_wait_for_a_permit_and_are_refused_when_none_comes_free() {
        let permits = SessionPermits::new(2, Duration::from_millis(100));
        let first = permits.acquire().await.unwrap();
        let _second = permits.acquire().await.unwrap();
        assert_eq!(permits.acquire().await.map(drop), Err(Refusal::Busy));
        let waiting = tokio::spawn({
            let permits = permits.clone();
            async move { permits.acquire().await.map(drop) }
        });
        drop(first);
        assert_eq!(waiting.await.unwrap(), Ok(()));
        assert_eq!(permits.ended(), 2);
    }
}
