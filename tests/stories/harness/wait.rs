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

/// Waits until `holds` says true; fails when it does not in time.
#[track_caller]
pub fn eventually(limit: Duration, what: &str, holds: impl FnMut() -> bool) {
    assert!(within(limit, holds), "waited {limit:?} in vain: {what}");
}

/// Waits until `holds` says true; returns whether it did in time.
pub fn within(limit: Duration, mut holds: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + limit;
    loop {
        if holds() {
            return true;
        }
        if Instant::now() >= deadline {
            return false;
        }
        thread::sleep(BETWEEN_TRIES);
    }
}

/// Waits until `found` has something, and returns it; fails when it has not in time.
#[track_caller]
pub fn eventually_some<T>(limit: Duration, what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let mut value = None;
    eventually(limit, what, || {
        value = found();
        value.is_some()
    });
    value.expect("it was found")
}
