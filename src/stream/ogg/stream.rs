//! One listener's Ogg stream (or one mount's, that many listeners share): pages from a relay, and seams to others.
//!
//! Comes in: the current relay's body in chunks; at a seam, another relay's [`Approach`]. Goes out: pages to send.

use super::approach::{Approach, Held};
use super::chain::{Chains, Role, Unsupported};
use super::codec::Codec;
use super::joint::{Joint, Mark, Tail};
use super::page::Page;
use super::reader::PageReader;
use super::renumber::Renumber;
use bytes::Bytes;

/// A page as it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// The whole page.
    pub bytes: Bytes,
    /// What it is for: a ring of pages keeps those from [`Role::Begin`] to the first audio page for who comes later.
    pub role: Role,
}

/// What a listener has had, and the relay that goes on with it.
#[derive(Debug, Default)]
pub struct OggStream {
    reader: PageReader,
    chains: Chains,
    tail: Tail,
    renumber: Renumber,
}

impl OggStream {
    /// Takes a chunk of the current relay's body, and gives the pages to send.
    pub fn carry(&mut self, chunk: &[u8]) -> Vec<Sent> {
        let pages = self.reader.push(chunk);
        pages.into_iter().map(|page| self.send(page)).collect()
    }

    /// The current chain's codec.
    pub fn codec(&self) -> Option<Codec> {
        self.chains.codec()
    }

    /// Why the stream is sent as it comes, and a seam in it can only be audible.
    pub fn unsupported(&self) -> Option<Unsupported> {
        self.chains.unsupported()
    }

    /// How many bytes of the current relay's body belonged to no page.
    pub fn skipped_bytes(&self) -> u64 {
        self.reader.skipped_bytes()
    }

    /// Searches the page that continues this stream in another relay's body so far. May be asked again after each
    /// chunk on either side; an answer is good until the next chunk.
    pub fn joint(&self, approach: &Approach) -> Joint {
        let unsupported = self.unsupported().or(approach.unsupported());
        match unsupported {
            Some(_) if approach.pages() > 0 => Joint::NoOverlap { resume: 0 },
            Some(_) => Joint::NotYet,
            None => self.tail.find(&approach.marks()),
        }
    }

    /// Makes the seam: goes on with page `resume` of the other relay, the one behind the page sent last.
    pub fn splice(&mut self, approach: Approach, resume: usize) -> Vec<Sent> {
        // Between the first headers and the burst every relay's sequence numbers leap: that is no seam to be closed.
        if self.tail.has_audio() {
            self.renumber.splice();
        }
        self.take_over(approach, resume)
    }

    /// Makes an audible seam: begins a new chain with the other relay's headers and its page `resume`. An unsupported
    /// body is sent as it is, from its beginning.
    pub fn restart(&mut self, approach: Approach, resume: usize) -> Vec<Sent> {
        self.tail.clear();
        self.renumber.restart();
        let resume = approach.unsupported().map_or(resume, |_| 0);
        let headers = approach.headers_before(resume);
        let mut sent = self.send_headers(&headers);
        sent.extend(self.take_over(approach, resume));
        sent
    }

    fn send_headers(&mut self, headers: &[Bytes]) -> Vec<Sent> {
        let mut reader = PageReader::default();
        self.chains = Chains::default();
        let pages = headers.iter().flat_map(|page| reader.push(page));
        let sent = pages.map(|page| self.send(page)).collect::<Vec<_>>();
        if !sent.is_empty() {
            self.renumber.splice();
        }
        sent
    }

    fn take_over(&mut self, approach: Approach, resume: usize) -> Vec<Sent> {
        let (reader, chains, pages) = approach.from(resume);
        self.reader = reader;
        self.chains = chains;
        pages.into_iter().map(|held| self.send_held(held)).collect()
    }

    fn send(&mut self, page: Page) -> Sent {
        let role = self.chains.admit(&page).unwrap_or(Role::Unknown);
        let mark = Mark::of(&page, role, self.chains.fingerprint());
        self.send_marked(page, role, mark)
    }

    fn send_held(&mut self, held: Held) -> Sent {
        self.send_marked(held.page, held.role, held.mark)
    }

    fn send_marked(&mut self, page: Page, role: Role, mark: Mark) -> Sent {
        if role == Role::Unknown {
            return Sent {
                bytes: page.into_bytes(),
                role,
            };
        }
        self.tail.note(mark);
        Sent {
            bytes: self.renumber.apply(page),
            role,
        }
    }
}
