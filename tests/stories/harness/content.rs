//! The content check: what somebody heard is laid beside the whole programme, and every byte must be in its place.
//!
//! The programme never repeats, so that a stretch of it has one place. What does not go on where the stretch before it
//! ended is told by its kind: bytes missing, bytes repeated, or bytes that are nowhere in the programme.

use std::fmt;

use memchr::memmem;

/// A stretch's place is found by its first bytes; noise has no two alike.
const NEEDLE_BYTES: usize = 64;

/// What was heard, as stretches of the programme.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    stretches: Vec<Stretch>,
}

/// Bytes that stand together in the programme too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stretch {
    heard_at: usize,
    /// `None`: nowhere in the programme.
    place: Option<usize>,
    bytes: usize,
}

/// What is wrong behind so many good bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// So many bytes of the programme were left out.
    Missing {
        /// Where in what was heard.
        at: usize,
        /// How many.
        bytes: usize,
    },
    /// So many bytes came once more.
    Repeated {
        /// Where in what was heard.
        at: usize,
        /// How many.
        bytes: usize,
    },
    /// So many bytes are not of the programme.
    Strange {
        /// Where in what was heard.
        at: usize,
        /// How many.
        bytes: usize,
    },
}

impl Content {
    /// Lays what was heard beside the whole programme.
    pub fn of(heard: &[u8], whole: &[u8]) -> Self {
        let mut content = Self {
            stretches: Vec::new(),
        };
        let mut at = 0;
        while at < heard.len() {
            let stretch = longest(&heard[at..], whole).map_or(
                Stretch {
                    heard_at: at,
                    place: None,
                    bytes: NEEDLE_BYTES.min(heard.len() - at),
                },
                |(place, bytes)| Stretch {
                    heard_at: at,
                    place: Some(place),
                    bytes,
                },
            );
            at += stretch.bytes;
            content.add(stretch);
        }
        content
    }

    fn add(&mut self, stretch: Stretch) {
        match self.stretches.last_mut() {
            Some(last) if last.place.is_none() && stretch.place.is_none() => {
                last.bytes += stretch.bytes;
            }
            _ => self.stretches.push(stretch),
        }
    }

    /// Where in the programme it begins; `None` when its first bytes are not of it.
    pub fn begins_at(&self) -> Option<usize> {
        self.stretches.first()?.place
    }

    /// Where in the programme the byte behind the last one lies; `None` when the last ones are not of it.
    pub fn ends_at(&self) -> Option<usize> {
        let last = self.stretches.last()?;
        Some(last.place? + last.bytes)
    }

    /// Everything that is wrong; nothing is, when it is one stretch of the programme.
    pub fn flaws(&self) -> Vec<Flaw> {
        let (mut flaws, mut expected) = (Vec::new(), None);
        for stretch in &self.stretches {
            let Stretch {
                heard_at: at,
                place,
                bytes,
            } = *stretch;
            match (expected, place) {
                (_, None) => flaws.push(Flaw::Strange { at, bytes }),
                (Some(expected), Some(place)) if place > expected => flaws.push(Flaw::Missing {
                    at,
                    bytes: place - expected,
                }),
                (Some(expected), Some(place)) if place < expected => flaws.push(Flaw::Repeated {
                    at,
                    bytes: expected - place,
                }),
                _ => {}
            }
            // Strange bytes are taken to stand for as many of the programme.
            expected = place.or(expected).map(|place| place + bytes);
        }
        flaws
    }
}

impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stretches = self.stretches.iter().map(|stretch| {
            let place = stretch.place.map_or("?".to_owned(), |at| at.to_string());
            format!("{} bytes from {place}", stretch.bytes)
        });
        let stretches: Vec<_> = stretches.collect();
        write!(f, "{}: {:?}", stretches.join(", then "), self.flaws())
    }
}

/// The longest stretch of `whole` that `heard` begins with: its place and its length.
fn longest(heard: &[u8], whole: &[u8]) -> Option<(usize, usize)> {
    let needle = &heard[..NEEDLE_BYTES.min(heard.len())];
    let places = memmem::find_iter(whole, needle);
    let stretches = places.map(|at| (at, common_bytes(heard, &whole[at..])));
    // `max_by_key` would take the last of equals; a silence has many places.
    stretches.reduce(|best, next| if next.1 > best.1 { next } else { best })
}

fn common_bytes(one: &[u8], other: &[u8]) -> usize {
    // Compared in halves: a comparison of slices is fast where one of bytes is not, in a test's build.
    let (mut same, mut beyond) = (0, one.len().min(other.len()) + 1);
    while beyond - same > 1 {
        let middle = usize::midpoint(same, beyond);
        if one[same..middle] == other[same..middle] {
            same = middle;
        } else {
            beyond = middle;
        }
    }
    same
}

/// Fails when something is missing, repeated or strange.
#[track_caller]
pub fn assert_unbroken(heard: &[u8], whole: &[u8]) {
    let content = Content::of(heard, whole);
    assert!(
        !heard.is_empty() && content.flaws().is_empty(),
        "not one unbroken piece of the programme: {content}"
    );
}

#[cfg(test)]
mod tests {
    use super::{Content, Flaw};

    /// Bytes that never repeat.
    fn noise(bytes: usize) -> Vec<u8> {
        let mut dice = fastrand::Rng::with_seed(7);
        std::iter::repeat_with(|| dice.u8(..)).take(bytes).collect()
    }

    #[test]
    fn a_piece_of_the_programme_has_no_flaw() {
        let whole = noise(50_000);
        let content = Content::of(&whole[1_234..40_000], &whole);
        assert_eq!(content.flaws(), []);
        assert_eq!(content.begins_at(), Some(1_234));
        assert_eq!(content.ends_at(), Some(40_000));
    }

    #[test]
    fn a_single_byte_that_is_missing_repeated_or_wrong_is_found() {
        let whole = noise(50_000);
        let flaws = |heard: &[u8]| Content::of(heard, &whole).flaws();
        let (at, bytes) = (9_000, 1);

        let missing = [&whole[1_000..10_000], &whole[10_001..20_000]].concat();
        assert_eq!(flaws(&missing), [Flaw::Missing { at, bytes }]);
        let repeated = [&whole[1_000..10_000], &whole[9_999..20_000]].concat();
        assert_eq!(flaws(&repeated), [Flaw::Repeated { at, bytes }]);
        let mut wrong = whole[1_000..20_000].to_vec();
        wrong[9_000] ^= 1;
        assert!(matches!(
            flaws(&wrong)[..],
            [Flaw::Strange { at: 9_000, .. }]
        ));
    }

    #[test]
    fn each_of_several_flaws_is_told() {
        let whole = noise(50_000);
        let heard = [&whole[..5_000], &whole[8_000..9_000], &whole[4_000..6_000]].concat();
        let missing = Flaw::Missing {
            at: 5_000,
            bytes: 3_000,
        };
        let repeated = Flaw::Repeated {
            at: 6_000,
            bytes: 5_000,
        };
        assert_eq!(Content::of(&heard, &whole).flaws(), [missing, repeated]);
    }
}
