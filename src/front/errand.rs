//! The errand: what belongs to a request that is served, beside Pingora's session: how long it may take, and the pass of its
//! connection. Whatever is answered at once ends within a short time; asking one relay after the other takes longer.
//!
//! A session cannot carry it: the gate makes the session, Pingora takes it, and the door only borrows it.
//!
//! PINGORA: (0.9.1) writes of a head and flushes wait for ever; none of our answers is more than a page.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use pingora::time::timeout;

use super::budget::{Pass, Seating, TooManyListeners};

tokio::task_local! {
    /// The errand of the request that this task serves.
    static ERRAND: Arc<Errand>;
}

/// What belongs to a request that is served.
#[derive(Debug)]
struct Errand {
    is_extended: AtomicBool,
    pass: Arc<Pass>,
}

/// How long a request may be served.
#[derive(Debug, Clone, Copy)]
pub struct Lease {
    /// At first.
    pub limit: Duration,
    /// Once more, for those that [`extend`] it.
    pub extension: Duration,
}

/// Serves a request of the connection with this pass; `None` when time was up.
pub async fn run<T>(lease: Lease, pass: Arc<Pass>, serve: impl Future<Output = T>) -> Option<T> {
    let errand = Arc::new(Errand {
        is_extended: AtomicBool::new(false),
        pass,
    });
    let mut serve = std::pin::pin!(ERRAND.scope(errand.clone(), serve));
    match timeout(lease.limit, &mut serve).await {
        Ok(served) => Some(served),
        Err(_) if errand.is_extended.load(Ordering::Relaxed) => {
            timeout(lease.extension, serve).await.ok()
        }
        Err(_) => None,
    }
}

/// Gives the request that this task serves the longer lease.
pub fn extend() {
    // Outside of an errand there is no deadline to move.
    let _ = ERRAND.try_with(|errand| errand.is_extended.store(true, Ordering::Relaxed));
}

/// Seats the listener of the request that this task serves.
///
/// # Errors
/// His address has as many streams as it may.
pub fn seat() -> Result<Option<Seating>, TooManyListeners> {
    let seated = ERRAND.try_with(|errand| errand.pass.listen());
    seated.ok().transpose()
}

#[cfg(test)]
mod tests {
    use super::super::budget::{Budget, Limits};
    use super::*;

    // PINGORA: its timers run on the real clock.
    #[tokio::test]
    async fn only_who_extends_it_outlives_the_first_deadline() {
        let [short, long] = [20, 2_000].map(Duration::from_millis);
        let serve = || tokio::time::sleep(Duration::from_millis(200));
        let lease = |limit, extension| Lease { limit, extension };
        let pass = || Arc::new(Arc::new(Budget::new(Limits::NONE)).admit(None).unwrap());
        assert_eq!(run(lease(short, long), pass(), serve()).await, None);
        let extended = || async {
            extend();
            serve().await;
        };
        assert_eq!(run(lease(short, long), pass(), extended()).await, Some(()));
        assert_eq!(run(lease(short, short), pass(), extended()).await, None);
    }
}
