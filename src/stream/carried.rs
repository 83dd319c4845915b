//! What a listener was sent, as far as it matters for going on with another relay. Pure.
//!
//! Comes in: the current relay's audio. Goes out: what to send, and what to look for in another relay's audio.

use bytes::Bytes;

use super::ogg::OggStream;
use super::splice::Tail;

/// So many of the last bytes that occur twice in the tail mean silence, or whatever else repeats.
const REPEAT_BYTES: usize = 32;

/// Where they are looked for: two frames of silence at any usual bitrate.
const LOOK_BACK_BYTES: usize = 2_500;

/// What is kept of the audio before a silence: enough to be unique in a burst of anything else.
const ANCHOR_BYTES: usize = 512;

/// What a listener was sent.
#[derive(Debug)]
pub enum Carried {
    /// Nothing yet: the first bytes tell what it is.
    Nothing,
    /// A stream of bytes: MP3, AAC.
    Plain(Plain),
    /// A stream of pages.
    Ogg(Box<OggStream>),
}

impl Carried {
    /// Takes audio of the current relay, and calls `each` with what to send of it.
    pub fn carry(&mut self, audio: &[u8], mut each: impl FnMut(&[u8])) {
        if audio.is_empty() {
            // An end without a byte tells nothing of what the stream is.
            return;
        }
        if let Self::Nothing = self {
            *self = Self::begin(audio);
        }
        match self {
            Self::Nothing => {}
            Self::Plain(plain) => {
                plain.note(audio);
                each(audio);
            }
            Self::Ogg(ogg) => ogg.carry(audio).iter().for_each(|page| each(&page.bytes)),
        }
    }

    /// ICECAST: an Ogg body begins with a page, whatever its type is called.
    fn begin(audio: &[u8]) -> Self {
        match audio.starts_with(b"OggS") {
            true => Self::Ogg(Box::default()),
            false => Self::Plain(Plain::default()),
        }
    }
}

/// What was sent of a stream of bytes.
#[derive(Debug, Default)]
pub struct Plain {
    tail: Tail,
    anchor: Option<Anchor>,
}

/// The end of the last audio that did not repeat itself, while what follows does: in it lies the exact place.
#[derive(Debug, Clone)]
pub struct Anchor {
    /// The last bytes before the repetition.
    pub tail: Tail,
    /// How many bytes were sent since.
    pub since_bytes: u64,
}

impl Plain {
    /// Notes what is sent.
    pub fn note(&mut self, audio: &[u8]) {
        if audio.is_empty() {
            return;
        }
        let repeats = self.repeats_with(audio);
        match &mut self.anchor {
            Some(anchor) if repeats => anchor.since_bytes += audio.len() as u64,
            None if repeats && !self.tail.is_empty() => {
                self.anchor = Some(Anchor {
                    tail: end_of(&self.tail),
                    since_bytes: audio.len() as u64,
                });
            }
            _ => self.anchor = None,
        }
        self.tail.push(audio);
    }

    /// Whether the end of `audio`, or of what was sent with it where it is short, was there a short while before.
    fn repeats_with(&self, audio: &[u8]) -> bool {
        match audio.get(audio.len().saturating_sub(LOOK_BACK_BYTES)..) {
            Some(end) if end.len() == LOOK_BACK_BYTES => repeats(end),
            _ => repeats(&[&self.tail.bytes(), audio].concat()),
        }
    }

    /// The last bytes sent.
    pub fn tail(&self) -> &Tail {
        &self.tail
    }

    /// The place before the silence in which the listener is, if he is in one.
    pub fn anchor(&self) -> Option<&Anchor> {
        self.anchor.as_ref()
    }

    /// Begins anew after an audible seam: nothing before it will be met again.
    pub fn forget(&mut self) {
        self.tail.forget();
        self.anchor = None;
    }
}

/// Whether the end of `audio` was in it a short while before.
pub(super) fn repeats(audio: &[u8]) -> bool {
    let Some((rest, end)) = audio.split_last_chunk::<REPEAT_BYTES>() else {
        return false;
    };
    memchr::memmem::rfind(rest, end).is_some()
}

fn end_of(tail: &Tail) -> Tail {
    let bytes = tail.bytes();
    let mut end = Tail::default();
    end.push(
        bytes
            .get(bytes.len().saturating_sub(ANCHOR_BYTES)..)
            .unwrap_or_default(),
    );
    end
}

/// Collects what [`Carried::carry`] sends.
pub fn collected(carried: &mut Carried, audio: &[u8]) -> Bytes {
    let mut out = Vec::with_capacity(audio.len());
    carried.carry(audio, |piece| out.extend_from_slice(piece));
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Noise that never repeats, and silence as frames of 418 bytes.
    fn noise(seed: u32, bytes: usize) -> Vec<u8> {
        let words = (0..bytes as u32 / 4 + 1).map(|n| (seed + n).wrapping_mul(2_654_435_761));
        let mut noise: Vec<u8> = words
            .flat_map(|word| (word ^ (word >> 15)).to_be_bytes())
            .collect();
        noise.truncate(bytes);
        noise
    }

    fn silence(bytes: usize) -> Vec<u8> {
        let frame = [&[0xff, 0xfb, 0x90, 0x64][..], &[0; 414]].concat();
        frame.into_iter().cycle().take(bytes).collect()
    }

    #[test]
    fn a_relay_that_ends_before_its_first_byte_leaves_it_open_what_the_stream_is() {
        let mut carried = Carried::Nothing;
        carried.carry(b"", |_| {});
        assert!(matches!(carried, Carried::Nothing));
        carried.carry(b"OggS", |_| {});
        assert!(matches!(carried, Carried::Ogg(_)));
    }

    #[test]
    fn in_a_silence_the_audio_before_it_is_remembered_however_small_the_pieces() {
        let mut plain = Plain::default();
        plain.note(&noise(1, 20_000));
        assert!(plain.anchor().is_none());
        let before = plain.tail().bytes();
        let mut sent = 0;
        for piece in [4_200, 0, 208, 1, 8_192, 32, 417] {
            plain.note(&silence(piece));
            sent += piece as u64;
            let anchor = plain.anchor().unwrap();
            assert_eq!(anchor.since_bytes, sent);
            assert_eq!(anchor.tail.bytes(), &before[before.len() - ANCHOR_BYTES..]);
        }
        plain.note(&noise(9_000, 4_000));
        assert!(plain.anchor().is_none());
    }
}
