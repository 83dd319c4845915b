//! A crossing: a listener's way from one relay to another. Tries relays, several at once when the first is slow, and lands
//! on the first that fits.
//!
//! In: the scene, at each poll. Out: a landing, or that there is nobody to go to. It gives every seat back that it did not
//! land on.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use log::debug;
use tokio::time::{Sleep, sleep_until};

use super::Seam;
use super::attempt::{Attempt, Progress};
use super::landing::Landing;
use super::link::TurnedAway;
use super::scene::Scene;
use super::seats::Seat;
use crate::fleet::RelayId;

/// After this time without a landing the next relay is tried beside the first.
const HEDGE_AFTER: Duration = Duration::from_millis(300);

/// The most relays tried at once for one listener.
const ATTEMPT_LIMIT: usize = 3;

/// How long a landing that is not exact waits for a better one.
const BETTER_WITHIN: Duration = Duration::from_millis(500);

/// The pause before every relay is tried again; doubled each time, up to the longest.
const PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Why a listener leaves a relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// The relay ended the connection.
    Lost,
    /// The relay is silent; the connection is kept in case it goes on first.
    Stalled,
    /// The relay delivers hardly anything; it is left only for one that has more.
    Slow,
    /// He is asked to, while the relay goes on: the operator drains it, or another has more room.
    Asked,
}

impl Why {
    /// Returns true when the listener may as well stay.
    pub fn is_wish(self) -> bool {
        matches!(self, Self::Slow | Self::Asked)
    }

    /// The word for logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::Stalled => "stalled",
            Self::Slow => "slow",
            Self::Asked => "moved",
        }
    }
}

/// How a crossing ended.
#[derive(Debug)]
pub enum Crossed {
    /// There.
    Landed(Box<Landing>),
    /// Nobody could take him in time.
    GaveUp,
}

/// A listener's way from one relay to another.
#[derive(Debug)]
pub struct Crossing {
    why: Why,
    until: Instant,
    tried: Vec<RelayId>,
    attempts: Vec<(Attempt, Option<Seam>)>,
    settled_at: Option<Instant>,
    launch_at: Instant,
    rounds: u32,
    timer: Pin<Box<Sleep>>,
}

impl Crossing {
    /// Begins; `from` is the relay that he leaves, and he is kept without audio until `until`.
    pub fn begin(why: Why, from: Option<RelayId>, until: Instant, rounds: u32) -> Self {
        let now = Instant::now();
        Self {
            why,
            until,
            tried: from.into_iter().collect(),
            attempts: Vec::new(),
            settled_at: None,
            launch_at: now + pause(rounds),
            rounds,
            timer: Box::pin(sleep_until(now.into())),
        }
    }

    /// Why he leaves.
    pub fn why(&self) -> Why {
        self.why
    }

    /// The relay that he left is gone after all: what was a wish is a need.
    pub fn must_land(&mut self, until: Instant) {
        self.until = until;
        self.why = Why::Lost;
    }

    /// Goes as far as it can.
    pub fn poll(&mut self, cx: &mut Context<'_>, scene: &Scene<'_>) -> Poll<Crossed> {
        loop {
            if let Some(landing) = self.advance(cx, scene) {
                return Poll::Ready(Crossed::Landed(Box::new(landing)));
            }
            let now = Instant::now();
            if let Some(landing) = self.settle(scene, now) {
                return Poll::Ready(Crossed::Landed(Box::new(landing)));
            }
            if now >= self.launch_at && self.attempts.len() < ATTEMPT_LIMIT {
                match self.launch(scene, now) {
                    Launch::Begun => continue,
                    Launch::Nobody => return Poll::Ready(Crossed::GaveUp),
                    Launch::Later => {}
                }
            }
            if !self.why.is_wish() && now >= self.until {
                return Poll::Ready(Crossed::GaveUp);
            }
            let next = self.next_event();
            self.timer.as_mut().reset(next.into());
            if self.timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
        }
    }

    /// Polls the attempts; returns an exact landing.
    fn advance(&mut self, cx: &mut Context<'_>, scene: &Scene<'_>) -> Option<Landing> {
        let mut place = 0;
        while let Some((attempt, seam)) = self.attempts.get_mut(place) {
            match attempt.poll(cx, scene) {
                Progress::Ready(Seam::Exact) => {
                    return self.attempts.swap_remove(place).0.land(scene);
                }
                Progress::Ready(found) => {
                    *seam = Some(found);
                    self.settled_at.get_or_insert_with(Instant::now);
                    place += 1;
                }
                Progress::Waiting => place += 1,
                Progress::Failed(seat, why) => {
                    debug!(
                        "{} cannot take over {}: {why}",
                        seat.relay().name,
                        scene.voyage.mount
                    );
                    self.note_failure(seat, &why);
                    drop(self.attempts.swap_remove(place));
                }
            }
        }
        None
    }

    /// The next relay is tried at once.
    fn note_failure(&mut self, seat: Seat, why: &TurnedAway) {
        seat.note_turned_away(why);
        self.launch_at = Instant::now();
    }

    /// Takes the best of what is there when nothing better is to be expected.
    fn settle(&mut self, scene: &Scene<'_>, now: Instant) -> Option<Landing> {
        let waited = now.saturating_duration_since(self.settled_at?);
        let undecided = self.attempts.iter().any(|(_, seam)| seam.is_none());
        let more = undecided
            || self.attempts.len() < ATTEMPT_LIMIT && self.launch_at <= now + BETTER_WITHIN;
        if more && waited < BETTER_WITHIN {
            return None;
        }
        let seams = self.attempts.iter().enumerate();
        let settled = seams.filter_map(|(place, (_, seam))| Some((seam.as_ref()?, place)));
        let Some((_, best)) = settled.min() else {
            self.settled_at = None;
            return None;
        };
        self.attempts.swap_remove(best).0.land(scene)
    }

    fn launch(&mut self, scene: &Scene<'_>, now: Instant) -> Launch {
        if let Some(seat) = scene.voyage.take_seat(&self.tried) {
            self.tried.push(seat.id());
            self.attempts.push((Attempt::begin(seat, scene), None));
            self.launch_at = now + HEDGE_AFTER;
            return Launch::Begun;
        }
        if !self.attempts.is_empty() {
            // Looked for again when one of those that are under way fails.
            self.launch_at = self.until.max(now + LONGEST_PAUSE);
            return Launch::Later;
        }
        if self.why.is_wish() {
            return Launch::Nobody;
        }
        // Everybody was tried: the one that was lost may be back by now, the others too.
        self.tried.clear();
        self.launch_at = now + pause(self.rounds);
        self.rounds += 1;
        Launch::Later
    }

    fn next_event(&self) -> Instant {
        let settle = self.settled_at.map(|at| at + BETTER_WITHIN);
        let over = (!self.why.is_wish()).then_some(self.until);
        let launch = (self.attempts.len() < ATTEMPT_LIMIT).then_some(self.launch_at);
        let events = [settle, over, launch];
        let first = events.into_iter().flatten().min();
        first.unwrap_or_else(|| Instant::now() + LONGEST_PAUSE)
    }
}

enum Launch {
    Begun,
    Later,
    Nobody,
}

/// None at first; then longer and longer, each listener a little different, so that they do not come back as one.
fn pause(rounds: u32) -> Duration {
    if rounds == 0 {
        return Duration::ZERO;
    }
    let doubled = PAUSE.saturating_mul(2_u32.saturating_pow(rounds - 1));
    doubled
        .min(LONGEST_PAUSE)
        .mul_f64(0.75 + fastrand::f64() / 2.0)
}
