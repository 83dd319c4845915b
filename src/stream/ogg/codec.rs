//! Which codec a logical stream carries, and how many header packets it begins with.
//!
//! Comes in: the body of a BOS page. Goes out: the codec, or nothing for one that we do not know.

/// A codec whose header pages we can tell from its audio pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    /// Ogg Vorbis: identification, comment and setup header.
    Vorbis,
    /// Ogg Opus: `OpusHead` and `OpusTags` (RFC 7845).
    Opus,
    /// FLAC in Ogg: the stream's information and its metadata blocks.
    Flac,
}

impl Codec {
    /// Recognises the codec by the body of its BOS page, with the number of its header packets where that is said.
    pub fn recognise(body: &[u8]) -> Option<(Self, Option<usize>)> {
        match body {
            [1, b'v', b'o', b'r', b'b', b'i', b's', ..] => Some((Self::Vorbis, Some(3))),
            [b'O', b'p', b'u', b's', b'H', b'e', b'a', b'd', ..] => Some((Self::Opus, Some(2))),
            [0x7f, b'F', b'L', b'A', b'C', _, _, high, low, ..] => {
                Some((Self::Flac, flac_headers(*high, *low)))
            }
            _ => None,
        }
    }
}

/// The FLAC-to-Ogg mapping counts the header packets behind the first; 0 says that the number is not known.
fn flac_headers(high: u8, low: u8) -> Option<usize> {
    match u16::from_be_bytes([high, low]) {
        0 => None,
        more => Some(1 + usize::from(more)),
    }
}
