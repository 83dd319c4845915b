//! When: at what time a certificate is renewed, and how long a failure is waited out. Pure: the clock and the chance are
//! arguments.

use std::time::{Duration, SystemTime};

/// Longer than that nobody can keep us from asking again: one request a day burdens no server, and a mistaken
/// `Retry-After` of years would cost the certificate.
pub(super) const LONGEST_ORDERED_PAUSE: Duration = Duration::from_secs(24 * 3600);

/// From when until when a certificate is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Validity {
    /// Its first moment.
    pub not_before: SystemTime,
    /// Its last.
    pub not_after: SystemTime,
}

impl Validity {
    /// From the first moment to the last.
    pub fn lifetime(&self) -> Duration {
        let lifetime = self.not_after.duration_since(self.not_before);
        lifetime.unwrap_or_default()
    }

    /// The moment of renewal: at two thirds of the lifetime, or up to a thirtieth of it before that.
    ///
    /// `chance` from 0 to 1 chooses the moment, so that certificates of one day are not all renewed in one minute. For
    /// 90 days that is between the 57th and the 60th, for six days four hours around.
    pub fn renew_at(&self, chance: f64) -> SystemTime {
        let lifetime = self.lifetime();
        let early = lifetime.mul_f64(chance.clamp(0.0, 1.0) / 30.0);
        self.not_before + (lifetime * 2 / 3).saturating_sub(early)
    }
}

/// How patient the orders are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pace {
    /// The pause after the first failure; each further one doubles it.
    pub first_pause: Duration,
    /// It grows no longer than that.
    pub longest_pause: Duration,
    /// The deadline of one request.
    pub request: Duration,
    /// The deadline for the server's check of all challenges, and again for its making of the certificate.
    pub verdict: Duration,
    /// The deadline of one whole attempt.
    pub attempt: Duration,
    /// The pause after a certificate that was of no use.
    pub wasted: Duration,
    /// The files are looked at this often, whether or not anything is due: somebody may have deleted them, and the
    /// clock may have been set.
    pub look: Duration,
}

impl Pace {
    /// What is right before a public server.
    pub const PATIENT: Self = Self {
        first_pause: Duration::from_secs(60),
        longest_pause: Duration::from_secs(6 * 3600),
        request: Duration::from_secs(30),
        // Let's Encrypt answers in seconds, and takes minutes on its bad days.
        verdict: Duration::from_secs(180),
        // A hundred names are some three hundred requests.
        attempt: Duration::from_secs(900),
        // Let's Encrypt gives five certificates a week for one set of names: this makes at most
        // four of it.
        wasted: Duration::from_secs(48 * 3600),
        look: Duration::from_secs(600),
    };

    /// This pace before the end of a certificate that is good for `lifetime`: the pauses grow no longer than a fortieth of
    /// it, so that ten attempts at least are made in its last third. That changes nothing for ten days and more.
    pub fn for_lifetime(mut self, lifetime: Duration) -> Self {
        let longest = self.longest_pause.min(lifetime / 40);
        self.longest_pause = longest.max(self.first_pause);
        self
    }

    /// The pause after a certificate that is good for `lifetime` and was of no use, for example
    /// because it was due at once: a third of the lifetime at most, so that one which the
    /// authority's clock still calls good is replaced in time.
    pub fn after_waste(&self, lifetime: Option<Duration>) -> Duration {
        let longest = lifetime.map_or(self.wasted, |lifetime| lifetime / 3);
        self.wasted.min(longest).max(self.first_pause)
    }

    /// The pause after so many failures in a row: doubled for each, and by chance up to a quarter longer; never shorter
    /// than what the server asked for.
    pub fn pause(&self, failures: u32, asked_for: Option<Duration>, chance: f64) -> Duration {
        let doubled = 2_u32.saturating_pow(failures.saturating_sub(1));
        let pause = self.first_pause.saturating_mul(doubled);
        let pause = pause.min(self.longest_pause);
        let pause = pause.mul_f64(1.0 + chance.clamp(0.0, 1.0) / 4.0);
        let asked_for = asked_for.unwrap_or_default().min(LONGEST_ORDERED_PAUSE);
        pause.max(asked_for)
    }
}
