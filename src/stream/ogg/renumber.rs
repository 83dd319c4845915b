//! Gives another relay's pages the serial and the sequence numbers with which the listener's stream goes on.
//!
//! Comes in: pages in the order in which they are sent. Goes out: the same pages, renumbered where a seam makes it
//! necessary, untouched otherwise. Granules and bodies never change.

use super::page::{Header, Page};
use bytes::Bytes;

/// The numbers of one listener's stream.
#[derive(Debug, Default)]
pub struct Renumber {
    chain: Option<Numbers>,
    seam: Option<Seam>,
}

/// The current chain, as it comes and as it is sent.
#[derive(Debug, Clone, Copy)]
struct Numbers {
    their_serial: u32,
    our_serial: u32,
    /// What is added to their sequence numbers; wraps.
    shift: u32,
    next_sequence: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seam {
    /// The next page goes on with the chain.
    Splice,
    /// The next page begins a new chain that no relay knows of.
    Restart,
}

impl Renumber {
    /// The next page comes from another relay and follows the last one.
    pub fn splice(&mut self) {
        self.seam = Some(Seam::Splice);
    }

    /// The next pages, headers first, begin a chain that must be told from the last one.
    pub fn restart(&mut self) {
        self.seam = Some(Seam::Restart);
    }

    /// Gives the page its numbers.
    pub fn apply(&mut self, page: Page) -> Bytes {
        let seam = self.seam.take();
        let numbers = match self.chain {
            Some(chain) if !page.header().begins => chain.next(page.header(), seam),
            last => Numbers::begin(page.header(), last, seam),
        };
        let sequence = page.header().sequence.wrapping_add(numbers.shift);
        self.chain = Some(Numbers {
            next_sequence: sequence.wrapping_add(1),
            ..numbers
        });
        page.renumbered(numbers.our_serial, sequence)
    }
}

impl Numbers {
    /// A new chain keeps its numbers, unless at a seam its serial is by chance that of the chain before.
    ///
    /// ICECAST: relays take Vorbis serials from an unseeded `rand()`, so different relays use the same few (2.4.4).
    fn begin(page: &Header, last: Option<Self>, seam: Option<Seam>) -> Self {
        let clashes = last.is_some_and(|last| {
            let renamed = last.our_serial != last.their_serial;
            last.our_serial == page.serial && (renamed || seam.is_some())
        });
        Self {
            their_serial: page.serial,
            our_serial: page.serial.wrapping_add(u32::from(clashes)),
            shift: 0,
            next_sequence: 0,
        }
    }

    fn next(self, page: &Header, seam: Option<Seam>) -> Self {
        let shift = match seam {
            None => self.shift,
            Some(_) => self.next_sequence.wrapping_sub(page.sequence),
        };
        Self {
            their_serial: page.serial,
            shift,
            ..self
        }
    }
}
