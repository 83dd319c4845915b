//! Ogg pages, read by other code than the balancer's, so that the same mistake is not made twice.

/// What comes before a page's lacing values.
const FRAME_BYTES: usize = 27;

/// One page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Continued packet 1, first page 2, last page 4.
    pub flags: u8,
    /// Where in the audio it ends.
    pub granule: i64,
    /// Which logical stream it belongs to.
    pub serial: u32,
    /// Its number in that stream.
    pub sequence: u32,
    /// Its checksum.
    pub crc: u32,
    /// The lacing values and the packets.
    pub payload: Vec<u8>,
}

impl Page {
    /// Whether it is a page of headers: they come before the first sample.
    pub fn is_header(&self) -> bool {
        self.granule == 0
    }

    /// Its length with its frame.
    pub fn bytes(&self) -> usize {
        FRAME_BYTES + self.payload.len()
    }

    /// What two relays' copies have in common when each of them wrote its own frame around the packets.
    pub fn content(&self) -> (i64, &[u8]) {
        (self.granule, &self.payload)
    }
}

/// The whole pages that `bytes` begin with. Fails on anything between two pages.
#[track_caller]
pub fn pages(mut bytes: &[u8]) -> Vec<Page> {
    let mut pages = Vec::new();
    while let Some((page, length)) = first_page(bytes) {
        pages.push(page);
        bytes = &bytes[length..];
    }
    assert!(
        bytes.len() < 4 || bytes.starts_with(b"OggS"),
        "after {} pages come bytes that are none: {:x?}",
        pages.len(),
        &bytes[..16.min(bytes.len())]
    );
    pages
}

fn first_page(bytes: &[u8]) -> Option<(Page, usize)> {
    let head = bytes
        .get(..FRAME_BYTES)
        .filter(|head| head.starts_with(b"OggS"))?;
    let number = |at: usize| u32::from_le_bytes(head[at..at + 4].try_into().unwrap());
    let lacing = bytes.get(FRAME_BYTES..FRAME_BYTES + usize::from(head[26]))?;
    let body: usize = lacing.iter().map(|length| usize::from(*length)).sum();
    let length = FRAME_BYTES + lacing.len() + body;
    let page = Page {
        flags: head[5],
        granule: i64::from_le_bytes(head[6..14].try_into().unwrap()),
        serial: number(14),
        sequence: number(18),
        crc: number(22),
        payload: bytes.get(FRAME_BYTES..length)?.to_vec(),
    };
    Some((page, length))
}
