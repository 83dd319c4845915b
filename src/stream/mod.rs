//! Streams: a listener's audio carried by the balancer, on and on, whatever happens to the relays.
//!
//! ```text
//!  tuner --(first relay: link)--> relay_stream --> carried --> outlet --> listener
//!                                     |               ^
//!                lost, silent, asked  |               | what was sent
//!                                     v               |
//!                                 crossing --> attempt (link, search) : up to three relays at once
//!                                     |
//!                                     +--> landing: the very next byte, or a seam that is counted
//! ```
//!
//! Pure, bytes in and bytes out: `splice`, `search`, `carried`, `outlet`, `delivery`, `ogg`, `mpeg`, `icy`, `head`, `request`,
//! `pace`. `seats` asks selection; `routes`, `doorstep`, `link` and `watermark` touch the network; `streams` knows who is
//! where, and `mover` asks listeners to move.

mod attempt;
mod carried;
mod crossing;
mod delivery;
mod doorstep;
mod first_relay;
pub mod head;
pub mod icy;
mod joining;
mod landing;
mod link;
mod mover;
pub mod mpeg;
pub mod ogg;
mod outlet;
mod pace;
mod relay_stream;
mod request;
mod routes;
mod scene;
mod search;
mod seats;
mod silence;
pub mod splice;
mod streams;
#[cfg(test)]
mod tests;
mod tuner;
mod watermark;

pub use link::TurnedAway;
pub use mover::Mover;
pub use pace::STEP_BYTES;
pub use relay_stream::RelayStream;
pub use request::{QUERY_LIMIT_BYTES, Request};
pub use routes::{Routes, SharedRoutes};
pub use seats::{Seat, Seats};
pub use streams::{Berth, Journey, Streams};
pub use tuner::{Outcome, Studio, Tuner};

/// Where one relay's audio ends and another's begins, the best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Seam {
    /// The very next byte: nothing is missing, nothing repeated.
    Exact,
    /// Inside audio that repeats itself, such as silence: it may have become a little longer or shorter.
    Guessed,
    /// Nothing overlapped: a piece is missing or repeated, cut where a frame or page begins.
    Audible,
}

impl Seam {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Exact, Self::Guessed, Self::Audible];

    /// The word for logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Guessed => "guessed",
            Self::Audible => "audible",
        }
    }
}

impl std::fmt::Display for Seam {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
