//! The scene: what an attempt to go on with another relay needs to know of the listener's stream.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::carried::Carried;
use super::head::RelayHead;
use super::request::Request;
use super::routes::SharedRoutes;
use super::search::Clock;
use super::seats::Seats;

/// Where nothing is known of a stream's pace: 128 kbit/s.
const USUAL_BYTES_PER_SECOND: u64 = 16_000;

/// A listener's stream as an attempt sees it.
#[derive(Debug)]
pub struct Scene<'a> {
    /// Where seats on relays come from.
    pub seats: &'a Seats,
    /// How relays are reached.
    pub routes: &'a SharedRoutes,
    /// What they are asked.
    pub request: &'a Arc<Request>,
    /// The mount's public path.
    pub mount: &'a Arc<str>,
    /// What the listener was sent.
    pub carried: &'a Carried,
    /// The MIME type that he was told.
    pub content_type: Option<&'a str>,
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

    /// Whether a relay serves what the listener was promised.
    pub fn is_same_type(&self, head: &RelayHead) -> bool {
        match (self.content_type, head.content_type.as_deref()) {
            (Some(ours), Some(theirs)) => ours.eq_ignore_ascii_case(theirs),
            _ => true,
        }
    }
}
