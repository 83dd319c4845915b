//! What a relay says before it is asked: Icecast's `403` at its client limit.
//!
//! In: a relay's address. Out: the [`Answer`] it gives unasked, if any. Sends nothing.
//!
//! ICECAST: 2.4 at its limit answers as soon as it accepts, and does not read the request. On a near machine that arrives
//! before hyper has sent anything, and hyper then drops the connection with the answer in it (measured on loopback: always).

use std::net::SocketAddr;

use reqwest::StatusCode;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use super::answer::Answer;
use crate::fleet::Scheme;

/// Icecast's answer takes 400 bytes.
const LIMIT_BYTES: usize = 4096;

/// Connects to the relay once more and listens. `None` where it speaks TLS, keeps silent or says anything but an error;
/// the caller limits the time.
pub(super) async fn overhear(scheme: Scheme, address: SocketAddr) -> Option<Answer> {
    if scheme == Scheme::Https {
        return None;
    }
    let stream = TcpStream::connect(address).await.ok()?;
    answer(&said(stream).await)
}

/// Everything up to the relay's end or reset, at most 4 KiB, and no more of what does not begin like HTTP.
async fn said(mut stream: TcpStream) -> Vec<u8> {
    let mut said = Vec::with_capacity(LIMIT_BYTES);
    while said.len() < LIMIT_BYTES && could_be_http(&said) {
        match stream.read_buf(&mut said).await {
            Ok(0) | Err(_) => break,
            Ok(_) => {}
        }
    }
    said
}

fn could_be_http(said: &[u8]) -> bool {
    let begin = b"HTTP/1.";
    let known = said.len().min(begin.len());
    said.get(..known) == begin.get(..known)
}

/// The answer, if it is one that a server gives for want of room.
fn answer(said: &[u8]) -> Option<Answer> {
    let after_version = said.strip_prefix(b"HTTP/1.")?.get(2..)?;
    let status = StatusCode::from_bytes(after_version.get(..3)?).ok()?;
    if status != StatusCode::FORBIDDEN && status != StatusCode::SERVICE_UNAVAILABLE {
        return None;
    }
    let head_end = said.windows(4).position(|part| part == b"\r\n\r\n");
    let body = head_end.and_then(|end| said.get(end + 4..));
    Some(Answer {
        status,
        body: body.unwrap_or_default().to_vec(),
    })
}
