//! Flow: who came and went since the last report, of the listeners of a relay or of one mount there.

use std::time::Instant;

use super::pending::{Pending, STREAM_SETTLE};

/// Comings and goings that no report shows yet.
#[derive(Debug, Clone)]
pub struct Flow {
    /// Sent there: whether and when they arrive is not ours to see.
    sent: Pending,
    /// Sent there too, but of clients that have as many on the way as count toward a capacity.
    surplus: Pending,
    /// Arrived there, as we carry their streams.
    arrived: Pending,
    /// Left, and known to have left.
    departed: Pending,
}

impl Default for Flow {
    fn default() -> Self {
        Self {
            sent: Pending::default(),
            surplus: Pending::default(),
            arrived: Pending::settling_after(STREAM_SETTLE),
            departed: Pending::settling_after(STREAM_SETTLE),
        }
    }
}

impl Flow {
    /// Listeners that came and that no report shows yet.
    pub fn pending(&self) -> u32 {
        self.sent
            .listeners()
            .saturating_add(self.surplus.listeners())
            .saturating_add(self.arrived.listeners())
    }

    /// Pending listeners that do not count toward a capacity.
    pub fn surplus(&self) -> u32 {
        self.surplus.listeners()
    }

    /// Listeners that left and that the last report still contains.
    pub fn departed(&self) -> u32 {
        self.departed.listeners()
    }

    /// Of `reported` listeners, how many there are by now.
    pub fn taken(&self, reported: u32) -> u32 {
        reported
            .saturating_sub(self.departed())
            .saturating_add(self.pending())
    }

    /// Notes one listener sent at `now`; `is_counted` toward a capacity, or not.
    pub fn send(&mut self, is_counted: bool, now: Instant) {
        if is_counted {
            self.sent.raise(now);
        } else {
            self.surplus.raise(now);
        }
    }

    /// Takes back the latest one that was sent, of those that are counted or of the others.
    pub fn withdraw(&mut self, is_counted: bool) {
        self.sent_ledger(is_counted).withdraw();
    }

    /// Notes that the one sent at `sent` arrived at `now`; returns false when a report has shown it already.
    pub fn arrive(&mut self, sent: Instant, is_counted: bool, now: Instant) -> bool {
        let is_withdrawn = self.sent_ledger(is_counted).withdraw_of(sent);
        if is_withdrawn {
            self.arrived.raise(now);
        }
        is_withdrawn
    }

    /// Notes that the one sent at `sent` left at `now` and was not seen to arrive; returns false when a report has shown it.
    pub fn leave_unseen(&mut self, sent: Instant, is_counted: bool, now: Instant) -> bool {
        let is_withdrawn = self.sent_ledger(is_counted).withdraw_of(sent);
        if !is_withdrawn {
            self.departed.raise(now);
        }
        is_withdrawn
    }

    /// Notes that the one that arrived at `arrived` left at `now`.
    pub fn depart(&mut self, arrived: Instant, now: Instant) {
        if !self.arrived.withdraw_of(arrived) {
            self.departed.raise(now);
        }
    }

    fn sent_ledger(&mut self, is_counted: bool) -> &mut Pending {
        if is_counted {
            &mut self.sent
        } else {
            &mut self.surplus
        }
    }

    /// Clears what a report shows whose poll began at `poll_began`, and which has `reported` listeners after `previous`.
    ///
    /// ICECAST: a count lags behind by 0.09 to 0.35 s, so of those that came or left just before a poll its report may
    /// show some and not others. The difference to the certain count is the number that it shows: no listener counts twice
    /// until the next report.
    pub fn settle(&mut self, poll_began: Instant, previous: u32, reported: u32) {
        let came = [&mut self.sent, &mut self.surplus, &mut self.arrived]
            .map(|ledger| ledger.settle(poll_began))
            .into_iter()
            .fold(previous, u32::saturating_add);
        let certain = came.saturating_sub(self.departed.settle(poll_began));
        self.arrived
            .clear_oldest(reported.saturating_sub(certain), poll_began);
        self.departed
            .clear_oldest(certain.saturating_sub(reported), poll_began);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn listeners_that_came_or_left_just_before_a_poll_count_once() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut flow = Flow::default();
        for _ in 0..30 {
            flow.send(true, at(0));
            flow.arrive(at(0), true, at(500));
        }
        let mut early = flow.clone();
        early.settle(at(700), 10, 10);
        assert_eq!(early.taken(10), 40, "the report shows none of them");
        let mut some = flow.clone();
        some.settle(at(700), 10, 22);
        assert_eq!(some.taken(22), 40, "it shows twelve");
        let mut all = flow.clone();
        all.settle(at(700), 10, 45);
        assert_eq!(all.taken(45), 45, "it shows all, and others");
        let mut before = flow.clone();
        before.settle(at(400), 10, 25);
        assert_eq!(before.taken(25), 55, "the poll began before they came");

        flow.settle(at(900), 10, 40);
        for _ in 0..20 {
            flow.depart(at(500), at(1_000));
        }
        flow.settle(at(1_100), 40, 28);
        assert_eq!(flow.taken(28), 20, "twelve are gone from the report");
    }

    #[test]
    fn who_never_came_takes_nobodys_arrival_with_him() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut flow = Flow::default();
        flow.send(true, at(0));
        flow.arrive(at(0), true, at(500));
        flow.send(true, at(510));
        flow.leave_unseen(at(510), true, at(520));
        assert_eq!((flow.pending(), flow.departed()), (1, 0));
        flow.depart(at(500), at(900));
        assert_eq!((flow.pending(), flow.departed(), flow.taken(0)), (0, 0, 0));
    }
}
