//! The summary: what a demo came to.
//!
//! Comes in: the tally and the relays' last counts. Goes out: numbers, and the line that says them. Pure.

use super::tally::Tally;

/// What a demo came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Summary {
    /// Redirects that were followed.
    pub redirects: u64,
    /// Tune-ins through the balancer in which audio was heard.
    pub heard: u64,
    /// Tune-ins that gave no audio.
    pub failed: u64,
    /// Times that the audio broke off before the listener wanted to leave.
    pub broken_off: u64,
    /// Bytes of audio heard.
    pub audio_bytes: u64,
    /// Listeners of the fullest living relay at the end.
    pub fullest: u32,
    /// Listeners of the emptiest living relay at the end.
    pub emptiest: u32,
}

impl Summary {
    /// Sums up; `listeners` are the counts of the relays that live.
    pub fn of(tally: &Tally, listeners: impl Iterator<Item = u32> + Clone) -> Self {
        Self {
            redirects: tally.redirects.read(),
            heard: tally.heard.read(),
            failed: tally.failed.read(),
            broken_off: tally.broken_off.read(),
            audio_bytes: tally.audio_bytes.read(),
            fullest: listeners.clone().max().unwrap_or(0),
            emptiest: listeners.min().unwrap_or(0),
        }
    }

    /// Whether the balancer did its work: it brought somebody to audio.
    pub fn heard_audio(&self) -> bool {
        self.heard > 0
    }
}

impl std::fmt::Display for Summary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} redirects, {} of {} tune-ins heard audio ({:.1} MB), {} broken off; fullest minus emptiest relay: {} - {} = {}",
            self.redirects,
            self.heard,
            self.heard + self.failed,
            // Shown to a tenth: what a float cannot hold of a count is far below.
            self.audio_bytes as f64 / 1e6,
            self.broken_off,
            self.fullest,
            self.emptiest,
            self.fullest - self.emptiest.min(self.fullest),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_reads_aloud() {
        let tally = Tally::default();
        assert!(!Summary::of(&tally, std::iter::empty()).heard_audio());
        tally.redirects.add(80);
        tally.heard.add(99);
        tally.failed.add(1);
        tally.audio_bytes.add(12_345_678);
        let summary = Summary::of(&tally, [24, 25, 23].into_iter());
        assert!(summary.heard_audio());
        assert_eq!(
            summary.to_string(),
            "80 redirects, 99 of 100 tune-ins heard audio (12.3 MB), 0 broken off; \
             fullest minus emptiest relay: 25 - 23 = 2"
        );
    }
}
