//! The needle: the bytes sent last, made ready to be found in another relay's body.
//!
//! Comes in: the tail, then the body in pieces of any size. Goes out: where the needle ends in the body, how a body may
//! begin inside it, and how much of it is telling. Linear in time whatever the bytes are, silence too: Knuth, Morris and
//! Pratt's automaton, which also carries a match over from one piece to the next. Pure.

/// Grams of this size are looked at to judge how telling bytes are.
const GRAM_BYTES: usize = 8;

/// So many grams that occur once only in the needle make a match certain: about 64 bytes of music.
///
/// Ten frames of CBR silence have 8 to 16 of them, around the header of the one frame without padding.
const TELLING_GRAMS: usize = 40;

/// Bytes to look for, with the table that tells how far to fall back at a mismatch.
#[derive(Debug)]
pub(super) struct Pattern {
    bytes: Vec<u8>,
    /// At n: the longest end of the first n bytes, shorter than they are, that is their start as well.
    borders: Vec<usize>,
}

impl Pattern {
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        let mut pattern = Self {
            borders: Vec::with_capacity(bytes.len() + 1),
            bytes: Vec::with_capacity(bytes.len()),
        };
        pattern.borders.extend([0, 0]);
        let mut matched = 0;
        for (at, byte) in bytes.into_iter().enumerate() {
            if at > 0 {
                matched = pattern.step(matched, byte);
                pattern.borders.push(matched);
            }
            pattern.bytes.push(byte);
        }
        pattern
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// The longest border of the first `matched` bytes.
    pub(super) fn border(&self, matched: usize) -> usize {
        self.borders.get(matched).copied().unwrap_or(0)
    }

    /// How many of the pattern's bytes match after one more byte, when `matched` did before.
    fn step(&self, mut matched: usize, byte: u8) -> usize {
        loop {
            if self.bytes.get(matched) == Some(&byte) {
                return matched + 1;
            }
            if matched == 0 {
                return 0;
            }
            matched = self.border(matched);
        }
    }

    /// Goes over `bytes`, calls `found` with the offset behind each whole match, and says how much matches at the end.
    pub(super) fn scan(
        &self,
        mut matched: usize,
        bytes: &[u8],
        mut found: impl FnMut(usize),
    ) -> usize {
        let mut at = 0;
        while let Some(byte) = bytes.get(at) {
            if matched == 0 {
                match self.skip(bytes.get(at..).unwrap_or_default()) {
                    Some(0) => {}
                    Some(skip) => {
                        at += skip;
                        continue;
                    }
                    None => return 0,
                }
            }
            matched = self.step(matched, *byte);
            at += 1;
            if matched == self.len() {
                found(at);
            }
        }
        matched
    }

    /// How far it is to the next byte a match could begin with.
    fn skip(&self, bytes: &[u8]) -> Option<usize> {
        memchr::memchr(*self.bytes.first()?, bytes)
    }
}

/// The bytes sent last.
#[derive(Debug)]
pub(super) struct Needle {
    pub(super) pattern: Pattern,
    /// So many of the last bytes are enough for a certain match; none when all of them repeat, as in silence.
    telling_bytes: Option<usize>,
}

impl Needle {
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        let telling_bytes = telling_bytes(&bytes);
        let pattern = Pattern::new(bytes);
        let repeats = pattern.border(pattern.len()) >= pattern.len().div_ceil(4);
        Self {
            telling_bytes: telling_bytes.filter(|_| !repeats),
            pattern,
        }
    }

    /// The last `length` bytes of it, judged by all of it: one frame of silence alone does not look like silence.
    pub(super) fn end(&self, length: usize) -> Self {
        let start = self.pattern.len().saturating_sub(length);
        let bytes = self.pattern.bytes.get(start..).unwrap_or_default();
        Self {
            pattern: Pattern::new(bytes.to_vec()),
            telling_bytes: self.telling_bytes,
        }
    }

    /// Whether a match of its last `length` bytes is certain to be no coincidence and no repetition.
    pub(super) fn tells(&self, length: usize) -> bool {
        self.telling_bytes.is_some_and(|needed| needed <= length)
    }

    /// The least distance between two matches of the whole needle: its smallest period.
    pub(super) fn period(&self) -> usize {
        self.pattern.len() - self.pattern.border(self.pattern.len())
    }

    /// Each length, the longest first, at which `body` begins with the needle's last bytes.
    pub(super) fn overlaps(&self, body: &[u8]) -> impl Iterator<Item = usize> + use<> {
        let shorter = self.pattern.len().saturating_sub(1).min(body.len());
        let start = Pattern::new(body.get(..shorter).unwrap_or_default().to_vec());
        let longest = start.scan(0, &self.pattern.bytes, |_| {});
        std::iter::successors(Some(longest), move |length| Some(start.border(*length)))
            .take_while(|length| *length > 0)
    }
}

/// How many of the last bytes it takes to have enough grams that occur nowhere else.
///
/// Grams are counted by their hash: a collision takes a gram for a repeated one, which errs on the careful side.
fn telling_bytes(bytes: &[u8]) -> Option<usize> {
    let grams = || bytes.windows(GRAM_BYTES).map(place);
    let mut counts = vec![0_u8; 1 << 16];
    for gram in grams() {
        if let Some(count) = counts.get_mut(gram) {
            *count = count.saturating_add(1);
        }
    }
    grams()
        .rev()
        .zip(GRAM_BYTES..)
        .filter(|(gram, _)| counts.get(*gram) == Some(&1))
        .nth(TELLING_GRAMS - 1)
        .map(|(_, length)| length)
}

/// A gram's place in the table of 65,536 counts.
fn place(gram: &[u8]) -> usize {
    // The odd number is 2^64 divided by the golden ratio: Fibonacci hashing, whose high bits are well mixed.
    let number = gram
        .iter()
        .fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    usize::from((number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 48) as u16)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_finds_what_a_plain_search_finds_however_the_body_is_cut(
            bytes in prop::collection::vec(0_u8..2, 1..12),
            body in prop::collection::vec(0_u8..2, 0..200),
            size in 1_usize..20,
        ) {
            let pattern = Pattern::new(bytes.clone());
            let (mut matched, mut ends) = (0, Vec::new());
            for (number, piece) in body.chunks(size).enumerate() {
                matched = pattern.scan(matched, piece, |end| ends.push(number * size + end));
            }
            let plain: Vec<usize> = (bytes.len()..=body.len())
                .filter(|end| body[..*end].ends_with(&bytes))
                .collect();
            prop_assert_eq!(ends, plain);
        }

        #[test]
        fn it_finds_each_way_a_body_can_begin_inside_it(
            bytes in prop::collection::vec(0_u8..2, 1..20),
            body in prop::collection::vec(0_u8..2, 0..30),
        ) {
            let found: Vec<usize> = Needle::new(bytes.clone()).overlaps(&body).collect();
            let plain: Vec<usize> = (1..bytes.len().min(body.len() + 1))
                .rev()
                .filter(|length| bytes.ends_with(&body[..*length]))
                .collect();
            prop_assert_eq!(found, plain);
        }
    }

    fn noise(length: usize, seed: u64) -> Vec<u8> {
        let mut random = fastrand::Rng::with_seed(seed);
        std::iter::repeat_with(|| random.u8(..))
            .take(length)
            .collect()
    }

    #[test]
    fn music_is_telling_and_silence_is_not() {
        assert!(Needle::new(noise(4096, 1)).tells(64));
        assert!(!Needle::new(noise(4096, 1)).tells(32));
        let silence = noise(418, 2).repeat(10);
        assert!(!Needle::new(silence.clone()).tells(silence.len()));
        let loop_in_two_parts = noise(3000, 3).repeat(2)[..4096].to_vec();
        assert!(!Needle::new(loop_in_two_parts).tells(4096));
    }

    #[test]
    fn music_that_falls_silent_is_telling_as_a_whole() {
        let needle = Needle::new([noise(1000, 4), vec![0; 3096]].concat());
        assert!(needle.tells(4096));
        assert!(!needle.tells(3000));
        assert!(!needle.end(512).tells(512));
    }

    #[test]
    fn the_period_is_the_least_distance_of_two_matches() {
        assert_eq!(Needle::new(b"abcabca".to_vec()).period(), 3);
        assert_eq!(Needle::new(b"abcd".to_vec()).period(), 4);
    }
}
