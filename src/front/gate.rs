//! The gate: reads each request's head under one deadline, judges it, and hands it to Pingora's proxy.
//!
//! In: connections. Out: whole, inspected heads for [`HttpProxy`]; refusals written here for the rest.
//!
//! PINGORA: (0.9.1) its parser restarts a 60 s timer at each byte, takes 1 MiB and 256 fields, and repairs broken targets.
//! A session takes bytes that were read before it as its pipelined prefix: that is the way in used here.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Buf, BytesMut};
use log::debug;
use pingora::apps::{HttpServerApp, ServerApp};
use pingora::protocols::Stream;
use pingora::protocols::http::ServerSession;
use pingora::server::ShutdownWatch;
use pingora_proxy::HttpProxy;
use pingora::time::timeout;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::answer;
use super::door::Door;
use super::head::{HEAD_LIMIT_BYTES, end_of_head, inspect, oversize};
use super::refuse::Refusal;
use super::tally::Tally;

/// From a connection, or from a request's first byte, until its head must be whole.
const HEAD_DEADLINE: Duration = Duration::from_secs(10);

/// How long a connection may wait for its next request.
const IDLE_LIMIT_SECONDS: u64 = 60;

/// First size of the head's buffer; holds the head of every player seen.
const HEAD_BUFFER_BYTES: usize = 1024;

/// After a refusal, how much more of a request is read away so that the answer is not lost to a reset, and how long.
const LINGER_BYTES: usize = 256 * 1024;
const LINGER_TIME: Duration = Duration::from_secs(1);

/// Guards the way into the proxy.
pub struct Gate {
    proxy: Arc<HttpProxy<Door>>,
    tally: Arc<Tally>,
}

impl Gate {
    /// A gate before this proxy.
    pub fn new(proxy: HttpProxy<Door>, tally: Arc<Tally>) -> Self {
        Self {
            proxy: Arc::new(proxy),
            tally,
        }
    }
}

#[async_trait]
impl ServerApp for Gate {
    async fn process_new(
        self: &Arc<Self>,
        mut stream: Stream,
        shutdown: &ShutdownWatch,
    ) -> Option<Stream> {
        let mut read = BytesMut::new();
        let mut patience = HEAD_DEADLINE;
        loop {
            let head = match read_head(&mut stream, &mut read, patience).await {
                Ok(Some(head)) => head,
                Ok(None) => return None,
                Err(refusal) => {
                    self.tally.refused(refusal);
                    dismiss(&mut stream, refusal).await;
                    return None;
                }
            };
            let mut session = ServerSession::new_http1(stream);
            session.set_keepalive((!*shutdown.borrow()).then_some(IDLE_LIMIT_SECONDS));
            session.set_pipelined_prefix(head);
            let reused = self.proxy.process_new_http(session, shutdown).await?;
            stream = reused.consume().0;
            patience = Duration::from_secs(IDLE_LIMIT_SECONDS);
        }
    }

    async fn cleanup(&self) {
        self.proxy.http_cleanup().await;
    }
}

/// Reads one head; what came behind it stays in `read`. `Ok(None)`: the listener hung up or stayed silent.
///
/// `patience` bounds the wait for the first byte.
async fn read_head(
    stream: &mut Stream,
    read: &mut BytesMut,
    patience: Duration,
) -> Result<Option<BytesMut>, Refusal> {
    if read.is_empty() && !first_bytes(stream, read, patience).await {
        return Ok(None);
    }
    // Most heads come in one piece: the deadline's timer is only set for those that do not.
    if let Some(head) = take_head(read, 0)? {
        return Ok(Some(head));
    }
    match timeout(HEAD_DEADLINE, rest_of_head(stream, read)).await {
        Ok(head) => head,
        Err(_) => Err(Refusal::TooSlow),
    }
}

async fn first_bytes(stream: &mut Stream, read: &mut BytesMut, patience: Duration) -> bool {
    read.reserve(HEAD_BUFFER_BYTES);
    matches!(timeout(patience, stream.read_buf(read)).await, Ok(Ok(1..)))
}

async fn rest_of_head(stream: &mut Stream, read: &mut BytesMut) -> Result<Option<BytesMut>, Refusal> {
    loop {
        let searched = read.len();
        if searched >= HEAD_LIMIT_BYTES {
            return Err(oversize(read));
        }
        read.reserve(HEAD_BUFFER_BYTES);
        if !matches!(stream.read_buf(read).await, Ok(1..)) {
            return Ok(None);
        }
        if let Some(head) = take_head(read, searched)? {
            return Ok(Some(head));
        }
    }
}

/// Splits the head off once it is whole, and judges it.
fn take_head(read: &mut BytesMut, searched: usize) -> Result<Option<BytesMut>, Refusal> {
    if searched == 0 {
        // RFC 9112 2.2: blank lines before a request are skipped.
        let blank = read.iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
        read.advance(blank);
    }
    let Some(end) = end_of_head(read, searched) else {
        return Ok(None);
    };
    let head = if end == read.len() {
        std::mem::take(read)
    } else {
        read.split_to(end)
    };
    inspect(&head)?;
    Ok(Some(head))
}

/// Answers a head that cannot be trusted and closes, reading away what is still coming for a moment.
async fn dismiss(stream: &mut Stream, refusal: Refusal) {
    debug!("refused a request: {} {}", refusal.status(), refusal.text());
    let answered = timeout(HEAD_DEADLINE, async {
        stream.write_all(&answer::raw_refusal(refusal)).await?;
        stream.flush().await?;
        AsyncWriteExt::shutdown(stream).await
    });
    if matches!(answered.await, Ok(Ok(()))) {
        // Whatever still comes is of no interest; neither is how it ends.
        let _ = timeout(LINGER_TIME, read_away(stream)).await;
    }
}

async fn read_away(stream: &mut Stream) {
    let mut sink = [0; 4096];
    let mut left = LINGER_BYTES;
    while left > 0 {
        match stream.read(&mut sink).await {
            Ok(n @ 1..) => left = left.saturating_sub(n),
            _ => return,
        }
    }
}
