//! Chunks of HTTP/1.1 (RFC 9112 7.1): room for a piece with what is written before and behind it, so that it goes out in
//! one write. Pure.

use crate::stream::STEP_BYTES;

/// The most digits that a size has: a piece is shorter than 64 KiB.
const DIGITS: usize = 4;
const CRLF: &[u8; 2] = b"\r\n";

/// Where the audio begins.
const START: usize = DIGITS + CRLF.len();

/// Room for one piece of a stream.
pub struct Room(Box<[u8; START + STEP_BYTES + CRLF.len()]>);

impl Default for Room {
    fn default() -> Self {
        Self(Box::new([0; START + STEP_BYTES + CRLF.len()]))
    }
}

impl Room {
    /// Where the audio goes.
    pub fn audio(&mut self) -> &mut [u8] {
        self.0
            .get_mut(START..START + STEP_BYTES)
            .unwrap_or_default()
    }

    /// The first `length` bytes of the audio as they are.
    pub fn plain(&self, length: usize) -> &[u8] {
        self.0.get(START..START + length).unwrap_or_default()
    }

    /// The first `length` bytes of the audio as a chunk; nothing for nothing, as an empty chunk is the last one.
    pub fn chunk(&mut self, length: usize) -> &[u8] {
        if length == 0 {
            return &[];
        }
        let size = format!("{length:X}\r\n");
        let from = START.saturating_sub(size.len());
        let end = START + length;
        self.put(from, size.as_bytes());
        self.put(end, CRLF);
        self.0.get(from..end + CRLF.len()).unwrap_or_default()
    }

    fn put(&mut self, at: usize, bytes: &[u8]) {
        if let Some(place) = self.0.get_mut(at..at + bytes.len()) {
            place.copy_from_slice(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_has_its_size_before_it_and_an_end() {
        for (length, size) in [
            (1, "1"),
            (15, "F"),
            (16, "10"),
            (4_096, "1000"),
            (STEP_BYTES, "2708"),
        ] {
            let mut room = Room::default();
            room.audio()[..length].fill(b'a');
            let audio = "a".repeat(length);
            assert_eq!(room.plain(length), audio.as_bytes());
            assert_eq!(
                room.chunk(length),
                format!("{size}\r\n{audio}\r\n").as_bytes()
            );
        }
    }

    #[test]
    fn nothing_is_no_chunk() {
        assert_eq!(Room::default().chunk(0), b"");
    }
}
