//! Pending: listeners that we sent and that no report can show yet.
//!
//! Without it everybody who arrives between two polls lands on one relay. Raised at each placement; cleared by time
//! only through a report, never by a timer: with a poll interval of 60 s it still holds for 60 s.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// A report shows a listener only if its poll began this long after the redirect.
///
/// ICECAST: counts lag 0.1 to 0.35 s behind the connection (measured, 2.4.4), and a player takes a moment to follow.
pub const SETTLE: Duration = Duration::from_secs(1);

/// The same for a stream that we carry: no player has to follow, and we see when the relay answers.
///
/// ICECAST: 0.22 to 0.31 s from the connection, 0.09 to 0.35 s from its end, to the count (measured, 2.4.4).
pub const STREAM_SETTLE: Duration = Duration::from_millis(350);

/// Placements this close together share a batch: keeps a long interval under load small.
const BATCH_SPAN: Duration = Duration::from_millis(100);

/// The most batches kept, 100 s of steady arrivals; further ones join the newest and so clear a little late.
const BATCH_LIMIT: usize = 1_000;

/// A ledger of placements in the order of time.
#[derive(Debug, Clone)]
pub struct Pending {
    batches: VecDeque<Batch>,
    listeners: u32,
    settle: Duration,
}

impl Default for Pending {
    fn default() -> Self {
        Self::settling_after(SETTLE)
    }
}

#[derive(Debug, Clone, Copy)]
struct Batch {
    first: Instant,
    last: Instant,
    listeners: u32,
}

impl Pending {
    /// A ledger whose entries are shown by a report whose poll began this long after them.
    pub fn settling_after(settle: Duration) -> Self {
        Self {
            batches: VecDeque::new(),
            listeners: 0,
            settle,
        }
    }

    /// How many placements no report shows yet.
    pub fn listeners(&self) -> u32 {
        self.listeners
    }

    /// Notes one listener sent at `now`.
    pub fn raise(&mut self, now: Instant) {
        self.listeners = self.listeners.saturating_add(1);
        let crowded = self.batches.len() >= BATCH_LIMIT;
        match self.batches.back_mut() {
            Some(batch) if crowded || now.saturating_duration_since(batch.first) < BATCH_SPAN => {
                batch.last = batch.last.max(now);
                batch.listeners = batch.listeners.saturating_add(1);
            }
            _ => self.batches.push_back(Batch {
                first: now,
                last: now,
                listeners: 1,
            }),
        }
    }

    /// Takes back the latest placement: the listener was not sent after all.
    pub fn withdraw(&mut self) {
        let Some(batch) = self.batches.back_mut() else {
            return;
        };
        batch.listeners -= 1;
        self.listeners -= 1;
        if batch.listeners == 0 {
            self.batches.pop_back();
        }
    }

    /// Takes back a placement that was made just before `raised`; returns false when a report has shown that listener
    /// already.
    pub fn withdraw_of(&mut self, raised: Instant) -> bool {
        let holds = |batch: &Batch| batch.first <= raised && raised <= batch.last + BATCH_SPAN;
        let Some(place) = self.batches.iter().rposition(holds) else {
            return false;
        };
        let Some(batch) = self.batches.get_mut(place) else {
            return false;
        };
        batch.listeners -= 1;
        self.listeners -= 1;
        if batch.listeners == 0 {
            self.batches.remove(place);
        }
        true
    }

    /// Clears what a report whose poll began at `poll_began` shows by now; returns how many.
    pub fn settle(&mut self, poll_began: Instant) -> u32 {
        let before = self.listeners;
        while let Some(batch) = self.batches.front() {
            if batch.last + self.settle > poll_began {
                break;
            }
            self.listeners -= batch.listeners;
            self.batches.pop_front();
        }
        before - self.listeners
    }

    /// Clears at most `listeners` of the oldest that were noted until `time`.
    pub fn clear_oldest(&mut self, mut listeners: u32, time: Instant) {
        while let Some(batch) = self.batches.front_mut() {
            if listeners == 0 || batch.last > time {
                break;
            }
            let cleared = batch.listeners.min(listeners);
            listeners -= cleared;
            batch.listeners -= cleared;
            self.listeners -= cleared;
            if batch.listeners == 0 {
                self.batches.pop_front();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(start: Instant, millis: u64) -> Instant {
        start + Duration::from_millis(millis)
    }

    #[test]
    fn a_report_clears_only_what_its_poll_could_have_seen() {
        let start = Instant::now();
        let mut pending = Pending::default();
        pending.raise(start);
        pending.raise(at(start, 2_000));

        pending.settle(at(start, 999));
        assert_eq!(pending.listeners(), 2, "the poll began too early");
        pending.settle(at(start, 1_000));
        assert_eq!(pending.listeners(), 1);
        pending.settle(at(start, 2_999));
        assert_eq!(pending.listeners(), 1);
        pending.settle(at(start, 3_000));
        assert_eq!(pending.listeners(), 0);
    }

    #[test]
    fn nothing_but_a_report_clears_it_however_long_the_interval() {
        let start = Instant::now();
        let mut pending = Pending::default();
        for second in 0..3_600 {
            pending.raise(at(start, second * 1_000));
        }
        assert_eq!(pending.listeners(), 3_600);
        assert!(pending.batches.len() <= BATCH_LIMIT);
    }

    #[test]
    fn a_placement_is_taken_back_only_while_no_report_shows_it() {
        let start = Instant::now();
        let mut pending = Pending::default();
        pending.raise(start);
        pending.raise(at(start, 2_000));
        assert!(pending.withdraw_of(at(start, 2_000)));
        assert_eq!(pending.listeners(), 1);
        assert!(!pending.withdraw_of(at(start, 2_000)), "it was taken back");
        pending.settle(at(start, 1_000));
        assert!(!pending.withdraw_of(start), "a report has shown it");
        assert_eq!(pending.listeners(), 0);
    }

    proptest! {
        #[test]
        fn the_total_is_always_the_sum_of_the_batches(steps in prop::collection::vec((0u8..3, 0u64..500), 1..300)) {
            let start = Instant::now();
            let mut now = start;
            let mut pending = Pending::default();
            for (step, millis) in steps {
                now += Duration::from_millis(millis);
                match step {
                    0 => pending.raise(now),
                    1 => pending.withdraw(),
                    _ => {
                        pending.settle(now);
                    }
                }
                let sum: u32 = pending.batches.iter().map(|batch| batch.listeners).sum();
                prop_assert_eq!(sum, pending.listeners());
                prop_assert!(pending.batches.iter().all(|batch| batch.listeners > 0));
            }
        }

        #[test]
        fn a_placement_stays_until_a_poll_that_began_a_second_later(offsets in prop::collection::vec(0u64..5_000, 1..100), poll in 0u64..8_000) {
            let start = Instant::now();
            let mut sorted = offsets;
            sorted.sort_unstable();
            let mut pending = Pending::default();
            for &offset in &sorted {
                pending.raise(at(start, offset));
            }
            pending.settle(at(start, poll));
            let must_stay = sorted.iter().filter(|&&offset| offset + 1_000 > poll).count();
            let may_stay = sorted.iter().filter(|&&offset| offset + 1_100 > poll).count();
            let kept = pending.listeners() as usize;
            prop_assert!(must_stay <= kept && kept <= may_stay, "{must_stay} <= {kept} <= {may_stay}");
        }
    }
}
