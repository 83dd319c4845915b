//! Trouble: a relay that answers for a mount and does not serve it. Pure.
//!
//! Its status page is fine, so polls clear nothing here: only audio does, for longer than a burst lasts. Meanwhile other
//! relays come first, and after a growing pause one proxied tune-in at a time tries it again. Redirected listeners try nothing,
//! as it is not seen what becomes of them: they avoid the relay until the pause is over.

use std::time::{Duration, Instant};

/// Pause after the first failure; doubled with each failed try, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// Time that a try has before another one is made: longer than a tune-in and the burst behind it last.
const TRY_TIME: Duration = Duration::from_secs(10);

/// Fault of one mount on one relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trouble {
    /// Short text for logs and `/status`.
    pub reason: &'static str,
    pause: Duration,
    retry_at: Instant,
    /// A listener was sent there to see whether it serves again.
    is_tried: bool,
}

impl Trouble {
    /// Trouble that was seen at `now` for the first time.
    pub fn new(reason: &'static str, now: Instant) -> Self {
        Self {
            reason,
            pause: FIRST_PAUSE,
            retry_at: now + FIRST_PAUSE,
            is_tried: false,
        }
    }

    /// Notes that it was seen again. Where nothing is tried, the listener had been sent there before it was known.
    pub fn note_again(&mut self, reason: &'static str, now: Instant) {
        if !self.is_recent(now) {
            *self = Self::new(reason, now);
            return;
        }
        self.reason = reason;
        if std::mem::take(&mut self.is_tried) {
            self.pause = (self.pause * 2).min(LONGEST_PAUSE);
            self.retry_at = now + self.pause;
        }
    }

    /// Returns true until the next try is due: other relays come first.
    pub fn is_avoided(&self, now: Instant) -> bool {
        now < self.retry_at
    }

    /// Returns true while it is not forgotten: without a proxied listener nothing shows whether it is over.
    pub fn is_recent(&self, now: Instant) -> bool {
        now < self.retry_at + LONGEST_PAUSE
    }

    /// Notes that a proxied listener was sent there: where that is a try, no other one is made beside it.
    pub fn note_sent(&mut self, now: Instant) {
        if !self.is_avoided(now) {
            self.retry_at = now + TRY_TIME;
            self.is_tried = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_in_trouble_is_tried_by_one_listener_at_a_time_after_growing_pauses() {
        let start = Instant::now();
        let mut now = start;
        let mut trouble = Trouble::new("silent", now);
        // Those that were under way lengthen no pause.
        trouble.note_again("silent", now);
        let mut tries = Vec::new();
        for _ in 0..2_000 {
            now += Duration::from_secs(1);
            if !trouble.is_avoided(now) {
                trouble.note_sent(now);
                assert!(trouble.is_avoided(now), "one at a time");
                trouble.note_again("closed", now);
                tries.push((now - start).as_secs());
            }
        }
        assert_eq!(tries, [10, 30, 70, 150, 310, 610, 910, 1210, 1510, 1810]);
        assert_eq!(trouble.reason, "closed");
    }

    #[test]
    fn a_try_of_which_nothing_comes_is_followed_by_another() {
        let start = Instant::now();
        let mut trouble = Trouble::new("silent", start);
        let later = start + FIRST_PAUSE;
        trouble.note_sent(later);
        assert!(trouble.is_avoided(later + TRY_TIME / 2));
        assert!(!trouble.is_avoided(later + TRY_TIME));
    }
}
