//! Heads: the lines before a body, of a request as of an answer.
//!
//! Comes in: a socket. Goes out: the head, and what of the body came with it. Bounded in size; the caller
//! bounds the time.

use tokio::io::{AsyncRead, AsyncReadExt};

/// Four times what the most talkative player sends.
const LIMIT_BYTES: usize = 8 * 1024;

/// A head as it came.
#[derive(Debug)]
pub struct Head {
    /// The lines, without the empty one that ends them.
    pub text: String,
    /// The body's first bytes, where they came with the head.
    pub rest: Vec<u8>,
}

/// Why there is no head.
#[derive(Debug, thiserror::Error)]
pub enum HeadError {
    /// The other end closed or broke the connection first.
    #[error("the connection ended within the head")]
    Ended(#[source] Option<std::io::Error>),
    /// No end of the head within 8 KiB.
    #[error("the head is longer than 8 KiB")]
    TooLong,
}

impl Head {
    /// The first line.
    pub fn first_line(&self) -> &str {
        self.text.lines().next().unwrap_or_default()
    }

    /// The value of the header with this name, whatever its case.
    pub fn value(&self, name: &str) -> Option<&str> {
        let mut pairs = self
            .text
            .lines()
            .skip(1)
            .filter_map(|line| line.split_once(':'));
        let (_, value) = pairs.find(|(key, _)| key.trim().eq_ignore_ascii_case(name))?;
        Some(value.trim())
    }
}

/// Reads up to the first empty line.
///
/// # Errors
/// [`HeadError`], when the connection ends or 8 KiB have no empty line.
pub async fn read_head(from: &mut (impl AsyncRead + Unpin)) -> Result<Head, HeadError> {
    let mut bytes = Vec::with_capacity(1024);
    loop {
        if let Some((end, body)) = head_end(&bytes) {
            let rest = bytes.split_off(body);
            bytes.truncate(end);
            let text = String::from_utf8_lossy(&bytes).into_owned();
            return Ok(Head { text, rest });
        }
        if bytes.len() >= LIMIT_BYTES {
            return Err(HeadError::TooLong);
        }
        match from.read_buf(&mut bytes).await {
            Ok(0) => return Err(HeadError::Ended(None)),
            Ok(_) => {}
            Err(error) => return Err(HeadError::Ended(Some(error))),
        }
    }
}

/// Where the head ends and where the body begins; bare line feeds are accepted, as some hardware radios send them.
fn head_end(bytes: &[u8]) -> Option<(usize, usize)> {
    let find = |mark: &[u8]| {
        let at = bytes
            .windows(mark.len())
            .position(|window| window == mark)?;
        Some((at, at + mark.len()))
    };
    let ends = [find(b"\r\n\r\n"), find(b"\n\n")];
    ends.into_iter().flatten().min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_head_ends_at_the_empty_line_and_the_rest_is_body() {
        for (sent, rest) in [
            (
                &b"GET / HTTP/1.0\r\nHost: x\r\n\r\nab\n\n"[..],
                &b"ab\n\n"[..],
            ),
            (b"GET / HTTP/1.0\nHost: x\n\nab", b"ab"),
        ] {
            let head = read_head(&mut &*sent).await.unwrap();
            assert_eq!(head.first_line(), "GET / HTTP/1.0");
            assert_eq!(head.value("hOST"), Some("x"));
            assert_eq!(head.value("Accept"), None);
            assert_eq!(head.rest, rest);
        }
    }

    #[tokio::test]
    async fn a_head_without_end_is_refused() {
        let endless = vec![b'a'; 20_000];
        let refused = read_head(&mut endless.as_slice()).await;
        assert!(matches!(refused, Err(HeadError::TooLong)));
        let cut = read_head(&mut &b"GET / HTTP/1.0\r\n"[..]).await;
        assert!(matches!(cut, Err(HeadError::Ended(None))));
    }
}
