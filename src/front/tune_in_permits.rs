//! Tune-in permits: how many proxied tune-ins wait for a relay at once, in all and of one mount.
//!
//! A tune-in under way holds a connection to a relay and its memory, 12 KB more than one that waits for its permit. It ends
//! within `answer_timeout`, which is long where the relays of a mount are silent: so no mount has all the permits, and the
//! others go on. Redirects, pages and streams that have begun hold none.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pingora::time::timeout;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::refuse::Refusal;

/// Tune-ins at once: each takes 0.3 s where relays are healthy, so 5,000 of them take a second.
const PERMITS: usize = 1_500;

/// Tune-ins of one mount at once.
const PERMITS_PER_MOUNT: usize = PERMITS / 2;

/// Longest wait for a permit. Tune-ins that no relay answers give theirs back after `answer_timeout`, 5 s by default.
const LIMIT: Duration = Duration::from_secs(10);

/// A tune-in under way; it counts until this is dropped.
#[derive(Debug)]
pub struct TuneInPermit {
    permits: TuneInPermits,
    mount: Arc<str>,
    _of_all: OwnedSemaphorePermit,
    of_mount: Option<OwnedSemaphorePermit>,
}

impl Drop for TuneInPermit {
    fn drop(&mut self) {
        self.permits.0.ended.fetch_add(1, Ordering::Relaxed);
        self.of_mount.take();
        self.permits.forget_unused(&self.mount);
    }
}

/// Gives permits out, in the order of the requests. Clones share them.
#[derive(Debug, Clone)]
pub struct TuneInPermits(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    of_all: Arc<Semaphore>,
    /// Mounts with tune-ins under way.
    mounts: Mutex<HashMap<Arc<str>, Arc<Semaphore>>>,
    per_mount: usize,
    limit: Duration,
    ended: AtomicU64,
}

impl Default for TuneInPermits {
    fn default() -> Self {
        Self::new(PERMITS, PERMITS_PER_MOUNT, LIMIT)
    }
}

impl TuneInPermits {
    fn new(permits: usize, per_mount: usize, limit: Duration) -> Self {
        Self(Arc::new(Shared {
            of_all: Arc::new(Semaphore::new(permits)),
            mounts: Mutex::default(),
            per_mount,
            limit,
            ended: AtomicU64::default(),
        }))
    }

    /// Waits for a permit. One that waits for its mount's share takes nothing from the other mounts.
    ///
    /// # Errors
    /// None came free in time.
    pub async fn acquire(&self, mount: &Arc<str>) -> Result<TuneInPermit, Refusal> {
        let share = {
            let mut mounts = self.mounts();
            let new = || Arc::new(Semaphore::new(self.0.per_mount));
            mounts.entry(mount.clone()).or_insert_with(new).clone()
        };
        let both = async {
            let of_mount = share.acquire_owned().await.ok()?;
            let of_all = self.0.of_all.clone().acquire_owned().await.ok()?;
            Some((of_mount, of_all))
        };
        let permits = timeout(self.0.limit, both).await;
        let Some((of_mount, of_all)) = permits.ok().flatten() else {
            self.forget_unused(mount);
            self.0.ended.fetch_add(1, Ordering::Relaxed);
            return Err(Refusal::Busy);
        };
        Ok(TuneInPermit {
            permits: self.clone(),
            mount: mount.clone(),
            _of_all: of_all,
            of_mount: Some(of_mount),
        })
    }

    /// Tune-ins that ended since the start, also those that got no permit.
    pub fn ended(&self) -> u64 {
        self.0.ended.load(Ordering::Relaxed)
    }

    /// Removes a mount of which no tune-in is under way or waits.
    fn forget_unused(&self, mount: &Arc<str>) {
        let mut mounts = self.mounts();
        let is_unused = |share: &Arc<Semaphore>| Arc::strong_count(share) == 1;
        if mounts.get(mount).is_some_and(is_unused) {
            mounts.remove(mount);
        }
    }

    fn mounts(&self) -> MutexGuard<'_, HashMap<Arc<str>, Arc<Semaphore>>> {
        self.0.mounts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIVE: &str = "/live.mp3";

    #[tokio::test]
    async fn tune_ins_wait_for_a_permit_and_are_refused_when_none_comes_free() {
        let permits = TuneInPermits::new(3, 2, Duration::from_millis(100));
        let (live, other) = (Arc::from(LIVE), Arc::from("/other.mp3"));
        let first = permits.acquire(&live).await.unwrap();
        let second = permits.acquire(&live).await.unwrap();
        let refused = permits.acquire(&live).await.map(drop);
        assert_eq!(refused, Err(Refusal::Busy), "the mount has its share");
        let third = permits.acquire(&other).await.unwrap();
        let refused = permits.acquire(&other).await.map(drop);
        assert_eq!(refused, Err(Refusal::Busy), "there are no more");

        let waiting = tokio::spawn({
            let (permits, live) = (permits.clone(), live.clone());
            async move { permits.acquire(&live).await.map(drop) }
        });
        drop(first);
        assert_eq!(waiting.await.unwrap(), Ok(()));
        assert_eq!(permits.ended(), 4);
        drop((second, third));
        assert!(permits.mounts().is_empty());
    }
}
