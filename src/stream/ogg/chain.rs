//! Tells header pages from audio pages, and where a new chain begins.
//!
//! Comes in: the pages of a body, in order, from the first. Goes out: the role of each, and a fingerprint of the
//! current chain's headers. Says of streams that it cannot follow why not, and stays with that.
//!
//! ICECAST: a body begins with the header pages of the chain in which the burst begins; further chains (many sources
//! begin one at each title) follow in the stream (2.4.4).

use super::codec::Codec;
use super::crc;
use super::page::Page;
use thiserror::Error;

/// The most header bytes of a chain; comments may contain cover art, but not without end.
pub const HEADERS_BYTES: usize = 256 * 1024;

/// What a page is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The first header page of a chain: with it decoders start anew.
    Begin,
    /// A further header page.
    Header,
    /// A page of audio.
    Audio,
    /// A page of a stream that is not supported, sent on as it came.
    Unknown,
}

/// Why a stream cannot be joined exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Unsupported {
    /// The body does not begin with a BOS page.
    #[error("expected a first page that begins a stream, found one from its middle")]
    NoBeginning,
    /// Several logical streams side by side, such as video with its sound.
    #[error("expected one logical stream, found several multiplexed")]
    Multiplexed,
    /// Neither Vorbis, Opus nor FLAC.
    #[error("expected Vorbis, Opus or FLAC, found another codec")]
    Codec,
    /// More header pages than we keep.
    #[error("expected at most {HEADERS_BYTES} bytes of header pages, found more")]
    Headers,
}

/// Follows the chains of one body.
#[derive(Debug, Default)]
pub struct Chains {
    chain: Option<Chain>,
    unsupported: Option<Unsupported>,
}

#[derive(Debug)]
struct Chain {
    codec: Codec,
    serial: u32,
    /// Header packets still to come; nothing when their number is not said.
    missing: Option<usize>,
    audio: bool,
    header_pages: usize,
    header_bytes: usize,
    fingerprint: u32,
}

impl Chains {
    /// Says what the next page is for.
    ///
    /// # Errors
    /// The stream cannot be followed; from then on every page is refused so.
    pub fn admit(&mut self, page: &Page) -> Result<Role, Unsupported> {
        if let Some(why) = self.unsupported {
            return Err(why);
        }
        let role = self.role(page);
        self.unsupported = role.err();
        role
    }

    /// Why the stream cannot be followed.
    pub fn unsupported(&self) -> Option<Unsupported> {
        self.unsupported
    }

    /// The current chain's codec.
    pub fn codec(&self) -> Option<Codec> {
        self.chain.as_ref().map(|chain| chain.codec)
    }

    /// The same for two chains with the same header bodies, whatever their numbers are.
    pub fn fingerprint(&self) -> u32 {
        self.chain.as_ref().map_or(0, |chain| chain.fingerprint)
    }

    fn role(&mut self, page: &Page) -> Result<Role, Unsupported> {
        if page.header().begins {
            return self.begin(page);
        }
        let chain = self.chain.as_mut().ok_or(Unsupported::NoBeginning)?;
        if chain.serial != page.header().serial {
            return Err(Unsupported::Multiplexed);
        }
        if !chain.takes_header(page) {
            chain.audio = true;
            return Ok(Role::Audio);
        }
        chain.note_header(page)?;
        Ok(Role::Header)
    }

    fn begin(&mut self, page: &Page) -> Result<Role, Unsupported> {
        // Two BOS pages side by side are one group: the streams run in parallel (RFC 3533, section 4).
        if self
            .chain
            .as_ref()
            .is_some_and(|chain| chain.header_pages == 1 && !chain.audio)
        {
            return Err(Unsupported::Multiplexed);
        }
        let mut chain = Chain::new(page)?;
        chain.note_header(page)?;
        self.chain = Some(chain);
        Ok(Role::Begin)
    }
}

impl Chain {
    fn new(page: &Page) -> Result<Self, Unsupported> {
        let (codec, missing) = Codec::recognise(page.body()).ok_or(Unsupported::Codec)?;
        Ok(Self {
            codec,
            serial: page.header().serial,
            missing,
            audio: false,
            header_pages: 0,
            header_bytes: 0,
            fingerprint: 0,
        })
    }

    fn takes_header(&self, page: &Page) -> bool {
        let no_audio_ends_here = page.header().granule <= 0;
        let header_expected = match self.missing {
            Some(missing) => missing > 0,
            None => page.header().continued || !begins_flac_frame(page.body()),
        };
        !self.audio && no_audio_ends_here && header_expected
    }

    fn note_header(&mut self, page: &Page) -> Result<(), Unsupported> {
        self.missing = self
            .missing
            .map(|missing| missing.saturating_sub(page.packets_ended()));
        self.header_pages += 1;
        self.header_bytes += page.bytes().len();
        self.fingerprint = crc::extend(self.fingerprint, &page.payload().0.to_le_bytes());
        if self.header_bytes > HEADERS_BYTES {
            return Err(Unsupported::Headers);
        }
        Ok(())
    }
}

/// A FLAC frame begins with a sync code of 14 ones; no metadata block begins with a byte of ones.
fn begins_flac_frame(body: &[u8]) -> bool {
    body.first() == Some(&0xff)
}
