//! The errand: what belongs to a request that is served, beside Pingora's session: how long it may take, and the pass of its
//! connection. Whatever is answered at once ends within a short time; asking one relay after the other takes longer.
//!
//! A session cannot carry it: the gate makes the session, Pingora takes it, and the door only borrows it.
//!
//! PINGORA: (0.9.1) writes of a head and flushes wait for ever; none of our answers is more than a page.

use std::future::Future;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
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
    term: AtomicU8,
    way: Way,
}

/// What it comes by.
#[derive(Debug, Clone)]
pub enum Way {
    /// A connection that serves one request after the other.
    Alone(Arc<Pass>),
    /// A connection that serves several at once.
    BesideOthers(Arc<Pass>),
}

/// For how long a request is served.
mod term {
    pub const SHORT: u8 = 0;
    pub const EXTENDED: u8 = 1;
    pub const OPEN: u8 = 2;
}

/// The wait for the first polls after a start, and the answer's way out. Asking relays may take longer: each has deadlines of
/// its own, but there may be many of them.
pub const LEASE: Lease = Lease {
    limit: Duration::from_secs(15),
    extension: Duration::from_secs(120),
};

/// How long a request may be served.
#[derive(Debug, Clone, Copy)]
pub struct Lease {
    /// At first.
    pub limit: Duration,
    /// Once more, for those that [`extend`] it.
    pub extension: Duration,
}

/// Serves a request that comes by `way`; `None` when time was up.
pub async fn run<T>(lease: Lease, way: Way, serve: impl Future<Output = T>) -> Option<T> {
    let errand = Arc::new(Errand {
        term: AtomicU8::new(term::SHORT),
        way,
    });
    let is_over = |limit: u8| errand.term.load(Ordering::Relaxed) <= limit;
    let mut serve = pin!(ERRAND.scope(errand.clone(), serve));
    if let Ok(served) = timeout(lease.limit, &mut serve).await {
        return Some(served);
    }
    if is_over(term::SHORT) {
        return None;
    }
    if let Ok(served) = timeout(lease.extension, &mut serve).await {
        return Some(served);
    }
    if is_over(term::EXTENDED) {
        return None;
    }
    Some(serve.await)
}

/// Gives the request that this task serves the longer lease.
pub fn extend() {
    prolong(term::EXTENDED);
}

/// Lets the request that this task serves take as long as it likes: a stream has deadlines of its own.
pub fn release() {
    prolong(term::OPEN);
}

fn prolong(term: u8) {
    // Outside of an errand there is no deadline to move.
    let _ = ERRAND.try_with(|errand| errand.term.fetch_max(term, Ordering::Relaxed));
}

/// Seats the listener of the request that this task serves, who is at `address` as far as anybody can say.
///
/// # Errors
/// His address has as many streams as it may.
pub fn seat(address: Option<IpAddr>) -> Result<Option<Seating>, TooManyListeners> {
    let seated = ERRAND.try_with(|errand| match &errand.way {
        Way::Alone(pass) => pass.listen(address),
        Way::BesideOthers(pass) => pass.listen_beside_others(address),
    });
    seated.ok().transpose()
}

#[cfg(test)]
mod tests {
    use super::super::budget::Budget;
    use super::*;
    use crate::config::Limits;

    // PINGORA: its timers run on the real clock.
    #[tokio::test]
    async fn only_who_extends_it_outlives_the_first_deadline() {
        let [short, long] = [20, 2_000].map(Duration::from_millis);
        let serve = || tokio::time::sleep(Duration::from_millis(200));
        let lease = |limit, extension| Lease { limit, extension };
        let budget = || Arc::new(Budget::new(Limits::default()));
        let pass = || budget().admit(None).unwrap();
        let way = || Way::Alone(Arc::new(pass()));
        assert_eq!(run(lease(short, long), way(), serve()).await, None);
        let extended = || async {
            extend();
            serve().await;
        };
        assert_eq!(run(lease(short, long), way(), extended()).await, Some(()));
        assert_eq!(run(lease(short, short), way(), extended()).await, None);
        let released = async {
            release();
            // What is asked for later is less.
            extend();
            serve().await;
        };
        assert_eq!(run(lease(short, short), way(), released).await, Some(()));
    }
}
