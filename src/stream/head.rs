//! The head of a relay's answer, HTTP or ICY. Pure: bytes in, what matters of them out.

use thiserror::Error;

use crate::fleet::stream_type;

use super::icy::LEAST_METAINT_BYTES;

/// The largest head of an answer that is read; Icecast's are below 1 KB.
pub const HEAD_LIMIT_BYTES: usize = 16 * 1024;

const FIELD_LIMIT: usize = 64;

/// What a relay says before its audio.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayHead {
    /// The HTTP status.
    pub status: u16,
    /// The MIME type.
    pub content_type: Option<String>,
    /// Bytes of audio between two metadata blocks; `None` when there are none.
    pub metaint_bytes: Option<usize>,
    /// The bitrate as announced, in kbit/s.
    pub bitrate_kbps: Option<u32>,
    /// What the station says of itself: the `icy-*` fields, without those that belong to the connection.
    pub station: Vec<(String, Vec<u8>)>,
}

/// Why an answer's head cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum BadHead {
    /// Neither HTTP nor ICY.
    #[error("expected an HTTP or ICY answer, found something else")]
    NotHttp,
    /// It does not end.
    #[error("expected a head of at most {HEAD_LIMIT_BYTES} bytes, found a longer one")]
    TooLong,
    /// The body is framed or packed although HTTP/1.0 was asked for.
    #[error("expected plain audio, found a body in a transfer or content encoding")]
    Encoded,
    /// Its metadata cannot be told from its audio.
    #[error("expected a number of bytes as icy-metaint, found something else")]
    Metaint,
    /// It has more metadata blocks than any stream needs.
    #[error("icy-metaint: expected at least {LEAST_METAINT_BYTES}, found {found}")]
    MetaintTooSmall {
        /// The number of bytes that it announced.
        found: usize,
    },
}

/// Reads a head; `Ok(None)` while it is not whole. With it comes its length.
///
/// # Errors
/// What came is no head that a stream can follow.
pub fn parse(bytes: &[u8]) -> Result<Option<(RelayHead, usize)>, BadHead> {
    if b"ICY ".starts_with(bytes) {
        return Ok(None);
    }
    let Some(rest) = bytes.strip_prefix(b"ICY ") else {
        return parse_http(bytes);
    };
    // SHOUTcast v1 has a status line of its own; the rest is HTTP's form.
    const HTTP: &[u8] = b"HTTP/1.0 ";
    let longer = HTTP.len() - b"ICY ".len();
    let parsed = parse_http(&[HTTP, rest].concat())?;
    Ok(parsed.map(|(head, length)| (head, length - longer)))
}

fn parse_http(bytes: &[u8]) -> Result<Option<(RelayHead, usize)>, BadHead> {
    let mut fields = [httparse::EMPTY_HEADER; FIELD_LIMIT];
    let mut answer = httparse::Response::new(&mut fields);
    let mut parser = httparse::ParserConfig::default();
    // ICECAST: station names of the last century may hold anything; a line that is none is no reason to turn away.
    parser.ignore_invalid_headers_in_responses(true);
    match parser.parse_response(&mut answer, bytes) {
        Ok(httparse::Status::Complete(length)) => Ok(Some((head_of(&answer)?, length))),
        Ok(httparse::Status::Partial) if bytes.len() < HEAD_LIMIT_BYTES => Ok(None),
        Ok(httparse::Status::Partial) | Err(httparse::Error::TooManyHeaders) => {
            Err(BadHead::TooLong)
        }
        Err(_) => Err(BadHead::NotHttp),
    }
}

fn head_of(answer: &httparse::Response<'_, '_>) -> Result<RelayHead, BadHead> {
    let mut head = RelayHead {
        status: answer.code.unwrap_or_default(),
        content_type: None,
        metaint_bytes: None,
        bitrate_kbps: None,
        station: Vec::new(),
    };
    for field in answer.headers.iter() {
        head.note(&field.name.to_ascii_lowercase(), field.value)?;
    }
    Ok(head)
}

impl RelayHead {
    fn note(&mut self, name: &str, value: &[u8]) -> Result<(), BadHead> {
        let text = || std::str::from_utf8(value).ok().map(str::trim);
        match name {
            "content-type" => self.content_type = text().map(str::to_owned),
            "icy-metaint" => {
                let bytes = text().and_then(|text| text.parse().ok());
                self.metaint_bytes = match bytes.ok_or(BadHead::Metaint)? {
                    // None at all is what some servers mean by 0.
                    0 => None,
                    // SECURITY: a relay with a block for each byte takes a processor for a few listeners.
                    found @ 1..LEAST_METAINT_BYTES => {
                        return Err(BadHead::MetaintTooSmall { found });
                    }
                    bytes => Some(bytes),
                };
            }
            "transfer-encoding" => return Err(BadHead::Encoded),
            "content-encoding" if text() != Some("identity") => return Err(BadHead::Encoded),
            _ if name.starts_with("icy-") || name == "ice-audio-info" => {
                if name == "icy-br" {
                    self.bitrate_kbps = text().and_then(first_number);
                }
                if !matches!(name, "icy-metadata") {
                    self.station.push((name.to_owned(), value.to_vec()));
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Bytes of audio in a second, as announced.
    pub fn bytes_per_second(&self) -> Option<u64> {
        let kbps = self
            .bitrate_kbps
            .filter(|kbps| (8..=10_000).contains(kbps))?;
        Some(u64::from(kbps) * 125)
    }

    /// The head as Pingora gets it: an answer whose body ends with the connection, with `metaint_bytes` of the listener.
    pub fn to_http(&self, metaint_bytes: Option<usize>) -> Vec<u8> {
        let mut text = b"HTTP/1.0 200 OK\r\n".to_vec();
        let mut push = |name: &str, value: &[u8]| {
            text.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
        };
        let unknown = "application/octet-stream";
        let content_type = self.content_type.as_deref().and_then(stream_type);
        push(
            "Content-Type",
            content_type.as_deref().unwrap_or(unknown).as_bytes(),
        );
        for (name, value) in &self.station {
            push(name, value);
        }
        if let Some(metaint) = metaint_bytes {
            push("icy-metaint", metaint.to_string().as_bytes());
        }
        text.extend(b"\r\n");
        text
    }
}

/// Some sources announce `128,128` or `128 (VBR)`.
fn first_number(text: &str) -> Option<u32> {
    let digits = text.find(|c: char| !c.is_ascii_digit());
    text.get(..digits.unwrap_or(text.len()))?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ICECAST: &[u8] = include_bytes!("../../tests/data/heads/get-http11-icymeta.txt");
    const SHOUTCAST: &[u8] = include_bytes!("../../tests/data/shoutcast/v1-stream-head.txt");

    fn crlf(text: &[u8]) -> Vec<u8> {
        let text = String::from_utf8_lossy(text).replace("\r\n", "\n");
        text.replace('\n', "\r\n").into_bytes()
    }

    #[test]
    fn a_real_icecast_head_is_read() {
        let start = memchr::memmem::find(ICECAST, b"HTTP/1.0 200").unwrap();
        let (head, _) = parse(&crlf(&ICECAST[start..])).unwrap().unwrap();
        assert_eq!(head.status, 200);
        assert_eq!(head.content_type.as_deref(), Some("audio/mpeg"));
        assert_eq!(head.metaint_bytes, Some(16_000));
        assert!(head.station.iter().any(|(name, _)| name == "icy-name"));
    }

    #[test]
    fn a_metaint_is_a_number_or_there_is_no_telling_what_is_audio() {
        let read = |value: &str| {
            let head = format!("HTTP/1.0 200 OK\r\nicy-metaint: {value}\r\n\r\n");
            Ok(parse(head.as_bytes())?.unwrap().0.metaint_bytes)
        };
        assert_eq!(read("8192"), Ok(Some(8_192)));
        assert_eq!(read("0"), Ok(None));
        assert_eq!(read("16000,16000"), Err(BadHead::Metaint));
        assert_eq!(read("-1"), Err(BadHead::Metaint));
        assert_eq!(read("256"), Ok(Some(256)));
        for found in [1, 255] {
            let refused = Err(BadHead::MetaintTooSmall { found });
            assert_eq!(read(&found.to_string()), refused);
        }
    }

    #[test]
    fn an_icy_head_is_read_and_its_length_is_its_own() {
        let start = memchr::memmem::find(SHOUTCAST, b"ICY 200 OK").unwrap();
        let mut bytes = crlf(&SHOUTCAST[start..]);
        if !bytes.ends_with(b"\r\n\r\n") {
            bytes.extend(b"\r\n\r\n");
        }
        let end = memchr::memmem::find(&bytes, b"\r\n\r\n").unwrap() + 4;
        bytes.extend(b"audio");
        let (head, length) = parse(&bytes).unwrap().unwrap();
        assert_eq!((head.status, length), (200, end));
        assert!(
            parse(b"ICY 401 Service Unavailable\r\n\r\n")
                .unwrap()
                .unwrap()
                .0
                .status
                == 401
        );
    }

    #[test]
    fn a_head_may_come_in_pieces_of_any_size() {
        for head in [
            "ICY 200 OK\r\nicy-br:128\r\n\r\n",
            "HTTP/1.0 200 OK\r\nicy-br:128\r\n\r\n",
        ] {
            for cut in 0..head.len() {
                assert_eq!(parse(&head.as_bytes()[..cut]), Ok(None), "{}", &head[..cut]);
            }
            assert!(parse(head.as_bytes()).unwrap().is_some());
        }
    }

    #[test]
    fn what_is_no_plain_stream_is_told() {
        for (text, why) in [
            ("SSH-2.0-OpenSSH\r\n\r\n", BadHead::NotHttp),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
                BadHead::Encoded,
            ),
            (
                "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n",
                BadHead::Encoded,
            ),
        ] {
            assert_eq!(parse(text.as_bytes()), Err(why), "{text}");
        }
        let endless = [
            b"HTTP/1.0 200 OK\r\nicy-name: ".to_vec(),
            vec![b'a'; HEAD_LIMIT_BYTES],
        ];
        assert_eq!(parse(&endless.concat()), Err(BadHead::TooLong));
        assert_eq!(parse(b"HTTP/1.0 200 OK\r\nicy-na"), Ok(None));
    }

    #[test]
    fn a_head_goes_on_without_what_belongs_to_the_connection() {
        let bytes = b"HTTP/1.0 200 OK\r\nContent-Type: audio/mpeg\r\nConnection: Close\r\nicy-br:128,128\r\n\
            icy-name:A\r\nicy-metadata:1\r\nicy-metaint:16000\r\n\r\n";
        let (head, _) = parse(bytes).unwrap().unwrap();
        assert_eq!(head.bytes_per_second(), Some(16_000));
        let text = String::from_utf8(head.to_http(Some(8192))).unwrap();
        assert_eq!(
            text,
            "HTTP/1.0 200 OK\r\nContent-Type: audio/mpeg\r\nicy-br: 128,128\r\nicy-name: A\r\nicy-metaint: 8192\r\n\r\n"
        );
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..400), icy in any::<bool>()) {
            let start: &[u8] = if icy { b"ICY " } else { b"HTTP/1.0 200 OK\r\n" };
            if let Ok(Some((_, length))) = parse(&[start, &bytes].concat()) {
                prop_assert!(length <= start.len() + bytes.len());
            }
        }
    }
}
