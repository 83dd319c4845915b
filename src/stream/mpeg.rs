//! MPEG audio and ADTS: where frames begin, for a cut that is heard as little as can be.
//!
//! Comes in: a stretch of audio that may begin and end anywhere. Goes out: the offset of its first frame and the end of
//! its last whole one, and its bitrate. A frame counts when the next headers are where it says; sync bits alone occur in
//! any audio. Linear in time, for the stretch is anybody's bytes. Pure.

mod header;
#[cfg(test)]
mod tests;

pub use header::{Coding, Frame, Layer, Version};

/// So many headers in a row that agree make a frame start, as far as the bytes reach; two at the least.
///
/// In 64 KB of noise three in a row are found with a probability below 10^-8, two with one of about 10^-4.
const HEADERS_IN_A_ROW: usize = 3;

/// The offset of the first frame: the new stream begins there.
pub fn first_boundary(bytes: &[u8]) -> Option<usize> {
    first_from(bytes, 0).map(|(at, _)| at)
}

/// The offset behind the last whole frame: the old stream ends there.
pub fn last_boundary(bytes: &[u8]) -> Option<usize> {
    Frames::of(bytes)
        .last()
        .map(|(at, frame)| at + frame.length_bytes)
}

/// The bits per second over all whole frames: of these bytes alone where the bitrate varies.
pub fn bits_per_second(bytes: &[u8]) -> Option<u64> {
    let (mut bits, mut nanos) = (0_u128, 0_u128);
    for (_, frame) in Frames::of(bytes) {
        bits += 8 * frame.length_bytes as u128;
        nanos += 1_000_000_000 * u128::from(frame.samples) / u128::from(frame.sample_rate.max(1));
    }
    let per_second = (bits * 1_000_000_000).checked_div(nanos)?;
    u64::try_from(per_second).ok()
}

/// The whole frames of a stretch of audio with their offsets; goes on behind bytes that are none.
#[derive(Debug)]
pub struct Frames<'a> {
    bytes: &'a [u8],
    /// Where the next frame begins, if it does.
    at: usize,
    last: Option<Frame>,
}

impl<'a> Frames<'a> {
    /// The frames of `bytes`, from the first one that others confirm.
    pub fn of(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            at: 0,
            last: None,
        }
    }

    /// The frame that goes on where the last one ended.
    fn following(&self) -> Option<Frame> {
        frame_at(self.bytes, self.at)
            .filter(|frame| self.last.is_some_and(|last| last.is_like(frame)))
    }
}

impl Iterator for Frames<'_> {
    type Item = (usize, Frame);

    fn next(&mut self) -> Option<Self::Item> {
        let (at, frame) = match self.following() {
            Some(frame) => (self.at, frame),
            None => first_from(self.bytes, self.at)?,
        };
        self.at = at + frame.length_bytes;
        self.last = Some(frame);
        (self.at <= self.bytes.len()).then_some((at, frame))
    }
}

/// The first frame at or behind `start` that the next headers confirm.
fn first_from(bytes: &[u8], start: usize) -> Option<(usize, Frame)> {
    let behind = bytes.get(start..)?;
    memchr::memchr_iter(0xFF, behind)
        .map(|at| start + at)
        .filter_map(|at| Some((at, frame_at(bytes, at)?)))
        .find(|(at, frame)| is_confirmed(bytes, *at, *frame))
}

/// Whether the headers behind the frame at `at` agree with it.
fn is_confirmed(bytes: &[u8], mut at: usize, first: Frame) -> bool {
    let mut frame = first;
    for headers in 1..HEADERS_IN_A_ROW {
        at += frame.length_bytes;
        match frame_at(bytes, at) {
            Some(next) if next.is_like(&first) => frame = next,
            Some(_) => return false,
            None => return headers > 1 && is_cut(bytes, at),
        }
    }
    true
}

/// Whether the bytes end before a header here could be read.
fn is_cut(bytes: &[u8], at: usize) -> bool {
    bytes.len().saturating_sub(at) < header::HEADER_BYTES
}

fn frame_at(bytes: &[u8], at: usize) -> Option<Frame> {
    Frame::parse(bytes.get(at..)?)
}
