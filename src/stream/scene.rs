//! The scene: what an attempt to go on with another relay needs to know of the listener's stream.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::carried::Carried;
use super::head::RelayHead;
use super::request::Request;
use super::routes::SharedRoutes;
use super::search::Clock;
use super::seats::{Seat, Seats};
use crate::fleet::{RelayId, StreamFormat};

/// Where nothing is known of a stream's pace: 128 kbit/s.
const USUAL_BYTES_PER_SECOND: u64 = 16_000;

/// What stays the same for a stream, whichever relay it comes from.
#[derive(Debug)]
pub struct Voyage {
    /// Where seats on relays come from.
    pub seats: Seats,
    /// How relays are reached.
    pub routes: SharedRoutes,
    /// What they are asked.
    pub request: Arc<Request>,
    /// The mount's public path.
    pub mount: Arc<str>,
    /// The MIME type that the listener was told.
    pub content_type: Option<String>,
    /// The silence after which another relay is asked; `None` follows the pace.
    pub stall_timeout: Option<Duration>,
    /// How long a listener is kept without audio.
    pub hold: Duration,
}

impl Voyage {
    /// Takes a seat on the least loaded relay that is not among `except`.
    pub fn take_seat(&self, except: &[RelayId]) -> Option<Seat> {
        self.seats.take(&self.mount, self.request.client, except)
    }
}

/// A listener's stream as an attempt to go on with another relay sees it.
#[derive(Debug)]
pub struct Scene<'a> {
    /// What stays the same.
    pub voyage: &'a Voyage,
    /// What the listener was sent.
    pub carried: &'a Carried,
    /// When the last byte that he was sent came.
    pub heard_at: Instant,
    /// The stream's pace, where it is known.
    pub bytes_per_second: Option<u64>,
}

impl Scene<'_> {
    /// Since the listener's last byte came.
    pub fn elapsed(&self) -> Duration {
        self.heard_at.elapsed()
    }

    /// What time says about the listener's place.
    pub fn clock(&self) -> Clock {
        Clock {
            elapsed: self.elapsed(),
            bytes_per_second: self.bytes_per_second.unwrap_or(USUAL_BYTES_PER_SECOND),
        }
    }

    /// Returns true when a relay serves the format that the listener's stream began with.
    pub fn is_same_type(&self, head: &RelayHead) -> bool {
        let format = |text: Option<&str>| text.and_then(StreamFormat::from_type);
        let ours = format(self.voyage.content_type.as_deref());
        match (ours, format(head.content_type.as_deref())) {
            (Some(ours), Some(theirs)) => ours == theirs,
            _ => true,
        }
    }
}
