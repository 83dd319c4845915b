//! The search in plain audio: where another relay's body goes on with what a listener was sent. Pure.
//!
//! Comes in: what was sent, the other body as it grows. Goes out: the place of the next byte and how sure it is. A silence
//! is everywhere alike: the exact place is then found by the audio before it.

use std::time::Duration;

use super::Seam;
use super::carried::{Plain, repeats};
use super::mpeg;
use super::splice::{Outcome, Prediction, Search};

/// How far relays of one master may be apart in time, for a guess.
const SKEW: Duration = Duration::from_millis(500);

/// What time says about the place: the end of the body is what the relay plays now.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    /// Since the last byte that was sent came from its relay.
    pub elapsed: Duration,
    /// The stream's pace.
    pub bytes_per_second: u64,
}

impl Clock {
    /// How many bytes went by since the listener's last one.
    pub fn missed_bytes(&self) -> usize {
        let bytes = self.elapsed.as_millis() * u128::from(self.bytes_per_second) / 1_000;
        usize::try_from(bytes).unwrap_or(usize::MAX)
    }
}

/// A place in the other body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spot {
    /// Offset of the next byte to send; it may still be to come.
    pub place: u64,
    /// How sure it is.
    pub seam: Seam,
}

/// The search for one joint in one body.
#[derive(Debug)]
pub struct PlainSearch {
    /// What had been sent when it began: more may follow while it goes on.
    sent_before: u64,
    tail: Search,
    /// The audio before the silence, and how much of the silence was sent.
    anchor: Option<(Search, u64)>,
    limit_bytes: usize,
}

impl PlainSearch {
    /// A search that gives up once `limit_bytes` of the body are there.
    pub fn new(sent: &Plain, limit_bytes: usize) -> Self {
        let anchor = sent.anchor().map(|anchor| {
            let search = Search::new(&anchor.tail, None, limit_bytes);
            (search, anchor.since_bytes)
        });
        Self {
            sent_before: sent.tail().sent_bytes(),
            tail: Search::new(sent.tail(), None, limit_bytes),
            anchor,
            limit_bytes,
        }
    }

    /// Whether the listener is in a silence, where waiting for a better place is in vain.
    pub fn is_in_silence(&self) -> bool {
        self.anchor.is_some()
    }

    /// Looks at the body so far; `None` when more of it is needed.
    pub fn look(&mut self, sent: &Plain, body: &[u8], clock: Clock) -> Option<Spot> {
        if let Some((search, since)) = &mut self.anchor
            && let Outcome::Found { resume_at } = search.look(body)
        {
            let place = resume_at as u64 + *since;
            let spot = self.exact(sent, place);
            // What lay before the silence may lie elsewhere too, as a station's ident does.
            if agrees(sent, body, resume_at, spot.place) {
                return Some(spot);
            }
        }
        if sent.tail().is_empty() {
            return None;
        }
        match self.tail.look(body) {
            Outcome::Found { resume_at } => Some(self.exact(sent, resume_at as u64)),
            Outcome::NotYet => None,
            Outcome::Ambiguous { .. } | Outcome::NoOverlap => {
                Some(self.conclude(sent, body, clock))
            }
        }
    }

    /// Decides with what is there, by the clock where the bytes do not tell.
    pub fn conclude(&self, sent: &Plain, body: &[u8], clock: Clock) -> Spot {
        let length = body.len() as u64;
        let per_second = clock.bytes_per_second;
        let foretold = Prediction::new(length, clock.elapsed, per_second, SKEW);
        let search = Search::new(sent.tail(), Some(foretold), self.limit_bytes);
        let behind = |resume_at: usize| resume_at as u64;
        let outcome = match sent.tail().is_empty() {
            true => Outcome::NoOverlap,
            false => search.conclude(body),
        };
        match outcome {
            Outcome::Found { resume_at } => Spot {
                place: behind(resume_at),
                seam: Seam::Exact,
            },
            Outcome::Ambiguous { resume_at } => Spot {
                place: behind(resume_at),
                seam: Seam::Guessed,
            },
            Outcome::NotYet | Outcome::NoOverlap => Spot {
                place: break_at(body, foretold.offset_bytes),
                seam: Seam::Audible,
            },
        }
    }

    fn exact(&self, sent: &Plain, place: u64) -> Spot {
        let since = sent.tail().sent_bytes() - self.sent_before;
        Spot {
            place: place + since,
            seam: Seam::Exact,
        }
    }
}

/// Whether the body from the anchor's end up to `place`, as far as it is there, is what was sent.
fn agrees(sent: &Plain, body: &[u8], anchor_end: usize, place: u64) -> bool {
    let tail = sent.tail().bytes();
    let place = usize::try_from(place).unwrap_or(usize::MAX);
    let before = tail.len().saturating_sub(place);
    let tail = tail.get(before..).unwrap_or_default();
    match body.get(place.saturating_sub(tail.len())..place.min(body.len())) {
        Some(known @ [_, ..]) => tail.starts_with(known),
        // It is far behind: all that is known of what it is to bring is that it repeats itself.
        _ => repeats(body.get(anchor_end..).unwrap_or_default()),
    }
}

/// Where to begin when nothing overlaps: at the first frame from where the clock says the listener is.
fn break_at(body: &[u8], foretold: i64) -> u64 {
    let from = usize::try_from(foretold).unwrap_or(0).min(body.len());
    let rest = body.get(from..).unwrap_or_default();
    (from + mpeg::first_boundary(rest).unwrap_or(0)) as u64
}

#[cfg(test)]
mod tests;
