//! One input as data and as what steers the target.
//!
//! The last bytes steer: so a capture is good as it is, and the fuzzer can vary how it is cut apart from what it holds.

/// How many bytes steer.
pub const STEERS: usize = 16;

/// Parts an input into its data and its steering bytes, zeros where it is too short for any.
pub fn steered(input: &[u8]) -> (&[u8], [u8; STEERS]) {
    match input.split_last_chunk() {
        Some((data, steers)) => (data, *steers),
        None => (input, [0; STEERS]),
    }
}

/// Cuts `body` into chunks, of 1 to 8,129 bytes as `sizes` say, again and again.
pub fn chunks<'a>(body: &'a [u8], sizes: &[u8]) -> impl Iterator<Item = &'a [u8]> {
    let sizes = sizes.iter().map(|size| 1 + usize::from(*size).pow(2) / 8);
    let mut sizes = sizes.collect::<Vec<_>>().into_iter().cycle();
    let mut rest = body;
    std::iter::from_fn(move || {
        let size = sizes.next()?.min(rest.len());
        let (now, later) = rest.split_at(size);
        rest = later;
        (!now.is_empty()).then_some(now)
    })
}

/// A number from two steering bytes, below `limit`; 0 when that is 0.
pub fn below(limit: usize, high: u8, low: u8) -> usize {
    let part = usize::from(u16::from_be_bytes([high, low]));
    (limit * part) >> 16
}
