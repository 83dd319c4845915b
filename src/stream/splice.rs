//! The joint: where in a new relay's body the bytes go on that a listener was sent already.
//!
//! Comes in: the tail of what was sent, a prediction of where it lies, the new relay's body as it grows (audio only: no
//! head, no ICY metadata). Goes out: the offset of the next byte, or why there is none. It never says `Found` for a
//! place that is a guess. Must not know the time, a socket or a format.

mod needle;
mod tail;
#[cfg(test)]
mod tests;

use std::time::Duration;

use needle::Needle;
pub use tail::{TAIL_BYTES, Tail};

/// Fewer bytes in common say nothing: zeros that pad a frame are as many.
const MIN_OVERLAP_BYTES: usize = 32;

/// What is tried last, when the tail as a whole is nowhere: it may itself hold a seam that was not exact.
const SHORT_NEEDLE_BYTES: usize = 512;

/// Where the next byte is expected in the new relay's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prediction {
    /// The expected offset, negative when the body is thought to begin behind it.
    pub offset_bytes: i64,
    /// How far off that may be to either side.
    ///
    /// Below [`TAIL_BYTES`] a match is accepted the moment it is seen; above it, when the body has passed this window.
    pub within_bytes: u64,
}

impl Prediction {
    /// Predicts from what a relay does: it begins `burst_bytes` behind its live edge, and the last byte sent was at the
    /// live edge `elapsed` ago.
    pub fn new(
        burst_bytes: u64,
        elapsed: Duration,
        bytes_per_second: u64,
        within: Duration,
    ) -> Self {
        let bytes_in = |time: Duration| {
            let bytes = time.as_micros().saturating_mul(bytes_per_second.into());
            u64::try_from(bytes / 1_000_000).unwrap_or(u64::MAX)
        };
        Self {
            offset_bytes: 0_i64
                .saturating_add_unsigned(burst_bytes)
                .saturating_sub_unsigned(bytes_in(elapsed)),
            within_bytes: bytes_in(within),
        }
    }

    fn distance(self, at: usize) -> u64 {
        self.offset_bytes.abs_diff(signed(at))
    }

    fn agrees(self, at: usize) -> bool {
        self.distance(at) <= self.within_bytes
    }

    /// Whether each place that agrees leaves enough before it to be seen as a match: else a repetition of the right
    /// place could be alone in agreeing.
    fn is_within_reach(self) -> bool {
        let earliest = self.offset_bytes.saturating_sub_unsigned(self.within_bytes);
        earliest >= signed(MIN_OVERLAP_BYTES)
    }

    /// Whether no place behind `at` agrees.
    fn is_passed(self, at: usize) -> bool {
        signed(at) >= self.offset_bytes.saturating_add_unsigned(self.within_bytes)
    }
}

fn signed(at: usize) -> i64 {
    i64::try_from(at).unwrap_or(i64::MAX)
}

/// What a look at the body says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The byte at `resume_at` follows the last one sent: an exact seam.
    Found {
        /// Offset in the body, at most its length.
        resume_at: usize,
    },
    /// The bytes sent last are there more than once, as in silence, and this is the best guess: it is heard as silence
    /// that lasts a little longer or shorter.
    Ambiguous {
        /// Offset in the body, at most its length.
        resume_at: usize,
    },
    /// More of the body is needed.
    NotYet,
    /// The body does not hold them: the relay is too far ahead, or its burst is too short.
    NoOverlap,
}

/// The search for one joint.
///
/// The tail may grow while it goes on (a relay that is drained still sends): what was sent since is to be added to
/// `resume_at`.
#[derive(Debug)]
pub struct Search {
    needle: Needle,
    prediction: Option<Prediction>,
    limit_bytes: usize,
    scanned_bytes: usize,
    /// How much of the needle's start matches the end of what was scanned.
    matched_bytes: usize,
    start_is_seen: bool,
    matches: Matches,
}

/// What was found so far. A telling match makes those that are not forgotten, but for the dispute.
#[derive(Debug, Default)]
struct Matches {
    best: Option<Match>,
    telling: bool,
    /// Whether one that is not telling agrees with the prediction: those that are may be its repetitions.
    disputed: bool,
    agreeing: usize,
    all: usize,
}

#[derive(Debug, Clone, Copy)]
struct Match {
    end: usize,
    whole: bool,
}

impl Search {
    /// A search for the end of `tail` that gives up once `limit_bytes` of the body are there: the burst and about two
    /// seconds more, for a relay that is behind. After an empty tail each byte is the next: it is found at 0.
    pub fn new(tail: &Tail, prediction: Option<Prediction>, limit_bytes: usize) -> Self {
        Self::with(Needle::new(tail.bytes()), prediction, limit_bytes)
    }

    fn with(needle: Needle, prediction: Option<Prediction>, limit_bytes: usize) -> Self {
        Self {
            needle,
            prediction,
            limit_bytes,
            scanned_bytes: 0,
            matched_bytes: 0,
            start_is_seen: false,
            matches: Matches::default(),
        }
    }

    /// Looks at `body`, all of it from its first byte, of which the earlier looks saw the start.
    pub fn look(&mut self, body: &[u8]) -> Outcome {
        self.scan(body);
        let mut given_up = self.scanned_bytes >= self.limit_bytes;
        if self.matches.best.is_none() {
            // A match that has begun may end, but silence begins one for ever.
            let begun = self.matched_bytes >= MIN_OVERLAP_BYTES;
            let grace = if begun { self.needle.pattern.len() } else { 0 };
            given_up &= self.scanned_bytes >= self.limit_bytes.saturating_add(grace);
        }
        self.outcome(body, given_up)
    }

    /// Decides with what is there: for a caller who cannot wait longer. Never says `NotYet`; what is telling is `Found`
    /// even before the predicted place, which only a loop of less than a burst can make wrong.
    pub fn conclude(mut self, body: &[u8]) -> Outcome {
        self.scan(body);
        self.scan_start(body);
        self.outcome(body, true)
    }

    fn scan(&mut self, body: &[u8]) {
        let new = body.get(self.scanned_bytes..).unwrap_or_default();
        let (needle, prediction, matches) = (&self.needle, self.prediction, &mut self.matches);
        let telling = needle.tells(needle.pattern.len());
        let before = self.scanned_bytes;
        self.matched_bytes = needle.pattern.scan(self.matched_bytes, new, |end| {
            let found = Match {
                end: before + end,
                whole: true,
            };
            matches.note(found, telling, prediction);
        });
        self.scanned_bytes += new.len();
        if self.scanned_bytes >= needle.pattern.len() {
            self.scan_start(body);
        }
    }

    /// A body may begin inside the needle: then it is the end of the needle that lies at its start.
    fn scan_start(&mut self, body: &[u8]) {
        if std::mem::replace(&mut self.start_is_seen, true) {
            return;
        }
        for end in self.needle.overlaps(body) {
            if end < MIN_OVERLAP_BYTES {
                break;
            }
            let found = Match { end, whole: false };
            self.matches
                .note(found, self.needle.tells(end), self.prediction);
        }
    }

    fn outcome(&self, body: &[u8], given_up: bool) -> Outcome {
        match self.needle.pattern.len() {
            0 => return Outcome::Found { resume_at: 0 },
            length if length < MIN_OVERLAP_BYTES => return Outcome::NoOverlap,
            _ => {}
        }
        match self.matches.best {
            Some(best) => self.judge(best, given_up),
            None if given_up => self.look_for_less(body),
            None => Outcome::NotYet,
        }
    }

    fn judge(&self, best: Match, given_up: bool) -> Outcome {
        let resume_at = best.end;
        let agrees = self.prediction.is_some_and(|it| it.agrees(resume_at));
        let settled = self.is_settled(best);
        let is_enough = self.matches.telling || agrees && best.is_ample();
        if !(given_up || settled && is_enough) {
            return Outcome::NotYet;
        }
        let candidates = match agrees {
            true => self.matches.agreeing,
            false => self.matches.all,
        };
        let within_reach = self.prediction.is_some_and(Prediction::is_within_reach);
        let foretold = agrees && settled && within_reach;
        let disputed = !agrees && within_reach && self.matches.disputed;
        if candidates == 1 && (self.matches.telling && !disputed || foretold) {
            Outcome::Found { resume_at }
        } else {
            Outcome::Ambiguous { resume_at }
        }
    }

    /// Whether no match that is still to come can agree with the prediction.
    fn is_settled(&self, best: Match) -> bool {
        // Behind a whole match the next one cannot end sooner than a period later.
        let barren = if best.whole {
            self.needle.period() - 1
        } else {
            0
        };
        let searched = self.scanned_bytes.max(best.end + barren);
        self.prediction.is_none_or(|it| it.is_passed(searched))
    }

    /// Tries with the needle's last bytes alone.
    fn look_for_less(&self, body: &[u8]) -> Outcome {
        if self.needle.pattern.len() <= SHORT_NEEDLE_BYTES {
            return Outcome::NoOverlap;
        }
        let needle = self.needle.end(SHORT_NEEDLE_BYTES);
        Self::with(needle, self.prediction, 0).conclude(body)
    }
}

impl Match {
    /// Whether so much matches that it is a repetition at the least, not a few zeros.
    fn is_ample(self) -> bool {
        self.whole || self.end >= SHORT_NEEDLE_BYTES
    }
}

impl Matches {
    /// Keeps the match nearest the prediction; without one the first: silence said twice is better than a word lost.
    fn note(&mut self, found: Match, telling: bool, prediction: Option<Prediction>) {
        let agrees = prediction.is_some_and(|it| it.agrees(found.end));
        self.disputed |= agrees && !telling;
        if self.telling && !telling {
            return;
        }
        if telling && !self.telling {
            *self = Self {
                telling,
                disputed: self.disputed,
                ..Self::default()
            };
        }
        self.all += 1;
        self.agreeing += usize::from(agrees);
        let distance = |end| prediction.map_or(end as u64, |it| it.distance(end));
        if self
            .best
            .is_none_or(|best| distance(found.end) < distance(best.end))
        {
            self.best = Some(found);
        }
    }
}
