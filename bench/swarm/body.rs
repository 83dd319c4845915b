//! An answer's head and body as bytes come in: what of them is audio.
//!
//! Comes in: bytes as the socket gave them, cut anywhere. Goes out: the status, one label, and the body without chunked
//! framing. Pure.

/// Why an answer is no stream.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The head is not HTTP, or is longer than 16 KiB.
    #[error("malformed head")]
    Head,
    /// Another status than 200.
    #[error("status {0}")]
    Status(u16),
    /// The framing of the body broke its own rules.
    #[error("malformed chunk")]
    Chunk,
}

/// Where in the answer the next byte is.
#[derive(Debug)]
enum Place {
    Head(Vec<u8>),
    /// A body that ends with the connection.
    Plain,
    /// In the line with a chunk's size; what it says so far.
    Size(u64),
    /// Behind the digits of that line.
    SizeEnd(u64),
    /// In a chunk that has this many bytes left.
    Chunk(u64),
    /// In the line end behind a chunk.
    ChunkEnd,
    /// Behind the terminal chunk.
    End,
}

/// An answer on its way in.
#[derive(Debug)]
pub struct Answer {
    place: Place,
    label_header: String,
    /// The value of the header that labels streams, once the head is read.
    pub label: Option<String>,
}

const LONGEST_HEAD_BYTES: usize = 16_384;

impl Answer {
    /// An answer of which nothing came in; `label_header` names the header that is kept as its label.
    pub fn new(label_header: &str) -> Self {
        Self {
            place: Place::Head(Vec::new()),
            label_header: label_header.to_owned(),
            label: None,
        }
    }

    /// Whether the terminal chunk came: the server says that the programme is over.
    pub fn is_over(&self) -> bool {
        matches!(self.place, Place::End)
    }

    /// Whether the head came in whole.
    pub fn is_begun(&self) -> bool {
        !matches!(self.place, Place::Head(_))
    }

    /// Takes the next bytes and hands the audio among them to `audio`.
    ///
    /// # Errors
    /// When this is no stream.
    pub fn take(&mut self, mut bytes: &[u8], mut audio: impl FnMut(&[u8])) -> Result<(), Fault> {
        while !bytes.is_empty() {
            bytes = match self.place {
                Place::Head(_) => self.head(bytes)?,
                Place::Plain => {
                    audio(bytes);
                    &[]
                }
                Place::Chunk(left) => {
                    let here = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                    let (piece, rest) = bytes.split_at(here);
                    audio(piece);
                    let left = left - here as u64;
                    self.place = if left == 0 {
                        Place::ChunkEnd
                    } else {
                        Place::Chunk(left)
                    };
                    rest
                }
                Place::End => &[],
                _ => self.framing(bytes)?,
            };
        }
        Ok(())
    }

    /// Takes one byte between the chunks.
    fn framing<'a>(&mut self, bytes: &'a [u8]) -> Result<&'a [u8], Fault> {
        let Some((&byte, rest)) = bytes.split_first() else {
            return Ok(bytes);
        };
        self.place = match (&self.place, byte) {
            (Place::ChunkEnd, b'\r') => Place::ChunkEnd,
            (Place::ChunkEnd, b'\n') => Place::Size(0),
            (Place::Size(0) | Place::SizeEnd(0), b'\n') => Place::End,
            (&(Place::Size(size) | Place::SizeEnd(size)), b'\n') => Place::Chunk(size),
            (&Place::Size(size), b'\r' | b';' | b' ') => Place::SizeEnd(size),
            (&Place::Size(size), digit) => Place::Size(with_digit(size, digit)?),
            (&Place::SizeEnd(size), _) => Place::SizeEnd(size),
            _ => return Err(Fault::Chunk),
        };
        Ok(rest)
    }

    /// Adds to the head; gives back what lies behind it.
    fn head<'a>(&mut self, bytes: &'a [u8]) -> Result<&'a [u8], Fault> {
        let Place::Head(head) = &mut self.place else {
            return Ok(bytes);
        };
        let before = head.len();
        head.extend_from_slice(bytes);
        let Some(end) = head.windows(4).position(|four| four == b"\r\n\r\n") else {
            return if head.len() > LONGEST_HEAD_BYTES {
                Err(Fault::Head)
            } else {
                Ok(&[])
            };
        };
        let text = String::from_utf8_lossy(head.get(..end).unwrap_or(&[])).into_owned();
        self.read_head(&text)?;
        Ok(bytes.get(end + 4 - before..).unwrap_or(&[]))
    }

    fn read_head(&mut self, text: &str) -> Result<(), Fault> {
        let mut lines = text.lines();
        let status = lines
            .next()
            .and_then(|line| line.split(' ').nth(1)?.parse().ok());
        let status: u16 = status.ok_or(Fault::Head)?;
        if status != 200 {
            return Err(Fault::Status(status));
        }
        self.place = Place::Plain;
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            if name.eq_ignore_ascii_case("transfer-encoding") {
                self.place = Place::Size(0);
            } else if name.eq_ignore_ascii_case(&self.label_header) {
                self.label = Some(value.trim().to_owned());
            }
        }
        Ok(())
    }
}

fn with_digit(size: u64, digit: u8) -> Result<u64, Fault> {
    let value = char::from(digit).to_digit(16).ok_or(Fault::Chunk)?;
    size.checked_mul(16)
        .and_then(|size| size.checked_add(u64::from(value)))
        .ok_or(Fault::Chunk)
}
