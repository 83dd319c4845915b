//! One frame header, of MPEG-1, -2 and -2.5 audio in layers I to III, and of ADTS (AAC).
//!
//! Comes in: bytes that may begin with one. Goes out: how long the frame is and how long it plays. Free format, whose
//! frames do not tell their length, and reserved values are refused. Pure.
//!
//! Sources: ISO/IEC 11172-3 section 2.4.1.3, ISO/IEC 13818-3 (low sample rates), ISO/IEC 14496-3 section 1.A.2.2 (ADTS).

/// ADTS needs seven bytes; MPEG's four are never the last of a stream either.
pub(super) const HEADER_BYTES: usize = 7;

/// A frame as its header describes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    /// What stays the same from frame to frame.
    pub coding: Coding,
    /// Samples per second.
    pub sample_rate: u32,
    /// From this header to the next.
    pub length_bytes: usize,
    /// Samples per channel.
    pub samples: u32,
}

/// How the audio is coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// MP1, MP2, MP3.
    Mpeg(Version, Layer),
    /// AAC with ADTS headers.
    Adts {
        /// The MPEG-4 audio object type less one: 1 is AAC-LC.
        profile: u8,
        /// The channel configuration, 0 when the frames tell.
        channels: u8,
    },
}

/// The version of MPEG audio.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// 32 to 48 kHz.
    V1,
    /// 16 to 24 kHz.
    V2,
    /// 8 to 12 kHz, Fraunhofer's extension.
    V2_5,
}

/// The layer of MPEG audio.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layer {
    /// MP1.
    I,
    /// MP2.
    II,
    /// MP3.
    III,
}

/// Kilobits per second by the header's index from 1 on, which is the standard's order.
const V1_LAYER_I: [u16; 14] = [
    32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448,
];
const V1_LAYER_II: [u16; 14] = [
    32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384,
];
const V1_LAYER_III: [u16; 14] = [
    32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320,
];
const V2_LAYER_I: [u16; 14] = [
    32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256,
];
const V2_LAYERS_II_III: [u16; 14] = [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160];

const ADTS_SAMPLE_RATES: [u32; 13] = [
    96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000,
    7_350,
];

impl Frame {
    /// The frame whose header `bytes` begin with.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let header: [u8; HEADER_BYTES] = *bytes.first_chunk()?;
        let [sync, second, ..] = header;
        if sync != 0xFF || second & 0xE0 != 0xE0 {
            return None;
        }
        // Layer 00 is reserved in MPEG audio: there, with one more sync bit, ADTS has its home.
        match second & 0xF6 {
            0xF0 => adts(header),
            _ => mpeg(header),
        }
    }

    /// Whether both can be frames of one stream. The bitrate may change, and so may stereo.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        (self.coding, self.sample_rate) == (other.coding, other.sample_rate)
    }
}

fn mpeg([_, second, third, ..]: [u8; HEADER_BYTES]) -> Option<Frame> {
    let version = match second >> 3 & 3 {
        0 => Version::V2_5,
        2 => Version::V2,
        3 => Version::V1,
        _ => return None,
    };
    let layer = match second >> 1 & 3 {
        1 => Layer::III,
        2 => Layer::II,
        3 => Layer::I,
        _ => return None,
    };
    let sample_rate = mpeg_sample_rate(version, third >> 2 & 3)?;
    let bits_per_second = mpeg_bits_per_second(version, layer, third >> 4)?;
    let padding = u32::from(third >> 1 & 1);
    let samples = mpeg_samples(version, layer);
    // Layer I counts in slots of four bytes.
    let slot_bytes = if layer == Layer::I { 4 } else { 1 };
    let slots = samples / 8 / slot_bytes * bits_per_second / sample_rate + padding;
    Some(Frame {
        coding: Coding::Mpeg(version, layer),
        sample_rate,
        length_bytes: usize::try_from(slots * slot_bytes).ok()?,
        samples,
    })
}

fn mpeg_sample_rate(version: Version, index: u8) -> Option<u32> {
    let rate = *[44_100, 48_000, 32_000].get(usize::from(index))?;
    Some(match version {
        Version::V1 => rate,
        Version::V2 => rate / 2,
        Version::V2_5 => rate / 4,
    })
}

/// Index 0 is free format, 15 is forbidden.
fn mpeg_bits_per_second(version: Version, layer: Layer, index: u8) -> Option<u32> {
    let table = match (version, layer) {
        (Version::V1, Layer::I) => V1_LAYER_I,
        (Version::V1, Layer::II) => V1_LAYER_II,
        (Version::V1, Layer::III) => V1_LAYER_III,
        (_, Layer::I) => V2_LAYER_I,
        (_, _) => V2_LAYERS_II_III,
    };
    let kilobits = *table.get(usize::from(index).checked_sub(1)?)?;
    Some(1000 * u32::from(kilobits))
}

fn mpeg_samples(version: Version, layer: Layer) -> u32 {
    match (version, layer) {
        (_, Layer::I) => 384,
        (_, Layer::II) | (Version::V1, Layer::III) => 1152,
        (_, Layer::III) => 576,
    }
}

fn adts([_, second, third, fourth, fifth, sixth, seventh]: [u8; HEADER_BYTES]) -> Option<Frame> {
    let sample_rate = *ADTS_SAMPLE_RATES.get(usize::from(third >> 2 & 15))?;
    let length_bytes =
        usize::from(fourth & 3) << 11 | usize::from(fifth) << 3 | usize::from(sixth >> 5);
    let has_checksum = second & 1 == 0;
    let least_bytes = HEADER_BYTES + if has_checksum { 2 } else { 0 };
    (length_bytes > least_bytes).then_some(Frame {
        coding: Coding::Adts {
            profile: third >> 6,
            channels: (third & 1) << 2 | fourth >> 6,
        },
        sample_rate,
        length_bytes,
        samples: 1024 * (1 + u32::from(seventh & 3)),
    })
}
