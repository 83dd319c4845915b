//! The lease: how long a request may be served. Whatever is no stream ends within it; a stream lifts it.
//!
//! PINGORA: (0.9.1) writes of a head and flushes wait for ever; none of our answers is more than a page.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use pingora::time::timeout;

tokio::task_local! {
    /// Whether the request that this task serves may go on for ever. A session cannot carry it: the gate makes the session,
    /// Pingora takes it, and the door only borrows it.
    static LIFTED: Arc<AtomicBool>;
}

/// Serves a request within `limit`, or for as long as it takes once [`lift`] was called in it; `None` when time was up.
pub async fn with_deadline<T>(limit: Duration, serve: impl Future<Output = T>) -> Option<T> {
    let lifted = Arc::new(AtomicBool::new(false));
    let mut serve = std::pin::pin!(LIFTED.scope(lifted.clone(), serve));
    match timeout(limit, &mut serve).await {
        Ok(served) => Some(served),
        Err(_) if lifted.load(Ordering::Relaxed) => Some(serve.await),
        Err(_) => None,
    }
}

/// Lets the request that this task serves go on without a deadline.
pub fn lift() {
    // Outside of a lease there is no deadline to lift.
    let _ = LIFTED.try_with(|lifted| lifted.store(true, Ordering::Relaxed));
}

#[cfg(test)]
mod tests {
    use super::*;

    // PINGORA: its timers run on the real clock.
    #[tokio::test]
    async fn only_who_lifts_it_outlives_the_deadline() {
        let limit = Duration::from_millis(20);
        let long = || tokio::time::sleep(Duration::from_millis(200));
        assert_eq!(with_deadline(limit, async { long().await }).await, None);
        let lifted = with_deadline(limit, async {
            lift();
            long().await;
        });
        assert_eq!(lifted.await, Some(()));
    }
}
