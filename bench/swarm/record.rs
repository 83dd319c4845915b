//! What is known of each listener, and the sums of it.
//!
//! Comes in: what happened to one listener. Goes out: JSON for groups of them. It does no I/O.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::programme::{Check, Findings};

/// How a listener fares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// No audio came yet.
    TuningIn,
    /// Audio came, and the stream is open.
    Playing,
    /// Hung up by itself, after audio came.
    Left,
    /// Never got audio, and why.
    Failed(String),
    /// Audio came, and then the stream ended under it; and how.
    Lost(String),
}

/// One listener.
#[derive(Debug)]
pub struct Record {
    /// How it fares.
    pub fate: Fate,
    /// What the label header of its answer said.
    pub label: Option<String>,
    /// When it asked.
    pub asked: Instant,
    /// From there to its first audio.
    pub first_audio: Option<Duration>,
    /// Bytes of audio.
    pub audio_bytes: u64,
    /// Times that it had to wake up for them.
    pub reads: u64,
    /// What was wrong with them.
    pub check: Check,
    last_audio: Option<Instant>,
    longest_gap: Duration,
}

/// A listener's record, shared between its task and the report.
pub type Shared = Rc<RefCell<Record>>;

impl Record {
    /// A listener that asks now.
    pub fn asking() -> Self {
        Self {
            fate: Fate::TuningIn,
            label: None,
            asked: Instant::now(),
            first_audio: None,
            audio_bytes: 0,
            reads: 0,
            check: Check::default(),
            last_audio: None,
            longest_gap: Duration::ZERO,
        }
    }

    /// Notes audio; called once per piece of a read.
    pub fn hear(&mut self, audio: &[u8], now: Instant) {
        if self.fate == Fate::TuningIn {
            self.fate = Fate::Playing;
            self.first_audio = Some(now - self.asked);
        }
        self.longest_gap = self.gap_at(now);
        self.last_audio = Some(now);
        self.audio_bytes += audio.len() as u64;
        self.check.take(audio);
    }

    /// Notes that its stream ended, or never began.
    pub fn end(&mut self, how: String) {
        self.fate = match self.fate {
            Fate::TuningIn => Fate::Failed(how),
            _ => Fate::Lost(how),
        };
    }

    /// The longest time without audio, the present one included; of a stream that is over, without it.
    fn gap_at(&self, now: Instant) -> Duration {
        let present = self.last_audio.filter(|_| self.fate == Fate::Playing);
        let present = present.map_or(Duration::ZERO, |last| now - last);
        present.max(self.longest_gap)
    }
}

/// Looks for their longest gaps anew, from now on.
pub fn forget_gaps(group: &[Shared]) {
    for record in group {
        record.borrow_mut().longest_gap = Duration::ZERO;
    }
}

/// Sums up a group of listeners.
pub fn sum_up(group: &[Shared], now: Instant) -> Value {
    let mut fates: BTreeMap<&str, u64> = BTreeMap::new();
    let mut reasons: BTreeMap<String, u64> = BTreeMap::new();
    let (mut found, mut gaps, mut firsts) = (Findings::default(), Vec::new(), Vec::new());
    let (mut bytes, mut reads, mut unplaced) = (0, 0, 0_u64);
    for record in group {
        let record = record.borrow();
        let (name, reason) = named(&record.fate);
        *fates.entry(name).or_default() += 1;
        if let Some(reason) = reason {
            *reasons.entry(format!("{name}: {reason}")).or_default() += 1;
        }
        found.breaks += record.check.found.breaks;
        found.missing_bytes += record.check.found.missing_bytes;
        found.repeated_bytes += record.check.found.repeated_bytes;
        found.foreign_bytes += record.check.found.foreign_bytes;
        unplaced += u64::from(record.audio_bytes >= 100 && !record.check.is_placed());
        bytes += record.audio_bytes;
        reads += record.reads;
        firsts.extend(record.first_audio);
        // A stream that is over has no end of its gap.
        if matches!(record.fate, Fate::Playing | Fate::Left) {
            gaps.push(record.gap_at(now));
        }
    }
    let of = |name: &str| fates.get(name).copied().unwrap_or(0);
    json!({
        "asked": group.len(),
        "playing": of("playing"),
        "left": of("left"),
        "failed": of("failed"),
        "lost": of("lost"),
        "tuning_in": of("tuning in"),
        "reasons": reasons,
        "bytes": bytes,
        "reads": reads,
        "breaks": found.breaks,
        "missing_bytes": found.missing_bytes,
        "repeated_bytes": found.repeated_bytes,
        "foreign_bytes": found.foreign_bytes,
        "never_placed": unplaced,
        "gap_seconds": spread(gaps),
        "first_audio_seconds": spread(firsts),
    })
}

/// As [`sum_up`], one sum for each label.
pub fn sum_up_by_label(group: &[Shared], now: Instant) -> Value {
    let mut labels: BTreeMap<String, Vec<Shared>> = BTreeMap::new();
    for record in group {
        let label = record.borrow().label.clone().unwrap_or_default();
        labels.entry(label).or_default().push(Rc::clone(record));
    }
    let sums = labels
        .into_iter()
        .map(|(label, group)| (label, sum_up(&group, now)));
    Value::Object(sums.collect())
}

fn named(fate: &Fate) -> (&'static str, Option<&str>) {
    match fate {
        Fate::TuningIn => ("tuning in", None),
        Fate::Playing => ("playing", None),
        Fate::Left => ("left", None),
        Fate::Failed(why) => ("failed", Some(why)),
        Fate::Lost(how) => ("lost", Some(how)),
    }
}

/// The median, the 99th percentile and the longest, in seconds.
pub fn spread(mut times: Vec<Duration>) -> Value {
    times.sort_unstable();
    let at = |percent: usize| {
        let place = (times.len().saturating_sub(1) * percent).div_ceil(100);
        times.get(place).map(|time| time.as_micros() as f64 / 1e6)
    };
    json!({ "p50": at(50), "p99": at(99), "max": at(100) })
}
