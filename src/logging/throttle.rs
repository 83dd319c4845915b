//! Throttles of log lines: what an attack or an outage repeats is logged up to a rate, and the rest is counted. Pure.
//!
//! In: the time of each event. Out: whether it is logged, and the number of events before it that were not.

use std::collections::HashMap;
use std::hash::Hash;
use std::mem;
use std::time::{Duration, Instant};

/// Keys at the same time; all further ones share one budget. 65,536 of 40 bytes are 4 MB with the table's own, and one
/// that logged a single line is forgotten after an interval.
const KEYS: usize = 65_536;

/// Lines that may be logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Lines at once.
    pub burst_lines: u32,
    /// Time after which one more line may follow.
    pub interval: Duration,
}

/// Throttles one kind of line.
#[derive(Debug)]
pub struct LogThrottle {
    rate: Rate,
    bucket: Bucket,
}

impl LogThrottle {
    /// A throttle with its whole burst before it.
    pub const fn new(rate: Rate) -> Self {
        Self {
            rate,
            bucket: Bucket::FULL,
        }
    }

    /// Returns the number of events since the last logged one when this one may be logged, and counts it otherwise.
    pub fn admit(&mut self, now: Instant) -> Option<u64> {
        let is_admitted = self.bucket.admit(self.rate, now);
        is_admitted.then(|| mem::take(&mut self.bucket.suppressed))
    }
}

/// Throttles lines by a key, such as the address of a client.
#[derive(Debug)]
pub struct KeyedLogThrottle<K> {
    rate: Rate,
    buckets: HashMap<K, Bucket>,
    /// The budget of all keys that came while the table was full.
    others: Bucket,
    /// Time of the last look for idle keys in a full table, which takes half a millisecond.
    swept_at: Option<Instant>,
}

/// Lines that were not logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Suppressed<K> {
    /// Their number.
    pub lines: u64,
    /// Number of keys that they had.
    pub keys: usize,
    /// The key that most of them had; `None` when the table was full for all of them.
    pub most: Option<K>,
}

impl<K: Copy + Eq + Hash> KeyedLogThrottle<K> {
    /// A throttle in which each key has this rate.
    pub fn new(rate: Rate) -> Self {
        Self {
            rate,
            buckets: HashMap::new(),
            others: Bucket::FULL,
            swept_at: None,
        }
    }

    /// Returns whether a line of this key may be logged, and counts it otherwise.
    pub fn admit(&mut self, key: K, now: Instant) -> bool {
        let has_room = self.buckets.contains_key(&key) || self.has_room(now);
        let bucket = match has_room {
            true => self.buckets.entry(key).or_insert(Bucket::FULL),
            false => &mut self.others,
        };
        bucket.admit(self.rate, now)
    }

    /// Returns whether the table has room for another key; forgets idle keys for it, once in an interval.
    fn has_room(&mut self, now: Instant) -> bool {
        let is_due = |at| now.saturating_duration_since(at) >= self.rate.interval;
        if self.buckets.len() >= KEYS && self.swept_at.is_none_or(is_due) {
            self.swept_at = Some(now);
            self.buckets.retain(|_, bucket| !bucket.is_idle(now));
        }
        self.buckets.len() < KEYS
    }

    /// Takes the count of lines that were not logged since the last call; `None` when all were. Forgets idle keys.
    pub fn take_suppressed(&mut self, now: Instant) -> Option<Suppressed<K>> {
        let others = mem::take(&mut self.others.suppressed);
        let (mut lines, mut keys, mut most) = (others, 0, None);
        for (key, bucket) in &mut self.buckets {
            let suppressed = mem::take(&mut bucket.suppressed);
            lines += suppressed;
            keys += usize::from(suppressed > 0);
            if suppressed > most.map_or(0, |(_, count)| count) {
                most = Some((*key, suppressed));
            }
        }
        self.buckets.retain(|_, bucket| !bucket.is_idle(now));
        self.buckets.shrink_to(2 * self.buckets.len());
        let most = most.map(|(key, _)| key);
        (lines > 0).then_some(Suppressed { lines, keys, most })
    }
}

/// A budget: tokens that are used up by lines and come back one in each interval.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    /// Time at which all tokens are there again; `None` when none was used.
    full_at: Option<Instant>,
    suppressed: u64,
}

impl Bucket {
    const FULL: Self = Self {
        full_at: None,
        suppressed: 0,
    };

    fn admit(&mut self, rate: Rate, now: Instant) -> bool {
        let full_at = self.full_at.map_or(now, |at| at.max(now)) + rate.interval;
        let used = full_at.saturating_duration_since(now);
        let is_admitted = used <= rate.interval.saturating_mul(rate.burst_lines);
        match is_admitted {
            true => self.full_at = Some(full_at),
            false => self.suppressed += 1,
        }
        is_admitted
    }

    /// Returns whether it is as good as a new one.
    fn is_idle(&self, now: Instant) -> bool {
        self.suppressed == 0 && self.full_at.is_none_or(|at| at <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn one_line_stands_for_all_events_since_the_last_one() {
        let start = Instant::now();
        let mut throttle = LogThrottle::new(Rate {
            burst_lines: 1,
            interval: 30 * SECOND,
        });
        let mut admit = |seconds| throttle.admit(start + seconds * SECOND);
        assert_eq!(admit(0), Some(0));
        assert_eq!((admit(1), admit(29)), (None, None));
        assert_eq!(admit(31), Some(2));
        assert_eq!(admit(32), None);
        assert_eq!(admit(61), Some(1));
    }

    #[test]
    fn each_key_has_a_burst_and_then_a_steady_rate() {
        let start = Instant::now();
        let mut throttle = KeyedLogThrottle::new(Rate {
            burst_lines: 5,
            interval: SECOND,
        });
        let mut admitted = |key, times: usize, after: Duration| {
            let admitted = (0..times).filter(|_| throttle.admit(key, start + after));
            admitted.count()
        };
        assert_eq!(admitted("a", 100, Duration::ZERO), 5);
        assert_eq!(admitted("b", 3, Duration::ZERO), 3);
        assert_eq!(admitted("a", 100, 2 * SECOND), 2);
        assert_eq!(admitted("b", 3, 2 * SECOND), 3);
        assert_eq!(admitted("a", 100, 60 * SECOND), 5);

        let suppressed = throttle.take_suppressed(start + 60 * SECOND);
        let expected = Suppressed {
            lines: 95 + 98 + 95,
            keys: 1,
            most: Some("a"),
        };
        assert_eq!(suppressed, Some(expected));
        assert_eq!(throttle.take_suppressed(start + 60 * SECOND), None);
        assert_eq!(throttle.buckets.len(), 1, "b is idle");
        assert_eq!(throttle.take_suppressed(start + 90 * SECOND), None);
        assert_eq!(throttle.buckets.len(), 0);
    }

    #[test]
    fn keys_without_end_share_one_budget_and_fill_no_memory() {
        let start = Instant::now();
        let mut throttle = KeyedLogThrottle::new(Rate {
            burst_lines: 2,
            interval: SECOND,
        });
        let most = KEYS + 1000;
        let admitted = (0..most).filter(|key| throttle.admit(*key, start)).count();
        assert_eq!(admitted, KEYS + 2);
        assert_eq!(throttle.buckets.len(), KEYS);
        assert!(throttle.admit(0, start), "it was there before");

        assert!(throttle.admit(most, start + SECOND), "idle keys made room");
        assert_eq!(throttle.buckets.len(), 2);
        let suppressed = throttle.take_suppressed(start + SECOND).unwrap();
        assert_eq!((suppressed.lines, suppressed.most), (998, None));
    }
}
