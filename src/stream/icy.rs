//! ICY metadata: titles between the audio of one connection, a block after each `icy-metaint` bytes.
//!
//! Comes in: a relay's body in chunks of any size; or audio and the title that holds. Goes out: the audio alone and each
//! block with its place; or the audio with blocks by the listener's own counter. Audio is handed on, never copied.
//! A block is one length byte, in sixteenths, and text padded with zeros; 0 says: no change. Must not read or write.

mod budget;
mod metadata;
#[cfg(test)]
mod tests;

pub use budget::{METADATA_ALLOWANCE_BYTES, MetadataBudget, TooMuchMetadata};
pub use metadata::Metadata;

/// The largest `icy-metaint` believed: 64 s of audio at 128 kbit/s.
///
/// ICECAST: 16,000 by default; SHOUTcast sends 8,192 to 32,768.
pub const METAINT_LIMIT_BYTES: usize = 1 << 20;

/// The smallest `icy-metaint` that a relay may announce: 16 ms of audio at 128 kbit/s. Each block costs as much work as a read.
///
/// ICECAST: 16,000 by default; a few servers are set to 4,096 or 1,024.
pub const LEAST_METAINT_BYTES: usize = 256;

/// An `icy-metaint` that no stream can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("icy-metaint: expected 1..={METAINT_LIMIT_BYTES}, found {found}")]
pub struct BadMetaint {
    /// What the head said.
    pub found: usize,
}

/// What an [`IcyReader`] finds in a body, in its order.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// Audio, a slice of the chunk that was read.
    Audio(&'a [u8]),
    /// A metadata block.
    Metadata {
        /// How many bytes of audio came before it on this connection.
        audio_bytes: u64,
        /// The block; one that says nothing is left out.
        metadata: Metadata,
    },
}

/// Takes the metadata out of one relay's body.
#[derive(Debug)]
pub struct IcyReader {
    metaint_bytes: usize,
    due: Due,
    audio_bytes: u64,
    /// The text of the block that is being read.
    block: Vec<u8>,
}

/// What a body's next byte is.
#[derive(Debug, Clone, Copy)]
enum Due {
    Audio { left: usize },
    Length,
    Text { left: usize },
}

impl IcyReader {
    /// A reader for a body from its first byte on, with the head's `icy-metaint`.
    ///
    /// # Errors
    /// [`BadMetaint`] when it is 0 or beyond [`METAINT_LIMIT_BYTES`].
    pub fn new(metaint_bytes: usize) -> Result<Self, BadMetaint> {
        let left = checked(metaint_bytes)?;
        Ok(Self {
            metaint_bytes,
            due: Due::Audio { left },
            audio_bytes: 0,
            block: Vec::new(),
        })
    }

    /// Calls `each` with the pieces of the next chunk.
    pub fn read<'a>(&mut self, mut chunk: &'a [u8], mut each: impl FnMut(Piece<'a>)) {
        while !chunk.is_empty() {
            let (now, later) = chunk.split_at(self.step_bytes(chunk));
            if let Some(piece) = self.step(now) {
                each(piece);
            }
            chunk = later;
        }
    }

    /// Moves the audio of the next chunk to its front, calls `each` with the metadata and its place in the audio, and
    /// says how many bytes of audio there are.
    pub fn strip(&mut self, chunk: &mut [u8], mut each: impl FnMut(u64, Metadata)) -> usize {
        let (mut read, mut kept) = (0, 0);
        while let Some(rest) = chunk.get(read..).filter(|rest| !rest.is_empty()) {
            let step = read..read + self.step_bytes(rest);
            read = step.end;
            match self.step(chunk.get(step.clone()).unwrap_or_default()) {
                Some(Piece::Audio(audio)) => {
                    let audio_bytes = audio.len();
                    if kept < step.start {
                        chunk.copy_within(step, kept);
                    }
                    kept += audio_bytes;
                }
                Some(Piece::Metadata {
                    audio_bytes,
                    metadata,
                }) => each(audio_bytes, metadata),
                None => {}
            }
        }
        kept
    }

    /// How many bytes of `chunk` are of one kind.
    fn step_bytes(&self, chunk: &[u8]) -> usize {
        match self.due {
            Due::Audio { left } | Due::Text { left } => left.min(chunk.len()),
            Due::Length => 1,
        }
    }

    /// Takes bytes of one kind.
    fn step<'a>(&mut self, bytes: &'a [u8]) -> Option<Piece<'a>> {
        match self.due {
            Due::Audio { left } => {
                self.audio_bytes += bytes.len() as u64;
                self.due = match left - bytes.len() {
                    0 => Due::Length,
                    left => Due::Audio { left },
                };
                Some(Piece::Audio(bytes))
            }
            Due::Length => {
                let sixteenths = bytes.first().copied().map_or(0, usize::from);
                self.await_text(16 * sixteenths)
            }
            Due::Text { left } => {
                self.block.extend_from_slice(bytes);
                self.await_text(left - bytes.len())
            }
        }
    }

    /// Goes on with so much text, or with audio and the block that is complete.
    fn await_text<'a>(&mut self, left: usize) -> Option<Piece<'a>> {
        if left > 0 {
            self.due = Due::Text { left };
            return None;
        }
        self.due = Due::Audio {
            left: self.metaint_bytes,
        };
        let metadata = Metadata::from_block(&std::mem::take(&mut self.block));
        (metadata.block() != Metadata::NO_CHANGE).then_some(Piece::Metadata {
            audio_bytes: self.audio_bytes,
            metadata,
        })
    }
}

/// Puts metadata into the audio of one listener.
#[derive(Debug)]
pub struct IcyWriter {
    metaint_bytes: usize,
    until_block_bytes: usize,
    current: Metadata,
    is_told: bool,
}

impl IcyWriter {
    /// A writer for a body from its first byte on, whose head says this `icy-metaint`.
    ///
    /// # Errors
    /// [`BadMetaint`] when it is 0 or beyond [`METAINT_LIMIT_BYTES`].
    pub fn new(metaint_bytes: usize) -> Result<Self, BadMetaint> {
        let until_block_bytes = checked(metaint_bytes)?;
        Ok(Self {
            metaint_bytes,
            until_block_bytes,
            current: Metadata::default(),
            is_told: true,
        })
    }

    /// What holds from the next audio on: the next block tells it, once. The same as before is no change: a relay's first
    /// block repeats what the listener knows from the relay before.
    pub fn set(&mut self, metadata: &Metadata) {
        if self.current != *metadata {
            self.current = metadata.clone();
            self.is_told = false;
        }
    }

    /// Calls `each` with the next audio in slices and with the blocks that are due between them.
    ///
    /// A block goes out with the audio behind it, not with that before it: the relay's own block, which may lie at the
    /// same place, is read by then.
    pub fn write(&mut self, mut audio: &[u8], mut each: impl FnMut(&[u8])) {
        while !audio.is_empty() {
            if self.until_block_bytes == 0 {
                each(self.block());
                self.until_block_bytes = self.metaint_bytes;
            }
            let (now, later) = audio.split_at(self.until_block_bytes.min(audio.len()));
            each(now);
            self.until_block_bytes -= now.len();
            audio = later;
        }
    }

    fn block(&mut self) -> &[u8] {
        if std::mem::replace(&mut self.is_told, true) {
            return Metadata::NO_CHANGE;
        }
        self.current.block()
    }
}

fn checked(metaint_bytes: usize) -> Result<usize, BadMetaint> {
    match metaint_bytes {
        1..=METAINT_LIMIT_BYTES => Ok(metaint_bytes),
        found => Err(BadMetaint { found }),
    }
}
