//! The sound of the demo's programme: notes become samples.
//!
//! Comes in: the notes of a `score`. Goes out: stereo samples in -1..1, endlessly and never silent.
//! The same seed gives the same samples. Knows nothing of MP3; that is `programme`.

use super::score::{Note, STEP_SECONDS, Score};
use std::f32::consts::{FRAC_PI_2, TAU};
use std::sync::Arc;

/// At 48 kHz a 128 kbit/s frame is 384 bytes exactly, so no frame needs padding to keep the rate.
pub const SAMPLE_RATE: u32 = 48_000;
const RATE: f32 = 48_000.0;

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "12,857 samples"
)]
const STEP_SAMPLES: u32 = (STEP_SECONDS * RATE) as u32;

/// A partial below this is 74 dB under full scale: dropping it cannot be heard.
const INAUDIBLE: f32 = 0.000_2;
/// Three sixteenths: the echo falls between the notes.
const ECHO_SAMPLES: usize = 19_285;
const ECHO_GAIN: f32 = 0.32;
/// A breath of noise at -62 dB: inaudible, but no two frames of a held note are alike, so that the joint
/// between two relays' bytes has one place only.
const BREATH: f32 = 0.000_8;

/// The programme as samples.
#[derive(Debug)]
pub struct Tone {
    score: Score,
    partials: Vec<Partial>,
    echo: Vec<[f32; 2]>,
    echo_at: usize,
    until_step: u32,
    noise: fastrand::Rng,
}

impl Tone {
    /// The programme that is wholly given by `seed`.
    pub fn new(seed: u64) -> Self {
        Self {
            score: Score::new(seed),
            partials: Vec::new(),
            echo: vec![[0.0; 2]; ECHO_SAMPLES],
            echo_at: 0,
            until_step: 0,
            noise: fastrand::Rng::with_seed(seed),
        }
    }

    /// What plays now.
    pub fn title(&self) -> Arc<str> {
        self.score.title()
    }

    /// Fills both channels with what comes next; their lengths are equal.
    pub fn render(&mut self, left: &mut [f32], right: &mut [f32]) {
        for (left, right) in left.iter_mut().zip(right) {
            if self.until_step == 0 {
                self.begin_step();
            }
            self.until_step -= 1;
            [*left, *right] = self.sample();
        }
    }

    fn begin_step(&mut self) {
        self.until_step = STEP_SAMPLES;
        self.partials.retain(Partial::is_audible);
        for note in self.score.next_step() {
            self.partials.extend(Partial::of(&note));
        }
    }

    fn sample(&mut self) -> [f32; 2] {
        let breath = BREATH * (self.noise.f32() - 0.5);
        let [mut left, mut right] = [breath, -breath];
        for partial in &mut self.partials {
            let value = partial.turn();
            left += value * partial.left;
            right += value * partial.right;
        }
        self.with_echo([left, right])
    }

    /// Adds the echo, which changes sides each time it comes back.
    fn with_echo(&mut self, dry: [f32; 2]) -> [f32; 2] {
        let Some(slot) = self.echo.get_mut(self.echo_at) else {
            return dry;
        };
        let wet = [dry[0] + ECHO_GAIN * slot[1], dry[1] + ECHO_GAIN * slot[0]];
        *slot = wet;
        self.echo_at = (self.echo_at + 1) % ECHO_SAMPLES;
        wet
    }
}

/// A fading sine wave: a complex number that is turned and shrunk for each sample.
#[derive(Debug)]
struct Partial {
    re: f32,
    im: f32,
    turn_re: f32,
    turn_im: f32,
    left: f32,
    right: f32,
}

impl Partial {
    /// A note's sound: its pitch, and an octave and a twelfth that fade sooner, as a plucked string has them.
    fn of(note: &Note) -> [Self; 3] {
        [(1.0, 1.0, 1.0), (2.0, 0.35, 0.5), (3.0, 0.15, 0.3)].map(|(times, gain, fade)| {
            let part = Note {
                hertz: note.hertz * times,
                gain: note.gain * gain,
                fade_seconds: note.fade_seconds * fade,
                pan: note.pan,
            };
            Self::new(&part)
        })
    }

    fn new(note: &Note) -> Self {
        let angle = TAU * note.hertz / RATE;
        let shrink = 0.001_f32.powf(1.0 / (note.fade_seconds * RATE));
        Self {
            re: note.gain,
            // It begins at a sine's zero, so that no note clicks.
            im: 0.0,
            turn_re: shrink * angle.cos(),
            turn_im: shrink * angle.sin(),
            left: (note.pan * FRAC_PI_2).cos(),
            right: (note.pan * FRAC_PI_2).sin(),
        }
    }

    fn is_audible(&self) -> bool {
        self.re.abs() + self.im.abs() > INAUDIBLE
    }

    fn turn(&mut self) -> f32 {
        let re = self.re * self.turn_re - self.im * self.turn_im;
        self.im = self.re * self.turn_im + self.im * self.turn_re;
        self.re = re;
        self.im
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seed: u64, seconds: usize) -> (Vec<f32>, Vec<f32>) {
        let mut left = vec![0.0; seconds * SAMPLE_RATE as usize];
        let mut right = left.clone();
        Tone::new(seed).render(&mut left, &mut right);
        (left, right)
    }

    #[test]
    fn the_same_seed_sounds_the_same() {
        assert_eq!(seconds(3, 2), seconds(3, 2));
        assert_ne!(seconds(3, 2), seconds(4, 2));
    }

    #[test]
    fn it_is_never_silent_and_never_clipped() {
        let (left, right) = seconds(1, 30);
        let tenths: Vec<&[f32]> = left.chunks(4800).chain(right.chunks(4800)).collect();
        assert_eq!(tenths.len(), 600);
        for (at, tenth) in tenths.iter().enumerate() {
            let loudest = tenth.iter().fold(0.0_f32, |most, s| most.max(s.abs()));
            assert!((0.02..0.98).contains(&loudest), "tenth {at}: {loudest}");
        }
    }
}
