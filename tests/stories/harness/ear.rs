//! The ear: takes apart what comes behind the head of an answer: chunks off, ICY titles out, audio left.
//!
//! Bytes in, in pieces of any size; audio and titles out. It knows no socket and no clock.

/// What the ear made of all bytes so far.
#[derive(Debug, Default, Clone)]
pub struct Heard {
    /// The audio.
    pub audio: Vec<u8>,
    /// Each block of ICY metadata that was not empty, with the number of audio bytes before it.
    pub titles: Vec<(usize, String)>,
    /// The body was chunked and its last chunk came: the server says that this is the end.
    pub is_complete: bool,
    /// Something in the body was not as its head promised.
    pub fault: Option<String>,
}

/// An ear for one answer.
#[derive(Debug)]
pub struct Ear {
    chunked: bool,
    metaint: Option<usize>,
    chunk: Chunk,
    icy: Icy,
    heard: Heard,
}

#[derive(Debug)]
enum Chunk {
    /// The line with the size, as far as it came.
    Size(Vec<u8>),
    /// So many bytes are left of the chunk and the line end behind it.
    Body(usize),
    Last,
}

#[derive(Debug)]
enum Icy {
    /// So many bytes of audio come before the next block.
    Audio(usize),
    /// The block's length comes.
    Length,
    /// The block, as far as it came, and its length.
    Block(Vec<u8>, usize),
}

impl Ear {
    /// An ear for a body as the head describes it; `metaint` is the audio between two blocks of ICY metadata.
    pub fn new(chunked: bool, metaint: Option<usize>) -> Self {
        Self {
            chunked,
            metaint,
            chunk: Chunk::Size(Vec::new()),
            icy: Icy::Audio(metaint.unwrap_or(usize::MAX)),
            heard: Heard::default(),
        }
    }

    /// What was heard so far.
    pub fn heard(&self) -> &Heard {
        &self.heard
    }

    /// Takes the next bytes of the connection.
    pub fn take(&mut self, bytes: &[u8]) {
        if self.chunked {
            self.unchunk(bytes);
        } else {
            self.listen(bytes);
        }
    }

    fn unchunk(&mut self, mut bytes: &[u8]) {
        while let Some((first, rest)) = bytes.split_first() {
            match &mut self.chunk {
                Chunk::Size(line) => {
                    line.push(*first);
                    bytes = rest;
                    if line.ends_with(b"\r\n") {
                        let line = String::from_utf8_lossy(line).into_owned();
                        self.begin_chunk(line.trim());
                    }
                }
                Chunk::Body(left) => {
                    let (audio, line_end) = (left.saturating_sub(2), 2.min(*left));
                    let taken = bytes.len().min(if audio > 0 { audio } else { line_end });
                    *left -= taken;
                    let done = *left == 0;
                    let (piece, rest) = bytes.split_at(taken);
                    if audio > 0 {
                        self.listen(piece);
                    }
                    if done {
                        self.chunk = Chunk::Size(Vec::new());
                    }
                    bytes = rest;
                }
                Chunk::Last => return,
            }
        }
    }

    fn begin_chunk(&mut self, size: &str) {
        match usize::from_str_radix(size, 16) {
            Ok(0) => {
                self.heard.is_complete = true;
                self.chunk = Chunk::Last;
            }
            Ok(size) => self.chunk = Chunk::Body(size + 2),
            Err(_) => {
                self.heard.fault = Some(format!("a chunk of {size:?} bytes"));
                self.chunk = Chunk::Last;
            }
        }
    }

    fn listen(&mut self, mut bytes: &[u8]) {
        while let Some((first, rest)) = bytes.split_first() {
            match &mut self.icy {
                Icy::Audio(0) => self.icy = Icy::Length,
                Icy::Audio(left) => {
                    let (audio, rest) = bytes.split_at(bytes.len().min(*left));
                    *left -= audio.len();
                    self.heard.audio.extend_from_slice(audio);
                    bytes = rest;
                }
                Icy::Length => {
                    self.icy = Icy::Block(Vec::new(), usize::from(*first) * 16);
                    bytes = rest;
                    self.end_block();
                }
                Icy::Block(block, length) => {
                    let missing = *length - block.len();
                    let (piece, rest) = bytes.split_at(bytes.len().min(missing));
                    block.extend_from_slice(piece);
                    bytes = rest;
                    self.end_block();
                }
            }
        }
    }

    /// When the block is whole.
    fn end_block(&mut self) {
        let Icy::Block(block, length) = &self.icy else {
            return;
        };
        if block.len() < *length {
            return;
        }
        if !block.is_empty() {
            let text = String::from_utf8_lossy(block);
            let text = text.trim_end_matches('\0').to_owned();
            self.heard.titles.push((self.heard.audio.len(), text));
        }
        self.icy = Icy::Audio(self.metaint.unwrap_or(usize::MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::Ear;

    #[test]
    fn an_ear_takes_chunks_and_titles_apart_wherever_the_bytes_are_cut() {
        // Four bytes of audio, a title of 16 bytes, four bytes, an empty block, one byte; in chunks that cut across.
        let body = b"abcd\x01StreamTitle='x';efgh\0i";
        let (one, two) = body.split_at(9);
        let wire = [
            format!("{:x}\r\n", one.len()).as_bytes(),
            one,
            format!("\r\n{:X}\r\n", two.len()).as_bytes(),
            two,
            b"\r\n0\r\n\r\n",
        ]
        .concat();

        for step in [1, 2, 3, 7, wire.len()] {
            let mut ear = Ear::new(true, Some(4));
            wire.chunks(step).for_each(|piece| ear.take(piece));
            let heard = ear.heard();
            assert_eq!(heard.audio, b"abcdefghi", "in steps of {step}");
            assert_eq!(heard.titles, [(4, "StreamTitle='x';".to_owned())]);
            assert!(heard.is_complete && heard.fault.is_none());
        }
    }
}
