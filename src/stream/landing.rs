//! A landing: where and how a listener goes on with another relay.

use super::Seam;
use super::icy::Metadata;
use super::link::Link;
use super::ogg::{self, Joint};
use super::search::Spot;
use super::seats::Seat;

/// Where a listener goes on.
#[derive(Debug)]
pub struct Landing {
    /// The place on the relay.
    pub seat: Seat,
    /// The connection to it.
    pub link: Link,
    /// How well it fits.
    pub seam: Seam,
    /// What came of it so far.
    pub cargo: Cargo,
    /// Titles and their places in the relay's audio.
    pub titles: Vec<(u64, Metadata)>,
}

/// What came of a relay before the landing.
#[derive(Debug)]
pub enum Cargo {
    /// Plain audio, and the place in it where the listener goes on; it may still be to come.
    Plain {
        /// The relay's audio from its first byte.
        audio: Vec<u8>,
        /// Offset of the next byte to send.
        place: u64,
    },
    /// Pages, and the first that the listener does not have.
    Ogg {
        /// The relay's pages.
        approach: Box<ogg::Approach>,
        /// Index of the first page to send.
        resume: usize,
    },
}

/// A joint.
#[derive(Debug, Clone, Copy)]
pub enum Found {
    /// In plain audio.
    Spot(Spot),
    /// Among pages.
    Page {
        /// Index of the first page to send.
        resume: usize,
        /// How well it fits.
        seam: Seam,
    },
}

impl Found {
    /// Where pages join; `None` while that cannot be told.
    pub fn page(joint: Joint) -> Option<Self> {
        let (resume, seam) = match joint {
            Joint::Found { resume } => (resume, Seam::Exact),
            Joint::Unsure { resume } => (resume, Seam::Guessed),
            Joint::NoOverlap { resume } => (resume, Seam::Audible),
            Joint::NotYet => return None,
        };
        Some(Self::Page { resume, seam })
    }

    /// How well it fits.
    pub fn seam(&self) -> Seam {
        match self {
            Self::Spot(spot) => spot.seam,
            Self::Page { seam, .. } => *seam,
        }
    }
}
