//! The score of the demo's programme: which notes sound when, endlessly and never twice the same.
//!
//! Comes in: a seed. Goes out: the notes of each step and the title of the piece they belong to.
//! The same seed gives the same score. Makes no sound; that is `tone`.

use std::sync::Arc;

/// An eighth note at 112 beats a minute: lively enough to hear that nothing stutters, slow enough to leave on.
pub const STEP_SECONDS: f32 = 60.0 / 112.0 / 2.0;

const STEPS_PER_BAR: u64 = 8;
/// 12 bars of 8 steps are 26 s, so that a title changes while somebody watches.
const BARS_PER_PIECE: u64 = 12;

/// The major scale in semitones above its root.
const MAJOR: [i32; 7] = [0, 2, 4, 5, 7, 9, 11];
const KEYS: [&str; 12] = [
    "C", "D flat", "D", "E flat", "E", "F", "F sharp", "G", "A flat", "A", "B flat", "B",
];
/// Four chords each, as degrees of the scale; all of them go round without an ending.
const PROGRESSIONS: [[i32; 4]; 5] = [
    [0, 5, 3, 4],
    [0, 2, 3, 4],
    [5, 3, 0, 4],
    [0, 4, 5, 3],
    [3, 0, 4, 5],
];
/// MIDI's number of the C below the lowest root.
const LOW_C: i32 = 48;

/// One note that begins with its step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Note {
    /// Pitch in hertz.
    pub hertz: f32,
    /// Seconds until it has faded to a thousandth.
    pub fade_seconds: f32,
    /// Loudness at its start, 0 to 1.
    pub gain: f32,
    /// Place between the loudspeakers: 0 left, 1 right.
    pub pan: f32,
}

/// An endless sequence of steps.
#[derive(Debug)]
pub struct Score {
    rng: fastrand::Rng,
    step: u64,
    piece: u64,
    key: usize,
    progression: [i32; 4],
    /// Where the arpeggio stands, in chord notes above the chord's root.
    rung: i32,
    title: Arc<str>,
}

impl Score {
    /// A score that is wholly given by `seed`.
    pub fn new(seed: u64) -> Self {
        let mut score = Self {
            rng: fastrand::Rng::with_seed(seed),
            step: 0,
            piece: 0,
            key: 0,
            progression: [0, 5, 3, 4],
            rung: 2,
            title: Arc::from(""),
        };
        score.begin_piece();
        score
    }

    /// What plays now, in the words of a stream's title.
    pub fn title(&self) -> Arc<str> {
        Arc::clone(&self.title)
    }

    /// The notes that begin with the next step; the first step of a bar is never empty.
    pub fn next_step(&mut self) -> Vec<Note> {
        if self.step == STEPS_PER_BAR * BARS_PER_PIECE {
            self.begin_piece();
        }
        let beat = self.step % STEPS_PER_BAR;
        let chord = self.chord();
        self.step += 1;
        let mut notes = self.ground(beat, chord);
        notes.extend(self.arpeggio(beat, chord));
        notes
    }

    fn begin_piece(&mut self) {
        self.step = 0;
        self.piece += 1;
        // Fifths apart, as songs change key: every key comes before one comes again.
        self.key = (self.key + 7) % KEYS.len();
        let drawn = self.rng.usize(..PROGRESSIONS.len());
        self.progression = PROGRESSIONS.get(drawn).copied().unwrap_or([0, 5, 3, 4]);
        let key = KEYS.get(self.key).unwrap_or(&"C");
        self.title = format!("Demo Ensemble - Arpeggio {} in {key}", self.piece).into();
    }

    fn chord(&self) -> i32 {
        let bar = self.step / STEPS_PER_BAR;
        let place = usize::try_from(bar % 4).unwrap_or(0);
        self.progression.get(place).copied().unwrap_or(0)
    }

    /// The long notes under the arpeggio: the chord on the bar's first beat, its root again on the third.
    fn ground(&self, beat: u64, chord: i32) -> Vec<Note> {
        let held = |degree: i32, gain: f32, pan: f32| Note {
            hertz: self.pitch(degree - 7),
            fade_seconds: 4.5,
            gain,
            pan,
        };
        match beat {
            0 => vec![
                held(chord, 0.16, 0.5),
                held(chord + 2, 0.07, 0.25),
                held(chord + 4, 0.07, 0.75),
            ],
            4 => vec![held(chord, 0.1, 0.5)],
            _ => Vec::new(),
        }
    }

    /// A random walk over the chord's notes, with a rest now and then.
    fn arpeggio(&mut self, beat: u64, chord: i32) -> Option<Note> {
        if beat != 0 && self.rng.u8(..8) == 0 {
            return None;
        }
        self.rung = (self.rung + self.rng.i32(-2..=2)).clamp(0, 7);
        let degree = chord + 7 * (self.rung / 3) + 2 * (self.rung % 3);
        Some(Note {
            hertz: self.pitch(degree),
            fade_seconds: 1.4 + self.rng.f32(),
            gain: 0.12 + 0.08 * self.rng.f32(),
            pan: 0.2 + 0.6 * self.rng.f32(),
        })
    }

    /// The pitch of a degree of the scale, octaves included: 7 is the root's octave, -7 the one below.
    fn pitch(&self, degree: i32) -> f32 {
        let place = usize::try_from(degree.rem_euclid(7)).unwrap_or(0);
        let root = LOW_C + i32::try_from(self.key).unwrap_or(0);
        let semitones = MAJOR.get(place).copied().unwrap_or(0);
        let midi = root + 12 * degree.div_euclid(7) + semitones;
        #[expect(clippy::cast_precision_loss, reason = "a MIDI number is below 128")]
        let above_a4 = (midi - 69) as f32;
        440.0 * (above_a4 / 12.0).exp2()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(seed: u64, count: usize) -> Vec<Vec<Note>> {
        let mut score = Score::new(seed);
        (0..count).map(|_| score.next_step()).collect()
    }

    #[test]
    fn the_same_seed_plays_the_same_and_another_does_not() {
        assert_eq!(steps(1, 500), steps(1, 500));
        assert_ne!(steps(1, 500), steps(2, 500));
    }

    #[test]
    fn ten_minutes_hold_no_bar_twice() {
        let steps = steps(1, 2240);
        let bars: Vec<_> = steps.chunks(8).collect();
        assert_eq!(bars.len(), 280);
        for (at, bar) in bars.iter().enumerate() {
            assert!(!bars[..at].contains(bar), "bar {at} came before");
        }
    }

    #[test]
    fn every_bar_begins_with_a_note_and_every_pitch_can_be_heard() {
        let steps = steps(7, 4000);
        assert!(steps.iter().step_by(8).all(|step| !step.is_empty()));
        let pitches: Vec<f32> = steps.iter().flatten().map(|note| note.hertz).collect();
        assert!(pitches.len() > 3000);
        assert!(pitches.iter().all(|hertz| (50.0..2500.0).contains(hertz)));
    }

    #[test]
    fn the_title_changes_with_the_piece() {
        let mut score = Score::new(1);
        assert_eq!(&*score.title(), "Demo Ensemble - Arpeggio 1 in G");
        for _ in 0..97 {
            score.next_step();
        }
        assert_eq!(&*score.title(), "Demo Ensemble - Arpeggio 2 in D");
    }
}
