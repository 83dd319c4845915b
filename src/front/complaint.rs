//! The complaint: a log line when listeners are turned away, with every relay's reason, and not one line a listener.

use std::fmt::Write as _;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use log::warn;

use super::refuse::Refusal;
use crate::fleet::Fleet;
use crate::select::{TuneIn, barrier};

/// Between two lines; a fleet that is down refuses hundreds of listeners a second.
const PAUSE: Duration = Duration::from_secs(10);

/// Relays named in one line.
const NAMED_RELAYS: usize = 10;

/// Complains about refusals that an operator can do something about.
#[derive(Debug, Default)]
pub struct Complaint(Mutex<Silence>);

#[derive(Debug, Default)]
struct Silence {
    last: Option<Instant>,
    refusals: u64,
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
        let mut silence = self.0.lock().unwrap_or_else(|broken| broken.into_inner());
        silence.refusals += 1;
        let is_due = |last| now.saturating_duration_since(last) >= PAUSE;
        if !silence.last.is_none_or(is_due) {
            return None;
        }
        silence.last = Some(now);
        Some(std::mem::take(&mut silence.refusals))
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
            assert_eq!(complaint.next(start + PAUSE / 2), None);
        }
        assert_eq!(complaint.next(start + PAUSE), Some(101));
    }
}
