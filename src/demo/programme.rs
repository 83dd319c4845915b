//! The programme: the demo's master, which encodes the tone once, in real time, for all relays.
//!
//! Comes in: a seed. Goes out: blocks of 128 kbit/s MP3 into a feed. Relays of one master carry the same bytes
//! because there is one encoder. Knows no socket.

use super::feed::{BLOCK_BYTES, BURST_BLOCKS, Block, Feed, Publisher, feed};
use super::tone::{SAMPLE_RATE, Tone};
use rusty_mp3::Mp3Encode;
use rusty_mp3::frame::ChannelMode;
use rusty_mp3::header::{FrameHeader, MpegVersion};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

/// Kilobits of MP3 for a second of sound.
pub const BITRATE_KBPS: u32 = 128;
/// 1,400 bytes at 16,000 a second.
const BLOCK_TIME: Duration = Duration::from_micros(87_500);
/// After a longer pause (a laptop that slept) the programme goes on from now instead of racing to catch up.
const LATEST: Duration = Duration::from_secs(1);
const FRAME_SAMPLES: usize = 1152;

/// The programme as blocks of MP3, as fast as they are asked for.
pub struct Programme {
    tone: Tone,
    encoder: Mp3Encode,
    header: FrameHeader,
    left: Vec<f32>,
    right: Vec<f32>,
    /// Encoded, but not yet a whole block.
    waiting: Vec<u8>,
}

impl Programme {
    /// The programme that is wholly given by `seed`.
    pub fn new(seed: u64) -> Self {
        Self {
            tone: Tone::new(seed),
            encoder: Mp3Encode::new(),
            header: stream_header(),
            left: vec![0.0; FRAME_SAMPLES],
            right: vec![0.0; FRAME_SAMPLES],
            waiting: Vec::with_capacity(2 * BLOCK_BYTES),
        }
    }

    /// The next 1,400 bytes.
    ///
    /// # Errors
    /// The encoder's, which refuses nothing that a tone can contain.
    pub fn next_block(&mut self) -> rusty_mp3::Result<Block> {
        while self.waiting.len() < BLOCK_BYTES {
            let frame = self.next_frame()?;
            self.waiting.extend_from_slice(&frame);
        }
        let audio = self.waiting.drain(..BLOCK_BYTES).collect();
        let title = self.tone.title();
        Ok(Block { audio, title })
    }

    /// 24 ms of sound; each frame can be decoded without the one before, so any frame's start is a clean joint.
    fn next_frame(&mut self) -> rusty_mp3::Result<Vec<u8>> {
        self.tone.render(&mut self.left, &mut self.right);
        let channels = [self.left.as_slice(), self.right.as_slice()];
        self.encoder.encode_frame(&self.header, &channels, None)
    }
}

fn stream_header() -> FrameHeader {
    FrameHeader {
        version: MpegVersion::V1,
        crc_protected: false,
        bitrate_kbps: BITRATE_KBPS,
        sample_rate: SAMPLE_RATE,
        padding: false,
        channel_mode: ChannelMode::Stereo,
        copyright: false,
        original: true,
        emphasis: 0,
    }
}

/// A programme on the air; it ends when this is dropped.
#[derive(Debug)]
pub struct OnAir {
    /// What relays serve from.
    pub feed: Feed,
    /// Never sent on: the master's thread sleeps on its other end, and wakes when this is gone.
    _stop: Sender<()>,
}

/// Puts the programme of `seed` on the air, in a thread of its own.
///
/// A burst of it is already there, as if the master had been running.
///
/// # Errors
/// When the thread cannot be started.
pub fn put_on_air(seed: u64) -> std::io::Result<OnAir> {
    let (mut publisher, feed) = feed();
    let (stop, stopped) = channel();
    let mut programme = Programme::new(seed);
    for _ in 0..BURST_BLOCKS {
        publisher.publish(programme.next_block().map_err(std::io::Error::other)?);
    }
    std::thread::Builder::new()
        .name("demo-master".into())
        .spawn(move || broadcast(programme, publisher, &stopped))?;
    Ok(OnAir { feed, _stop: stop })
}

/// Publishes block after block, each when its time has come, until `stopped` hangs up.
fn broadcast(mut programme: Programme, mut publisher: Publisher, stopped: &Receiver<()>) {
    let mut due = Instant::now();
    loop {
        // Encoded before it is due: the encoder's time does not delay it.
        let block = match programme.next_block() {
            Ok(block) => block,
            Err(error) => return log::error!("the demo's programme ends: {error}"),
        };
        due = next_due(due, Instant::now());
        let wait = due.saturating_duration_since(Instant::now());
        if stopped.recv_timeout(wait) != Err(RecvTimeoutError::Timeout) {
            return;
        }
        publisher.publish(block);
    }
}

/// When the block after the one that was due at `last` is due.
fn next_due(last: Instant, now: Instant) -> Instant {
    let due = last + BLOCK_TIME;
    if now.saturating_duration_since(due) > LATEST {
        now
    } else {
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusty_mp3::Mp3Decoder;

    fn encoded(blocks: usize) -> Vec<u8> {
        let mut programme = Programme::new(1);
        (0..blocks)
            .flat_map(|_| programme.next_block().unwrap().audio.to_vec())
            .collect()
    }

    #[test]
    fn every_384_bytes_a_128_kbps_frame_begins() {
        let bytes = encoded(24);
        let frames: Vec<_> = bytes.chunks_exact(384).collect();
        assert_eq!(frames.len(), 87);
        for frame in &frames {
            let header = FrameHeader::parse([frame[0], frame[1], frame[2], frame[3]]).unwrap();
            assert_eq!((header.bitrate_kbps, header.sample_rate), (128, 48_000));
            assert_eq!(header.frame_size(), 384);
        }
    }

    #[test]
    fn what_is_decoded_is_the_tone() {
        let mut decoder = Mp3Decoder::new();
        decoder.push(&encoded(24));
        let mut heard = Vec::new();
        while let Ok(frame) = decoder.next_frame() {
            assert_eq!((frame.sample_rate, frame.channels), (48_000, 2));
            heard.extend(frame.samples.into_iter().step_by(2));
        }
        assert_eq!(heard.len(), 87 * FRAME_SAMPLES);
        let (mut left, mut right) = (vec![0.0; heard.len()], vec![0.0; heard.len()]);
        Tone::new(1).render(&mut left, &mut right);
        // The codec's delay: 528 samples of the decoder's filters and 577 of the encoder's, give or take one.
        let match_at = |delay: usize| correlation(&left, &heard[delay..]);
        let best = (1000..1200).map(match_at).fold(f32::MIN, f32::max);
        assert!(best > 0.95, "correlation {best}");
    }

    fn correlation(a: &[f32], b: &[f32]) -> f32 {
        let sum = |x: &[f32], y: &[f32]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f32>();
        let a = &a[..b.len()];
        sum(a, b) / (sum(a, a) * sum(b, b)).sqrt()
    }

    #[test]
    fn no_512_bytes_come_twice() {
        let bytes = encoded(200);
        let windows: std::collections::HashSet<&[u8]> = bytes.windows(512).collect();
        assert_eq!(windows.len(), bytes.len() - 511);
    }

    #[test]
    fn a_long_sleep_is_not_made_up_for() {
        let start = Instant::now();
        assert_eq!(next_due(start, start), start + BLOCK_TIME);
        let late = start + BLOCK_TIME + LATEST;
        assert_eq!(next_due(start, late), start + BLOCK_TIME);
        let asleep = late + BLOCK_TIME;
        assert_eq!(next_due(start, asleep), asleep);
    }

    #[test]
    fn encoding_keeps_up_with_real_time() {
        let mut programme = Programme::new(1);
        let start = Instant::now();
        for _ in 0..57 {
            programme.next_block().unwrap();
        }
        let took = start.elapsed();
        println!("5 s of programme took {took:?}");
        assert!(
            took < Duration::from_secs(4),
            "5 s of programme took {took:?}"
        );
    }
}
