//! The lease: how long a request may be served. Whatever is answered at once ends within a short one; asking one relay
//! after the other takes longer.
//!
//! PINGORA: (0.9.1) writes of a head and flushes wait for ever; none of our answers is more than a page.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use pingora::time::timeout;

tokio::task_local! {
    /// Whether the request that this task serves has the longer lease. A session cannot carry it: the gate makes the session,
    /// Pingora takes it, and the door only borrows it.
    static EXTENDED: Arc<AtomicBool>;
}

/// Serves a request within `limit`, or once [`extend`] was called in it within `limit` and `extension`; `None` when time
/// was up.
pub async fn with_deadline<T>(
    limit: Duration,
    extension: Duration,
    serve: impl Future<Output = T>,
) -> Option<T> {
    let extended = Arc::new(AtomicBool::new(false));
    let mut serve = std::pin::pin!(EXTENDED.scope(extended.clone(), serve));
    match timeout(limit, &mut serve).await {
        Ok(served) => Some(served),
        Err(_) if extended.load(Ordering::Relaxed) => timeout(extension, serve).await.ok(),
        Err(_) => None,
    }
}

/// Gives the request that this task serves the longer lease.
pub fn extend() {
    // Outside of a lease there is no deadline to move.
    let _ = EXTENDED.try_with(|extended| extended.store(true, Ordering::Relaxed));
}

#[cfg(test)]
mod tests {
    use super::*;

    // PINGORA: its timers run on the real clock.
    #[tokio::test]
    async fn only_who_extends_it_outlives_the_first_deadline() {
        let [short, long] = [20, 2_000].map(Duration::from_millis);
        let serve = || tokio::time::sleep(Duration::from_millis(200));
        assert_eq!(with_deadline(short, long, serve()).await, None);
        let extended = || async {
            extend();
            serve().await;
        };
        assert_eq!(with_deadline(short, long, extended()).await, Some(()));
        assert_eq!(with_deadline(short, short, extended()).await, None);
    }
}
