//! Ogg: carries a listener's stream page by page, and goes on with another relay's pages so that a decoder hears nothing.
//!
//! Comes in: a relay's body in chunks cut anywhere. Goes out: whole pages for the listener. Must not do I/O, look at a
//! clock, or hold more than a bounded part of the stream.
//!
//! ```text
//!  relay A's body ---> OggStream::carry ----------------------> pages to the listener
//!                          |  keeps the Tail of what was sent        ^
//!  relay B's body ---> Approach::push                                |
//!                          |  OggStream::joint(approach)             |
//!                          +--- Found ------> OggStream::splice -----+   nothing missing, nothing repeated
//!                          +--- NoOverlap --> OggStream::restart ----+   a chained stream: audible
//! ```
//!
//! ICECAST: relays of one master send identical Opus and FLAC pages; of Vorbis the same page bodies and granules, but
//! each hop rebuilds the pages with a serial, sequence numbers and CRC of its own (measured, 2.4.4). So a page is known
//! by its granule and body, and what follows a seam is renumbered, which leaves pages that need no change untouched.

mod approach;
mod chain;
mod codec;
mod crc;
mod joint;
mod page;
mod reader;
mod renumber;
mod stream;
#[cfg(test)]
mod tests;

pub use approach::{Approach, HELD_BYTES};
pub use chain::{Chains, HEADERS_BYTES, Role, Unsupported};
pub use codec::Codec;
pub use joint::{Joint, Mark, TAIL_PAGES, Tail};
pub use page::{Header, MAX_PAGE_BYTES, Page};
pub use reader::PageReader;
pub use renumber::Renumber;
pub use stream::{OggStream, Sent};
