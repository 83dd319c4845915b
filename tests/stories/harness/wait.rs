//! Waiting: a condition, a deadline, and a failure that says what did not come true.
//!
//! Nothing in the stories sleeps for a fixed time and hopes.

use std::thread;
use std::time::{Duration, Instant};

/// Short against every deadline, long against what one question costs an icecast2.
const BETWEEN_TRIES: Duration = Duration::from_millis(25);

/// That many seconds.
pub fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// That many milliseconds.
pub fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// Waits until `holds` says true, and returns how long that took.
#[track_caller]
pub fn eventually(within: Duration, what: &str, mut holds: impl FnMut() -> bool) -> Duration {
    let began = Instant::now();
    eventually_some(within, what, || holds().then_some(()));
    began.elapsed()
}

/// Waits until `found` has something, and returns it.
#[track_caller]
pub fn eventually_some<T>(within: Duration, what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + within;
    loop {
        if let Some(value) = found() {
            return value;
        }
        assert!(
            Instant::now() < deadline,
            "waited {within:?} in vain: {what}"
        );
        thread::sleep(BETWEEN_TRIES);
    }
}
