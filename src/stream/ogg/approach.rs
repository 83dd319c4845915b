//! Another relay's body before the seam: its pages wait here until the joint is found.
//!
//! Comes in: the body's chunks. Goes out: marks to compare, then the pages themselves, with the headers of their chain.
//! Holds at most [`HELD_BYTES`] of pages, the newest.

use super::chain::{Chains, HEADERS_BYTES, Role, Unsupported};
use super::joint::Mark;
use super::page::Page;
use super::reader::PageReader;
use bytes::Bytes;
use std::collections::VecDeque;
use std::sync::Arc;

/// The most bytes of pages that wait for a joint: 16 bursts of Icecast's default length.
pub const HELD_BYTES: usize = 1024 * 1024;

/// A relay's body on its way to a listener's stream.
#[derive(Debug, Default)]
pub struct Approach {
    reader: PageReader,
    chains: Chains,
    pages: VecDeque<Held>,
    headers: Arc<Vec<Bytes>>,
    held_bytes: usize,
}

/// A page that waits.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) page: Page,
    pub(super) mark: Mark,
    pub(super) role: Role,
    /// The header pages of its chain that came before it.
    headers: Arc<Vec<Bytes>>,
}

impl Approach {
    /// Takes the next chunk of the body.
    pub fn push(&mut self, chunk: &[u8]) {
        for page in self.reader.push(chunk) {
            self.hold(page);
        }
        while self.held_bytes > HELD_BYTES {
            self.drop_oldest();
        }
    }

    /// How many pages wait.
    pub fn pages(&self) -> usize {
        self.pages.len()
    }

    /// Why this body can only be sent as it is, from its beginning.
    pub fn unsupported(&self) -> Option<Unsupported> {
        self.chains.unsupported()
    }

    /// The first page of those that together are at most `bytes` long and end the body so far: where to begin when
    /// nothing overlaps and only the time says where the listener is.
    pub fn recent(&self, bytes: usize) -> usize {
        let mut sum = 0;
        let newest = self.pages.iter().rev().take_while(|held| {
            sum += held.page.bytes().len();
            sum <= bytes
        });
        self.pages.len() - newest.count()
    }

    pub(super) fn marks(&self) -> Vec<Mark> {
        self.pages.iter().map(|held| held.mark).collect()
    }

    /// The pages from `resume` on, and what reads those that follow.
    pub(super) fn from(mut self, resume: usize) -> (PageReader, Chains, VecDeque<Held>) {
        let mut pages = self.pages.split_off(resume.min(self.pages.len()));
        if self.unsupported().is_some() {
            pages.iter_mut().for_each(|held| held.role = Role::Unknown);
        }
        (self.reader, self.chains, pages)
    }

    /// The header pages to send before page `resume`; none if it begins a chain itself.
    pub(super) fn headers_before(&self, resume: usize) -> Arc<Vec<Bytes>> {
        let held = self.pages.get(resume).map(|held| &held.headers);
        Arc::clone(held.unwrap_or(&self.headers))
    }

    fn hold(&mut self, page: Page) {
        let page = page.unshared();
        let role = self.chains.admit(&page).unwrap_or(Role::Unknown);
        if role == Role::Begin {
            self.headers = Arc::default();
        }
        let headers = Arc::clone(&self.headers);
        if matches!(role, Role::Begin | Role::Header) {
            Arc::make_mut(&mut self.headers).push(Bytes::copy_from_slice(page.bytes()));
        }
        self.held_bytes += held_bytes(&page);
        let mark = Mark::of(&page, role, self.chains.fingerprint());
        self.pages.push_back(Held {
            page,
            mark,
            role,
            headers,
        });
    }

    fn drop_oldest(&mut self) {
        let dropped = self.pages.pop_front();
        self.held_bytes -= dropped.map_or(self.held_bytes, |held| held_bytes(&held.page));
    }
}

/// What a page costs that waits.
fn held_bytes(page: &Page) -> usize {
    page.bytes().len() + size_of::<Held>()
}

// Headers fit beside the burst.
const _: () = assert!(HEADERS_BYTES < HELD_BYTES);
