//! The complaint: a log line when listeners are turned away, with every relay's reason, and not one line a listener.

use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use log::warn;

use super::refuse::Refusal;
use crate::fleet::Fleet;
use crate::logging::{LogThrottle, Rate};
use crate::select::{TuneIn, barrier};

/// One line in so long; a fleet that is down refuses hundreds of listeners a second.
const RATE: Rate = Rate {
    burst_lines: 1,
    interval: Duration::from_secs(10),
};

/// Relays named in one line.
const NAMED_RELAYS: usize = 10;

/// Complains about refusals that an operator can do something about.
#[derive(Debug)]
pub struct Complaint(Mutex<LogThrottle>);

impl Default for Complaint {
    fn default() -> Self {
        Self(LogThrottle::new(RATE).into())
    }
}

impl Complaint {
    /// Notes a refusal of this tune-in; logs it when the last line is long enough ago.
    pub fn about(&self, refusal: Refusal, fleet: &Fleet, tune_in: TuneIn<'_>, now: Instant) {
        if refusal.status() != 503 {
            return;
        }
        let Some(refusals) = self.next(now) else {
            return;
        };
        warn!(
            "{}: {} ({refusals} refused since the last such line){}",
            tune_in.mount.escape_debug(),
            refusal.text(),
            reasons(fleet, tune_in, now)
        );
    }

    /// How many refusals the line stands for, when it is due.
    fn next(&self, now: Instant) -> Option<u64> {
        let mut throttle = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        throttle.admit(now).map(|suppressed| suppressed + 1)
    }
}

/// `: relay1 down, relay2 full`.
fn reasons(fleet: &Fleet, tune_in: TuneIn<'_>, now: Instant) -> String {
    let carriers = fleet.mounts().carriers(tune_in.mount).iter();
    let barred = carriers.filter_map(|carrier| {
        let bar = barrier(fleet.standing(carrier.relay)?, carrier, tune_in, &[], now)?;
        Some((&fleet.relay(carrier.relay)?.name, bar))
    });
    let mut text = String::new();
    for (name, bar) in barred.take(NAMED_RELAYS) {
        let before = if text.is_empty() { ": " } else { ", " };
        // Writing to a String does not fail.
        let _ = write!(text, "{before}{name} {}", bar.as_str());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_stands_for_many_refusals() {
        let complaint = Complaint::default();
        let start = Instant::now();
        assert_eq!(complaint.next(start), Some(1));
        for _ in 0..100 {
            assert_eq!(complaint.next(start + RATE.interval / 2), None);
        }
        assert_eq!(complaint.next(start + RATE.interval), Some(101));
    }
}
