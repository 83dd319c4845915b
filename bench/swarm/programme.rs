//! The programme: a stream whose every place can be recognised, and the check of what a listener got of it.
//!
//! Comes in: a place, or received bytes. Goes out: the bytes of that place, or what was missing or came twice. It keeps
//! no copy of the stream: word `n` is a permutation of the number `n` and can be undone. Pure.

/// MPEG-1 layer III, 128 kbit/s, 48 kHz, no padding: frames of 384 bytes, as a real source sends them.
const FRAME_HEADER: [u8; 4] = [0xFF, 0xFB, 0x94, 0x64];

/// Words of 8 bytes in a frame of 384.
const FRAME_WORDS: u64 = 48;

/// Bytes of a frame: what a source sends at a time.
pub const FRAME_BYTES: u64 = FRAME_WORDS * WORD_BYTES;

/// 128 kbit/s.
pub const BYTES_PER_SECOND: u64 = 16_000;

const WORD_BYTES: u64 = 8;

/// What is needed to find a place: any 48 bytes hold four whole words behind at most one header.
const FIND_BYTES: usize = 48;

/// No run lasts so long (279 years); random bytes name a word below it once in 10^6 tries.
const LAST_WORD: u64 = 1 << 44;

/// The word `number`.
fn word(number: u64) -> [u8; 8] {
    let mut bytes = mix(number).to_le_bytes();
    if number.is_multiple_of(FRAME_WORDS) {
        for (byte, header) in bytes.iter_mut().zip(FRAME_HEADER) {
            *byte = header;
        }
    }
    bytes
}

/// The finalizer of splitmix64, which is a permutation of all 64-bit numbers.
fn mix(number: u64) -> u64 {
    let z = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Undoes [`mix`]; the factors are the inverses of its factors modulo 2^64.
fn unmix(word: u64) -> u64 {
    let z = (word ^ (word >> 31) ^ (word >> 62)).wrapping_mul(0x3196_42B2_D24D_8EC3);
    let z = (z ^ (z >> 27) ^ (z >> 54)).wrapping_mul(0x96DE_1B17_3F11_9089);
    z ^ (z >> 30) ^ (z >> 60)
}

/// Appends the programme from the byte `from` up to the byte `to`.
pub fn write(from: u64, to: u64, out: &mut Vec<u8>) {
    let words = from / WORD_BYTES..to.div_ceil(WORD_BYTES);
    let skip = usize::try_from(from % WORD_BYTES).unwrap_or(0);
    let length = usize::try_from(to - from).unwrap_or(0);
    out.extend(words.flat_map(word).skip(skip).take(length));
}

/// How many of the first `bytes` are the programme's from the place `at` on.
fn agreeing(at: u64, bytes: &[u8]) -> usize {
    let skip = usize::try_from(at % WORD_BYTES).unwrap_or(0);
    let (first, rest) = bytes.split_at(bytes.len().min(8 - skip));
    let start = word(at / WORD_BYTES);
    let mut agreed = common(first, start.get(skip..).unwrap_or(&[]));
    if agreed < first.len() {
        return agreed;
    }
    for (number, piece) in (at / WORD_BYTES + 1..).zip(rest.chunks(8)) {
        let same = common(piece, &word(number));
        agreed += same;
        if same < piece.len() {
            break;
        }
    }
    agreed
}

/// The length of the common beginning.
fn common(a: &[u8], b: &[u8]) -> usize {
    if a == b {
        return a.len();
    }
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

/// The place of `bytes`, when all of them are one piece of the programme.
fn find(bytes: &[u8]) -> Option<u64> {
    // The word tried may be one with a frame header in it, so one further word of beginnings is tried too.
    let beginnings = bytes.windows(8).take(16).zip(0_u64..);
    let mut places = beginnings.filter_map(|(window, offset)| {
        let number = unmix(u64::from_le_bytes(window.try_into().ok()?));
        let place = number.checked_mul(WORD_BYTES)?.checked_sub(offset)?;
        (number < LAST_WORD).then_some(place)
    });
    places.find(|&place| agreeing(place, bytes) == bytes.len())
}

/// What a listener got, held against the programme while it comes in.
#[derive(Debug, Default)]
pub struct Check {
    /// The place of the next byte, while what comes is the programme.
    next: Option<u64>,
    /// Where the next byte should have been, after a break.
    expected: Option<u64>,
    /// Bytes whose place is not found yet.
    unplaced: Vec<u8>,
    /// What was found wrong so far.
    pub found: Findings,
}

/// What was wrong with a stream; all zero when it was one unbroken piece.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Findings {
    /// Places where the stream did not go on with the next byte.
    pub breaks: u64,
    /// Bytes of the programme that were left out.
    pub missing_bytes: u64,
    /// Bytes of the programme that came again.
    pub repeated_bytes: u64,
    /// Bytes that are no part of the programme.
    pub foreign_bytes: u64,
}

impl Check {
    /// Takes the next bytes of the body.
    pub fn take(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            bytes = match self.next {
                Some(at) => self.follow(at, bytes),
                None => self.seek(bytes),
            };
        }
    }

    /// Whether the stream's place was ever found.
    pub fn is_placed(&self) -> bool {
        self.next.or(self.expected).is_some()
    }

    fn follow<'a>(&mut self, at: u64, bytes: &'a [u8]) -> &'a [u8] {
        let (agreed, rest) = bytes.split_at(agreeing(at, bytes));
        let next = at + agreed.len() as u64;
        self.next = Some(next).filter(|_| rest.is_empty());
        if !rest.is_empty() {
            self.found.breaks += 1;
            self.expected = Some(next);
        }
        rest
    }

    fn seek<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let (taken, rest) = bytes.split_at(bytes.len().min(FIND_BYTES - self.unplaced.len()));
        self.unplaced.extend_from_slice(taken);
        if self.unplaced.len() == FIND_BYTES {
            match find(&self.unplaced) {
                Some(place) => self.found_at(place),
                None => {
                    self.found.foreign_bytes += 1;
                    self.unplaced.remove(0);
                }
            }
        }
        rest
    }

    fn found_at(&mut self, place: u64) {
        if let Some(expected) = self.expected.take() {
            self.found.missing_bytes += place.saturating_sub(expected);
            self.found.repeated_bytes += expected.saturating_sub(place);
        }
        self.next = Some(place + self.unplaced.len() as u64);
        self.unplaced = Vec::new();
    }
}
