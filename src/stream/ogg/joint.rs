//! Finds, among another relay's pages, the one that the listener had last.
//!
//! Comes in: marks of the pages that were sent, marks of the other relay's pages. Goes out: where to go on. Keeps a few
//! marks, no pages.

use super::chain::Role;
use super::page::Page;
use std::collections::VecDeque;

/// How many sent pages are remembered: the last is searched, those before it tell equal pages (silence) apart.
pub const TAIL_PAGES: usize = 8;

/// A page of the same chain whose granule is at most this far behind the last one sent shows that the page between is
/// not to come: the other relay's body begins too late. 30 s at 48 kHz; farther away it may be another time around.
const GAP_GRANULES: i64 = 30 * 48_000;

/// What a page is known by in every relay: all but serial, sequence number and CRC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    role: Role,
    granule: i64,
    payload: (u32, usize),
    /// The fingerprint of the headers of its chain.
    chain: u32,
}

impl Mark {
    /// The mark of a page with the given role, in a chain whose headers have the given fingerprint.
    pub fn of(page: &Page, role: Role, chain: u32) -> Self {
        Self {
            role,
            granule: page.header().granule,
            payload: page.payload(),
            chain,
        }
    }

    fn is_audio(&self) -> bool {
        self.role == Role::Audio
    }

    /// The chain is not compared: while headers are read its fingerprint is not complete.
    fn same_page(&self, other: &Self) -> bool {
        (self.role, self.granule, self.payload) == (other.role, other.granule, other.payload)
    }

    fn lies_shortly_behind(&self, last: &Self) -> bool {
        let gap = self.granule.saturating_sub(last.granule);
        // A page on which no packet ends has granule -1, which is no time.
        let tells_time = last.granule >= 0;
        self.is_audio()
            && self.chain == last.chain
            && tells_time
            && (1..=GAP_GRANULES).contains(&gap)
    }
}

/// Where the other relay's pages go on with the listener's stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Joint {
    /// Going on at page `resume` leaves out nothing and repeats nothing.
    Found {
        /// Index of the first page to send.
        resume: usize,
    },
    /// The page was found, but the pages before it differ or are all alike: take it if nothing better comes in time.
    Unsure {
        /// Index of the first page to send.
        resume: usize,
    },
    /// The page may still come.
    NotYet,
    /// The page will not come: `resume` is the first page that the listener does not know.
    NoOverlap {
        /// Index of the first page to send, in a new chain.
        resume: usize,
    },
}

/// The marks of the last pages sent to a listener.
#[derive(Debug, Clone, Default)]
pub struct Tail {
    marks: VecDeque<Mark>,
}

impl Tail {
    /// Notes the next page sent.
    pub fn note(&mut self, mark: Mark) {
        // Behind the first headers a body leaps to the burst, so they say nothing about what precedes a page.
        if mark.is_audio() && !self.has_audio() {
            self.marks.clear();
        }
        if self.marks.len() == TAIL_PAGES {
            self.marks.pop_front();
        }
        self.marks.push_back(mark);
    }

    /// Forgets all: what is sent next does not follow what was sent before.
    pub fn clear(&mut self) {
        self.marks.clear();
    }

    /// Searches the last page sent among `theirs`, all pages of the other relay's body so far. A body's first header
    /// pages stand apart from its burst and match only a listener who has had no audio yet.
    pub fn find(&self, theirs: &[Mark]) -> Joint {
        let Some(last) = self.marks.back() else {
            return Joint::Found { resume: 0 };
        };
        let burst = theirs
            .iter()
            .position(Mark::is_audio)
            .unwrap_or(theirs.len());
        let (headers, burst_marks) = theirs.split_at(burst);
        if !self.has_audio() {
            return self.find_in_headers(last, headers, burst_marks);
        }
        match self.find_in_burst(last, burst_marks) {
            Joint::Found { resume } => Joint::Found {
                resume: burst + resume,
            },
            Joint::Unsure { resume } => Joint::Unsure {
                resume: burst + resume,
            },
            Joint::NoOverlap { resume } => Joint::NoOverlap {
                resume: burst + resume,
            },
            Joint::NotYet => Joint::NotYet,
        }
    }

    /// Whether the listener had any audio yet, not only header pages.
    pub fn has_audio(&self) -> bool {
        self.marks.iter().any(Mark::is_audio)
    }

    fn find_in_headers(&self, last: &Mark, headers: &[Mark], burst: &[Mark]) -> Joint {
        match headers.iter().position(|mark| mark.same_page(last)) {
            Some(at) => Joint::Found { resume: at + 1 },
            None if burst.is_empty() => Joint::NotYet,
            None => Joint::NoOverlap { resume: 0 },
        }
    }

    fn find_in_burst(&self, last: &Mark, burst: &[Mark]) -> Joint {
        let candidates = (1..=burst.len())
            .filter_map(|end| burst.get(..end))
            .filter(|upto| upto.last().is_some_and(|mark| mark.same_page(last)));
        let alike = self
            .marks
            .iter()
            .filter(|mark| mark.same_page(last))
            .count()
            > 1;
        let mut best = None;
        for upto in candidates {
            let run = self.run(upto);
            let whole = run == self.marks.len();
            if whole || (run == upto.len() && !alike) {
                return Joint::Found { resume: upto.len() };
            }
            best = best.max(Some((run, upto.len())));
        }
        match best {
            Some((_, resume)) => Joint::Unsure { resume },
            None => self.behind(last, burst),
        }
    }

    /// How many of the pages up to the end of `upto` equal those that were sent last.
    fn run(&self, upto: &[Mark]) -> usize {
        let pairs = self.marks.iter().rev().zip(upto.iter().rev());
        pairs
            .take_while(|(ours, theirs)| ours.same_page(theirs))
            .count()
    }

    fn behind(&self, last: &Mark, burst: &[Mark]) -> Joint {
        match burst.iter().position(|mark| mark.lies_shortly_behind(last)) {
            Some(resume) if last.is_audio() => Joint::NoOverlap { resume },
            _ => Joint::NotYet,
        }
    }
}
