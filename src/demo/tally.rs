//! The tally: what the demo's listeners have heard so far.
//!
//! Comes in: events of single listeners. Goes out: sums for the ticker and the summary. Judges nothing.

use std::sync::atomic::{AtomicU64, Ordering};

/// A number that listeners raise and the ticker reads.
#[derive(Debug, Default)]
pub struct Count(AtomicU64);

impl Count {
    /// Adds to it.
    pub fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    /// What it is now.
    pub fn read(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Sums over all listeners of a demo.
#[derive(Debug, Default)]
pub struct Tally {
    /// Redirects that were followed.
    pub redirects: Count,
    /// Tune-ins through the balancer in which audio was heard.
    pub heard: Count,
    /// Tune-ins at a relay directly in which audio was heard.
    pub heard_directly: Count,
    /// Tune-ins that ended before any audio: no connection, an answer without audio, or silence.
    pub failed: Count,
    /// Times that the audio broke off before the listener wanted to leave.
    pub broken_off: Count,
    /// Bytes of audio heard.
    pub audio_bytes: Count,
    came: Count,
    left: Count,
}

/// Which way a listener tunes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// At the balancer, whatever it answers.
    Balancer,
    /// At a relay, past the balancer.
    Direct,
}

impl Tally {
    /// The count of those who heard audio this way: what a balancer brought about is not mixed with what it did not.
    pub fn heard_by(&self, way: Way) -> &Count {
        match way {
            Way::Balancer => &self.heard,
            Way::Direct => &self.heard_directly,
        }
    }

    /// Counts a listener in until the returned guard is dropped.
    pub fn come(&self) -> Present<'_> {
        self.came.add(1);
        Present(self)
    }

    /// How many listeners there are, between two tune-ins or hearing.
    pub fn present(&self) -> u64 {
        // Left first: a listener who comes and goes between the two reads must not make it negative.
        let left = self.left.read();
        self.came.read().saturating_sub(left)
    }
}

/// A listener who is there.
#[derive(Debug)]
pub struct Present<'a>(&'a Tally);

impl Drop for Present<'_> {
    fn drop(&mut self) {
        self.0.left.add(1);
    }
}
