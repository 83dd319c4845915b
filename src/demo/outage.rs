//! The outages that the demo stages: which relay is dead when.
//!
//! Comes in: the second of the demo. Goes out: the relay that is to be dead in it. Pure.

/// Long enough for the counts to have evened out before.
const FIRST_SECOND: u64 = 20;
const LASTS_SECONDS: u64 = 10;
const EVERY_SECONDS: u64 = 40;

/// The outages of a demo.
#[derive(Debug, Clone, Copy)]
pub struct Outages {
    /// How many relays there are.
    pub relays: usize,
    /// When the demo ends; `None` for never.
    pub until_second: Option<u64>,
}

impl Outages {
    /// The place of the relay that is to be dead in this second.
    ///
    /// The relays take turns. A lone relay never dies, nor does one that could not come back before the end.
    pub fn at(self, second: u64) -> Option<usize> {
        let since_first = second.checked_sub(FIRST_SECOND)?;
        let lasted = since_first % EVERY_SECONDS;
        let back = second - lasted + LASTS_SECONDS;
        let too_late = self.until_second.is_some_and(|end| back >= end);
        if lasted >= LASTS_SECONDS || too_late || self.relays < 2 {
            return None;
        }
        let turn = usize::try_from(since_first / EVERY_SECONDS).unwrap_or(0);
        // The second relay first: the first is the one that began with everybody.
        Some((turn + 1) % self.relays)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dead_seconds(relays: usize, until_second: Option<u64>) -> Vec<(u64, usize)> {
        let outages = Outages {
            relays,
            until_second,
        };
        let seconds = 0..120;
        seconds
            .filter_map(|second| Some((second, outages.at(second)?)))
            .collect()
    }

    #[test]
    fn relays_die_in_turn_for_ten_seconds() {
        let outage = |first: u64, relay| (first..first + 10).map(move |second| (second, relay));
        let all: Vec<_> = outage(20, 1)
            .chain(outage(60, 0))
            .chain(outage(100, 1))
            .collect();
        assert_eq!(dead_seconds(2, None), all);
        assert_eq!(dead_seconds(2, Some(71)), all[..20]);
    }

    #[test]
    fn no_relay_dies_that_could_not_come_back() {
        assert_eq!(dead_seconds(2, Some(30)), []);
        assert_eq!(dead_seconds(3, Some(70)).len(), 10);
        assert_eq!(dead_seconds(1, None), []);
    }
}
