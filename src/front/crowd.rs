//! The crowd: tells an operator that connections are not let in, now and then instead of each time.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use log::warn;

use super::budget::Over;
use crate::logging::{LogThrottle, Rate};

/// One line in so long.
const RATE: Rate = Rate {
    burst_lines: 1,
    interval: Duration::from_secs(30),
};

/// When it was told last, and how many were not let in since.
#[derive(Debug)]
pub struct Crowd(Mutex<LogThrottle>);

impl Default for Crowd {
    fn default() -> Self {
        Self(LogThrottle::new(RATE).into())
    }
}

impl Crowd {
    /// Notes that a connection was refused.
    pub fn note(&self, over: Over) {
        let what = match over {
            Over::Total => "limits.connections are there",
            Over::Address => "its address has limits.connections_per_address",
        };
        if let Some(count) = self.due() {
            warn!("a connection was refused: {what} ({count} refused since the last such line)");
        }
    }

    /// Counts one, and says how many they are since the last line, when it is time for one.
    pub fn due(&self) -> Option<u64> {
        self.due_at(Instant::now())
    }

    fn due_at(&self, now: Instant) -> Option<u64> {
        let mut throttle = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        throttle.admit(now).map(|suppressed| suppressed + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attack_is_told_once_in_a_while_with_its_size() {
        let (crowd, start) = (Crowd::default(), Instant::now());
        let due = |seconds| crowd.due_at(start + Duration::from_secs(seconds));
        assert_eq!(due(0), Some(1));
        assert_eq!((due(1), due(29)), (None, None));
        assert_eq!(due(31), Some(3));
        assert_eq!(due(32), None);
    }
}
