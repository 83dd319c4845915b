//! The doorstep of a relay: who wants to connect takes turns, and knocks again where the first knock was not heard.
//!
//! ICECAST: 2.4 listens with a backlog of 5 (measured). When hundreds of listeners come at once the rest of the knocks is
//! dropped, and the system repeats them only after 1, 3 and 7 s: longer than a burst lasts.

use std::future::Future;
use std::pin::pin;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout};

/// From one turn to the next: 1,000 connections in a second, more than one Icecast accepts.
const TURN: Duration = Duration::from_millis(1);

/// A second knock comes no sooner than this, and no sooner than three times what the last connection took.
const SECOND_KNOCK: Duration = Duration::from_millis(50);
const THIRD_KNOCK: Duration = Duration::from_millis(100);

/// Turns and times of one relay.
#[derive(Debug, Default)]
pub struct Doorstep(Mutex<State>);

#[derive(Debug, Clone, Copy, Default)]
struct State {
    next_turn: Option<Instant>,
    /// How long the last connection took.
    took: Duration,
}

impl Doorstep {
    /// Waits for the next free turn.
    pub async fn await_turn(&self) {
        sleep(self.turn()).await;
    }

    /// Connects now; whichever of up to three attempts is first counts.
    pub async fn knock<T, F>(&self, connect: impl Fn() -> F) -> pingora::Result<T>
    where
        F: Future<Output = pingora::Result<T>>,
    {
        let began = Instant::now();
        let patience = SECOND_KNOCK.max(3 * self.lock().took);
        let connected = knock_again(connect, patience).await;
        if connected.is_ok() {
            self.lock().took = began.elapsed();
        }
        connected
    }

    /// Duration of the last connection.
    pub fn took(&self) -> Duration {
        self.lock().took
    }

    /// How long to wait for the next free turn, which is taken.
    fn turn(&self) -> Duration {
        let now = Instant::now();
        let mut state = self.lock();
        let turn = state.next_turn.map_or(now, |turn| turn.max(now));
        state.next_turn = Some(turn + TURN);
        turn - now
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tries; after `patience` tries beside the first attempt, and once more.
async fn knock_again<T, F>(connect: impl Fn() -> F, patience: Duration) -> pingora::Result<T>
where
    F: Future<Output = pingora::Result<T>>,
{
    let mut first = pin!(connect());
    if let Ok(connected) = timeout(patience, &mut first).await {
        return connected;
    }
    // On the heap: few connections need them, and each is as large as the first.
    let mut second = Box::pin(connect());
    let third = async {
        sleep(patience + THIRD_KNOCK).await;
        Box::pin(connect()).await
    };
    // An error of one is an error of all: nobody listens there.
    tokio::select! {
        connected = &mut first => connected,
        connected = &mut second => connected,
        connected = third => connected,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_knock_that_is_not_heard_is_repeated() {
        let knocks = AtomicUsize::new(0);
        let doorstep = Doorstep::default();
        let began = tokio::time::Instant::now();
        let heard = doorstep.knock(|| async {
            match knocks.fetch_add(1, Ordering::Relaxed) {
                0 | 1 => std::future::pending().await,
                third => Ok(third),
            }
        });
        assert_eq!(heard.await.unwrap(), 2);
        assert!(began.elapsed() < Duration::from_millis(250));
    }

    #[tokio::test(start_paused = true)]
    async fn who_comes_as_a_crowd_takes_turns() {
        let doorstep = Doorstep::default();
        let waits: Vec<_> = (0..100).map(|_| doorstep.turn()).collect();
        assert!(waits.is_sorted());
        assert!(waits[99] > Duration::from_millis(90), "{:?}", waits[99]);
        assert!(waits[0] <= TURN);
    }
}
