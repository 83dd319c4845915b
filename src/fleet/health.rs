//! Health: whether a relay answers, judged from consecutive polls so that one lost packet changes nothing.

use std::time::Instant;

/// Whether a relay can serve at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Health {
    /// No poll has been judged yet.
    #[default]
    Unknown,
    /// It answers.
    Up,
    /// It does not.
    Down,
}

impl Health {
    /// The word for logs, metrics and `/status`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Up => "up",
            Self::Down => "down",
        }
    }
}

/// How many polls in a row change a relay's health.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Thresholds {
    /// Consecutive failures until Down.
    pub fall: u32,
    /// Consecutive successes until Up again.
    pub rise: u32,
}

/// What one poll tells about health.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// It answered as a relay does.
    Good,
    /// It did not answer, or with an error.
    Bad,
    /// Nobody listens there: no need to ask again.
    Dead,
}

/// A relay's health and how it came to it.
#[derive(Debug, Clone, Default)]
pub struct HealthRecord {
    health: Health,
    streak: u32,
    /// When it last came back from Down, or from a restart between two polls; `None` when it never did.
    returned_at: Option<Instant>,
}

impl HealthRecord {
    /// The health now.
    pub fn health(&self) -> Health {
        self.health
    }

    /// When it last came back from Down or from a restart.
    pub fn returned_at(&self) -> Option<Instant> {
        self.returned_at
    }

    /// Notes that the relay is a fresh one although no poll ever failed: it restarted between two of them.
    pub fn note_restart(&mut self, now: Instant) {
        self.returned_at = Some(now);
    }

    /// Takes in one sign; returns whether the health changed.
    ///
    /// The first sign decides at once: a fresh balancer neither waits `rise` polls to serve nor `fall` polls to skip.
    pub fn observe(&mut self, sign: Sign, thresholds: Thresholds, now: Instant) -> bool {
        let before = self.health;
        match (before, sign) {
            (Health::Unknown, Sign::Good) => self.turn(Health::Up),
            (Health::Unknown, Sign::Bad | Sign::Dead) | (Health::Up, Sign::Dead) => {
                self.turn(Health::Down);
            }
            (Health::Up, Sign::Bad) if self.count() >= thresholds.fall => self.turn(Health::Down),
            (Health::Down, Sign::Good) if self.count() >= thresholds.rise => {
                self.turn(Health::Up);
                self.returned_at = Some(now);
            }
            (Health::Up, Sign::Good) | (Health::Down, Sign::Bad | Sign::Dead) => self.streak = 0,
            (Health::Up, Sign::Bad) | (Health::Down, Sign::Good) => {}
        }
        self.health != before
    }

    /// Signs against the present health, in a row, this one included.
    fn count(&mut self) -> u32 {
        self.streak = self.streak.saturating_add(1);
        self.streak
    }

    fn turn(&mut self, health: Health) {
        self.health = health;
        self.streak = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWICE: Thresholds = Thresholds { fall: 2, rise: 2 };

    fn after(signs: &[Sign]) -> Health {
        let mut record = HealthRecord::default();
        for &sign in signs {
            record.observe(sign, TWICE, Instant::now());
        }
        record.health()
    }

    #[test]
    fn consecutive_polls_decide_and_the_first_one_decides_at_once() {
        use Sign::{Bad, Dead, Good};
        let stories: [(&[Sign], Health); 9] = [
            (&[], Health::Unknown),
            (&[Good], Health::Up),
            (&[Bad], Health::Down),
            (&[Good, Bad], Health::Up),
            (&[Good, Bad, Bad], Health::Down),
            (&[Good, Bad, Good, Bad], Health::Up),
            (&[Good, Dead], Health::Down),
            (&[Bad, Good], Health::Down),
            (&[Bad, Good, Bad, Good, Good], Health::Up),
        ];
        for (signs, expected) in stories {
            assert_eq!(after(signs), expected, "{signs:?}");
        }
    }

    #[test]
    fn only_a_relay_that_was_down_comes_back() {
        let mut record = HealthRecord::default();
        let now = Instant::now();
        record.observe(Sign::Good, TWICE, now);
        assert_eq!(record.returned_at(), None);
        record.observe(Sign::Dead, TWICE, now);
        record.observe(Sign::Good, TWICE, now);
        record.observe(Sign::Good, TWICE, now);
        assert_eq!(record.returned_at(), Some(now));
    }
}
