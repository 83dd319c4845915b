//! Pace: how fast one relay delivers a stream, and what follows from it: how much to read at once, how long a silence
//! may last. Pure.

use std::time::{Duration, Instant};

/// ICECAST: a burst comes within milliseconds after the head; what comes later is the programme's own pace.
pub const BURST_TIME: Duration = Duration::from_millis(300);

/// A shorter time says little about the pace.
const MEASURE_TIME: Duration = Duration::from_secs(2);

/// ICECAST: 46 blocks of 1,400 bytes, from the default burst-size of 65,535.
const DEFAULT_BURST_BYTES: u64 = 64_400;

/// The most that is waited for: at 128 kbit/s half a second.
const WATERMARK_LIMIT_BYTES: usize = 8 * 1024;

/// The most that is read at once.
///
/// ICECAST: it writes blocks of 1,400 bytes, so what wakes us is up to that much more than was waited for; a rest would be a
/// piece of its own, which costs as much as a whole one.
pub const STEP_BYTES: usize = WATERMARK_LIMIT_BYTES + 1_800;

const LEAST_STALL: Duration = Duration::from_secs(1);
const MOST_STALL: Duration = Duration::from_secs(3);

/// The pace of one connection to a relay.
#[derive(Debug, Clone)]
pub struct Pace {
    began: Instant,
    announced_per_second: Option<u64>,
    burst_bytes: u64,
    /// When and how much came since the burst.
    measured: Option<(Instant, u64)>,
}

impl Pace {
    /// The pace of a connection whose head came at `now` and announced so many bytes in a second.
    pub fn new(now: Instant, announced_per_second: Option<u64>) -> Self {
        Self {
            began: now,
            announced_per_second,
            burst_bytes: 0,
            measured: None,
        }
    }

    /// Notes bytes that came at `now`.
    pub fn note(&mut self, bytes: usize, now: Instant) {
        match &mut self.measured {
            Some((_, sum)) => *sum += bytes as u64,
            None => {
                self.burst_bytes += bytes as u64;
                if now.saturating_duration_since(self.began) >= BURST_TIME {
                    self.measured = Some((now, 0));
                }
            }
        }
    }

    /// Bytes in a second, as the relay announced them.
    pub fn announced(&self) -> Option<u64> {
        self.announced_per_second
    }

    /// Bytes in a second: measured, else as announced, else unknown.
    pub fn bytes_per_second(&self, now: Instant) -> Option<u64> {
        let measured = self.measured.and_then(|(since, bytes)| {
            let time = now.saturating_duration_since(since);
            let per_second = u128::from(bytes) * 1_000 / time.as_millis().max(1);
            (time >= MEASURE_TIME).then(|| u64::try_from(per_second).unwrap_or(u64::MAX))
        });
        measured.or(self.announced_per_second)
    }

    /// How many bytes to wait for before reading: half a second of them, within limits.
    pub fn watermark_bytes(&self, now: Instant) -> usize {
        let half = self.bytes_per_second(now).map_or(1, |rate| rate / 2);
        let half = usize::try_from(half).unwrap_or(usize::MAX);
        half.clamp(1, WATERMARK_LIMIT_BYTES)
    }

    /// The silence after which another relay is asked: half of the time that a burst lasts, so that the other half is
    /// left to join it.
    pub fn stall_after(&self, now: Instant) -> Duration {
        let Some(rate) = self.bytes_per_second(now).filter(|rate| *rate > 0) else {
            return MOST_STALL;
        };
        let burst = Duration::from_millis(self.burst().saturating_mul(1_000) / rate);
        (burst / 2).clamp(LEAST_STALL, MOST_STALL)
    }

    /// The burst of the connection, as far as it is known.
    fn burst(&self) -> u64 {
        match self.measured {
            Some(_) => self.burst_bytes,
            None => DEFAULT_BURST_BYTES,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The pace after a burst and some seconds of `per_second` bytes.
    fn paced(burst: usize, per_second: usize, announced: Option<u64>) -> (Pace, Instant) {
        let start = Instant::now();
        let mut pace = Pace::new(start, announced);
        pace.note(burst, start);
        for quarter in 1..=20_u64 {
            let at = start + Duration::from_millis(250 * quarter);
            pace.note(per_second / 4, at);
        }
        (pace, start + Duration::from_secs(5))
    }

    #[test]
    fn a_measured_pace_is_believed_more_than_an_announced_one() {
        let (pace, now) = paced(64_400, 16_000, Some(40_000));
        assert_eq!(pace.bytes_per_second(now), Some(16_000));
        let fresh = Pace::new(now, Some(40_000));
        assert_eq!(fresh.bytes_per_second(now), Some(40_000));
        assert_eq!(Pace::new(now, None).bytes_per_second(now), None);
    }

    #[test]
    fn half_a_second_is_waited_for_but_never_more_than_the_limit() {
        for (per_second, watermark) in [
            (4_000, 2_000),
            (16_000, 8_000),
            (40_000, WATERMARK_LIMIT_BYTES),
        ] {
            let (pace, now) = paced(64_400, per_second, None);
            assert_eq!(pace.watermark_bytes(now), watermark);
        }
        let now = Instant::now();
        assert_eq!(
            Pace::new(now, None).watermark_bytes(now),
            1,
            "unknown: at once"
        );
    }

    #[test]
    fn a_silence_is_noticed_while_half_the_burst_is_left() {
        for (burst, per_second, millis) in [
            (64_400, 16_000, 2_000..2_300),
            (64_400, 40_000, 1_000..1_101),
            (64_400, 8_000, 3_000..3_001),
            (0, 16_000, 1_000..1_001),
        ] {
            let (pace, now) = paced(burst, per_second, None);
            let stall = pace.stall_after(now).as_millis();
            assert!(millis.contains(&stall), "{burst} {per_second}: {stall}");
        }
    }
}
