//! Reads whole pages out of a body that arrives in chunks cut anywhere.
//!
//! Comes in: chunks. Goes out: pages whose CRC is right; what lies between them is skipped and counted. Holds less than
//! one page between two chunks, and its work is linear in the bytes that came, whatever they are.

use super::page::{CAPTURE, HEADER_BYTES, Header, MAX_PAGE_BYTES, Page, checked_payload_crc};
use bytes::{Buf, BytesMut};
use memchr::memmem;

/// How many bytes of failed CRC each skipped byte pays for.
///
/// SECURITY: each `OggS` can claim 64 KiB to be checked in vain, so a flood of them would cost 2,000 times its length.
/// Real bodies contain hardly any `OggS` that is not a page.
const CREDIT_PER_BYTE: usize = 8;

/// The most credit there is, and what a reader starts with: a few bad pages in a row are no flood.
const CREDIT_LIMIT: usize = 8 * MAX_PAGE_BYTES;

/// An incremental reader of pages.
#[derive(Debug)]
pub struct PageReader {
    buffer: BytesMut,
    /// It is useless to look again before the buffer holds this many bytes.
    wanted_bytes: usize,
    skipped_bytes: u64,
    credit_bytes: usize,
}

impl Default for PageReader {
    fn default() -> Self {
        Self {
            buffer: BytesMut::new(),
            wanted_bytes: HEADER_BYTES,
            skipped_bytes: 0,
            credit_bytes: CREDIT_LIMIT,
        }
    }
}

/// What the buffer begins with.
enum Front {
    Whole(Header, usize),
    Cut { wanted_bytes: usize },
    Garbage,
}

impl PageReader {
    /// Takes a chunk, and gives the pages that are whole now.
    pub fn push(&mut self, chunk: &[u8]) -> Vec<Page> {
        self.buffer.extend_from_slice(chunk);
        let mut pages = Vec::new();
        while self.buffer.len() >= self.wanted_bytes {
            pages.extend(self.step());
        }
        pages
    }

    /// How many bytes belonged to no page so far.
    pub fn skipped_bytes(&self) -> u64 {
        self.skipped_bytes
    }

    /// How many bytes of a page that is not whole yet are held; below [`MAX_PAGE_BYTES`].
    pub fn held_bytes(&self) -> usize {
        self.buffer.len()
    }

    fn step(&mut self) -> Option<Page> {
        self.wanted_bytes = HEADER_BYTES;
        let page = match front(&self.buffer) {
            Front::Whole(header, length) => self.take(header, length),
            Front::Cut { wanted_bytes } => {
                self.wanted_bytes = wanted_bytes;
                return None;
            }
            Front::Garbage => None,
        };
        if page.is_none() {
            self.skip();
        }
        page
    }

    fn take(&mut self, header: Header, length: usize) -> Option<Page> {
        let affordable = self.credit_bytes >= length;
        let page = self.buffer.get(..length).filter(|_| affordable)?;
        let Some(payload_crc) = checked_payload_crc(&header, page) else {
            self.credit_bytes -= length;
            return None;
        };
        Some(Page::new(header, self.buffer.split_to(length), payload_crc))
    }

    /// Drops the first byte, and all up to the next place where a page may begin.
    fn skip(&mut self) {
        let rest = self.buffer.get(1..).unwrap_or_default();
        let gap = 1 + memmem::find(rest, CAPTURE).unwrap_or(rest.len() - start_of_capture(rest));
        self.buffer.advance(gap);
        self.skipped_bytes += gap as u64;
        self.credit_bytes = CREDIT_LIMIT.min(self.credit_bytes + gap * CREDIT_PER_BYTE);
    }
}

/// How many of the last bytes may be the beginning of a page whose rest has not come.
fn start_of_capture(bytes: &[u8]) -> usize {
    (1..CAPTURE.len())
        .rev()
        .find(|&length| {
            CAPTURE
                .get(..length)
                .is_some_and(|start| bytes.ends_with(start))
        })
        .unwrap_or(0)
}

fn front(buffer: &[u8]) -> Front {
    let Some(header) = Header::parse(buffer) else {
        return Front::Garbage;
    };
    let body_at = HEADER_BYTES + usize::from(header.segments);
    let Some(lacing) = buffer.get(HEADER_BYTES..body_at) else {
        return Front::Cut {
            wanted_bytes: body_at,
        };
    };
    let length = body_at
        + lacing
            .iter()
            .map(|&segment| usize::from(segment))
            .sum::<usize>();
    if buffer.len() < length {
        return Front::Cut {
            wanted_bytes: length,
        };
    }
    Front::Whole(header, length)
}
