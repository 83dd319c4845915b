//! Reading heads from connections, each under one deadline. While a connection says nothing, its place may be given away.
//!
//! PINGORA: (0.9.1) its parser restarts a 60 s timer at each byte.

use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Poll, ready};
use std::time::Duration;

use bytes::{Buf, BufMut, BytesMut};
use pingora::protocols::Stream;
use pingora::time::timeout;
use tokio::io::{AsyncRead, ReadBuf};

use super::budget::Place;
use super::head::{HEAD_LIMIT_BYTES, end_of_head, oversize};
use super::refuse::Refusal;

/// From a connection, or from a request's first byte, until its head must be whole.
const HEAD_DEADLINE: Duration = Duration::from_secs(10);

/// The most that is read at once; holds the head of every player seen, and every browser's TLS hello.
const READ_BYTES: usize = 2048;

/// How long a connection may wait for its next request.
pub const IDLE_LIMIT: Duration = Duration::from_secs(60);

/// For so long after an answer, a connection has its place for certain: the next request may be on its way.
const REST_AFTER: Duration = Duration::from_secs(1);

/// Reads the first head of a connection, which has to be whole a deadline after the connection.
pub async fn first_head(
    stream: &mut Stream,
    read: &mut BytesMut,
    place: &Place,
) -> Result<Option<usize>, Refusal> {
    let head = timeout(HEAD_DEADLINE, whole_head(stream, read));
    match place.rest_during(head).await {
        Some(Ok(head)) => head,
        Some(Err(_)) if !read.is_empty() => Err(Refusal::TooSlow),
        Some(Err(_)) | None => Ok(None),
    }
}

/// Reads a later head, which has to be whole a deadline after its first byte.
pub async fn next_head(
    stream: &mut Stream,
    read: &mut BytesMut,
    place: &Place,
) -> Result<Option<usize>, Refusal> {
    skip_blank_lines(read);
    if read.is_empty() && !begins(stream, read, place).await {
        return Ok(None);
    }
    // Most heads come in one piece: the deadline's timer is only set for those that do not.
    if let Some(length) = end_of_head(read, 0) {
        return Ok(Some(length));
    }
    let head = timeout(HEAD_DEADLINE, whole_head(stream, read));
    let head = place.rest_during(head).await;
    head.map_or(Ok(None), |head| head.unwrap_or(Err(Refusal::TooSlow)))
}

/// Whether a request begins before the connection has been idle for too long, or its place was given away.
async fn begins(stream: &mut Stream, read: &mut BytesMut, place: &Place) -> bool {
    if let Ok(begins) = timeout(REST_AFTER, begun(stream, read)).await {
        return begins;
    }
    let begins = timeout(IDLE_LIMIT - REST_AFTER, begun(stream, read));
    matches!(place.rest_during(begins).await, Some(Ok(true)))
}

/// Reads until a request begins; false when the listener hung up. Blank lines are no beginning.
async fn begun(stream: &mut Stream, read: &mut BytesMut) -> bool {
    while read.is_empty() {
        if !read_some(stream, read).await {
            return false;
        }
        skip_blank_lines(read);
    }
    true
}

/// Reads until a head is whole, and tells its length; what came behind it stays in `read`. `Ok(None)`: the listener hung
/// up.
async fn whole_head(stream: &mut Stream, read: &mut BytesMut) -> Result<Option<usize>, Refusal> {
    let mut searched = 0;
    loop {
        if searched == 0 {
            skip_blank_lines(read);
        }
        match end_of_head(read, searched) {
            Some(length) if length <= HEAD_LIMIT_BYTES => return Ok(Some(length)),
            Some(_) => return Err(oversize(read)),
            None if read.len() >= HEAD_LIMIT_BYTES => return Err(oversize(read)),
            None => searched = read.len(),
        }
        if !read_some(stream, read).await {
            return Ok(None);
        }
    }
}

/// RFC 9112 2.2: blank lines before a request, which some players send after the last one, are skipped.
fn skip_blank_lines(read: &mut BytesMut) {
    let blank = read
        .iter()
        .take_while(|b| matches!(b, b'\r' | b'\n'))
        .count();
    read.advance(blank);
}

/// Reads what there is; false when the listener hung up.
async fn read_some(stream: &mut Stream, read: &mut BytesMut) -> bool {
    matches!(read_what_is_there(stream, read).await, Ok(1..))
}

/// Appends what there is to `read`, once there is something: who says nothing needs no room. Returns how many bytes there
/// were; 0 at the end.
///
/// # Errors
/// The connection broke.
pub async fn read_what_is_there(
    stream: &mut (impl AsyncRead + Unpin),
    read: &mut impl BufMut,
) -> io::Result<usize> {
    poll_fn(|cx| {
        let mut room = [MaybeUninit::uninit(); READ_BYTES];
        let mut room = ReadBuf::uninit(&mut room);
        ready!(Pin::new(&mut *stream).poll_read(cx, &mut room))?;
        read.put_slice(room.filled());
        Poll::Ready(Ok(room.filled().len()))
    })
    .await
}
