//! An Ogg programme as an encoder could make it, and the views that two relays give of it.
//!
//! Granules rise from page to page within a chain. All else may repeat itself: silence, a jingle played again.

use crate::pages;
use libfuzzer_sys::arbitrary::{self, Arbitrary};

const BEGINS: u8 = 2;
const HEADER_PAGES: usize = 2;

/// A programme: each chain is a title.
#[derive(Debug, Arbitrary)]
pub struct Programme {
    chains: Vec<Chain>,
}

#[derive(Debug, Arbitrary)]
struct Chain {
    codec: Codec,
    audio: Vec<Sound>,
}

#[derive(Debug, Clone, Copy, Arbitrary)]
enum Codec {
    Opus,
    Vorbis,
    Flac,
}

/// A page of audio: how long it plays, how it sounds. Those that sound the same are silence.
#[derive(Debug, Arbitrary)]
struct Sound {
    samples: u8,
    /// No packet ends on it.
    goes_on: bool,
    body: u8,
    length: u8,
}

/// One page of the programme.
pub struct Aired {
    /// As the first relay has it.
    pub page: Vec<u8>,
    pub is_audio: bool,
    /// Where its chain's header pages begin.
    chain_at: usize,
}

impl Programme {
    /// All its pages.
    pub fn pages(&self) -> Vec<Aired> {
        let mut aired = Vec::new();
        let chains = self.chains.iter().filter(|it| !it.audio.is_empty());
        for (serial, chain) in (1..).zip(chains.take(20)) {
            chain.air(serial, &mut aired);
        }
        aired
    }
}

impl Chain {
    fn air(&self, serial: u32, aired: &mut Vec<Aired>) {
        let chain_at = aired.len();
        let mut put = |flags, granule, body: &[u8], goes_on, is_audio| {
            let sequence = (aired.len() - chain_at) as u32;
            let page = page(flags, granule, (serial, sequence), body, goes_on);
            aired.push(Aired {
                page,
                is_audio,
                chain_at,
            });
        };
        let [begin, title] = self.codec.headers(serial);
        put(BEGINS, 0, &begin, false, false);
        put(0, 0, &title, false, false);
        let mut granule = 0;
        for sound in self.audio.iter().take(64) {
            granule += 1 + i64::from(sound.samples);
            match sound.goes_on {
                true => put(0, -1, &[sound.body; 255], true, true),
                false => put(0, granule, &sound.body(), false, true),
            }
        }
    }
}

impl Sound {
    fn body(&self) -> Vec<u8> {
        let mut body = vec![self.body; 1 + usize::from(self.length)];
        // FLAC's headers end where a frame's sync code is; the other codecs do not mind.
        body[0] = 0xff;
        body
    }
}

impl Codec {
    fn headers(self, title: u32) -> [Vec<u8>; HEADER_PAGES] {
        let titled = |start: &[u8]| [start, &title.to_le_bytes()].concat();
        match self {
            Self::Opus => [b"OpusHead\x01\x02".to_vec(), titled(b"OpusTags")],
            // The page's two packets are told apart by the lacing values, see `page`.
            Self::Vorbis => [b"\x01vorbis".to_vec(), titled(b"\x03vorbis")],
            Self::Flac => [b"\x7fFLAC\x01\0\0\x01fLaC".to_vec(), titled(b"\x84")],
        }
    }
}

fn page(flags: u8, granule: i64, numbers: (u32, u32), body: &[u8], goes_on: bool) -> Vec<u8> {
    let mut lacing = vec![255; body.len() / 255];
    if !goes_on {
        lacing.push((body.len() % 255) as u8);
    }
    // Vorbis' comment header shares its page with an (empty) setup header.
    if body.starts_with(b"\x03vorbis") {
        lacing.push(0);
    }
    let mut page = [b"OggS\0".as_slice(), &[flags], &granule.to_le_bytes()].concat();
    page.extend(numbers.0.to_le_bytes());
    page.extend(numbers.1.to_le_bytes());
    page.extend([0; 4]);
    page.push(lacing.len() as u8);
    page.extend(lacing);
    page.extend(body);
    pages::seal(&mut page);
    page
}

/// What a relay sends of `aired` to who comes when page `from` is the oldest of its burst: the headers of that page's
/// chain, then all from it on. Its numbers are its own where `shift` says so.
pub fn view(aired: &[Aired], from: usize, shift: u32) -> Vec<Vec<u8>> {
    let Some(first) = aired.get(from) else {
        return Vec::new();
    };
    let headers = first.chain_at..from.min(first.chain_at + HEADER_PAGES);
    let pages = aired[headers].iter().chain(&aired[from..]);
    pages.map(|it| renumbered(&it.page, shift)).collect()
}

fn renumbered(page: &[u8], shift: u32) -> Vec<u8> {
    let mut page = page.to_vec();
    let (serial, sequence) = pages::numbers(&page);
    let is_audio = sequence as usize >= HEADER_PAGES;
    let sequence = sequence.wrapping_add(if is_audio { shift } else { 0 });
    page[14..18].copy_from_slice(&serial.wrapping_add(shift).to_le_bytes());
    page[18..22].copy_from_slice(&sequence.to_le_bytes());
    pages::seal(&mut page);
    page
}
